/**
 * What a connection and its streams tell.
 *
 * All of it is told at once, within the call that brought it about: mostly
 * `receive`, but the end of a stream also within the method that ended it. A
 * handler may call anything of the connection and of every stream.
 *
 * @module
 */

import type { Violation } from "./errors.ts";
import type { HeaderList } from "./hpack/mod.ts";
import type { Http2Stream } from "./stream.ts";

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

/** What a connection tells its owner. */
export interface ConnectionHandler {
  /** There is something to write, and no batch is being written. */
  onOutput(): void;
  /**
   * A client has opened a stream. Its `handler` has to be set, or it reset,
   * before this returns. Servers only.
   *
   * @param stream The stream.
   * @param fields The fields of the request.
   * @param end Whether the request ends with them.
   */
  onStream(stream: Http2Stream, fields: HeaderList, end: boolean): void;
  /** The peer's settings, for the first time or anew. */
  onSettings(): void;
  /** A PING of the peer's, which was answered. */
  onPing(): void;
  /** The answer to the oldest `ping` that has none. */
  onPingAck(): void;
  /** The peer knows of the notice to shut down: `goaway` may follow. */
  onNoticeAck(): void;
  /**
   * The peer leaves. Streams that it does not process are told so after this.
   *
   * @param lastId The last stream that it processes.
   * @param code Why.
   * @param debug What it says to people.
   */
  onGoaway(lastId: number, code: number, debug: string): void;
  /**
   * The peer made a mistake on a stream that nobody owns, such as a request
   * that is malformed. The stream was reset.
   */
  onStreamViolation(streamId: number, violation: Violation): void;
  /**
   * The peer made a mistake that ends the connection, or went over a limit.
   * GOAWAY is in the output; the streams are told after this. Write what there
   * is, then close the socket.
   */
  onViolation(violation: Violation): void;
}

/** The end of a stream that ended in good order. */
export const COMPLETE: StreamEnd = {
  cause: "complete",
  code: 0,
  message: "",
  unprocessed: false,
};

/** Hears nothing: the handler of a stream that has no other yet. */
export const DEAF: StreamHandler = {
  onHeaders() {},
  onInterim() {},
  onData() {},
  onEnd() {},
  onDrain() {},
  onClose() {},
};
