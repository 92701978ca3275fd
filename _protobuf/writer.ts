/**
 * Bytes of Protocol Buffers out.
 *
 * @see {@link https://protobuf.dev/programming-guides/encoding/}
 * @module
 */

import { UNCOVERED } from "./uncovered.ts";

/**
 * A place to write bytes to, which grows when asked: `reserve()` may replace
 * `buffer` and move `position`, and what was written moves with it.
 */
export interface ByteSink {
  /** The bytes to write to. */
  buffer: Uint8Array;
  /** Where the next byte belongs. */
  position: number;
  /** Makes room for a number of bytes from `position` on. */
  reserve(bytes: number): void;
}

/** The longest varint: 64 bits, 7 in each byte. */
const MAX_VARINT_BYTES = 10;

/** The longest tag: a varint of 32 bits. */
const MAX_TAG_BYTES = 5;

// Up to here a loop over the characters is faster than a call of the encoder.
// Less than 128, so that the length is one byte.
const MAX_LOOP_CHARS = 64;

// Room for small fields behind a large one: without it the first of them would
// have the sink move everything.
const ROOM_BEHIND = 64;

const NO_BYTES = new Uint8Array();
const ENCODER = new TextEncoder();

// Numbers become bytes here; a view of the buffer would have to be made again
// whenever that changes, which is once for each message.
const SCRATCH = new DataView(new ArrayBuffer(8));

/** The size of a number below 2^32 as a varint, in bytes. */
function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  return 5;
}

/**
 * Writes values to a {@linkcode ByteSink}.
 *
 * The methods that write a number want room for {@linkcode MAX_VARINT_BYTES};
 * `tag()` and `reserve()` make it. A value that does not fit the type of its
 * field is {@linkcode UNCOVERED}.
 */
export class Writer {
  // Copies of the sink's, and the end of the buffer.
  #buffer: Uint8Array = NO_BYTES;
  #position = 0;
  #limit = 0;
  // Where writing began. Places are remembered relative to it, as it moves.
  #start = 0;
  #sink: ByteSink | null = null;

  /** Begins to write. */
  attach(sink: ByteSink): void {
    this.#sink = sink;
    this.#buffer = sink.buffer;
    this.#limit = sink.buffer.length;
    this.#position = this.#start = sink.position;
  }

  /**
   * Ends writing.
   *
   * @param keep Whether the sink keeps what was written.
   */
  detach(keep: boolean): void {
    this.#sink!.position = keep ? this.#position : this.#start;
    this.#sink = null;
    // The memory may be large, and this object stays.
    this.#buffer = NO_BYTES;
  }

  /** Makes room. */
  reserve(bytes: number): void {
    if (this.#position + bytes > this.#limit) this.#grow(bytes);
  }

  #grow(bytes: number): void {
    const sink = this.#sink!;
    sink.position = this.#position;
    sink.reserve(bytes);
    this.#start += sink.position - this.#position;
    this.#position = sink.position;
    this.#buffer = sink.buffer;
    this.#limit = sink.buffer.length;
  }

  /** Writes a tag, and makes room for a number behind it. */
  tag(tag: number): void {
    this.reserve(MAX_TAG_BYTES + MAX_VARINT_BYTES);
    this.varint(tag);
  }

  /** Writes an unsigned number of 32 bits. */
  varint(value: number): void {
    const buffer = this.#buffer;
    let at = this.#position;
    while (value > 0x7f) {
      buffer[at++] = value & 0x7f | 0x80;
      value >>>= 7;
    }
    buffer[at++] = value;
    this.#position = at;
  }

  /** Writes an unsigned number of 64 bits, given as two of 32. */
  varint64(low: number, high: number): void {
    const buffer = this.#buffer;
    let at = this.#position;
    low >>>= 0;
    high >>>= 0;
    while (high > 0) {
      buffer[at++] = low & 0x7f | 0x80;
      low = (low >>> 7 | high << 25) >>> 0;
      high >>>= 7;
    }
    this.#position = at;
    this.varint(low);
  }

  int32(value: unknown): void {
    const number = value as number;
    if ((number | 0) !== number) throw UNCOVERED;
    // "Negative numbers use ten bytes": they are sign-extended to 64 bits.
    // https://protobuf.dev/programming-guides/encoding/#signed-ints
    if (number >= 0) this.varint(number);
    else this.varint64(number, -1);
  }

  uint32(value: unknown): void {
    const number = value as number;
    if (number >>> 0 !== number) throw UNCOVERED;
    this.varint(number);
  }

  sint32(value: unknown): void {
    const number = value as number;
    if ((number | 0) !== number) throw UNCOVERED;
    this.varint((number << 1 ^ number >> 31) >>> 0);
  }

  fixed32(value: unknown): void {
    const number = value as number;
    if (number >>> 0 !== number) throw UNCOVERED;
    this.#bytes4(number);
  }

  sfixed32(value: unknown): void {
    const number = value as number;
    if ((number | 0) !== number) throw UNCOVERED;
    this.#bytes4(number);
  }

