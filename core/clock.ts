/**
 * What tells the time.
 *
 * @module
 */

/** A timer of a {@linkcode Clock}. */
export interface ClockTimer {
  /** Has the timer keep the process alive, as it does at first. */
  ref(): unknown;
  /** Has the timer keep no process alive. */
  unref(): unknown;
}

/**
 * What a channel or a server knows the time by: its deadlines, keepalive, idle
 * time and backoff. The system's clock unless an option says otherwise, as tests
 * do that do not want to wait.
 */
export interface Clock {
  /**
   * Tells the time.
   *
   * @returns The milliseconds since any moment in the past; they never go back.
   */
  now(): number;
  /**
   * Calls a function later.
   *
   * @param callback The function.
   * @param delayMs How much later, in milliseconds, at most 2³¹ − 1.
   * @returns The timer.
   */
  setTimeout(callback: () => void, delayMs: number): ClockTimer;
  /**
   * Stops a timer. One that has fired, or was stopped, or is none, is left
   * alone.
   *
   * @param timer The timer.
   */
  clearTimeout(timer: ClockTimer | undefined): void;
}

/** The longest delay of a timer, in milliseconds: with a longer one it fires at once. */
export const MAX_DELAY_MS: number = 2 ** 31 - 1;

/**
 * Starts a timer that keeps no process alive. It fires early if the delay is
 * longer than a timer takes: who starts one of those looks at the clock.
 *
 * @param clock What starts it.
 * @param callback What to call.
 * @param delayMs How much later, in milliseconds.
 * @returns The timer.
 */
export function startBackgroundTimer(
  clock: Clock,
  callback: () => void,
  delayMs: number,
): ClockTimer {
  const timer = clock.setTimeout(callback, Math.min(delayMs, MAX_DELAY_MS));
  timer.unref();
  return timer;
}
