/**
 * What can end a call from outside, joined into one: its deadline, the signal
 * of its caller, and the call that it is made for.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import { type Deadline, pointOn } from "../core/deadline.ts";
import { GRPCError } from "../core/errors.ts";
import { type Context, currentContext } from "../_context.ts";
import { Status } from "../core/status.ts";
import { type DeadlineEntry, DeadlineQueue } from "./deadline_queue.ts";
import { SignalWatch, type SignalWatcher } from "./signal_watch.ts";

/** The deadlines of all calls of this process that go by the system's clock. */
export const deadlines: DeadlineQueue = new DeadlineQueue();

const others = new WeakMap<Clock, DeadlineQueue>();

/** The deadlines of all calls that go by a clock: one queue for each. */
export function deadlinesOn(clock: Clock | undefined): DeadlineQueue {
  if (clock === undefined) return deadlines;
  let queue = others.get(clock);
  if (queue === undefined) others.set(clock, queue = new DeadlineQueue(clock));
  return queue;
}

/** The call that it is about. */
export interface CancellationOwner {
  /** The deadline came or the caller aborted: the call has to end with this. */
  onCancelled(error: GRPCError): void;
}

/** Makes the error of a call whose deadline has come. */
export function deadlineExceeded(): GRPCError {
  return new GRPCError(Status.DEADLINE_EXCEEDED, "Deadline exceeded");
}

/** Makes the error of a call that its caller aborted. */
export function abortedByCaller(signal: AbortSignal): GRPCError {
  return new GRPCError(
    Status.CANCELLED,
    "Call was cancelled by the caller",
    { cause: signal.reason },
  );
}

/** Makes the error of a call that was made for one that has ended so. */
function endedWithParent(reason: GRPCError): GRPCError {
  const options = { cause: reason };
  return reason.status === Status.DEADLINE_EXCEEDED
    ? new GRPCError(
      Status.DEADLINE_EXCEEDED,
      "Deadline exceeded: that of the call which this one was made for",
      options,
    )
    : new GRPCError(
      Status.CANCELLED,
      "Call was cancelled: the call which it was made for has ended",
      options,
    );
}

/**
 * A caller's signal and a deadline on the way in, one signal on the way out.
 *
 * The signal is made when it is first read, and the deadline is an entry in
 * one queue, so that a call that uses neither pays for neither.
 */
export class Cancellation implements DeadlineEntry, SignalWatcher, Disposable {
  readonly expiresAt: number;
  slot = -1;
  /** How much time was left when it was entered. */
  timeLeftOnEntry = Infinity;
  previousWatcher: SignalWatcher | null = null;
  nextWatcher: SignalWatcher | null = null;
  readonly #owner: CancellationOwner;
  readonly #deadlines: DeadlineQueue;
  readonly #caller: AbortSignal | undefined;
  /** What ends the call that this one is made for. */
  readonly #parent: Cancellation | null;
  /** The calls that were made for this one and have not ended. */
  #children: Set<Cancellation> | undefined;
  #controller: AbortController | undefined;
  #reason: GRPCError | undefined;
  #watch: SignalWatch | null = null;
  /** Whose context the signal aborts in: that of whoever first asked for it. */
  #context: Context | undefined;

  constructor(
    owner: CancellationOwner,
    deadline: Deadline | undefined,
    caller: AbortSignal | undefined,
    queue: DeadlineQueue = deadlines,
    parent: Cancellation | null = null,
  ) {
    this.#owner = owner;
    this.#caller = caller;
    this.#parent = parent;
    this.#deadlines = queue;
    this.expiresAt = deadline === undefined
      ? Infinity
      : pointOn(queue.clock, deadline);
  }

  /**
   * Begins to watch the deadline, the caller's signal and the call that it is
   * made for. When one of them has come already the owner is told so before this
   * returns.
   *
   * @param knownMs What was left until the deadline a moment ago, if that is
   *   known: to look at the clock is a third of what a deadline costs. It is
   *   looked at where the moment counts.
   */
  enter(knownMs = 0): void {
    const parent = this.#parent;
    if (parent !== null) {
      const reason = parent.#reason;
      if (reason !== undefined) return this.#end(endedWithParent(reason));
      (parent.#children ??= new Set()).add(this);
    }
    const caller = this.#caller;
    if (caller !== undefined) {
      if (caller.aborted) return this.#end(abortedByCaller(caller));
      this.#watch = SignalWatch.enter(caller, this);
    }
    if (this.expiresAt !== Infinity) {
      const timeLeftMs = knownMs > 1 ? knownMs : this.timeLeftMs;
      if (timeLeftMs === 0) return this.onDeadline();
      this.timeLeftOnEntry = timeLeftMs;
      this.#deadlines.add(this);
    }
  }

  /** How many milliseconds are left until the deadline, or Infinity. */
  get timeLeftMs(): number {
    if (this.expiresAt === Infinity) return Infinity;
    return Math.max(0, this.expiresAt - this.#deadlines.now());
  }

  /** Whether the deadline has come. */
  get expired(): boolean {
    return this.expiresAt <= this.#deadlines.now();
  }

  /** The signal of the call: aborted with the reason that `abort` was given. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.#context = currentContext();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The reason of the abort, if there was one. */
  get reason(): GRPCError | undefined {
    return this.#reason;
  }

  /** Aborts the call's signal, ends the calls made for it, and stops watching. */
  abort(reason: GRPCError): void {
    this[Symbol.dispose]();
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    // Before the signal: of a call that heeds both, this says why it ended.
    for (const child of this.#children ?? []) {
      child.#end(endedWithParent(reason));
    }
    this.#context?.(() => this.#controller!.abort(reason));
  }

  onDeadline(): void {
    this.#end(deadlineExceeded());
  }

  onAborted(signal: AbortSignal): void {
    this.#watch = null;
    this.#end(abortedByCaller(signal));
  }

  /** Stops watching. */
  [Symbol.dispose](): void {
    this.#deadlines.remove(this);
    this.#watch?.leave(this);
    this.#watch = null;
    if (this.#parent !== null) this.#parent.#children?.delete(this);
  }

  #end(error: GRPCError): void {
    this[Symbol.dispose]();
    this.#owner.onCancelled(error);
  }
}
