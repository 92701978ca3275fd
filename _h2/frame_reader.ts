/**
 * Bytes to frames, wherever they are cut.
 *
 * Frames are read where they lie. Only what the end of a chunk cuts is copied,
 * until the rest is there: a frame header, or a whole frame with fields or
 * settings. DATA is passed on in pieces as it comes, and frames of unknown
 * types are skipped, so neither is ever kept.
 *
 * @module
 */

import { NO_BYTES } from "./byte_writer.ts";
import { connectionError, ErrorCode, type Violation } from "./errors.ts";
import {
  checkFrameHeader,
  Flag,
  FRAME_HEADER_BYTES,
  frameName,
  FrameType,
  PREFACE,
  readUint31,
} from "./frames.ts";

/** What takes the frames. */
export interface FrameSink {
  /** The largest payload of a frame, in bytes. */
  readonly maxFrameSize: number;
  /** Whether nothing more is wanted. */
  readonly isOver: boolean;
  /** The peer broke a rule. */
  onFault(violation: Violation): void;
  /** The header of any frame, before its payload. */
  onFrameHeader(type: number, flags: number, streamId: number): void;
  /** A whole frame, neither DATA nor unknown. */
  onFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void;
  /**
   * A DATA frame.
   *
   * @param size What counts for flow control: the payload, in bytes.
   * @param dataBytes How much of it is not padding.
   */
  onDataStart(streamId: number, size: number, dataBytes: number): void;
  /** Some of its data. */
  onData(bytes: Uint8Array, start: number, end: number): void;
  /** Its end. */
  onDataEnd(flags: number): void;
  /** A frame of an unknown type. */
  onUnknownFrame(): void;
}

/** The longest frame that is kept until it is whole, whatever may be sent. */
const MAX_KEPT_BYTES = 64 * 1024;

/** How large a buffer for frames that were cut is at first. */
const MIN_KEPT_BYTES = 64;

/** Larger buffers for frames that were cut are not kept. */
const MAX_IDLE_BYTES = 1024;

/** Reads the frames of one connection. */
export class FrameReader {
  readonly #sink: FrameSink;
  /** How much of the preface of a client is to come, in bytes. */
  #prefaceLeft: number;
  /** A frame that was cut. */
  #kept: Uint8Array = NO_BYTES;
  #keptBytes = 0;
  /** How many bytes of it have to be there for the next step. */
  #keptNeeds = 0;
  /** Whether the middle of a payload is to come, of DATA or to be skipped. */
  #isInData = false;
  #dataLeft = 0;
  #skipLeft = 0;
  #dataFlags = 0;

  /**
   * @param sink What takes the frames.
   * @param expectsPreface Whether the peer is a client.
   */
  constructor(sink: FrameSink, expectsPreface: boolean) {
    this.#sink = sink;
    this.#prefaceLeft = expectsPreface ? PREFACE.length : 0;
  }

