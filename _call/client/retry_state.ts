/**
 * What the calls of a channel share that make several attempts.
 *
 * @module
 */

import type { Configuration } from "../../core/config.ts";
import type { MethodPolicies } from "./method_policies.ts";
import { RetryBudget } from "./retry_buffer.ts";
import { RetryThrottle } from "./retry_throttle.ts";

/** What they share. */
export class RetryState {
  /** Their tokens; null if there is no throttling. */
  readonly throttle: RetryThrottle | null;
  /** What they keep of their requests. */
  readonly budget: RetryBudget;

  constructor(policies: MethodPolicies, config: Configuration) {
    const { throttling } = policies;
    this.throttle = throttling === null ? null : new RetryThrottle(throttling);
    this.budget = new RetryBudget(config.retryBufferSize);
  }
}
