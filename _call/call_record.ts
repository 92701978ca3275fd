/**
 * What is counted of a call that somebody observes, from its beginning to its
 * end. A call that nobody observes has none of this.
 *
 * @module
 */

import type {
  CallSide,
  CallStart,
  CallSummary,
  CallTrace,
} from "../core/_call_trace.ts";
import { isPromiseLike } from "../core/_describe.ts";
import { dispatch, type Observers } from "../core/_listeners.ts";
import type { Clock } from "../core/clock.ts";
import { GRPCError } from "../core/errors.ts";
import { CallEnd, type CallInfo } from "../core/events.ts";
import type { Metadata } from "../core/metadata.ts";
import type { Peer } from "../core/peer.ts";
import { Status } from "../core/status.ts";
import { type Context, noContext } from "../_context.ts";
import type { HeaderBlock } from "../_wire/headers.ts";
import type { ByteStream } from "./byte_stream.ts";

/** How a call ended. */
export interface CallOutcome {
  readonly status: Status;
  readonly message: string;
  readonly details: readonly unknown[];
}

/** A call that may be observed. */
export interface Observed {
  /** What is told of it. */
  readonly info: CallInfo;
}

const NO_TRACES: readonly CallTrace[] = [];

/** What those who follow a call want to be told of, beside its end. */
const Wish = { ATTEMPT: 1, SENT: 2, RECEIVED: 4 } as const;

const OK: CallOutcome = { status: Status.OK, message: "", details: [] };

/**
 * Follows one call for all who observe it: what they are told of its beginning
 * and of its end is this one object.
 */
export class CallRecord implements CallStart, CallSummary {
  readonly headers: readonly string[] | null;
  /** Whether the runtime's own spans are to be dropped. */
  hasSpan = false;
  /** Whether somebody wants what the call leads to in a context of their own. */
  hasContext = false;
  /** Those of a server's call begin with the first one. */
  attempts: number;
  sentMessages = 0;
  sentBytes = 0;
  receivedMessages = 0;
  receivedBytes = 0;
  peer: Peer | null = null;

  readonly #call: Observed;
  readonly #observers: Observers;
  /** Null if nobody wants to know how long it takes. */
  readonly #clock: Pick<Clock, "now"> | null;
  /** Who follows it: most calls have one, */
  #trace: CallTrace | null = null;
  /** and these are the others. */
  #others: readonly CallTrace[] = NO_TRACES;
  /** What one of them wants to be told of, by the bits of {@linkcode Wish}. */
  #wishes = 0;
  /** By the clock, if there is one: when it began, and then how long it took. */
  #timeMs = 0;
  #isRunning = false;
  #outcome: CallOutcome = OK;

  /**
   * @param call The call, which has not begun.
   * @param headers The head of its request on a server; null on a client.
   * @param observers Who observes it.
   * @param clock What its duration goes by.
   */
  constructor(
    call: Observed,
    headers: readonly string[] | null,
    observers: Observers,
    clock: Pick<Clock, "now">,
  ) {
    this.attempts = headers === null ? 0 : 1;
    this.#call = call;
    this.headers = headers;
    this.#observers = observers;
    this.#clock = observers.isTimed ? clock : null;
  }

  get info(): CallInfo {
    return this.#call.info;
  }

  get side(): CallSide {
    return this.headers === null ? "client" : "server";
  }

  get status(): Status {
    return this.#outcome.status;
  }

  get message(): string {
    return this.#outcome.message;
  }

  get details(): readonly unknown[] {
    return this.#outcome.details;
  }

  get elapsedMs(): number {
    return this.#clock === null ? NaN : this.#clock.now() - this.#timeMs;
  }

  get durationMs(): number {
    return this.#clock === null || this.#isRunning ? NaN : this.#timeMs;
  }

  /**
   * The call begins, in a context, or in that of the moment.
   *
   * @returns Whether anybody follows it.
   */
  begin(context?: Context): boolean {
    this.#isRunning = true;
    if (this.#clock !== null) this.#timeMs = this.#clock.now();
    if (context === undefined) this.#begin();
    else this.#beginIn(context);
    return this.#trace !== null;
  }

  // What has a function in it is apart from what has none, here and below: V8
  // makes memory for what such a function needs wherever the one around it is
  // called.

  #beginIn(context: Context): void {
    context(() => this.#begin());
  }

  #begin(): void {
    const { traced, listeners } = this.#observers;
    for (let i = 0; i < traced.length; i++) {
      try {
        const trace = traced[i]!.start(this);
        if (trace !== null) this.#add(trace);
      } catch (error) {
        this.#report(error);
      }
    }
    if (listeners.length > 0) {
      this.#add(new EndTeller(this, this.#observers));
    }
  }

  #add(trace: CallTrace): void {
    if (this.#trace === null) this.#trace = trace;
    else this.#others = [...this.#others, trace];
    if (trace.hasSpan === true) this.hasSpan = true;
    if (trace.run !== undefined) this.hasContext = true;
    if (trace.attempt !== undefined) this.#wishes |= Wish.ATTEMPT;
    if (trace.sent !== undefined) this.#wishes |= Wish.SENT;
    if (trace.received !== undefined) this.#wishes |= Wish.RECEIVED;
  }

