/**
 * How long a channel waits after a failed attempt to connect.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md}
 * @module
 */

const INITIAL_MS = 1000;
const MULTIPLIER = 1.6;
const JITTER = 0.2;
const MAX_MS = 120_000;

/** The delays between attempts: longer each time, until one succeeds. */
export class Backoff {
  readonly #random: () => number;
  #nextMs = INITIAL_MS;
  #attempts = 0;

  /** @param random Gives a number from 0 to below 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** How many attempts have failed since the last success. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Notes a failed attempt, and says how long after its start the next may begin. */
  fail(): number {
    const delay = this.#nextMs;
    this.#attempts++;
    this.#nextMs = Math.min(delay * MULTIPLIER, MAX_MS);
    // Jitter keeps the clients of a restarted server from coming all at once.
    return delay * (1 + JITTER * (2 * this.#random() - 1));
  }

  /** Notes a success: the next failure begins anew. */
  reset(): void {
    this.#nextMs = INITIAL_MS;
    this.#attempts = 0;
  }
}
