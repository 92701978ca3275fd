/**
 * How long a channel waits after a failed attempt to connect.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md}
 * @module
 */

const MULTIPLIER = 1.6;
const JITTER = 0.2;

/** Settings of the backoff, as in `Configuration`. */
export interface BackoffOptions {
  /** The first delay, in milliseconds. */
  readonly initialReconnectBackoffMs: number;
  /** The longest delay, in milliseconds. */
  readonly maxReconnectBackoffMs: number;
}

/** The delays between attempts: longer each time, until one succeeds. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #nextMs: number;
  #attempts = 0;

  /** @param random Gives a number from 0 to below 1. */
  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
    this.#nextMs = options.initialReconnectBackoffMs;
  }

  /** How many attempts have failed since the last success. */
  get attempts(): number {
    return this.#attempts;
  }

  /** How long the next wait is, but for its jitter, in milliseconds. */
  get nextMs(): number {
    return Math.min(this.#nextMs, this.#options.maxReconnectBackoffMs);
  }

  /** Notes a failed attempt, and says how long after its start the next may begin. */
  fail(): number {
    const delay = this.nextMs;
    this.#attempts++;
    this.#nextMs = delay * MULTIPLIER;
    // Jitter keeps the clients of a restarted server from coming all at once.
    return delay * (1 + JITTER * (2 * this.#random() - 1));
  }

  /** Notes a success: the next failure begins again. */
  reset(): void {
    this.#nextMs = this.#options.initialReconnectBackoffMs;
    this.#attempts = 0;
  }
}