  /**
   * Reads the next bytes.
   *
   * @param chunk The bytes, which are not kept.
   */
  read(chunk: Uint8Array): void {
    let at = 0;
    if (this.#prefaceLeft > 0) at = this.#readPreface(chunk);
    const { length } = chunk;
    const sink = this.#sink;
    while (at < length && !sink.isOver) {
      if (this.#isInData || this.#skipLeft > 0) at = this.#readRest(chunk, at);
      else if (this.#keptBytes > 0) at = this.#readCut(chunk, at);
      else {
        const needed = this.#needed(chunk, at, length - at);
        if (sink.isOver) return;
        if (needed > length - at) {
          this.#keptNeeds = needed;
          return this.#keep(chunk, at, length);
        }
        at = this.#readFrame(chunk, at);
      }
    }
  }

  #readPreface(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length && this.#prefaceLeft > 0) {
      if (chunk[at] !== PREFACE[PREFACE.length - this.#prefaceLeft]) {
        const message = "Connection does not begin with the preface of HTTP/2";
        this.#sink.onFault(connectionError(ErrorCode.PROTOCOL_ERROR, message));
        return at;
      }
      at++;
      this.#prefaceLeft--;
    }
    return at;
  }

  /**
   * Says how many bytes have to be there for the next step: a header, a header
   * and the length of the padding, or a whole frame. Checks the header.
   */
  #needed(bytes: Uint8Array, at: number, available: number): number {
    if (available < FRAME_HEADER_BYTES) return FRAME_HEADER_BYTES;
    const length = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const streamId = readUint31(bytes, at + 5);
    const sink = this.#sink;
    let fault: Violation | null = null;
    if (length > sink.maxFrameSize) {
      const message = `${
        frameName(type)
      } of ${length} bytes, more than allowed`;
      fault = connectionError(ErrorCode.FRAME_SIZE_ERROR, message);
    } else fault = checkFrameHeader(type, flags, length, streamId);
    if (fault === null && length > MAX_KEPT_BYTES && isKept(type)) {
      const message = `${
        frameName(type)
      } of ${length} bytes, which are too many`;
      fault = connectionError(ErrorCode.ENHANCE_YOUR_CALM, message);
    }
    if (fault !== null) sink.onFault(fault);
    else sink.onFrameHeader(type, flags, streamId);
    if (type === FrameType.DATA) {
      return FRAME_HEADER_BYTES + ((flags & Flag.PADDED) !== 0 ? 1 : 0);
    }
    return FRAME_HEADER_BYTES + (isKept(type) ? length : 0);
  }

  /** Reads a frame of which enough is there; returns where the rest is. */
  #readFrame(bytes: Uint8Array, at: number): number {
    const length = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const streamId = readUint31(bytes, at + 5);
    const start = at + FRAME_HEADER_BYTES;
    const sink = this.#sink;
    if (type === FrameType.DATA) {
      let padding = 0;
      let data = length;
      if ((flags & Flag.PADDED) !== 0) {
        padding = bytes[start]!;
        data = length - 1 - padding;
        if (data < 0) {
          sink.onFault(overPadded(type));
          return start;
        }
      }
      this.#isInData = true;
      this.#dataFlags = flags;
      this.#dataLeft = data;
      this.#skipLeft = padding;
      sink.onDataStart(streamId, length, data);
      return this.#readRest(bytes, start + length - data - padding);
    }
    if (!isKept(type)) {
      this.#skipLeft = length;
      sink.onUnknownFrame();
      return start;
    }
    sink.onFrame(type, flags, streamId, bytes, start, start + length);
    return start + length;
  }

  /** Reads on in the payload of DATA, or skips one. */
  #readRest(bytes: Uint8Array, at: number): number {
    const sink = this.#sink;
    if (this.#dataLeft > 0) {
      const end = Math.min(bytes.length, at + this.#dataLeft);
      this.#dataLeft -= end - at;
      if (end > at) sink.onData(bytes, at, end);
      at = end;
      if (this.#dataLeft > 0) return at;
    }
    const skipped = Math.min(bytes.length - at, this.#skipLeft);
    this.#skipLeft -= skipped;
    if (this.#skipLeft === 0 && this.#isInData) {
      this.#isInData = false;
      if (!sink.isOver) sink.onDataEnd(this.#dataFlags);
    }
    return at + skipped;
  }

  /** Keeps what is too little. */
  #keep(bytes: Uint8Array, start: number, end: number): void {
    const count = end - start;
    this.#reserve(count);
    this.#kept.set(bytes.subarray(start, end), this.#keptBytes);
    this.#keptBytes += count;
  }

  /** Adds to what was kept, and reads it when it is enough. */
  #readCut(chunk: Uint8Array, at: number): number {
    const wasHeader = this.#keptBytes < FRAME_HEADER_BYTES;
    const count = Math.min(
      this.#keptNeeds - this.#keptBytes,
      chunk.length - at,
    );
    this.#keep(chunk, at, at + count);
    at += count;
    if (this.#keptBytes < this.#keptNeeds) return at;
    if (wasHeader) {
      this.#keptNeeds = this.#needed(this.#kept, 0, this.#keptBytes);
      if (this.#keptNeeds > this.#keptBytes) return at;
    }
    if (this.#sink.isOver) return at;
    const kept = this.#kept.subarray(0, this.#keptBytes);
    this.#keptBytes = 0;
    if (this.#kept.length > MAX_IDLE_BYTES) this.#kept = NO_BYTES;
    this.#readFrame(kept, 0);
    return at;
  }

  #reserve(count: number): void {
    const size = this.#keptBytes + count;
    if (size <= this.#kept.length) return;
    const larger = new Uint8Array(
      Math.max(MIN_KEPT_BYTES, size, 2 * this.#kept.length),
    );
    larger.set(this.#kept.subarray(0, this.#keptBytes));
    this.#kept = larger;
  }
}

/** Whether frames of a type are read whole. */
function isKept(type: number): boolean {
  return type >= FrameType.HEADERS && type <= FrameType.CONTINUATION;
}

/**
 * Makes the error of a frame that is padded with more than it has.
 *
 * @param type Its type.
 * @returns The error.
 */
export function overPadded(type: number): Violation {
  const message = `${frameName(type)} with more padding than there is room for`;
  return connectionError(ErrorCode.PROTOCOL_ERROR, message);
}
