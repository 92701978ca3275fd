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
