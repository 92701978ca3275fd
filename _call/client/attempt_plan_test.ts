/** When a call makes another attempt: tables. */

import { assertEquals } from "@std/assert";
import type { HedgingPolicy, RetryPolicy } from "./call_policy.ts";
import { Status } from "../../core/status.ts";
import { type AttemptFailure, planOf } from "./attempt_plan.ts";
import { RetryThrottle } from "./retry_throttle.ts";

const RETRY: RetryPolicy = {
  kind: "retry",
  maxAttempts: 10,
  initialBackoffMs: 100,
  maxBackoffMs: 1_000,
  backoffMultiplier: 2,
  retryable: new Set([Status.UNAVAILABLE]),
};

const HEDGING: HedgingPolicy = {
  kind: "hedging",
  maxAttempts: 3,
  delayMs: 50,
  nonFatal: new Set([Status.UNAVAILABLE]),
};

const UNAVAILABLE: AttemptFailure = {
  status: Status.UNAVAILABLE,
  pushbackMs: undefined,
};
const ABORTED: AttemptFailure = { ...UNAVAILABLE, status: Status.ABORTED };

const pushback = (pushbackMs: number | null): AttemptFailure => ({
  ...UNAVAILABLE,
  pushbackMs,
});

/** No jitter. */
const half = (): number => 0.5;

Deno.test("RetryPlan waits longer each time, until it is long enough", () => {
  const plan = planOf(RETRY, null, half);
  const delays = Array.from(
    { length: 6 },
    (_, i) => plan.after(UNAVAILABLE, i + 1),
  );
  assertEquals(delays, [100, 200, 400, 800, 1_000, 1_000]);
});

Deno.test("RetryPlan waits no longer than it may at first", () => {
  const plan = planOf({ ...RETRY, maxBackoffMs: 30 }, null, half);
  assertEquals(plan.after(UNAVAILABLE, 1), 30);
});

Deno.test("RetryPlan varies its waits by a fifth either way", () => {
  assertEquals(planOf(RETRY, null, () => 0).after(UNAVAILABLE, 1), 80);
  const almost = planOf(RETRY, null, () => 1 - 2 ** -53).after(UNAVAILABLE, 1);
  assertEquals(Math.round(almost as number), 120);
});

Deno.test("RetryPlan ends with a status that is not listed, and with its last attempt", () => {
  const plan = planOf({ ...RETRY, maxAttempts: 2 }, null, half);
  assertEquals(plan.after(ABORTED, 1), "final");
  assertEquals(plan.after(UNAVAILABLE, 1), 100);
  assertEquals(plan.after(UNAVAILABLE, 2), "final");
});

Deno.test("RetryPlan does what the server says, and begins again afterwards", () => {
  const plan = planOf(RETRY, null, half);
  assertEquals(plan.after(UNAVAILABLE, 1), 100);
  assertEquals(plan.after(UNAVAILABLE, 2), 200);
  assertEquals(plan.after(pushback(7), 3), 7);
  assertEquals(plan.after(pushback(0), 4), 0);
  assertEquals(plan.after(UNAVAILABLE, 5), 100);
  assertEquals(plan.after(pushback(null), 6), "final");
});

Deno.test("RetryPlan makes no more attempts than it may, whatever the server says", () => {
  const plan = planOf({ ...RETRY, maxAttempts: 2 }, null, half);
  assertEquals(plan.after(pushback(5), 2), "final");
  assertEquals(plan.after({ ...ABORTED, pushbackMs: 5 }, 1), "final");
});

// TestRetryThrottling of grpc-go's retry_test.go: what the server does with each
// call that reaches it, and how the calls of the client end.
Deno.test("RetryThrottle lets calls be tried again as grpc-go does", () => {
  const throttle = new RetryThrottle({ maxTokens: 10, tokenRatio: 0.5 });
  const good = new Set([0, 3, 6, 10, 11, 12, 13, 14, 16, 18]);
  let served = 0;
  const call = (): string => {
    const plan = planOf({ ...RETRY, maxAttempts: 4 }, throttle, half);
    for (let made = 1;; made++) {
      const at = served++;
      if (good.has(at)) {
        plan.onEnd(Status.OK);
        return `${at} ok`;
      }
      if (plan.after(UNAVAILABLE, made) === "final") return `${at} failed`;
    }
  };
  const ends = Array.from({ length: 12 }, call);
  assertEquals(ends, [
    ...["0 ok", "3 ok", "6 ok", "8 failed", "9 failed"],
    ...["10 ok", "11 ok", "12 ok", "13 ok", "14 ok"],
    ...["16 ok", "17 failed"],
  ]);
});

