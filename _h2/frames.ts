/**
 * Frames: their types, flags and sizes, and how each is written.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-4.1}
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6}
 * @module
 */

import { connectionError, ErrorCode, type Violation } from "./errors.ts";

/** The types of frames; all others are ignored. */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

const NAMES: readonly string[] = Object.keys(FrameType);

/** Flags; which of them a type knows is said with the type. */
export const Flag = {
  /** SETTINGS, PING. */
  ACK: 0x1,
  /** DATA, HEADERS. */
  END_STREAM: 0x1,
  /** HEADERS, CONTINUATION. */
  END_HEADERS: 0x4,
  /** DATA, HEADERS. */
  PADDED: 0x8,
  /** HEADERS. */
  PRIORITY: 0x20,
} as const;

/** The size of what every frame begins with. */
export const FRAME_HEADER_BYTES = 9;

/** The largest payload that a peer may always send. */
export const MIN_MAX_FRAME_SIZE = 16_384;

/** The largest payload that can be expressed. */
export const MAX_MAX_FRAME_SIZE = 16_777_215;

/** The largest stream identifier. */
export const MAX_STREAM_ID = 0x7fff_ffff;

/**
 * What a client sends first.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-3.4}
 */
export const PREFACE: Uint8Array = new TextEncoder().encode(
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
);

/**
 * Returns the name of a type of frame.
 *
 * @param type A type, perhaps an unknown one.
 * @returns Its name, such as `"DATA"`.
 */
export function frameName(type: number): string {
  return NAMES[type] ?? `frame of type 0x${type.toString(16)}`;
}

/**
 * Checks what the header of a frame says, before its payload is there: its
 * length, and whether it may belong to a stream.
 *
 * A PRIORITY frame of a wrong length is an error of its stream alone, so it is
 * not for this function.
 *
 * @param type The type.
 * @param flags The flags.
 * @param length The length of the payload, in bytes.
 * @param streamId The stream, or 0.
 * @returns What is wrong with it, or null.
 */
export function checkFrameHeader(
  type: number,
  flags: number,
  length: number,
  streamId: number,
): Violation | null {
  switch (type) {
    case FrameType.DATA:
      if (streamId === 0) return withoutStream(type);
      if ((flags & Flag.PADDED) !== 0 && length < 1) return badSize(type);
      return null;
    case FrameType.HEADERS: {
      if (streamId === 0) return withoutStream(type);
      const padLength = (flags & Flag.PADDED) !== 0 ? 1 : 0;
      const priority = (flags & Flag.PRIORITY) !== 0 ? 5 : 0;
      return length < padLength + priority ? badSize(type) : null;
    }
    case FrameType.PRIORITY:
      return streamId === 0 ? withoutStream(type) : null;
    case FrameType.RST_STREAM:
      if (streamId === 0) return withoutStream(type);
      return length !== 4 ? badSize(type) : null;
    case FrameType.SETTINGS:
      if (streamId !== 0) return withStream(type);
      if ((flags & Flag.ACK) !== 0) return length > 0 ? badSize(type) : null;
      return length % 6 !== 0 ? badSize(type) : null;
    case FrameType.PUSH_PROMISE:
      return streamId === 0 ? withoutStream(type) : null;
    case FrameType.PING:
      if (streamId !== 0) return withStream(type);
      return length !== 8 ? badSize(type) : null;
    case FrameType.GOAWAY:
      if (streamId !== 0) return withStream(type);
      return length < 8 ? badSize(type) : null;
    case FrameType.WINDOW_UPDATE:
      return length !== 4 ? badSize(type) : null;
    case FrameType.CONTINUATION:
      return streamId === 0 ? withoutStream(type) : null;
    default:
      return null;
  }
}

function withoutStream(type: number): Violation {
  const message = `${frameName(type)} without a stream`;
  return connectionError(ErrorCode.PROTOCOL_ERROR, message);
}

function withStream(type: number): Violation {
  const message = `${frameName(type)} on a stream`;
  return connectionError(ErrorCode.PROTOCOL_ERROR, message);
}

function badSize(type: number): Violation {
  const message = `${frameName(type)} of a length that it cannot have`;
  return connectionError(ErrorCode.FRAME_SIZE_ERROR, message);
}

/**
 * Reads 32 bits.
 *
 * @param bytes The bytes.
 * @param at Where they begin.
 * @returns An unsigned number.
 */
export function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 |
    bytes[at + 3]!) >>> 0;
}

/**
 * Reads a stream identifier, or a window increment: 31 bits after a reserved
 * one.
 *
 * @param bytes The bytes.
 * @param at Where they begin.
 * @returns The number.
 */
export function readUint31(bytes: Uint8Array, at: number): number {
  return (bytes[at]! & 0x7f) << 24 | bytes[at + 1]! << 16 |
    bytes[at + 2]! << 8 | bytes[at + 3]!;
}

/**
 * Writes 32 bits.
 *
 * @param bytes Where to.
 * @param at Where they begin.
 * @param value An unsigned number.
 */
export function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/**
 * Writes the header of a frame.
 *
 * @param bytes Where to.
 * @param at Where it begins.
 * @param length The length of the payload, in bytes.
 * @param type The type.
 * @param flags The flags.
 * @param streamId The stream, or 0.
 */
export function putFrameHeader(
  bytes: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  bytes[at + 4] = flags;
  putUint32(bytes, at + 5, streamId);
}
