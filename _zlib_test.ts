import {
  assert,
  assertEquals,
  assertLess,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { GRPCError } from "./core/errors.ts";
import { Status } from "./core/status.ts";
import { compressors } from "./_zlib.ts";
import { ChildProcess } from "./_testdata/child_process.ts";

const NAMES = ["gzip", "deflate", "zstd", "br"];

/** Bytes that look like a message: some text, some noise. */
function sample(length: number): Uint8Array {
  const bytes = new TextEncoder().encode("a message, ".repeat(length)).slice(
    0,
    length,
  );
  for (let i = 0; i < length; i += 97) bytes[i] = i * 31;
  return bytes;
}

function statusOf(fn: () => unknown): Status {
  return assertThrows(fn, GRPCError).status;
}

Deno.test("compressors has all encodings of this runtime", () => {
  assertEquals([...compressors.keys()], NAMES);
});

for (const name of NAMES) {
  const compressor = compressors.get(name)!;

  Deno.test(`compressors: ${name} gives back what it took`, () => {
    for (const length of [0, 1, 5, 100, 4096, 70_000, 1_000_000]) {
      const bytes = sample(length);
      const compressed = compressor.compress(bytes);
      const back = compressor.decompress(compressed, length);
      assertEquals(back, bytes);
      // No Buffer, and no piece of somebody else's memory.
      assertStrictEquals(Object.getPrototypeOf(back), Uint8Array.prototype);
      assertStrictEquals(
        Object.getPrototypeOf(compressed),
        Uint8Array.prototype,
      );
    }
    assertLess(compressor.compress(sample(70_000)).length, 20_000);
    assertEquals(compressor.name, name);
  });

  Deno.test(`compressors: ${name} keeps no more memory than a message takes`, () => {
    const large = compressor.compress(new Uint8Array(1_000_000));
    for (const length of [1, 100, 4096]) {
      // The messages before say nothing of this one.
      compressor.decompress(large, 1_000_000);
      const small = compressor.compress(sample(length));
      const back = compressor.decompress(small, 1_000_000);
      assertEquals(back.length, length);
      // Small ones may be in the pool of Buffer, of 8 KiB.
      assertLess(back.buffer.byteLength, 2 * length + 8193);
    }
  });

  Deno.test(`compressors: ${name} takes no bytes for no message`, () => {
    assertEquals(
      compressor.decompress(new Uint8Array(), 0),
      new Uint8Array(),
    );
  });

  Deno.test(`compressors: ${name} refuses what is larger than the limit`, () => {
    for (const length of [1, 1000, 1_000_000]) {
      const compressed = compressor.compress(sample(length));
      assertEquals(compressor.decompress(compressed, length).length, length);
      const error = assertThrows(
        () => compressor.decompress(compressed, length - 1),
        GRPCError,
        `it inflates to more than the ${length - 1} of maxReceiveMessageSize`,
      );
      assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
    }
  });

  Deno.test(`compressors: ${name} refuses what is cut short or goes on`, () => {
    for (const length of [1, 3000]) {
      const compressed = compressor.compress(sample(length));
      const more = new Uint8Array(compressed.length + 40);
      more.set(compressed);
      more.fill(7, compressed.length);
      for (let end = 1; end < more.length; end++) {
        if (end === compressed.length) continue;
        const status = statusOf(() =>
          compressor.decompress(more.subarray(0, end), 10_000)
        );
        assertEquals(status, Status.INTERNAL, `${end}`);
      }
    }
  });

  Deno.test(`compressors: ${name} refuses what is none of its own`, () => {
    let refused = 0;
    for (let round = 0; round < 300; round++) {
      const noise = crypto.getRandomValues(new Uint8Array(1 + round % 50));
      try {
        compressor.decompress(noise, 10_000);
      } catch (error) {
        assert(error instanceof GRPCError);
        refused++;
      }
    }
    // Noise may be well-formed by chance, at least that of Brotli.
    assert(refused > 250, `${refused}`);
  });
}

Deno.test("compressors: a bomb takes no more memory than the limit when it is refused", async () => {
  for (const name of NAMES) {
    await using program = new ChildProcess([
      "--v8-flags=--expose-gc",
      new URL("./_testdata/bomb_program.ts", import.meta.url).pathname,
      name,
    ]);
    const { status, grownBytes, limitBytes } = await program.event<{
      status: number;
      grownBytes: number;
      limitBytes: number;
    }>();
    assertEquals(status, Status.RESOURCE_EXHAUSTED);
    assertLess(grownBytes, 3 * limitBytes, name);
  }
});
