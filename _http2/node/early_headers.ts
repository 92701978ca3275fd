/**
 * The header blocks that come before the peer has acknowledged SETTINGS.
 *
 * Until then nghttp2 takes lists of any size, and `node:http2` bounds no more
 * than the number of fields in them: an index of two bytes stands for a field of
 * up to 4 KiB, so that a block of a few KiB stands for 8 MiB. Deno keeps what it
 * has of such a list as long as the connection lasts, though the stream is reset.
 * So these blocks are read here before, where an index costs the same whatever it
 * stands for.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-10.5.1}
 * @module
 */

import { HpackDecoder } from "../../_h2/hpack/mod.ts";

/** The types of frames, and their flags. */
const HEADERS = 1;
const SETTINGS = 4;
const CONTINUATION = 9;
const ACK = 0x1;
const END_HEADERS = 0x4;
const PADDED = 0x8;
const PRIORITY = 0x20;

/** The length of a frame's header. */
const HEADER_BYTES = 9;

/** The length of what a client's connection begins with. */
const PREFACE_BYTES = 24;

/** How many times larger than it will be allowed a list may be, or its block. */
const SLACK = 4;

/** Reads what a client sends until it acknowledges SETTINGS. */
export class EarlyHeaders {
  readonly #decoder: HpackDecoder;
  readonly #maxBytes: number;
  #isOver = false;
  /** Whether a block was malformed: nobody knows what the next ones stand for. */
  #isLost = false;
  /** How many bytes there are up to the next frame. */
  #skip = PREFACE_BYTES;
  /** The frame that is read, as far as it is there: its header, then its payload. */
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  #payloadLeft = 0;
  #pieces: Uint8Array[] = [];
  /** The fragments of a block whose end has not come. */
  #block: Uint8Array[] = [];
  #blockBytes = 0;

  /** @param maxHeaderListSize What SETTINGS say, in bytes. */
  constructor(maxHeaderListSize: number) {
    this.#maxBytes = SLACK * maxHeaderListSize;
    this.#decoder = new HpackDecoder({ maxListSize: this.#maxBytes });
  }

  /**
   * Takes bytes, cut anywhere.
   *
   * @returns Whether they may not be given to nghttp2: there is a block in them
   *   that is too large, or stands for too much.
   */
  push(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length && !this.#isOver;) {
      const left = chunk.length - at;
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, left);
        this.#skip -= skipped;
        at += skipped;
      } else if (this.#payloadLeft > 0) {
        const taken = Math.min(this.#payloadLeft, left);
        this.#pieces.push(chunk.slice(at, at + taken));
        this.#payloadLeft -= taken;
        at += taken;
        if (this.#payloadLeft === 0 && this.#endFrame()) return true;
      } else {
        this.#header[this.#headerBytes++] = chunk[at++]!;
        if (this.#headerBytes < HEADER_BYTES) continue;
        this.#headerBytes = 0;
        if (this.#beginFrame()) return true;
      }
    }
    return false;
  }

  /** The header of a frame is there. */
  #beginFrame(): boolean {
    const [a = 0, b = 0, c = 0, type, flags = 0] = this.#header;
    const length = a << 16 | b << 8 | c;
    if (type === SETTINGS && (flags & ACK) !== 0) {
      // From here on nghttp2 knows the limit.
      this.#isOver = true;
      return false;
    }
    if (type !== HEADERS && type !== CONTINUATION) {
      this.#skip = length;
      return false;
    }
    this.#blockBytes += length;
    if (this.#isLost || this.#blockBytes > this.#maxBytes) return true;
    this.#payloadLeft = length;
    return length === 0 && this.#endFrame();
  }

  /** The payload of a frame of a block is there. */
  #endFrame(): boolean {
    const payload = joined(this.#pieces);
    this.#pieces = [];
    const type = this.#header[3]!;
    const flags = this.#header[4]!;
    this.#block.push(
      type === HEADERS ? fragmentOf(payload, flags) : payload,
    );
    if ((flags & END_HEADERS) === 0) return false;
    const block = joined(this.#block);
    this.#block = [];
    this.#blockBytes = 0;
    try {
      this.#decoder.decode(block, 0, block.length);
    } catch {
      // nghttp2 ends the connection for that.
      this.#isLost = true;
      return false;
    }
    return this.#decoder.tooLarge;
  }
}

/**
 * Takes the padding and the priority from the payload of HEADERS.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.2}
 */
function fragmentOf(payload: Uint8Array, flags: number): Uint8Array {
  const isPadded = (flags & PADDED) !== 0;
  const padding = isPadded ? payload[0] ?? 0 : 0;
  const start = (isPadded ? 1 : 0) + ((flags & PRIORITY) !== 0 ? 5 : 0);
  return payload.subarray(start, Math.max(start, payload.length - padding));
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(
    pieces.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