Deno.test("RetryThrottle counts what fails for good, and what is forbidden", () => {
  const throttle = new RetryThrottle({ maxTokens: 4, tokenRatio: 1 });
  const plan = planOf({ ...RETRY, maxAttempts: 2 }, throttle, half);
  plan.after(ABORTED, 1); // is nobody's fault but the caller's
  assertEquals(throttle.allows, true);
  plan.after(UNAVAILABLE, 2);
  assertEquals(throttle.allows, true);
  plan.after({ ...ABORTED, pushbackMs: null }, 1);
  assertEquals(throttle.allows, false);
  plan.onEnd(Status.OK);
  assertEquals(throttle.allows, true);
  plan.onEnd(Status.UNAVAILABLE); // after a head
  assertEquals(throttle.allows, false);
});

Deno.test("RetryThrottle has no more tokens than at first, and none below zero", () => {
  const throttle = new RetryThrottle({ maxTokens: 2, tokenRatio: 0.6005 });
  for (let i = 0; i < 9; i++) throttle.onSuccess();
  throttle.onFailure();
  assertEquals(throttle.allows, false);
  for (let i = 0; i < 9; i++) throttle.onFailure();
  throttle.onSuccess();
  assertEquals(throttle.allows, false);
  throttle.onSuccess();
  assertEquals(throttle.allows, true);
});

Deno.test("HedgingPlan begins attempts beside each other, as many as it may", () => {
  const plan = planOf(HEDGING, null);
  assertEquals([1, 2, 3].map((made) => plan.beside(made)), [50, 50, null]);
});

Deno.test("HedgingPlan goes on at once after a status that is not fatal", () => {
  const plan = planOf(HEDGING, null);
  assertEquals(plan.after(UNAVAILABLE, 1), 0);
  assertEquals(plan.after(UNAVAILABLE, 3), "none");
  assertEquals(plan.after(ABORTED, 1), "final");
});

Deno.test("HedgingPlan does what the server says", () => {
  const plan = planOf(HEDGING, null);
  assertEquals(plan.after(pushback(70), 1), 70);
  assertEquals(plan.after(pushback(null), 1), "none");
  assertEquals(plan.beside(1), null);
  assertEquals(plan.after(UNAVAILABLE, 1), "none");
});

Deno.test("HedgingPlan begins nothing while the channel is throttled", () => {
  const throttle = new RetryThrottle({ maxTokens: 2, tokenRatio: 0.1 });
  const plan = planOf(HEDGING, throttle);
  assertEquals(plan.after(UNAVAILABLE, 1), "none");
  assertEquals(plan.beside(1), null);
});

Deno.test("HedgingPlan costs tokens for what fails, fatal or not, if the server speaks of trying again", () => {
  for (
    const [cost, act] of [
      [0, (plan) => plan.after(ABORTED, 1)],
      [1, (plan) => plan.after({ ...ABORTED, pushbackMs: null }, 1)],
      [1, (plan) => plan.after(UNAVAILABLE, 1)],
      [0, (plan) => plan.onEnd(Status.ABORTED)],
      [1, (plan) => plan.onEnd(Status.UNAVAILABLE)],
    ] as readonly (readonly [
      cost: number,
      act: (plan: ReturnType<typeof planOf>) => unknown,
    ])[]
  ) {
    // One failure is one too many.
    const throttle = new RetryThrottle({ maxTokens: 2, tokenRatio: 0.1 });
    act(planOf(HEDGING, throttle));
    assertEquals(throttle.allows, cost === 0);
  }
});
