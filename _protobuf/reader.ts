/**
 * Bytes of Protocol Buffers in.
 *
 * @see {@link https://protobuf.dev/programming-guides/encoding/}
 * @module
 */

import { UNCOVERED } from "./uncovered.ts";

/** How deep messages may be nested, as for protobuf-es. */
const MAX_DEPTH = 100;

// Up to here a loop over the bytes is faster than a call of the decoder.
const MAX_LOOP_BYTES = 32;

// For text without non-ASCII characters: an array for each length, used over
// and over.
const CODES: readonly number[][] = Array.from(
  { length: MAX_LOOP_BYTES + 1 },
  (_, length) => new Array<number>(length).fill(0),
);

const NO_BYTES = new Uint8Array();

// U+FEFF at the beginning is text, not a byte-order mark.
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const STRICT_DECODER = new TextDecoder("utf-8", {
  ignoreBOM: true,
  fatal: true,
});

const SCRATCH = new DataView(new ArrayBuffer(8));

/**
 * Reads values from bytes.
 *
 * A number may be read beyond the end, and is wrong then; the position, behind
 * the end, shows it. Anything with a length is checked before it is made.
 * What is malformed is {@linkcode UNCOVERED}.
 */
export class Reader {
  /** What is read. */
  buffer: Uint8Array = NO_BYTES;
  /** Where the next value begins. */
  position = 0;
  /** Where the bytes of the message end that is being read. */
  limit = 0;

  #depth = 0;
  // The high half of what varint64() read.
  #high = 0;

  /** Begins to read. */
  attach(bytes: Uint8Array): void {
    this.buffer = bytes;
    this.position = 0;
    this.limit = bytes.length;
    this.#depth = 0;
  }

  /** Ends reading. */
  detach(): void {
    // The memory may be large, and this object stays.
    this.buffer = NO_BYTES;
  }

  /** A view of all bytes, for many numbers of fixed size. */
  view(): DataView {
    const { buffer, byteOffset, byteLength } = this.buffer;
    return new DataView(buffer, byteOffset, byteLength);
  }

