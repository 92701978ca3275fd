/**
 * What the calls of a channel share that make several attempts.
 *
 * @module
 */

import type { Configuration } from "../../core/config.ts";
import type { ThrottlingPolicy } from "./call_policy.ts";
import type { MethodPolicies } from "./method_policies.ts";
import { RetryBudget } from "./retry_buffer.ts";
import { RetryThrottle } from "./retry_throttle.ts";

/** What they share. */
export class RetryState {
  /** What they keep of their requests. */
  readonly budget: RetryBudget;
  #throttle: RetryThrottle | null = null;

  constructor({ throttling }: MethodPolicies, config: Configuration) {
    this.budget = new RetryBudget(config.retryBufferSize);
    this.throttleBy(throttling);
  }

  /** Their tokens; null if there is no throttling. */
  get throttle(): RetryThrottle | null {
    return this.#throttle;
  }

  /** Goes on with other throttling; null for none. */
  throttleBy(throttling: ThrottlingPolicy | null): void {
    if (throttling === null) this.#throttle = null;
    else if (this.#throttle !== null) this.#throttle.update(throttling);
    else this.#throttle = new RetryThrottle(throttling);
  }
}
