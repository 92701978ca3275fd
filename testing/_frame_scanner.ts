/**
 * The frames of HTTP/2, as they pass by.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-4}
 * @module
 */

/** The types of frames that the wire looks at. */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  GOAWAY: 7,
  CONTINUATION: 9,
} as const;

const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const PADDED = 0x8;

/** The length of a frame's head. */
const HEAD_BYTES = 9;

/** The length of what a client's connection begins with. */
export const PREFACE_BYTES = 24;

/** A frame that passes by; HEADERS together with all their CONTINUATION. */
export class Frame {
  /** All of its bytes. */
  readonly bytes: Uint8Array;
  /** Its type; -1 for the preface of a client, which is no frame. */
  readonly type: number;
  /** The stream it belongs to, or 0 for the connection. */
  readonly streamId: number;
  readonly #flags: number;

  /**
   * @param bytes All of its bytes.
   * @param isPreface Whether it is the preface of a client.
   */
  constructor(bytes: Uint8Array, isPreface = false) {
    this.bytes = bytes;
    this.type = isPreface ? -1 : bytes[3]!;
    this.#flags = isPreface ? 0 : bytes[4]!;
    this.streamId = isPreface ? 0 : uint31At(bytes, 5);
  }

  /** Whether it belongs to a call: HEADERS or DATA. */
  get isOfCall(): boolean {
    return this.type === FrameType.HEADERS || this.type === FrameType.DATA;
  }

  /** Whether its sender says no more on the stream. */
  get endsStream(): boolean {
    return this.isOfCall && (this.#flags & END_STREAM) !== 0;
  }

  /**
   * Makes a DATA frame that lacks the last bytes of its payload.
   *
   * @param count How many of them it lacks; all, if it has no more.
   * @returns The bytes of the frame.
   */
  withoutLast(count: number): Uint8Array {
    if ((this.#flags & PADDED) !== 0) return this.bytes;
    const length = Math.max(0, this.bytes.length - HEAD_BYTES - count);
    const bytes = this.bytes.slice(0, HEAD_BYTES + length);
    bytes.set([length >> 16, length >> 8 & 0xff, length & 0xff]);
    return bytes;
  }
}

/** Takes the bytes of one direction apart into frames. */
export class FrameScanner {
  #rest: Uint8Array = new Uint8Array();
  #prefaceLeft: number;
  /** HEADERS whose CONTINUATION is still to come. */
  #block: Uint8Array[] = [];

  /** @param isClient Whether the bytes are a client's, with a preface. */
  constructor(isClient: boolean) {
    this.#prefaceLeft = isClient ? PREFACE_BYTES : 0;
  }

  /**
   * Takes bytes.
   *
   * @param chunk The bytes.
   * @returns The frames that are complete with them.
   */
  push(chunk: Uint8Array): Frame[] {
    let rest = concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      const length = this.#prefaceLeft > 0
        ? this.#prefaceLeft
        : frameBytes(rest);
      if (rest.length < length) break;
      this.#add(frames, rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    this.#rest = rest;
    return frames;
  }

  #add(frames: Frame[], bytes: Uint8Array): void {
    if (this.#prefaceLeft > 0) {
      this.#prefaceLeft = 0;
      frames.push(new Frame(bytes, true));
      return;
    }
    const type = bytes[3]!;
    const isBlock = type === FrameType.HEADERS ||
      type === FrameType.CONTINUATION;
    if (!isBlock) {
      frames.push(new Frame(bytes));
      return;
    }
    this.#block.push(bytes);
    if ((bytes[4]! & END_HEADERS) === 0) return;
    frames.push(new Frame(concat(this.#block)));
    this.#block = [];
  }
}

/** The length of the frame that some bytes begin with. */
function frameBytes(bytes: Uint8Array): number {
  if (bytes.length < HEAD_BYTES) return HEAD_BYTES;
  return HEAD_BYTES + (bytes[0]! << 16 | bytes[1]! << 8 | bytes[2]!);
}

/** Writes an RST_STREAM. */
export function rstStream(streamId: number, code: number): Uint8Array {
  return frame(FrameType.RST_STREAM, streamId, uint32(code));
}

/** Writes a GOAWAY. */
export function goaway(
  lastStreamId: number,
  code: number,
  debugData: string,
): Uint8Array {
  return frame(
    FrameType.GOAWAY,
    0,
    concat([
      uint32(lastStreamId),
      uint32(code),
      new TextEncoder().encode(debugData),
    ]),
  );
}

function frame(
  type: number,
  streamId: number,
  payload: Uint8Array,
): Uint8Array {
  const { length } = payload;
  const head = [length >> 16, length >> 8 & 0xff, length & 0xff, type, 0];
  return concat([Uint8Array.from(head), uint32(streamId), payload]);
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function uint31At(bytes: Uint8Array, offset: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset);
  return view.getUint32(0) & 0x7fff_ffff;
}

/** Joins bytes. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const full = chunks.filter(({ length }) => length > 0);
  if (full.length === 1) return full[0]!;
  const joined = new Uint8Array(full.reduce((sum, c) => sum + c.length, 0));
  let offset = 0;
  for (const chunk of full) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}
