import { assertEquals } from "@std/assert";
import { latin1 } from "./latin1.ts";

Deno.test("latin1() makes one character of each byte", () => {
  for (const length of [0, 1, 2, 63, 64, 65, 128, 129, 1000, 70_000]) {
    for (const first of [0, 0x20, 0x7f, 0x80, 0xff]) {
      const bytes = Uint8Array.from(
        { length: length + 2 },
        (_, i) => first === 0x20 ? 0x20 + i % 0x5f : first + i,
      );
      const text = latin1(bytes, 1, length + 1);
      assertEquals(text.length, length);
      for (let i = 0; i < length; i++) {
        if (text.charCodeAt(i) !== bytes[i + 1]) {
          throw new Error(`Byte ${i} of ${length}: ${text.charCodeAt(i)}`);
        }
      }
    }
  }
});

Deno.test("latin1() keeps a byte order mark, which is three bytes", () => {
  const bytes = new Uint8Array(100).fill(0x61);
  bytes.set([0xef, 0xbb, 0xbf]);
  assertEquals(latin1(bytes, 0, 100), "\xef\xbb\xbf" + "a".repeat(97));
});
