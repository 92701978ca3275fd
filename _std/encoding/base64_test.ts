import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import { Buffer } from "node:buffer";
import * as all from "@std/encoding";
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";

const vectors = [
  ["", ""],
  ["f", "Zg=="],
  ["fo", "Zm8="],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg=="],
  ["fooba", "Zm9vYmE="],
  ["foobar", "Zm9vYmFy"],
] as const;

const encoder = new TextEncoder();

for (const [text, base64] of vectors) {
  Deno.test(`encodeBase64() makes "${base64}" of "${text}"`, () => {
    const bytes = encoder.encode(text);
    assertEquals(encodeBase64(text), base64);
    assertEquals(encodeBase64(bytes), base64);
    assertEquals(encodeBase64(bytes.buffer), base64);
  });

  Deno.test(`decodeBase64() makes "${text}" of "${base64}"`, () => {
    assertEquals(decodeBase64(base64), encoder.encode(text));
    assertEquals(
      decodeBase64(base64.replaceAll("=", "")),
      encoder.encode(text),
    );
  });
}

Deno.test("encodeBase64() encodes the part a view shows", () => {
  const view = new Uint8Array([9, 250, 251, 252, 9]).subarray(1, 4);
  assertEquals(encodeBase64(view), "+vv8");
});

Deno.test("encodeBase64() and a Buffer do not go together", () => {
  // Here it throws. The real one takes the memory of the buffer away.
  const buffer = Buffer.from("text");
  let thrown: unknown;
  try {
    encodeBase64(buffer);
  } catch (error) {
    thrown = error;
  }
  assert(thrown instanceof TypeError || buffer.length === 0);
});

Deno.test("decodeBase64() returns plain bytes in a buffer of their own size", () => {
  const bytes = decodeBase64("AQI=");
  assertInstanceOf(bytes, Uint8Array);
  assertEquals(bytes.buffer.byteLength, 2);
});

Deno.test("decodeBase64() ignores bits and padding that are left over", () => {
  assertEquals(decodeBase64("AR"), new Uint8Array([1]));
  assertEquals(decodeBase64("AQ="), new Uint8Array([1]));
  assertEquals(decodeBase64("AQI=="), new Uint8Array([1, 2]));
  assertEquals(decodeBase64("=="), new Uint8Array());
});

for (
  const text of [
    "A Q=",
    " AQI",
    "AQI\n",
    "A-_A",
    "AQ=I",
    "====",
    "AB=C=",
    "ABC=D",
    "éé",
  ]
) {
  Deno.test(`decodeBase64() refuses ${JSON.stringify(text)}`, () => {
    assertThrows(() => decodeBase64(text), TypeError, "Invalid character (");
  });
}

Deno.test("decodeBase64() refuses a length that nothing encodes to", () => {
  for (const text of ["A", "AAAAA", "AAAAA="]) {
    assertThrows(() => decodeBase64(text), RangeError, "remainder of 1");
  }
});

Deno.test("mod exports both encodings", () => {
  assertEquals(all.encodeBase64, encodeBase64);
  assertEquals(all.decodeHex("00ff"), new Uint8Array([0, 255]));
});
