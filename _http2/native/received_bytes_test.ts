import { assert, assertEquals, assertLess } from "@std/assert";
import { seededRandom } from "../../_testdata/seeded_random.ts";
import { ReceivedBytes } from "./received_bytes.ts";

/** All pieces, joined; and how much memory they keep. */
function takeAll(queue: ReceivedBytes): { bytes: number[]; kept: number } {
  const bytes: number[] = [];
  const kept = new Set<ArrayBufferLike>();
  for (let at = queue.shift(); at !== null; at = queue.shift()) {
    bytes.push(...at);
    kept.add(at.buffer);
  }
  let sum = 0;
  for (const { byteLength } of kept) sum += byteLength;
  return { bytes, kept: sum };
}

Deno.test("ReceivedBytes gives all bytes back in order, however they came and went", () => {
  const random = seededRandom(7);
  const queue = new ReceivedBytes();
  const pushed: number[] = [];
  const shifted: number[] = [];
  for (let i = 0; i < 300; i++) {
    if (random() < 0.4) shifted.push(...queue.shift() ?? []);
    const chunk = new Uint8Array(1 + random() * 40_000);
    const start = Math.floor(random() * chunk.length);
    const size = random() < 0.7 ? random() * 20 : random() * 30_000;
    const view = chunk.subarray(start, start + 1 + size);
    for (let j = 0; j < view.length; j++) view[j] = pushed.length + j;
    pushed.push(...view);
    queue.push(view);
    assert(!queue.isEmpty);
  }
  shifted.push(...takeAll(queue).bytes);
  assertEquals(shifted.length, pushed.length);
  assert(shifted.every((byte, i) => byte === pushed[i]! % 256));
  assert(queue.isEmpty);
  assertEquals(queue.shift(), null);
});

for (const size of [1, 5, 100, 5_000, 30_000]) {
  Deno.test(`ReceivedBytes keeps little memory for pieces of ${size} bytes of large chunks`, () => {
    const queue = new ReceivedBytes();
    const count = Math.ceil(200_000 / size);
    const chunk = new Uint8Array(65_536);
    for (let i = 0; i < count; i++) {
      queue.push(chunk.subarray(100, 100 + size));
    }
    const { bytes, kept } = takeAll(queue);
    assertEquals(bytes.length, count * size);
    assertLess(kept, 1.6 * bytes.length);
  });
}
