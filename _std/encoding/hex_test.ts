import { assertEquals, assertThrows } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";

Deno.test("encodeHex() writes two lower-case digits per byte", () => {
  assertEquals(encodeHex(new Uint8Array([0, 10, 255])), "000aff");
  assertEquals(encodeHex("Az"), "417a");
  assertEquals(encodeHex(new ArrayBuffer(2)), "0000");
});

Deno.test("decodeHex() reads digits of either case", () => {
  assertEquals(decodeHex("000aFf"), new Uint8Array([0, 10, 255]));
  assertEquals(decodeHex(""), new Uint8Array());
});

Deno.test("decodeHex() refuses an odd length and a foreign character", () => {
  assertThrows(() => decodeHex("abc"), RangeError, "must be divisible by 2");
  assertThrows(() => decodeHex("0g"), TypeError, "Invalid character (g)");
  assertThrows(() => decodeHex("0 "), TypeError, "Invalid character ( )");
});
