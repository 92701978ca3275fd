/**
 * One attempt of a call that may make several: a stream, of which nothing but
 * its failure is known until the call is committed to it.
 *
 * @module
 */

import type { Context } from "../../_context.ts";
import { GRPCError } from "../../core/errors.ts";
import type { Peer } from "../../core/peer.ts";
import { Status } from "../../core/status.ts";
import { parseReplyHead, type RawHeaders } from "../../_wire/headers.ts";
import {
  parseOutcome,
  readPushback,
  statusOfHttp,
} from "../../_wire/outcome.ts";
import type { ByteStream, CloseReason, StreamClaim } from "../byte_stream.ts";
import type { AttemptFailure } from "./attempt_plan.ts";
import { endedBeforeStatus } from "../faults.ts";

/** A failure, and the error that it would be of the call. */
export interface FailedAttempt extends AttemptFailure {
  /** Makes the error. */
  toError(): GRPCError;
}

/** What an attempt tells. */
export interface AttemptOwner {
  /** The call that it is made for. */
  readonly call: StreamClaim;
  /** There is a stream for it. */
  onStream(attempt: Attempt): void;
  /** A head has come. */
  onHead(attempt: Attempt, raw: RawHeaders, end: boolean): void;
  /** The reply that the call is committed to has ended. */
  onEnd(trailers: RawHeaders): void;
  /**
   * Its stream has ended, or there is none for it.
   *
   * @param hadStream Whether there was one.
   */
  onClose(attempt: Attempt, why: CloseReason, hadStream: boolean): void;
}

/** One attempt. */
export class Attempt implements StreamClaim {
  /** How many attempts were made before it. */
  readonly previous: number;
  /** Its stream; null before there is one, and when it is closed. */
  stream: ByteStream | null = null;
  /** Whose stream it is. */
  peer: Peer | null = null;
  /** Whether the head was sent on it. */
  isOpen = false;
  /** Whether the call is committed to it. */
  isChosen = false;
  readonly #owner: AttemptOwner;

  constructor(owner: AttemptOwner, previous: number) {
    this.#owner = owner;
    this.previous = previous;
  }

  get waitForReady(): boolean {
    return this.#owner.call.waitForReady;
  }

  get expiresAt(): number {
    return this.#owner.call.expiresAt ?? Infinity;
  }

  get context(): Context | undefined {
    return this.#owner.call.context;
  }

  set context(context: Context) {
    this.#owner.call.context = context;
  }

  onStream(stream: ByteStream, peer: Peer): void {
    this.stream = stream;
    this.peer = peer;
    this.#owner.onStream(this);
  }

  onHead(raw: RawHeaders, end: boolean): void {
    this.#owner.onHead(this, raw, end);
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.isChosen) this.#owner.call.onData(bytes, start, end);
  }

  onStop(isOver: boolean): void {
    if (this.isChosen) this.#owner.call.onStop(isOver);
  }

  onEnd(trailers: RawHeaders): void {
    if (this.isChosen) this.#owner.onEnd(trailers);
  }

  onClose(why: CloseReason): void {
    const hadStream = this.stream !== null;
    this.stream = null;
    this.#owner.onClose(this, why, hadStream);
  }
}

/**
 * Says how an attempt failed by its head.
 *
 * A head commits the call, trailers that come without one do not, and a proxy
 * that replies with an HTTP error has no gRPC server to speak for.
 *
 * @param raw The head, or trailers that came without one.
 * @param end Whether it is all there is of the response.
 * @returns The failure; null if it is none.
 */
export function failureOfHead(
  raw: RawHeaders,
  end: boolean,
): FailedAttempt | null {
  // Nearly every head is like that.
  if (!end && raw[0] === ":status" && raw[1] === "200") return null;
  const { status: httpStatus, hasGrpcStatus } = parseReplyHead(raw);
  if (end && hasGrpcStatus) {
    const { status, message } = parseOutcome(raw);
    if (status === Status.OK) return null;
    const pushbackMs = readPushback(raw);
    const toError = () =>
      new GRPCError(status, message, { retryAfterMs: pushbackMs });
    return { status, pushbackMs, toError };
  }
  if (httpStatus === 200) return null;
  const status = statusOfHttp(httpStatus);
  const toError = () =>
    new GRPCError(status, `Received :status = '${httpStatus}'`);
  return { status, pushbackMs: undefined, toError };
}

/** Says how an attempt failed whose stream is gone, or never was. */
export function failureOfClose(why: CloseReason): FailedAttempt {
  const error = endedBeforeStatus(why);
  return {
    status: error.status,
    pushbackMs: undefined,
    toError: () => error,
  };
}
