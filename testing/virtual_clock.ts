/**
 * A clock that a test moves on by hand.
 *
 * @module
 */

import type { Clock, ClockTimer } from "../core/clock.ts";
import { untilQuiet } from "./_quiet.ts";

/** A timer that runs on a virtual clock. */
class VirtualTimer implements ClockTimer {
  readonly at: number;
  readonly fire: () => void;

  constructor(at: number, fire: () => void) {
    this.at = at;
    this.fire = fire;
  }

  // It keeps no process alive anyhow.

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

/**
 * A clock that stands still until a test moves it on, so that a test of a
 * deadline of half a minute takes a millisecond. Give it to `ChannelFor`, or to a
 * channel and a server, as their `clock`: their deadlines, keepalive, idle time
 * and backoff go by it.
 *
 * @example Usage
 * ```ts
 * import { createStub, Status } from "@grpclib/grpclib";
 * import {
 *   assertRejectsStatus,
 *   ChannelFor,
 *   stubService,
 *   VirtualClock,
 * } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter";
 *
 * const greeter = stubService(Greeter, {
 *   sayHello: () => new Promise(() => {}), // never replies
 * });
 * const clock = new VirtualClock();
 * await using channel = new ChannelFor([greeter], { clock });
 *
 * const late = assertRejectsStatus(
 *   createStub(Greeter, channel).sayHello({}, { timeoutMs: 30_000 }),
 *   Status.DEADLINE_EXCEEDED,
 * );
 * await clock.advance(30_000);
 * await late;
 * ```
 */
export class VirtualClock implements Clock {
  // About where the system's clock stands; whole, so that sums are exact.
  #now = Math.floor(performance.now());
  readonly #timers = new Set<VirtualTimer>();

  /** How many timers run on it. */
  get timers(): number {
    return this.#timers.size;
  }

  /**
   * Tells the time.
   *
   * @returns The milliseconds since a moment in the past.
   */
  now(): number {
    return this.#now;
  }

  /**
   * Calls a function later, when the clock was moved on that far.
   *
   * @param callback The function.
   * @param delayMs How much later, in milliseconds.
   * @returns The timer.
   */
  setTimeout(callback: () => void, delayMs: number): ClockTimer {
    const timer = new VirtualTimer(
      this.#now + Math.max(0, delayMs),
      callback,
    );
    this.#timers.add(timer);
    return timer;
  }

  /**
   * Stops a timer.
   *
   * @param timer The timer; one that has fired, or none, is left alone.
   */
  clearTimeout(timer: ClockTimer | undefined): void {
    this.#timers.delete(timer as VirtualTimer);
  }

  /**
   * Lets time pass. What is under way in memory arrives before; then the timers
   * that are due fire, in their order and each at its time, and what each of
   * them sets off arrives before the next. It does not wait for the network, the
   * disk or other clocks.
   *
   * @param ms How much time, in milliseconds; 0 only lets things arrive.
   * @returns When all of that has happened.
   * @throws {RangeError} If the time is negative, or no finite number.
   */
  async advance(ms: number): Promise<void> {
    if (!(Number.isFinite(ms) && ms >= 0)) {
      throw new RangeError(
        `Cannot advance clock: ms must be a finite number of at least 0, received ${ms}`,
      );
    }
    const end = this.#now + ms;
    await untilQuiet();
    for (let timer; (timer = this.#nextUntil(end)) !== undefined;) {
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, timer.at);
      timer.fire();
      await untilQuiet();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** The timer that fires first, of those that are due by then. */
  #nextUntil(end: number): VirtualTimer | undefined {
    let first: VirtualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && !(first && first.at <= timer.at)) first = timer;
    }
    return first;
  }
}
