/**
 * Error codes, and the two kinds of error that a peer can make.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-5.4}
 * @module
 */

/**
 * The error codes of RST_STREAM and GOAWAY.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-7}
 */
export const ErrorCode = {
  /** Nothing went wrong. */
  NO_ERROR: 0x0,
  /** The peer broke a rule that has no code of its own. */
  PROTOCOL_ERROR: 0x1,
  /** This endpoint failed. */
  INTERNAL_ERROR: 0x2,
  /** The peer sent more than a window allowed, or overflowed one. */
  FLOW_CONTROL_ERROR: 0x3,
  /** SETTINGS were not acknowledged in time. */
  SETTINGS_TIMEOUT: 0x4,
  /** A frame came for a half that was closed. */
  STREAM_CLOSED: 0x5,
  /** A frame had a length that its type does not allow. */
  FRAME_SIZE_ERROR: 0x6,
  /** The stream was not processed at all. */
  REFUSED_STREAM: 0x7,
  /** The stream is no longer wanted. */
  CANCEL: 0x8,
  /** The state of field compression is lost. */
  COMPRESSION_ERROR: 0x9,
  /** The connection made for a CONNECT request failed. */
  CONNECT_ERROR: 0xa,
  /** The peer causes too much work. */
  ENHANCE_YOUR_CALM: 0xb,
  /** The transport is not secure enough. */
  INADEQUATE_SECURITY: 0xc,
  /** HTTP/1.1 is required. */
  HTTP_1_1_REQUIRED: 0xd,
} as const;

/** One of the values of {@linkcode ErrorCode}. */
export type ErrorCode = typeof ErrorCode[keyof typeof ErrorCode];

const NAMES: readonly string[] = Object.keys(ErrorCode);

/**
 * Returns the name of an error code.
 *
 * @param code A code, perhaps one that no document knows.
 * @returns Its name, such as `"REFUSED_STREAM"`, or else its number.
 */
export function errorName(code: number): string {
  return NAMES[code] ?? `error 0x${code.toString(16)}`;
}

/**
 * Something that the peer did and must not do.
 *
 * A stream error ends one stream with RST_STREAM, a connection error ends the
 * connection with GOAWAY.
 */
export interface Violation {
  /** What it ends. */
  readonly kind: "stream" | "connection";
  /** What the peer gets. */
  readonly code: ErrorCode;
  /** What the peer did, in a sentence without a period. */
  readonly message: string;
}

/**
 * Makes a connection error.
 *
 * @param code What the peer gets.
 * @param message What it did.
 * @returns The error.
 */
export function connectionError(code: ErrorCode, message: string): Violation {
  return { kind: "connection", code, message };
}

/**
 * Makes a stream error.
 *
 * @param code What the peer gets.
 * @param message What it did.
 * @returns The error.
 */
export function streamError(code: ErrorCode, message: string): Violation {
  return { kind: "stream", code, message };
}
