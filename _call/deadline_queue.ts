/**
 * One timer for all deadlines of the process.
 *
 * A timer per call would cost more than a microsecond; an entry in this heap
 * costs some hundredths of one. The timer is armed for the earliest deadline,
 * and there is none soon after the last call with a deadline is over, so nothing
 * is left over when the calls are. Not at once: calls that come together, or one
 * behind the other, share a timer, which costs as much as a third of a call.
 *
 * @module
 */

import { type Clock, MAX_DELAY_MS } from "../core/clock.ts";
import { noContext } from "../_context.ts";

/**
 * How many microtasks an empty queue keeps its timer for: enough for a caller
 * who was just given a reply to make the next call.
 */
const IDLE_TURNS = 4;

/** Something with a deadline: usually a call. */
export interface DeadlineEntry {
  /** The deadline, in milliseconds on the clock of the queue. */
  readonly expiresAt: number;
  /** The entry's place in the heap, kept by the queue; -1 when not in it. */
  slot: number;
  /** Called once, when the deadline has come; the entry is out of the queue. */
  onDeadline(): void;
}

/** The part of a clock that a queue needs. */
interface Ticking {
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** The runtime's own: each call with a deadline may need a timer. */
const RUNTIME: Ticking = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as number),
};

/** A heap of deadlines under one timer. */
export class DeadlineQueue {
  /** The clock, if it is another than the system's. */
  readonly clock: Clock | undefined;
  readonly #ticking: Ticking;
  readonly #heap: DeadlineEntry[] = [];
  #timer: unknown;
  #armedFor = Infinity;
  /** Whether an end of the timer is on its way. */
  #idling = false;
  /** How many microtasks there was no entry for. */
  #idleTurns = 0;

  constructor(clock?: Clock) {
    this.clock = clock;
    this.#ticking = (clock as Ticking | undefined) ?? RUNTIME;
  }

  /** The time on its clock, in milliseconds. */
  now(): number {
    return this.#ticking.now();
  }

  /** How many deadlines are waited for. */
  get size(): number {
    return this.#heap.length;
  }

  /** Adds an entry that is not in the queue. */
  add(entry: DeadlineEntry): void {
    this.#idleTurns = 0;
    this.#heap.push(entry);
    this.#siftUp(entry, this.#heap.length - 1);
    if (entry.expiresAt < this.#armedFor) this.#arm(entry.expiresAt);
  }

  /** Removes an entry; one that is not in the queue is left alone. */
  remove(entry: DeadlineEntry): void {
    const { slot } = entry;
    if (slot < 0) return;
    entry.slot = -1;
    const last = this.#heap.pop()!;
    if (last !== entry) {
      this.#siftUp(last, slot);
      this.#siftDown(last, last.slot);
    }
    // A timer that is early by now finds nothing due and arms itself again.
    if (this.#heap.length === 0 && !this.#idling) this.#disarmIfIdle();
  }

  /** Ends the timer, unless there is another entry in a moment. */
  async #disarmIfIdle(): Promise<void> {
    this.#idling = true;
    while (this.#heap.length === 0 && this.#idleTurns++ < IDLE_TURNS) {
      await null;
    }
    this.#idling = false;
    if (this.#heap.length === 0) this.#disarm();
  }

  #arm(at: number): void {
    if (this.#timer !== undefined) this.#ticking.clearTimeout(this.#timer);
    this.#armedFor = at;
    // Rounded up: a timer must not wake before the deadline it is armed for.
    const delay = Math.ceil(Math.max(0, at - this.now()));
    this.#timer = this.#ticking.setTimeout(
      this.#fire,
      Math.min(delay, MAX_DELAY_MS),
    );
  }

  #disarm(): void {
    if (this.#timer !== undefined) this.#ticking.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#armedFor = Infinity;
  }

  // The timer has the context of the call it was armed for.
  readonly #fire = (): void => noContext(() => this.#endDue());

  #endDue(): void {
    this.#timer = undefined;
    this.#armedFor = Infinity;
    const now = this.now();
    try {
      for (let first = this.#heap[0]; first; first = this.#heap[0]) {
        if (first.expiresAt > now) break;
        this.remove(first);
        first.onDeadline();
      }
    } finally {
      // An entry that was just added may have armed the timer, for later.
      const next = this.#heap[0];
      if (next && next.expiresAt < this.#armedFor) this.#arm(next.expiresAt);
    }
  }

  #siftUp(entry: DeadlineEntry, from: number): void {
    const heap = this.#heap;
    let slot = from;
    while (slot > 0) {
      const above = (slot - 1) >> 1;
      const parent = heap[above]!;
      if (parent.expiresAt <= entry.expiresAt) break;
      heap[slot] = parent;
      parent.slot = slot;
      slot = above;
    }
    heap[slot] = entry;
    entry.slot = slot;
  }

  #siftDown(entry: DeadlineEntry, from: number): void {
    const heap = this.#heap;
    const { length } = heap;
    let slot = from;
    for (;;) {
      let below = 2 * slot + 1;
      if (below >= length) break;
      const right = below + 1;
      if (right < length && heap[right]!.expiresAt < heap[below]!.expiresAt) {
        below = right;
      }
      const child = heap[below]!;
      if (child.expiresAt >= entry.expiresAt) break;
      heap[slot] = child;
      child.slot = slot;
      slot = below;
    }
    heap[slot] = entry;
    entry.slot = slot;
  }
}
