/**
 * What is counted of a call that somebody observes, from its beginning to its
 * end. A call that nobody observes has none of this.
 *
 * @module
 */

import type { CallStart, CallSummary, CallTrace } from "../core/_call_trace.ts";
import { type Callback, dispatch, type Observers } from "../core/_listeners.ts";
import type { Clock } from "../core/clock.ts";
import type { Metadata } from "../core/metadata.ts";
import type { Peer } from "../core/peer.ts";
import { GRPCError } from "../core/errors.ts";
import { CallEnd } from "../core/events.ts";
import { Status } from "../core/status.ts";
import { type Context, currentContext, noContext } from "../_context.ts";

/** How a call ended. */
export interface CallOutcome {
  readonly status: Status;
  readonly message: string;
  readonly details: readonly unknown[];
}

const OK: CallOutcome = { status: Status.OK, message: "", details: [] };

/** Follows one call for all who observe it. */
export class CallRecord implements CallSummary {
  attempts = 0;
  sentMessages = 0;
  sentBytes = 0;
  receivedMessages = 0;
  receivedBytes = 0;
  durationMs = 0;
  peer: Peer | null = null;

  readonly #call: CallStart;
  readonly #observers: Observers;
  readonly #clock: Pick<Clock, "now">;
  readonly #traces: CallTrace[] = [];
  #startedAt = 0;
  #isRunning = false;
  #outcome: CallOutcome = OK;

  /**
   * @param call The call, which has not begun.
   * @param observers Who observes it.
   * @param clock What its duration goes by.
   */
  constructor(
    call: CallStart,
    observers: Observers,
    clock: Pick<Clock, "now">,
  ) {
    this.#call = call;
    this.#observers = observers;
    this.#clock = clock;
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

  /** The call begins, in a context, or in that of the moment. */
  begin(context?: Context): void {
    this.#isRunning = true;
    this.#startedAt = this.#clock.now();
    if (context === undefined) this.#begin();
    else context(() => this.#begin());
  }

  #begin(): void {
    const call = this.#call;
    const { traced, listeners } = this.#observers;
    for (const observer of traced) {
      const trace = this.#guard(() => observer.start(call));
      if (trace !== null && trace !== undefined) this.#traces.push(trace);
    }
    if (listeners.length > 0) {
      this.#traces.push(new EndTeller(call, this.#observers));
    }
  }

  /** Runs what the call leads to, in the contexts of those who observe it. */
  run<R>(fn: () => R): R {
    let all = fn;
    for (let i = this.#traces.length - 1; i >= 0; i--) {
      const trace = this.#traces[i]!;
      if (trace.run === undefined) continue;
      const inner = all;
      all = () => trace.run!(inner);
    }
    return all();
  }

  /** The request is sent, or sent anew: gives the metadata to send. */
  attempt(metadata: Metadata | null, peer: Peer | null): Metadata | null {
    this.attempts++;
    let all = metadata;
    for (const trace of this.#traces) {
      if (trace.attempt === undefined) continue;
      const before = all;
      const after = this.#guard(() => trace.attempt!(before, peer));
      if (after !== undefined) all = after;
    }
    return all;
  }

  /** The handler begins, in the context that is its own. */
  handling(): void {
    for (const trace of this.#traces) {
      if (trace.handling !== undefined) this.#guard(() => trace.handling!());
    }
  }

  /** A message of so many bytes is sent. */
  sent(bytes: number): void {
    this.sentMessages++;
    this.sentBytes += bytes;
    for (const trace of this.#traces) {
      if (trace.sent !== undefined) this.#guard(() => trace.sent!(bytes));
    }
  }

  /** A message of so many bytes has come. */
  received(bytes: number): void {
    if (!this.#isRunning) return;
    this.receivedMessages++;
    this.receivedBytes += bytes;
    for (const trace of this.#traces) {
      if (trace.received !== undefined) {
        this.#guard(() => trace.received!(bytes));
      }
    }
  }

  /** The call is over; what was told before counts. */
  end(outcome: CallOutcome, peer: Peer | null): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#outcome = outcome;
    this.peer = peer;
    this.durationMs = this.#clock.now() - this.#startedAt;
    // What waited for a connection in vain was not sent.
    if (this.attempts === 0) this.sentMessages = this.sentBytes = 0;
    for (const trace of this.#traces) this.#guard(() => trace.end(this));
  }

  /** The call is over, with what its caller gets to see, or well. */
  fail(error: Error | null, peer: Peer | null): void {
    if (error === null) return this.end(OK, peer);
    if (error instanceof GRPCError) return this.end(error, peer);
    // What the caller's own source of requests threw: it has cancelled the call.
    const { message } = error;
    this.end({ status: Status.CANCELLED, message, details: [] }, peer);
  }

  #guard<R>(fn: () => R): R | undefined {
    try {
      return fn();
    } catch (error) {
      this.#observers.report(error, this.#call.info);
      return undefined;
    }
  }
}

/** Tells those who listen for the end, in the context of the call. */
class EndTeller implements CallTrace {
  readonly #call: CallStart;
  readonly #observers: Observers;
  /** On a server that of the handler, as soon as there is one. */
  #context: Context;

  constructor(call: CallStart, observers: Observers) {
    this.#call = call;
    this.#observers = observers;
    this.#context = call.side === "client" ? currentContext() : noContext;
  }

  handling(): void {
    this.#context = currentContext();
  }

  end(summary: CallSummary): void {
    const { info } = this.#call;
    const { listeners, report } = this.#observers;
    const event = new CallEnd(info, summary);
    this.#context(() =>
      dispatch(listeners as readonly Callback[], event)
        ?.catch((error) => report(error, info))
    );
  }
}
