/**
 * How long a connection is not in use.
 *
 * @module
 */

import { clearTimeout, setTimeout } from "node:timers";

/** The longest delay a timer takes; a longer one would fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * Tells when something was not in use for a time. One timer that looks now and
 * then, instead of one for each pause; it keeps no process alive.
 */
export class IdleTimer {
  readonly #timeoutMs: number;
  readonly #onIdle: () => void;
  #unusedSince = Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param timeoutMs For how long, in milliseconds; Infinity: never.
   * @param onIdle Told once.
   */
  constructor(timeoutMs: number, onIdle: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#onIdle = onIdle;
  }

  /** It is in use. */
  onUsed(): void {
    this.#unusedSince = Infinity;
  }

  /** It is not in use any more. */
  onUnused(): void {
    this.#unusedSince = performance.now();
    this.#timer ??= this.#start(this.#timeoutMs);
  }

  /** Stops for good. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #start(ms: number): ReturnType<typeof setTimeout> | undefined {
    if (ms > MAX_DELAY_MS) return undefined;
    return setTimeout(() => this.#onTimer(), Math.ceil(ms)).unref();
  }

  #onTimer(): void {
    this.#timer = undefined;
    // Less than nothing while it is in use.
    const unusedMs = Math.max(0, performance.now() - this.#unusedSince);
    const leftMs = this.#timeoutMs - unusedMs;
    if (leftMs <= 0) this.#onIdle();
    else this.#timer = this.#start(leftMs);
  }
}
