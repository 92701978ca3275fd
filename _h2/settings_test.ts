import { assertEquals } from "@std/assert";
import { LocalSettings, PeerSettings } from "./settings.ts";

/** A payload with these settings. */
function payload(
  ...pairs: readonly (readonly [id: number, value: number])[]
): Uint8Array {
  const bytes = new Uint8Array(pairs.length * 6);
  const view = new DataView(bytes.buffer);
  pairs.forEach(([id, value], i) => {
    view.setUint16(i * 6, id);
    view.setUint32(i * 6 + 2, value);
  });
  return bytes;
}

Deno.test("PeerSettings.apply() takes each setting, and the last value of it", () => {
  const peer = new PeerSettings();
  const sizes: number[] = [];
  const encoder = { setPeerTableSize: (size: number) => sizes.push(size) };
  const bytes = payload(
    ...[[1, 0], [1, 100], [2, 1], [3, 7], [4, 0x7fff_ffff]] as const,
    ...[[5, 16_777_215], [6, 0xffff_ffff], [7, 1], [0xffff, 2]] as const,
  );
  const fault = peer.apply(bytes, 0, bytes.length, {
    isServer: false,
    encoder,
  });
  assertEquals(fault, null);
  assertEquals(peer.current, {
    headerTableSize: 100,
    maxConcurrentStreams: 7,
    initialWindowSize: 0x7fff_ffff,
    maxFrameSize: 16_777_215,
    maxHeaderListSize: 0xffff_ffff,
  });
  // The table may have been smaller in between.
  assertEquals(sizes, [0, 100]);
});

Deno.test("LocalSettings.send() sends what changes, and the first of a client that it takes no pushes", () => {
  const local = new LocalSettings();
  assertEquals(local.send({}, true), payload([2, 0]));
  assertEquals(
    local.send({ initialWindowSize: 5, maxConcurrentStreams: Infinity }, false),
    payload([4, 5]),
  );
  assertEquals(
    local.send({ initialWindowSize: 5, maxHeaderListSize: 9 }, false),
    payload([6, 9]),
  );
});

Deno.test("LocalSettings.acknowledge() goes by the order in which they were sent", () => {
  const local = new LocalSettings();
  local.send({ initialWindowSize: 1 }, false);
  local.send({ maxFrameSize: 20_000 }, false);
  const seen = (): number[] => {
    const { initialWindowSize, maxFrameSize } = local.acknowledged;
    return [initialWindowSize, maxFrameSize];
  };
  assertEquals(seen(), [65_535, 16_384]);
  assertEquals(local.acknowledge(), true);
  assertEquals(seen(), [1, 16_384]);
  assertEquals(local.acknowledge(), true);
  assertEquals(seen(), [1, 20_000]);
  assertEquals(local.acknowledge(), false);
});
