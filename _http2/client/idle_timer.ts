/**
 * How long a connection is not in use.
 *
 * @module
 */

import {
  type Clock,
  type ClockTimer,
  startBackgroundTimer,
} from "../../core/clock.ts";
import { systemClock } from "../system_clock.ts";

/**
 * Tells when something was not in use for a time. One timer that looks now and
 * then, instead of one for each pause; it keeps no process alive.
 */
export class IdleTimer {
  readonly #timeoutMs: number;
  readonly #onIdle: () => void;
  readonly #clock: Clock;
  #unusedSince = Infinity;
  #timer: ClockTimer | undefined;

  /**
   * @param timeoutMs For how long, in milliseconds; Infinity: never.
   * @param onIdle Told once.
   * @param clock What the time goes by.
   */
  constructor(
    timeoutMs: number,
    onIdle: () => void,
    clock: Clock = systemClock,
  ) {
    this.#timeoutMs = timeoutMs;
    this.#onIdle = onIdle;
    this.#clock = clock;
  }

  /** Since when it is not in use, by the clock; Infinity while it is. */
  get unusedSince(): number {
    return this.#unusedSince;
  }

  /** It is in use. */
  onUsed(): void {
    this.#unusedSince = Infinity;
  }

  /** It is not in use any more. */
  onUnused(): void {
    this.#unusedSince = this.#clock.now();
    this.#timer ??= this.#start(this.#timeoutMs);
  }

  /** Stops for good. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #start(ms: number): ClockTimer | undefined {
    if (ms === Infinity) return undefined;
    return startBackgroundTimer(
      this.#clock,
      () => this.#onTimer(),
      Math.ceil(ms),
    );
  }

  #onTimer(): void {
    this.#timer = undefined;
    // Less than nothing while it is in use.
    const unusedMs = Math.max(0, this.#clock.now() - this.#unusedSince);
    const leftMs = this.#timeoutMs - unusedMs;
    if (leftMs <= 0) this.#onIdle();
    else this.#timer = this.#start(leftMs);
  }
}
