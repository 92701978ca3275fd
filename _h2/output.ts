/**
 * What is to be written: frames in one buffer, and large payloads beside it.
 *
 * @module
 */

import { ByteWriter, NO_BYTES } from "./byte_writer.ts";
import {
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  MIN_MAX_FRAME_SIZE,
  putFrameHeader,
  putUint32,
} from "./frames.ts";
import type { HeaderList, HeaderParts, HpackEncoder } from "./hpack/mod.ts";

/** Payloads of at least so many bytes are not copied. */
const REFERENCE_BYTES = 4096;

/** Smaller payloads are copied in a loop, for the call costs more. */
const LOOP_BYTES = 64;

/** How large a buffer is at first, and may be to be kept, in bytes. */
const MIN_BUFFER_BYTES = 1024;
const MAX_KEPT_BYTES = 16 * 1024;
const MAX_FIRST_BYTES = 64 * 1024;

/** How many batches may be on their way to the socket at once. */
const MAX_BATCHES = 4;

/** The largest payload of a DATA frame: others have their turn after it. */
export const DATA_FRAME_BYTES = MIN_MAX_FRAME_SIZE;

/** Frames that were given to the socket, which has not taken them yet. */
interface Batch {
  readonly buffer: Uint8Array;
  readonly bytes: number;
  readonly replies: number;
}

/**
 * Frames that wait to be written, and the batches that are being written: a
 * few at most, so that a slow socket is felt.
 */
export class Output {
  /** How many HEADERS and DATA frames there were so far. */
  messageFrames = 0;
  /** The frames, without large payloads. */
  readonly #writer: ByteWriter = new ByteWriter(MIN_BUFFER_BYTES);
  /** Large payloads, and where in the buffer each belongs. */
  readonly #payloads: Uint8Array[] = [];
  readonly #places: number[] = [];
  #payloadBytes = 0;
  /** The stream of the last frame if that is DATA, and more may join it. */
  #dataStreamId = 0;
  #dataAt = 0;
  #dataLength = 0;
  /** The batches that are being written, and what they have in all. */
  readonly #batches: Batch[] = [];
  #batchBytes = 0;
  #batchReplies = 0;
  #spare: Uint8Array | null = null;
  readonly #pieces: Uint8Array[] = [];
  #replies = 0;

  /** Whether there is something to take. */
  get isReady(): boolean {
    return this.#writer.length > 0 && this.#batches.length < MAX_BATCHES;
  }

  /** How many bytes wait to be taken. */
  get waitingBytes(): number {
    return this.#writer.length + this.#payloadBytes;
  }

  /** How many bytes are not written yet. */
  get bytes(): number {
    return this.waitingBytes + this.#batchBytes;
  }

  /** How many replies to the peer are not written yet. */
  get replies(): number {
    return this.#replies + this.#batchReplies;
  }

  /** Appends whole frames. */
  append(frames: Uint8Array): void {
    const out = this.#writer;
    out.reserve(frames.length);
    out.bytes.set(frames, out.length);
    out.length += frames.length;
    this.#dataStreamId = 0;
  }

  /**
   * Appends a small frame.
   *
   * @param type Its type.
   * @param flags Its flags.
   * @param payload Its payload.
   */
  control(type: number, flags: number, payload: Uint8Array): void {
    const out = this.#writer;
    const at = this.#frame(payload.length, type, flags, 0);
    out.bytes.set(payload, at);
    out.length = at + payload.length;
  }

  /** Appends RST_STREAM or WINDOW_UPDATE, which are 32 bits. */
  number(type: number, streamId: number, value: number): void {
    const out = this.#writer;
    const at = this.#frame(4, type, 0, streamId);
    putUint32(out.bytes, at, value);
    out.length = at + 4;
  }

  /** Notes that the last frame is a reply to the peer. */
  noteReply(): void {
    this.#replies++;
  }

  /**
   * Appends HEADERS, and CONTINUATION if they are long.
   *
   * @param streamId The stream.
   * @param flags END_STREAM, or 0.
   * @param encoder Encodes the fields.
   * @param shared The first fields.
   * @param own The other fields.
   * @param more What comes behind them, if there is more.
   * @param maxFrameSize The largest payload that the peer takes, in bytes.
   * @throws {TypeError} When the fields cannot be encoded; nothing is appended.
   */
  headers(
    streamId: number,
    flags: number,
    encoder: HpackEncoder,
    shared: HeaderList,
    own: HeaderList,
    more: HeaderParts | null,
    maxFrameSize: number,
  ): void {
    const out = this.#writer;
    const start = out.length;
    this.messageFrames++;
    const at = this.#frame(0, FrameType.HEADERS, flags, streamId);
    out.length = at;
    try {
      encoder.encode(out, shared, own, more);
    } catch (error) {
      out.length = start;
      throw error;
    }
    const length = out.length - at;
    if (length <= maxFrameSize) {
      const end = flags | Flag.END_HEADERS;
      putFrameHeader(
        out.bytes,
        start,
        length,
        FrameType.HEADERS,
        end,
        streamId,
      );
    } else this.#split(start, flags, streamId, maxFrameSize);
  }

