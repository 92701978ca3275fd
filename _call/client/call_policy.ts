/**
 * What a channel has for the calls of a method: what all dialects are read into.
 *
 * @module
 */

import type { Status } from "../../core/status.ts";

/**
 * When a failed call is tried again.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md#retry-policy}
 */
export interface RetryPolicy {
  /** Tells it from {@linkcode HedgingPolicy}. */
  readonly kind: "retry";
  /** How many attempts a call has, the first included. */
  readonly maxAttempts: number;
  /** The wait before the second attempt, but for its jitter, in milliseconds. */
  readonly initialBackoffMs: number;
  /** The longest wait, but for its jitter, in milliseconds. */
  readonly maxBackoffMs: number;
  /** How many times as long each wait is as the one before. */
  readonly backoffMultiplier: number;
  /** The statuses after which there is another attempt. */
  readonly retryable: ReadonlySet<Status>;
}

/**
 * When a call is sent more than once at the same time.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md#hedging-policy}
 */
export interface HedgingPolicy {
  /** Tells it from {@linkcode RetryPolicy}. */
  readonly kind: "hedging";
  /** How many attempts a call has, the first included. */
  readonly maxAttempts: number;
  /** How long after an attempt the next begins, in milliseconds. */
  readonly delayMs: number;
  /** The statuses after which the others go on, and the next begins at once. */
  readonly nonFatal: ReadonlySet<Status>;
}

/** How many attempts a call makes, and when. */
export type AttemptPolicy = RetryPolicy | HedgingPolicy;

/**
 * When a channel has no retries for a while.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs}
 */
export interface ThrottlingPolicy {
  /** How many tokens there are at first, and at most. */
  readonly maxTokens: number;
  /** What a successful call gives; a failed one takes a token. */
  readonly tokenRatio: number;
}

/** What a service config or a channel's options say of a method. */
export interface MethodPolicy {
  /** The timeout, in milliseconds. */
  readonly timeoutMs?: number;
  /** Whether calls wait for a connection, unless they say otherwise. */
  readonly waitForReady?: boolean;
  /** The largest message to send, in bytes. */
  readonly maxSendMessageSize?: number;
  /** The largest message to receive, in bytes. */
  readonly maxReceiveMessageSize?: number;
  /** How many attempts a call makes; null for one. */
  readonly attempts?: AttemptPolicy | null;
}
