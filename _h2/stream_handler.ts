/**
 * What a stream tells its owner.
 *
 * All of it is told at once, within the call that brought it about: mostly
 * `receive`, but the end of a stream also within the method that ended it. A
 * handler may call anything of the connection and of every stream.
 *
 * @module
 */

import type { HeaderList } from "./hpack/mod.ts";

/** How a stream ended. */
export interface StreamEnd {
  /**
   * What ended it: both sides in good order, RST_STREAM of the peer's, a
   * mistake of the peer's for which it was reset, a GOAWAY of the peer's which
   * says that it will not be processed, or the end of the connection.
   */
  readonly cause: "complete" | "reset" | "violation" | "goaway" | "connection";
  /** The error code; NO_ERROR when it is complete. */
  readonly code: number;
  /** What happened, for people; empty when it is complete. */
  readonly message: string;
  /** Whether the peer has certainly not begun to process it. */
  readonly unprocessed: boolean;
}

/** What a stream tells its owner. */
export interface StreamHandler {
  /**
   * The final response. Clients only: a server has the request from
   * `onStream`.
   *
   * @param fields The fields.
   * @param end Whether the peer's half ends with them; `onEnd` is not called.
   */
  onHeaders(fields: HeaderList, end: boolean): void;
  /** An interim response, with a status of 1xx. Clients only. */
  onInterim(fields: HeaderList): void;
  /**
   * Bytes of the peer's. They count against its windows until the stream's
   * `consume` is called for them.
   *
   * @param bytes What was given to `receive`, or a part of it.
   * @param start Where they begin.
   * @param end Where they end.
   */
  onData(bytes: Uint8Array, start: number, end: number): void;
  /** The end of the peer's half, with its trailers, or without any fields. */
  onEnd(trailers: HeaderList): void;
  /** What was queued is mostly sent: `sendData` had asked to wait. */
  onDrain(): void;
  /** The end of the stream: once, and last. Not told after `reset`. */
  onClose(end: StreamEnd): void;
}

/** The end of a stream that ended in good order. */
export const COMPLETE: StreamEnd = {
  cause: "complete",
  code: 0,
  message: "",
  unprocessed: false,
};

/** Hears nothing: the handler of a stream that has no other yet. */
export const NO_HANDLER: StreamHandler = {
  onHeaders() {},
  onInterim() {},
  onData() {},
  onEnd() {},
  onDrain() {},
  onClose() {},
};