  int64(value: unknown): void {
    setInt64(value);
    this.varint64(SCRATCH.getInt32(0, true), SCRATCH.getInt32(4, true));
  }

  uint64(value: unknown): void {
    setUint64(value);
    this.varint64(SCRATCH.getInt32(0, true), SCRATCH.getInt32(4, true));
  }

  sint64(value: unknown): void {
    setInt64(value);
    const low = SCRATCH.getInt32(0, true);
    const high = SCRATCH.getInt32(4, true);
    const sign = high >> 31;
    this.varint64(low << 1 ^ sign, (high << 1 | low >>> 31) ^ sign);
  }

  fixed64(value: unknown): void {
    setUint64(value);
    this.#bytes8();
  }

  sfixed64(value: unknown): void {
    setInt64(value);
    this.#bytes8();
  }

  /** As protobuf-es, this takes anything, and writes whether it is truthy. */
  bool(value: unknown): void {
    this.#buffer[this.#position++] = value ? 1 : 0;
  }

  float(value: unknown): void {
    if (typeof value !== "number") throw UNCOVERED;
    // Too large for 32 bits, which makes it infinite.
    if (!Number.isFinite(Math.fround(value)) && Number.isFinite(value)) {
      throw UNCOVERED;
    }
    SCRATCH.setFloat32(0, value, true);
    this.#bytes4(SCRATCH.getInt32(0, true));
  }

  double(value: unknown): void {
    if (typeof value !== "number") throw UNCOVERED;
    SCRATCH.setFloat64(0, value, true);
    this.#bytes8();
  }

  #bytes4(value: number): void {
    const buffer = this.#buffer;
    const at = this.#position;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    buffer[at + 2] = value >>> 16;
    buffer[at + 3] = value >>> 24;
    this.#position = at + 4;
  }

  /** Writes what is in the scratch space. */
  #bytes8(): void {
    this.#bytes4(SCRATCH.getInt32(0, true));
    this.#bytes4(SCRATCH.getInt32(4, true));
  }

  /** Writes bytes, with their length before them. */
  bytes(value: unknown): void {
    if (!(value instanceof Uint8Array)) throw UNCOVERED;
    this.reserve(MAX_TAG_BYTES + value.length + ROOM_BEHIND);
    this.varint(value.length);
    this.#buffer.set(value, this.#position);
    this.#position += value.length;
  }

  /** Writes bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.#buffer.set(bytes, this.#position);
    this.#position += bytes.length;
  }

  /** Writes text, with the length of its UTF-8 before it. */
  string(value: unknown): void {
    if (typeof value !== "string") throw UNCOVERED;
    const { length } = value;
    if (length > MAX_LOOP_CHARS) return this.#text(value);
    this.reserve(1 + length);
    const buffer = this.#buffer;
    let at = this.#position;
    buffer[at++] = length;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return this.#text(value);
      buffer[at++] = code;
    }
    this.#position = at;
  }

  #text(text: string): void {
    const size = varintBytes(text.length);
    const mark = this.open(size);
    // Most text is ASCII, with as many bytes as characters. Room for three
    // bytes each is made when it is not.
    this.reserve(text.length + ROOM_BEHIND);
    for (let rest = text;;) {
      const room = this.#buffer.subarray(this.#position, this.#limit);
      const { read, written } = ENCODER.encodeInto(rest, room);
      this.#position += written;
      if (read === rest.length) break;
      rest = rest.slice(read);
      this.reserve(3 * rest.length);
    }
    this.close(mark, size);
  }

  /**
   * Leaves out room for a length.
   *
   * @param size How many bytes the length will probably have.
   * @returns What `close()` needs.
   */
  open(size: number): number {
    this.reserve(size);
    const mark = this.#position - this.#start;
    this.#position += size;
    return mark;
  }

  /**
   * Writes the length of what was written since `open()`, which moves it if
   * the length has not the size that was given there.
   *
   * @returns The size of the length, to be tried the next time.
   */
  close(mark: number, size: number): number {
    const length = this.#position - this.#start - mark - size;
    const actual = varintBytes(length);
    if (actual !== size) {
      this.reserve(MAX_TAG_BYTES);
      const from = this.#start + mark + size;
      this.#buffer.copyWithin(from + actual - size, from, this.#position);
    }
    this.#position = this.#start + mark;
    this.varint(length);
    this.#position += length;
    return actual;
  }
}

// Values of 64 bits go by way of the scratch space. Reading them back shows
// whether they fit. Numbers and text are taken as protobuf-es does, and
// throw when they are none.
function setInt64(value: unknown): void {
  const big = typeof value === "bigint" ? value : BigInt(value as string);
  SCRATCH.setBigInt64(0, big, true);
  if (SCRATCH.getBigInt64(0, true) !== big) throw UNCOVERED;
}

function setUint64(value: unknown): void {
  const big = typeof value === "bigint" ? value : BigInt(value as string);
  SCRATCH.setBigUint64(0, big, true);
  if (SCRATCH.getBigUint64(0, true) !== big) throw UNCOVERED;
}
