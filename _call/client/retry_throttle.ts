/**
 * Whether a channel may try failed calls again: not while the server fails more
 * than it succeeds, for then retries are what keeps it down.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs}
 * @module
 */

import type { ThrottlingPolicy } from "./call_policy.ts";

/** A token in the unit of the count: "Decimal places beyond 3 are ignored." */
const TOKEN = 1_000;

/** The tokens of a channel. */
export class RetryThrottle {
  #max: number;
  #gain: number;
  #count: number;

  constructor({ maxTokens, tokenRatio }: ThrottlingPolicy) {
    this.#max = this.#count = Math.floor(maxTokens * TOKEN);
    this.#gain = Math.floor(tokenRatio * TOKEN);
  }

  /** Goes on with other numbers, and the same share of the tokens. */
  update({ maxTokens, tokenRatio }: ThrottlingPolicy): void {
    const max = Math.floor(maxTokens * TOKEN);
    if (max !== this.#max) this.#count = this.#count * max / this.#max;
    this.#max = max;
    this.#gain = Math.floor(tokenRatio * TOKEN);
  }

  /** Whether calls may be tried again. */
  get allows(): boolean {
    return this.#count > this.#max / 2;
  }

  /** An attempt has failed in a way that calls for another. */
  onFailure(): void {
    this.#count = Math.max(0, this.#count - TOKEN);
  }

  /** A call has succeeded. */
  onSuccess(): void {
    this.#count = Math.min(this.#max, this.#count + this.#gain);
  }
}