  /** Makes CONTINUATION frames of HEADERS that are too long. */
  #split(start: number, flags: number, id: number, max: number): void {
    const out = this.#writer;
    const payload = start + FRAME_HEADER_BYTES;
    const length = out.length - payload;
    const count = Math.ceil(length / max);
    out.reserve((count - 1) * FRAME_HEADER_BYTES);
    const { bytes } = out;
    // From the last one, so that nothing is overwritten before it has moved.
    for (let i = count - 1; i >= 0; i--) {
      const from = payload + i * max;
      const size = Math.min(max, length - i * max);
      const to = from + i * FRAME_HEADER_BYTES;
      bytes.copyWithin(to, from, from + size);
      const type = i === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      const flag = (i === 0 ? flags : 0) |
        (i === count - 1 ? Flag.END_HEADERS : 0);
      putFrameHeader(bytes, to - FRAME_HEADER_BYTES, size, type, flag, id);
    }
    out.length += (count - 1) * FRAME_HEADER_BYTES;
  }

  /**
   * Appends DATA: in the last frame, if that is DATA of the stream and has
   * room, or else in a frame of its own.
   *
   * @param streamId The stream.
   * @param bytes The array it is in; large payloads are not copied.
   * @param start Where it begins.
   * @param end Where it ends, {@linkcode DATA_FRAME_BYTES} later at most.
   * @param flags END_STREAM, or 0.
   */
  data(
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    flags: number,
  ): void {
    const out = this.#writer;
    const length = end - start;
    this.messageFrames++;
    if (
      streamId === this.#dataStreamId &&
      this.#dataLength + length <= DATA_FRAME_BYTES
    ) {
      out.reserve(length);
      this.#dataLength += length;
    } else {
      out.length = this.#frame(length, FrameType.DATA, flags, streamId);
      this.#dataAt = out.length - FRAME_HEADER_BYTES;
      this.#dataLength = length;
    }
    const joined = this.#dataLength;
    putFrameHeader(
      out.bytes,
      this.#dataAt,
      joined,
      FrameType.DATA,
      flags,
      streamId,
    );
    this.#dataStreamId = flags === 0 ? streamId : 0;
    if (length >= REFERENCE_BYTES) {
      this.#payloads.push(bytes.subarray(start, end));
      this.#places.push(out.length);
      this.#payloadBytes += length;
      return;
    }
    const to = out.length;
    const target = out.bytes;
    if (length <= LOOP_BYTES) {
      for (let i = 0; i < length; i++) target[to + i] = bytes[start + i]!;
    } else if (length === bytes.length) target.set(bytes, to);
    else target.set(bytes.subarray(start, end), to);
    out.length = to + length;
  }

  /**
   * Takes all there is, to be written at once.
   *
   * @returns The pieces, in order; empty while too many batches are being
   * written. The array is good until the next call, what is in it until it is
   * {@linkcode written}.
   */
  take(): readonly Uint8Array[] {
    const pieces = this.#pieces;
    pieces.length = 0;
    if (!this.isReady) return pieces;
    const out = this.#writer;
    const { bytes, length } = out;
    let from = 0;
    for (let i = 0; i < this.#payloads.length; i++) {
      const place = this.#places[i]!;
      if (place > from) pieces.push(bytes.subarray(from, place));
      pieces.push(this.#payloads[i]!);
      from = place;
    }
    if (length > from) pieces.push(bytes.subarray(from, length));
    const batch = {
      buffer: bytes,
      bytes: length + this.#payloadBytes,
      replies: this.#replies,
    };
    this.#batches.push(batch);
    this.#batchBytes += batch.bytes;
    this.#batchReplies += batch.replies;
    this.#payloads.length = this.#places.length = 0;
    this.#payloadBytes = this.#replies = this.#dataStreamId = 0;
    // The next is as large, unless this one is back before anything is sent.
    out.capacity = Math.min(
      MAX_FIRST_BYTES,
      Math.max(MIN_BUFFER_BYTES, length),
    );
    out.bytes = this.#spare ?? NO_BYTES;
    out.length = 0;
    this.#spare = null;
    return pieces;
  }

  /** The oldest batch that was taken is written: its buffer can be used again. */
  written(): void {
    const batch = this.#batches.shift();
    if (batch === undefined) return;
    this.#batchBytes -= batch.bytes;
    this.#batchReplies -= batch.replies;
    if (this.#batches.length === 0) this.#pieces.length = 0;
    const { buffer } = batch;
    if (buffer.length > MAX_KEPT_BYTES) return;
    if (this.#writer.bytes === NO_BYTES) this.#writer.bytes = buffer;
    else this.#spare = buffer;
  }

  /** Begins a frame, and returns where its payload goes. */
  #frame(length: number, type: number, flags: number, id: number): number {
    const out = this.#writer;
    const at = out.length;
    out.reserve(FRAME_HEADER_BYTES + length);
    putFrameHeader(out.bytes, at, length, type, flags, id);
    this.#dataStreamId = 0;
    return at + FRAME_HEADER_BYTES;
  }
}
