/**
 * Header blocks in hexadecimal, for the tests of `_h2/hpack/`.
 *
 * @module
 */

import { ByteWriter } from "../_h2/byte_writer.ts";
import { writeInteger } from "../_h2/hpack/block_writer.ts";
import {
  type HeaderList,
  type HpackDecoder,
  type HpackEncoder,
  HpackError,
} from "../_h2/hpack/mod.ts";

/** Reads hexadecimal digits, with spaces anywhere. */
export function hex(digits: string): Uint8Array {
  return Uint8Array.fromHex(digits.replace(/\s/g, ""));
}

/** Decodes a block, in the middle of other bytes. */
export function decodeHex(decoder: HpackDecoder, digits: string): HeaderList {
  const block = hex(digits);
  const bytes = new Uint8Array(block.length + 8).fill(0xff);
  bytes.set(block, 4);
  return decoder.decode(bytes, 4, 4 + block.length);
}

/** Encodes a block, behind other bytes. */
export function encodeHex(
  encoder: HpackEncoder,
  shared: HeaderList,
  own?: HeaderList,
): string {
  const out = new ByteWriter(1);
  out.bytes[out.length++] = 0xff;
  encoder.encode(out, shared, own);
  return out.bytes.subarray(1, out.length).toHex();
}

/** All fields of the dynamic table, the newest first; it has to be a real one. */
export function tableOf(decoder: HpackDecoder): HeaderList[] {
  const fields: HeaderList[] = [];
  try {
    for (let index = 62;; index++) {
      const out = new ByteWriter();
      writeInteger(out, index, 0x7f, 0x80);
      fields.push(decoder.decode(out.bytes, 0, out.length));
    }
  } catch (error) {
    if (!(error instanceof HpackError)) throw error;
    return fields;
  }
}
