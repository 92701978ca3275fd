/**
 * When a call makes another attempt: the rules of retries and of hedging, which
 * know neither streams nor time.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md}
 * @module
 */

import type {
  AttemptPolicy,
  HedgingPolicy,
  RetryPolicy,
} from "./call_policy.ts";
import { Status } from "../../core/status.ts";
import type { RetryThrottle } from "./retry_throttle.ts";

/** Each wait varies by so much either way. */
const JITTER = 0.2;

/** How an attempt failed, before the call was committed to it. */
export interface AttemptFailure {
  /** The status. */
  readonly status: Status;
  /**
   * What the server says about trying again: after so many milliseconds, `null`
   * for not at all, `undefined` if it says nothing.
   */
  readonly pushbackMs: number | null | undefined;
}

/**
 * What follows a failed attempt: another after so many milliseconds; none, and
 * the call fails with it; or none, and the call fails if no other is running.
 */
export type Sequel = number | "final" | "none";

/** When a call makes another attempt. */
export interface AttemptPlan {
  /**
   * When another attempt begins beside the last one, though nothing has failed.
   *
   * @param made How many attempts the call has made.
   * @returns How much later than the last one, in milliseconds; null for not.
   */
  beside(made: number): number | null;
  /**
   * What follows a failure.
   *
   * @param failure How an attempt failed.
   * @param made How many attempts the call has made.
   * @returns What follows.
   */
  after(failure: AttemptFailure, made: number): Sequel;
  /**
   * A call has ended that was committed to an attempt.
   *
   * @param status Its status.
   */
  onEnd(status: Status): void;
}

/**
 * Makes the plan of a call.
 *
 * @param policy Its policy.
 * @param throttle The tokens of the channel; null if it has none.
 * @param random Gives a number from 0 to below 1.
 * @returns The plan.
 */
export function planOf(
  policy: AttemptPolicy,
  throttle: RetryThrottle | null,
  random: () => number = Math.random,
): AttemptPlan {
  return policy.kind === "retry"
    ? new RetryPlan(policy, throttle, random)
    : new HedgingPlan(policy, throttle);
}

/** One attempt after another. */
class RetryPlan implements AttemptPlan {
  readonly #policy: RetryPolicy;
  readonly #throttle: RetryThrottle | null;
  readonly #random: () => number;
  #nextMs: number;

  constructor(
    policy: RetryPolicy,
    throttle: RetryThrottle | null,
    random: () => number,
  ) {
    this.#policy = policy;
    this.#throttle = throttle;
    this.#random = random;
    this.#nextMs = policy.initialBackoffMs;
  }

  beside(): null {
    return null;
  }

  after({ status, pushbackMs }: AttemptFailure, made: number): Sequel {
    const { maxAttempts, retryable } = this.#policy;
    const isRetryable = retryable.has(status);
    // It costs a token even if there is no further attempt.
    if (isRetryable || pushbackMs === null) this.#throttle?.onFailure();
    if (!isRetryable || pushbackMs === null) return "final";
    if (this.#throttle?.allows === false) return "final";
    if (made >= maxAttempts) return "final";
    return pushbackMs === undefined
      ? this.#backoff()
      : this.#pushBack(pushbackMs);
  }

  onEnd(status: Status): void {
    if (status === Status.OK) this.#throttle?.onSuccess();
    else if (this.#policy.retryable.has(status)) this.#throttle?.onFailure();
  }

  #backoff(): number {
    const { maxBackoffMs, backoffMultiplier } = this.#policy;
    const delayMs = Math.min(this.#nextMs, maxBackoffMs);
    this.#nextMs = delayMs * backoffMultiplier;
    return delayMs * (1 + JITTER * (2 * this.#random() - 1));
  }

  /** "The client's backoff is reset": what follows a pushback begins again. */
  #pushBack(pushbackMs: number): number {
    this.#nextMs = this.#policy.initialBackoffMs;
    return pushbackMs;
  }
}

/** Attempts beside each other. */
class HedgingPlan implements AttemptPlan {
  readonly #policy: HedgingPolicy;
  readonly #throttle: RetryThrottle | null;
  #isStopped = false;

  constructor(policy: HedgingPolicy, throttle: RetryThrottle | null) {
    this.#policy = policy;
    this.#throttle = throttle;
  }

  beside(made: number): number | null {
    return this.#mayStart(made) ? this.#policy.delayMs : null;
  }

  after({ status, pushbackMs }: AttemptFailure, made: number): Sequel {
    const isFatal = !this.#policy.nonFatal.has(status);
    if (!isFatal || pushbackMs === null) this.#throttle?.onFailure();
    if (isFatal) return "final";
    if (pushbackMs === null) this.#isStopped = true;
    return this.#mayStart(made) ? pushbackMs ?? 0 : "none";
  }

  onEnd(status: Status): void {
    if (status === Status.OK) this.#throttle?.onSuccess();
    else if (this.#policy.nonFatal.has(status)) this.#throttle?.onFailure();
  }

  #mayStart(made: number): boolean {
    return !this.#isStopped && made < this.#policy.maxAttempts &&
      this.#throttle?.allows !== false;
  }
}
