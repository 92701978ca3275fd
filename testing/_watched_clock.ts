/**
 * A clock that knows which of its timers run.
 *
 * @module
 */

import type { Clock, ClockTimer } from "../core/clock.ts";

/** Another clock, with an account of its timers. */
export class WatchedClock implements Clock {
  readonly #clock: Clock;
  readonly #running = new Map<ClockTimer, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The timers that run, in words. */
  get running(): string[] {
    return [...this.#running.values()].map((ms) =>
      `timer of ${Math.round(ms)} ms`
    );
  }

  now(): number {
    return this.#clock.now();
  }

  setTimeout(callback: () => void, delayMs: number): ClockTimer {
    const timer = this.#clock.setTimeout(() => {
      this.#running.delete(timer);
      callback();
    }, delayMs);
    this.#running.set(timer, delayMs);
    return timer;
  }

  clearTimeout(timer: ClockTimer | undefined): void {
    if (timer !== undefined) this.#running.delete(timer);
    this.#clock.clearTimeout(timer);
  }
}
