/**
 * The two things that header blocks are made of.
 *
 * @module
 */

import type { ByteWriter } from "../byte_writer.ts";
import { encodeHuffman, huffmanLength } from "./huffman.ts";

/** How many bytes an integer takes at most. */
const MAX_INTEGER_BYTES = 6;

/**
 * Writes an integer.
 * https://www.rfc-editor.org/rfc/rfc7541#section-5.1
 *
 * @param out Where to.
 * @param value The integer, below 2³².
 * @param prefix The bits of the first byte that are for it, all ones.
 * @param first The other bits of the first byte.
 */
export function writeInteger(
  out: ByteWriter,
  value: number,
  prefix: number,
  first: number,
): void {
  out.reserve(MAX_INTEGER_BYTES);
  const { bytes } = out;
  if (value < prefix) {
    bytes[out.length++] = first | value;
    return;
  }
  bytes[out.length++] = first | prefix;
  let rest = value - prefix;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) {
    bytes[out.length++] = rest % 128 | 0x80;
  }
  bytes[out.length++] = rest;
}

/** Up to this length a loop is faster than a TextEncoder. */
const SHORT = 64;

const encoder = new TextEncoder();

/**
 * Writes a string as it is.
 * https://www.rfc-editor.org/rfc/rfc7541#section-5.2
 *
 * @param out Where to.
 * @param text Characters up to U+00FF.
 * @throws {TypeError} When there is another one in it.
 */
export function writeString(out: ByteWriter, text: string): void {
  const { length } = text;
  writeInteger(out, length, 0x7f, 0);
  out.reserve(length);
  const { bytes, length: at } = out;
  if (length <= SHORT || !writeAscii(text, bytes.subarray(at, at + length))) {
    let all = 0;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      all |= code;
      bytes[at + i] = code;
    }
    if (all > 0xff) throw notBytes(text);
  }
  out.length = at + length;
}

/** Writes a string into bytes that are as many, if all of it is ASCII. */
function writeAscii(text: string, bytes: Uint8Array): boolean {
  return encoder.encodeInto(text, bytes).read === text.length;
}

/**
 * Writes a string in Huffman code, if that is shorter.
 * https://www.rfc-editor.org/rfc/rfc7541#section-5.2
 *
 * @param out Where to.
 * @param text Characters up to U+00FF.
 * @throws {TypeError} When there is another one in it.
 */
export function writeShortString(out: ByteWriter, text: string): void {
  const length = huffmanLength(text);
  if (length >= text.length) {
    writeString(out, text);
    return;
  }
  writeInteger(out, length, 0x7f, 0x80);
  out.reserve(length);
  out.length = encodeHuffman(text, out.bytes, out.length);
}

function notBytes(text: string): TypeError {
  const at = [...text].findIndex((char) => char > "\xff");
  const char = [...text][at]!;
  return new TypeError(
    `Cannot encode header field: its characters must be bytes, up to U+00FF, ` +
      `received U+${
        char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")
      }`,
  );
}
