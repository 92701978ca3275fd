/**
 * Time that passes from event to event.
 *
 * @module
 */

import type { Clock, ClockTimer } from "../core/clock.ts";

/** How many microtasks may lie between a promise and what waits for it. */
const MICROTASKS = 8;

/** Something that will happen. */
class Event implements ClockTimer {
  readonly at: number;
  /** Of two at the same time, the one that was planned first comes first. */
  readonly order: number;
  fire: (() => void) | null;

  constructor(at: number, order: number, fire: () => void) {
    this.at = at;
    this.order = order;
    this.fire = fire;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || a.at === b.at && a.order < b.order;
}

/**
 * A clock for millions of events: what is due next is on top of a heap, and
 * promises are waited for only when somebody says that there is one.
 */
export class SimulatedClock implements Clock {
  readonly #heap: Event[] = [];
  #now = 0;
  #order = 0;
  #hasPromises = false;

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, delayMs: number): ClockTimer {
    const event = new Event(this.#now + delayMs, this.#order++, callback);
    this.#push(event);
    return event;
  }

  clearTimeout(timer: ClockTimer | undefined): void {
    // It stays in the heap until its time, and nothing happens then.
    if (timer !== undefined) (timer as Event).fire = null;
  }

  /** A promise was settled: what waits for it goes on before the next event. */
  settle(): void {
    this.#hasPromises = true;
  }

  /** Lets time pass until a moment. */
  async runUntil(endMs: number): Promise<void> {
    await this.#settled();
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.at > endMs) break;
      this.#pop();
      if (event.fire === null) continue;
      this.#now = event.at;
      event.fire();
      if (this.#hasPromises) await this.#settled();
    }
    this.#now = endMs;
  }

  async #settled(): Promise<void> {
    this.#hasPromises = false;
    for (let i = 0; i < MICROTASKS; i++) await undefined;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let place = heap.push(event) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) {
        child++;
      }
      if (!isBefore(heap[child]!, last)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
  }
}