  /** Goes into a message. */
  enter(): void {
    if (++this.#depth > MAX_DEPTH) throw UNCOVERED;
  }

  /** Leaves a message. */
  leave(): void {
    this.#depth--;
  }

  /** Reads a tag. */
  tag(): number {
    const { buffer } = this;
    let tag = buffer[this.position++]!;
    if (tag < 0x80) return tag;
    tag &= 0x7f;
    for (let shift = 7; shift <= 28; shift += 7) {
      const byte = buffer[this.position++]!;
      tag |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) throw UNCOVERED;
        return tag >>> 0;
      }
    }
    throw UNCOVERED;
  }

  /** Passes over a tag if it is what comes next in the message. */
  next(tag: number): boolean {
    const { buffer, position } = this;
    if (position >= this.limit) return false;
    if (tag < 0x80) {
      if (buffer[position] !== tag) return false;
      this.position = position + 1;
      return true;
    }
    // A longer one is read without this help.
    if (
      tag >= 0x4000 || buffer[position] !== (tag & 0x7f | 0x80) ||
      buffer[position + 1] !== tag >>> 7
    ) return false;
    this.position = position + 2;
    return true;
  }

  /** Reads a length, and returns where what has it ends. */
  end(): number {
    const length = this.uint32();
    const end = this.position + length;
    if (end > this.limit) throw UNCOVERED;
    return end;
  }

  /** Reads the lower 32 bits of a varint. */
  uint32(): number {
    const { buffer } = this;
    let byte = buffer[this.position++]!;
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    for (let shift = 7; shift < 32; shift += 7) {
      byte = buffer[this.position++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    // The upper half of a number of 64 bits, such as a negative one.
    for (let i = 5; i < 10; i++) {
      if (buffer[this.position++]! < 0x80) return value >>> 0;
    }
    throw UNCOVERED;
  }

  int32(): number {
    return this.uint32() | 0;
  }

  sint32(): number {
    const value = this.uint32();
    return value >>> 1 ^ -(value & 1);
  }

  /** Reads a varint of 64 bits: the lower half is returned, the upper kept. */
  #varint64(): number {
    const { buffer } = this;
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = buffer[this.position++]!;
      low |= (byte & 0x7f) << shift;
      if (!(byte > 0x7f)) {
        this.#high = 0;
        return low;
      }
    }
    const middle = buffer[this.position++]!;
    low |= (middle & 0x0f) << 28;
    let high = (middle & 0x70) >> 4;
    if (middle > 0x7f) {
      let byte = middle;
      for (let shift = 3; byte > 0x7f; shift += 7) {
        if (shift > 31) throw UNCOVERED;
        byte = buffer[this.position++]!;
        high |= (byte & 0x7f) << shift;
      }
    }
    this.#high = high;
    return low;
  }

  int64(): bigint {
    return signed(this.#varint64(), this.#high);
  }

  uint64(): bigint {
    return unsigned(this.#varint64(), this.#high);
  }

  sint64(): bigint {
    const low = this.#varint64();
    const high = this.#high;
    const sign = -(low & 1);
    return signed((low >>> 1 | high << 31) ^ sign, high >>> 1 ^ sign);
  }

  bool(): boolean {
    const byte = this.buffer[this.position]!;
    if (byte < 0x80) {
      this.position++;
      return byte !== 0;
    }
    return this.#varint64() !== 0 || this.#high !== 0;
  }

  sfixed32(): number {
    const { buffer, position } = this;
    this.position = position + 4;
    return buffer[position]! | buffer[position + 1]! << 8 |
      buffer[position + 2]! << 16 | buffer[position + 3]! << 24;
  }

  fixed32(): number {
    return this.sfixed32() >>> 0;
  }

  sfixed64(): bigint {
    const low = this.sfixed32();
    return signed(low, this.sfixed32());
  }

  fixed64(): bigint {
    const low = this.sfixed32();
    return unsigned(low, this.sfixed32());
  }

  float(): number {
    SCRATCH.setInt32(0, this.sfixed32(), true);
    return SCRATCH.getFloat32(0, true);
  }

  double(): number {
    SCRATCH.setInt32(0, this.sfixed32(), true);
    SCRATCH.setInt32(4, this.sfixed32(), true);
    return SCRATCH.getFloat64(0, true);
  }

  /** Reads bytes with a length: a view. */
  bytes(): Uint8Array {
    const end = this.end();
    const start = this.position;
    this.position = end;
    return this.buffer.subarray(start, end);
  }

  /**
   * Reads text with a length.
   *
   * @param strict Whether it has to be UTF-8. Otherwise U+FFFD stands for what is not.
   */
  string(strict: boolean): string {
    const end = this.end();
    const start = this.position;
    const length = end - start;
    this.position = end;
    if (length > MAX_LOOP_BYTES) return this.#text(start, end, strict);
    const { buffer } = this;
    const codes = CODES[length]!;
    for (let i = 0; i < length; i++) {
      const byte = buffer[start + i]!;
      if (byte > 0x7f) return this.#text(start, end, strict);
      codes[i] = byte;
    }
    return String.fromCharCode.apply(String, codes);
  }

  #text(start: number, end: number, strict: boolean): string {
    const bytes = this.buffer.subarray(start, end);
    const text = DECODER.decode(bytes);
    // The strict decoder takes three times as long, so it only tells whether
    // a U+FFFD was sent or stands for something else.
    if (strict && text.includes("\ufffd")) STRICT_DECODER.decode(bytes);
    return text;
  }

  /**
   * Passes over the value of a field.
   *
   * @param tag The tag before it.
   * @returns The value, with its length or the tag at its end: a view.
   */
  skip(tag: number): Uint8Array {
    const start = this.position;
    this.#skip(tag);
    if (this.position > this.limit) throw UNCOVERED;
    return this.buffer.subarray(start, this.position);
  }

  #skip(tag: number): void {
    if (tag < 8) throw UNCOVERED; // there is no field 0
    switch (tag & 7) {
      case 0:
        while (this.buffer[this.position++]! > 0x7f);
        return;
      case 1:
        this.position += 8;
        return;
      case 2:
        this.position = this.end();
        return;
      case 3:
        // As for protobuf-es, groups in groups are bounded like messages.
        this.enter();
        for (;;) {
          const inner = this.tag();
          // The same field, at its end.
          if (inner === tag + 1) break;
          this.#skip(inner);
        }
        this.leave();
        return;
      case 5:
        this.position += 4;
        return;
      default:
        throw UNCOVERED;
    }
  }
}

function signed(low: number, high: number): bigint {
  SCRATCH.setInt32(0, low, true);
  SCRATCH.setInt32(4, high, true);
  return SCRATCH.getBigInt64(0, true);
}

function unsigned(low: number, high: number): bigint {
  SCRATCH.setInt32(0, low, true);
  SCRATCH.setInt32(4, high, true);
  return SCRATCH.getBigUint64(0, true);
}