  /** Gives one after another of those who follow it; undefined behind the last. */
  #follower(index: number): CallTrace | undefined {
    if (index === 0) return this.#trace ?? undefined;
    return index > this.#others.length ? undefined : this.#others[index - 1];
  }

  /** Runs what the call leads to, in the contexts of those who observe it. */
  run<R>(fn: () => R): R {
    const first = this.#trace!;
    const all = this.#others.length === 0 ? fn : this.#inOthers(fn);
    return first.run === undefined ? all() : this.#runIn(first, all);
  }

  /** Gives what runs a function in the contexts of all but the first. */
  #inOthers<R>(fn: () => R): () => R {
    let all = fn;
    for (let i = this.#others.length; i > 0; i--) {
      const trace = this.#follower(i)!;
      if (trace.run === undefined) continue;
      const inner = all;
      all = () => this.#runIn(trace, inner);
    }
    return all;
  }

  #runIn<R>(trace: CallTrace, fn: () => R): R {
    let isBegun = false;
    try {
      return trace.run!(() => {
        isBegun = true;
        return fn();
      });
    } catch (error) {
      // What the call itself throws is not the observer's.
      if (isBegun) throw error;
      this.#report(error);
      return fn();
    }
  }

  /** The request is sent, or sent again: gives the metadata to send. */
  attempt(metadata: Metadata | null, peer: Peer | null): Metadata | null {
    this.attempts++;
    return (this.#wishes & Wish.ATTEMPT) === 0
      ? metadata
      : this.#tellAttempt(metadata, peer);
  }

  #tellAttempt(metadata: Metadata | null, peer: Peer | null): Metadata | null {
    let all = metadata;
    let trace: CallTrace | undefined;
    for (let i = 0; (trace = this.#follower(i)) !== undefined; i++) {
      if (trace.attempt === undefined) continue;
      try {
        all = trace.attempt(all, peer);
      } catch (error) {
        this.#report(error);
      }
    }
    return all;
  }

  /** An attempt has failed, and the call goes on without it. */
  attemptFailed(status: Status): void {
    let trace: CallTrace | undefined;
    for (let i = 0; (trace = this.#follower(i)) !== undefined; i++) {
      try {
        trace.attemptFailed?.(status);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  /** The handler begins, in the context that is its own. */
  handling(): void {
    let trace: CallTrace | undefined;
    for (let i = 0; (trace = this.#follower(i)) !== undefined; i++) {
      try {
        trace.handling?.();
      } catch (error) {
        this.#report(error);
      }
    }
  }

  /** A message of so many bytes is sent. */
  sent(bytes: number): void {
    this.sentMessages++;
    this.sentBytes += bytes;
    if ((this.#wishes & Wish.SENT) !== 0) this.#tellSent(bytes);
  }

  #tellSent(bytes: number): void {
    let trace: CallTrace | undefined;
    for (let i = 0; (trace = this.#follower(i)) !== undefined; i++) {
      if (trace.sent === undefined) continue;
      try {
        trace.sent(bytes);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  /** A message of so many bytes has come. */
  received(bytes: number): void {
    if (!this.#isRunning) return;
    this.receivedMessages++;
    this.receivedBytes += bytes;
    if ((this.#wishes & Wish.RECEIVED) !== 0) this.#tellReceived(bytes);
  }

  #tellReceived(bytes: number): void {
    let trace: CallTrace | undefined;
    for (let i = 0; (trace = this.#follower(i)) !== undefined; i++) {
      if (trace.received === undefined) continue;
      try {
        trace.received(bytes);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  /** The call is over: of several ends the first counts. */
  end(outcome: CallOutcome, peer: Peer | null): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#outcome = outcome;
    this.peer = peer;
    if (this.#clock !== null) this.#timeMs = this.elapsedMs;
    // What waited for a connection in vain was not sent.
    if (this.attempts === 0) this.sentMessages = this.sentBytes = 0;
    let trace: CallTrace | undefined;
    for (let i = 0; (trace = this.#follower(i)) !== undefined; i++) {
      try {
        const result = trace.end(this);
        if (isPromiseLike(result)) this.#watch(result);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  #watch(result: PromiseLike<unknown>): void {
    Promise.resolve(result).catch((error) => this.#report(error));
  }

  /** The call is over, with what its caller gets to see, or well. */
  fail(error: Error | null, peer: Peer | null): void {
    if (error === null) return this.end(OK, peer);
    if (error instanceof GRPCError) return this.end(error, peer);
    // What the caller's own source of requests threw: it has cancelled the call.
    const { message } = error;
    this.end({ status: Status.CANCELLED, message, details: [] }, peer);
  }

  #report(error: unknown): void {
    this.#observers.report(error, this.info);
  }
}

/** Sends the head of a request, in the contexts of those who observe the call. */
export function sendRequestHead(
  record: CallRecord | null,
  stream: ByteStream,
  head: HeaderBlock,
  end: boolean,
): void {
  if (record?.hasContext) record.run(() => stream.sendHead(head, end));
  else stream.sendHead(head, end);
  if (record?.hasSpan) stream.dropSpan?.();
}

/**
 * Tells those who listen for the end, in the context of the call.
 *
 * It is kept by a promise: what waits for one goes on in the context that it
 * began to wait in, and that takes a twentieth of the time that it takes to keep
 * a context and to enter it.
 */
class EndTeller implements CallTrace {
  readonly #record: CallRecord;
  readonly #observers: Observers;
  readonly #ended = Promise.withResolvers<void>();
  #isAwaited = false;

  constructor(record: CallRecord, observers: Observers) {
    this.#record = record;
    this.#observers = observers;
    // A server's call has that of its handler, as soon as there is one.
    if (record.side === "client") this.handling();
  }

  handling(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    this.#ended.promise.then(() => this.#tell());
  }

  end(): void {
    if (this.#isAwaited) this.#ended.resolve();
    else noContext(() => this.#tell());
  }

  #tell(): void {
    const { info } = this.#record;
    const { listeners, report } = this.#observers;
    try {
      dispatch(listeners, new CallEnd(info, this.#record))
        ?.catch((error) => report(error, info));
    } catch (error) {
      report(error, info);
    }
  }
}
