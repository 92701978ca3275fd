/**
 * The seam between a call and HTTP/2: all that a call needs of a stream, and
 * all that a stream tells its call. Implemented in `_http2/`, used in `_call/`.
 *
 * Down the seam go plain calls that return nothing, or a promise only when the
 * wire asks to wait. Up the seam come synchronous callbacks. There is no
 * iterator and no promise per message here: each would cost more than the
 * message itself.
 *
 * @module
 */

import type { Context } from "../_context.ts";
import type { Peer } from "../core/peer.ts";
import type { Account } from "./account.ts";
import type { Status } from "../core/status.ts";
import type { HeaderBlock, RawHeaders } from "../_wire/headers.ts";

/**
 * The HTTP/2 error codes that a call resets a stream with.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-7}
 */
export const ResetCode = {
  /** The call is over and what is left of the stream is of no use. */
  NO_ERROR: 0,
  /** This side could not go on. */
  INTERNAL_ERROR: 2,
  /** The call was not looked at: it is safe to try it again. */
  REFUSED_STREAM: 7,
  /** The call is no longer wanted. */
  CANCEL: 8,
} as const;

/** One of the values of {@linkcode ResetCode}. */
export type ResetCode = typeof ResetCode[keyof typeof ResetCode];

/** Why a stream is gone, in the words of a call. */
export interface CloseReason {
  /** Whether both halves ended in good order. */
  readonly clean: boolean;
  /** The status that the gRPC documents give to this end; `UNKNOWN` when clean. */
  readonly status: Status;
  /** What happened, for people. */
  readonly message: string;
  /** The error of the runtime behind it, if there was one. */
  readonly cause?: unknown;
  /** Whether the peer has certainly not begun to work on the call. */
  readonly unprocessed: boolean;
  /** Whether nothing of the call has even left this side. */
  readonly unsent?: boolean;
}

/** One HTTP/2 stream, as the call that owns it sees it. */
export interface ByteStream {
  /** What is held for the peer of its connection. */
  readonly account: Account;
  /** Sends the head; with `end`, as the only frame of this half. */
  sendHead(head: HeaderBlock, end?: boolean): void;
  /**
   * Sends bytes, and with `end` the end of this half. Returns a promise when
   * so much waits to be sent that the caller should pause. It resolves, and
   * never rejects: how the stream ended is told by `onClose`.
   */
  send(bytes: Uint8Array, end?: boolean): void | Promise<void>;
  /** Sends the trailers, which end this half. Server side only. */
  sendTrailers(trailers: HeaderBlock): void;
  /** Ends both halves at once. No callback follows but `onClose`. */
  reset(code: ResetCode): void;
  /** Stops `onData`: the peer may send what its window still allows. */
  pause(): void;
  /** Takes `pause` back. */
  resume(): void;
  /** Drops the span that the runtime has made of the stream, if there is one. */
  dropSpan?(): void;
}

/** A call, as its stream sees it. */
export interface ByteSink {
  /**
   * When the call has to be complete, by the clock of its side; none, if
   * undefined. After that a peer may reset the stream without more ado.
   */
  readonly expiresAt?: number;
  /** The peer's head; with `end` its half is over with it. Client side only. */
  onHead(raw: RawHeaders, end: boolean): void;
  /** Some of the peer's bytes, cut anywhere: those from `start` to `end`. */
  onData(bytes: Uint8Array, start: number, end: number): void;
  /**
   * The peer wants no more of this side's half, and is through with its own, of
   * which there is data that was not told yet. Client side only.
   *
   * @param isOver Whether the stream is over too: all of the data has come, and
   *   is the call's alone. It may be told again when it is.
   */
  onStop(isOver: boolean): void;
  /** The end of the peer's half, after all its data, with its trailers or none. */
  onEnd(trailers: RawHeaders): void;
  /** The end of the stream: exactly once, and the last callback. */
  onClose(why: CloseReason): void;
}

/** A client call that needs a stream. */
export interface StreamClaim extends ByteSink {
  /** Whether the call waits through failed attempts to connect. */
  readonly waitForReady: boolean;
  /** Whose context it goes on in; absent until it has to wait. */
  context?: Context | undefined;
  /** The stream, now this call's own: nothing is sent before `sendHead`. */
  onStream(stream: ByteStream, peer: Peer): void;
}

/** What gives client calls their streams, connecting when it must. */
export interface StreamSource {
  /**
   * Asks for a stream. Replies with `onStream`, at once when there is one to
   * have, or with `onClose` when there will be none.
   */
  claim(claim: StreamClaim): void;
  /** Takes a claim back that has no stream yet. */
  withdraw(claim: StreamClaim): void;
  /** What a claim has waited for that has no stream, for people. */
  readonly waitReason?: string;
}

/** The sink of a stream that has no call, or none any more. */
export const NO_SINK: ByteSink = {
  onHead() {},
  onData() {},
  onStop() {},
  onEnd() {},
  onClose() {},
};
