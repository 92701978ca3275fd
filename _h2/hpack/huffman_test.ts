import { assert, assertEquals, assertThrows } from "@std/assert";
import { hex } from "../../_testdata/hpack_blocks.ts";
import { seededRandom } from "../../_testdata/seeded_random.ts";
import { HpackError } from "./error.ts";
import { decodeHuffman, encodeHuffman, huffmanLength } from "./huffman.ts";

function encode(text: string): Uint8Array {
  const bytes = new Uint8Array(huffmanLength(text) + 2);
  const end = encodeHuffman(text, bytes, 1);
  assertEquals(end, bytes.length - 1);
  assertEquals([bytes[0], bytes[end]], [0, 0]); // only what it was given
  return bytes.subarray(1, end);
}

function decode(digits: string): string {
  const bytes = hex(`00${digits}00`);
  return decodeHuffman(bytes, 1, bytes.length - 1);
}

/**
 * The first and the last code of each length: what is between counts up.
 * https://www.rfc-editor.org/rfc/rfc7541#appendix-B
 */
const CODES: [byte: number, bits: string][] = [
  [0x30, "00000"],
  [0x74, "01001"],
  [0x20, "010100"],
  [0x75, "101101"],
  [0x3a, "1011100"],
  [0x7a, "1111011"],
  [0x26, "11111000"],
  [0x5a, "11111101"],
  [0x21, "1111111000"],
  [0x3f, "1111111100"],
  [0x27, "11111111010"],
  [0x7c, "11111111100"],
  [0x23, "111111111010"],
  [0x3e, "111111111011"],
  [0x00, "1111111111000"],
  [0x7e, "1111111111101"],
  [0x5e, "11111111111100"],
  [0x7d, "11111111111101"],
  [0x3c, "111111111111100"],
  [0x7b, "111111111111110"],
  [0x5c, "1111111111111110000"],
  [0xd0, "1111111111111110010"],
  [0x80, "11111111111111100110"],
  [0xe2, "11111111111111101101"],
  [0x99, "111111111111111011100"],
  [0xe6, "111111111111111101000"],
  [0x81, "1111111111111111010010"],
  [0xe9, "1111111111111111101011"],
  [0x01, "11111111111111111011000"],
  [0xef, "11111111111111111110100"],
  [0x09, "111111111111111111101010"],
  [0xed, "111111111111111111110101"],
  [0xc7, "1111111111111111111101100"],
  [0xeb, "1111111111111111111101111"],
  [0xc0, "11111111111111111111100000"],
  [0xff, "11111111111111111111101110"],
  [0xcb, "111111111111111111111011110"],
  [0xfe, "111111111111111111111110000"],
  [0x02, "1111111111111111111111100010"],
  [0xf9, "1111111111111111111111111110"],
  [0x0a, "111111111111111111111111111100"],
  [0x16, "111111111111111111111111111110"],
];

/** The 30 bits of EOS. */
const EOS = "1".repeat(30);

/** Puts bits into bytes, as hexadecimal digits; there have to be enough. */
function pack(bits: string): string {
  assertEquals(bits.length % 8, 0);
  return (bits.match(/.{4}/g) ?? [])
    .map((four) => Number.parseInt(four, 2).toString(16)).join("");
}

/** Fills the last byte with ones. */
function pad(bits: string): string {
  return bits + "1".repeat((8 - bits.length % 8) % 8);
}

const ALL_BYTES = String.fromCharCode(...Array(256).keys());

Deno.test("encodeHuffman() writes the codes of the specification", () => {
  for (const [byte, bits] of CODES) {
    assertEquals(
      encode(String.fromCharCode(byte)).toHex(),
      pack(pad(bits)),
      `byte ${byte}`,
    );
  }
});

Deno.test("decodeHuffman() reads the codes of the specification", () => {
  for (const [byte, bits] of CODES) {
    const text = String.fromCharCode(byte);
    assertEquals(decode(pack(pad(bits))), text, `byte ${byte}`);
    assertEquals(decode(pack(pad(bits + bits + bits))), text.repeat(3));
  }
});

Deno.test("decodeHuffman() reads what encodeHuffman() writes", () => {
  assertEquals(decode(encode("").toHex()), "");
  assertEquals(decode(encode(ALL_BYTES).toHex()), ALL_BYTES);
  const random = seededRandom(7541);
  for (let round = 0; round < 2000; round++) {
    const length = Math.floor(random() * (round % 100 === 0 ? 3000 : 40));
    const range = random() < 0.5 ? 256 : 96;
    const text = String.fromCharCode(
      ...Array.from({ length }, () => 32 + Math.floor(random() * range) & 0xff),
    );
    assertEquals(decode(encode(text).toHex()), text);
  }
});

Deno.test("huffmanLength() is infinite when a character is no byte", () => {
  assertEquals(huffmanLength("a\u0100"), Infinity);
  assertEquals(huffmanLength("\ud83d\ude00"), Infinity);
  assertEquals(huffmanLength("\xff"), 4);
});

Deno.test("decodeHuffman() takes up to seven ones as padding", () => {
  for (let bits = 0; bits <= 7; bits++) {
    // Codes of 5 and 6 bits, as many as leave that much of the last byte.
    let text = "";
    let code = "";
    while ((code.length + bits) % 8 !== 0 || code === "") {
      const [letter, its] = (code.length + bits) % 8 === 2
        ? [" ", "010100"]
        : ["0", "00000"];
      text += letter;
      code += its;
    }
    assertEquals(decode(pack(code + "1".repeat(bits))), text);
  }
});

const MALFORMED: [what: string, bits: string][] = [
  ["eight ones as padding", "11111111"],
  ["a byte of ones behind a code", "11111000" + "11111111"],
  ["more than seven ones behind a code", "00000" + "1".repeat(11)],
  ["a zero in the padding", "00000" + "110"],
  ["zeros as padding", "00000" + "000"],
  ["a code that is not whole", "1111111111000".slice(0, 8)],
  ["EOS", pad(EOS)],
  ["EOS and padding", EOS + "11"],
  ["EOS behind a code", pad("00000" + EOS)],
  ["EOS before a code", pad(EOS + "00000")],
  ["EOS between codes", pad("010100" + EOS + "00000")],
];

for (const [what, bits] of MALFORMED) {
  Deno.test(`decodeHuffman() rejects ${what}`, () => {
    assertThrows(() => decode(pack(bits)), HpackError, "Huffman");
  });
}

Deno.test("decodeHuffman() takes exactly what is the code of something", () => {
  // All strings of two bytes: what is taken has to give the same bytes again.
  let taken = 0;
  for (let bits = 0; bits < 0x10000; bits++) {
    const digits = bits.toString(16).padStart(4, "0");
    let text: string;
    try {
      text = decode(digits);
    } catch (error) {
      assert(error instanceof HpackError);
      continue;
    }
    assertEquals(encode(text).toHex(), digits);
    taken++;
  }
  assert(taken > 10_000, `${taken}`);
});
