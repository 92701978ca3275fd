/**
 * The seam for whoever observes calls as a whole, from their beginning to their
 * end: the event `CallEnd`, spans, metrics, logs.
 *
 * Nothing here is waited for, and what it throws concerns the one who observes,
 * not the call: it goes to `onError` of a server, and is an unhandled rejection on
 * a channel.
 *
 * @module
 */

import type { CallInfo } from "./_call_info.ts";
import type { Metadata } from "./metadata.ts";
import type { Peer } from "./peer.ts";
import type { Status } from "./status.ts";

/** Which side of a call is observed. */
export type CallSide = "client" | "server";

/** A call that begins. */
export interface CallStart {
  readonly side: CallSide;
  /** The call: the same object as in its events. */
  readonly info: CallInfo;
  /**
   * The head of the request as it came, names and values in turns; null on a
   * client. Whoever wants a field of it need not have all of it decoded.
   */
  readonly headers: readonly string[] | null;
  /**
   * How long it has taken so far, in milliseconds; NaN if none of its observers
   * is timed.
   */
  readonly elapsedMs: number;
}

/** What became of a call. */
export interface CallSummary {
  readonly status: Status;
  readonly message: string;
  /** The details of the status, decoded when they are read. */
  readonly details: readonly unknown[];
  /** The other side; null for a call that had no connection. */
  readonly peer: Peer | null;
  /**
   * From its beginning to its end, in milliseconds; NaN if none of its observers
   * is timed.
   */
  readonly durationMs: number;
  /**
   * How often its request was sent: 0 if never, more than 1 if it was retried transparently.
   * On a server it is 1.
   */
  readonly attempts: number;
  /** How many messages were sent, and their bytes as they went, compressed. */
  readonly sentMessages: number;
  readonly sentBytes: number;
  /** The same of those that came. */
  readonly receivedMessages: number;
  readonly receivedBytes: number;
}

/** Follows one call. */
export interface CallTrace {
  /**
   * Whether it makes a span of the call, so that those are dropped that the
   * runtime makes of its streams.
   */
  readonly hasSpan?: boolean;
  /**
   * Runs the sending of the request to a connection, on a client, and the
   * handler, on a server: in a context of the observer's own, perhaps.
   */
  run?<R>(fn: () => R): R;
  /**
   * The request is sent, or sent again: gives the metadata to send, which must be
   * other metadata if it is changed. Client side only.
   */
  attempt?(metadata: Metadata | null, peer: Peer | null): Metadata | null;
  /**
   * An attempt has failed with a status, and the call goes on without it. Client
   * side only.
   */
  attemptFailed?(status: Status): void;
  /** The handler begins, in the context that is its own. Server side only. */
  handling?(): void;
  /** A message of so many bytes is sent, as it is on the wire. */
  sent?(bytes: number): void;
  /** A message of so many bytes has come. */
  received?(bytes: number): void;
  /**
   * The call is over, whatever has ended it: once, and last.
   *
   * @returns Anything; a promise that rejects counts as thrown.
   */
  end(summary: CallSummary): unknown;
}

/** Observes the calls of a channel or a server. */
export interface CallObserver {
  /**
   * Whether it wants to know how long calls take. If nobody does, nobody looks
   * at the clock, which takes as long as all else that is counted of a call.
   *
   * @default {false}
   */
  readonly isTimed?: boolean;
  /**
   * A call begins: before it has a stream, on a client, and when the head of its
   * request is read, on a server, also if it is refused for that.
   *
   * @returns What follows it, or null for nothing.
   */
  start(call: CallStart): CallTrace | null;
}
