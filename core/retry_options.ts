/**
 * How many attempts calls make, and what else a channel has for its methods: as
 * options.
 *
 * @module
 */

import type { Status, StatusName } from "./status.ts";

/**
 * When failed calls are tried again. What an option leaves out is as `true`
 * has it.
 */
export interface RetryOptions {
  /**
   * How many attempts a call has, the first included; an integer from 2 to
   * `maxAttemptsLimit` of the configuration.
   *
   * @default {4}
   */
  readonly maxAttempts?: number;
  /**
   * How long a call waits before its second attempt, in milliseconds; more than
   * 0. Each wait varies by a fifth either way.
   *
   * @default {100}
   */
  readonly initialBackoffMs?: number;
  /**
   * The longest wait before an attempt, in milliseconds; more than 0.
   *
   * @default {1000}
   */
  readonly maxBackoffMs?: number;
  /**
   * How many times as long each wait is as the one before; more than 0.
   *
   * @default {2}
   */
  readonly backoffMultiplier?: number;
  /**
   * The statuses after which there is another attempt, at least one; any but OK.
   *
   * @default {["UNAVAILABLE"]}
   */
  readonly retryableStatusCodes?: readonly (Status | StatusName)[];
}

/** When a channel has no retries for a while: the server fails too often. */
export interface ThrottlingOptions {
  /**
   * How many tokens there are at first, and at most; more than 0, at most 1000.
   * A failed attempt takes one. There are retries while more than half are left.
   *
   * @default {10}
   */
  readonly maxTokens?: number;
  /**
   * How many tokens a successful call gives; at least 0.001.
   *
   * @default {0.1}
   */
  readonly tokenRatio?: number;
}

/** {@linkcode RetryOptions} of a channel. */
export interface ChannelRetryOptions extends RetryOptions {
  /**
   * When the channel has no retries for a while, all its methods together; `null`
   * for never.
   *
   * @default {{ maxTokens: 10, tokenRatio: 0.1 }}
   */
  readonly throttling?: ThrottlingOptions | null;
}

/** When calls are sent more than once, and the first good reply counts. */
export interface HedgingOptions {
  /**
   * How many attempts a call has, the first included; an integer from 2 to
   * `maxAttemptsLimit` of the configuration.
   */
  readonly maxAttempts: number;
  /**
   * How long after an attempt the next begins, in milliseconds; at least 0.
   *
   * @default {0} all at once
   */
  readonly delayMs?: number;
  /**
   * The statuses that do not end the other attempts, but have the next begin at
   * once; any but OK.
   *
   * @default {[]} the first failure ends the call
   */
  readonly nonFatalStatusCodes?: readonly (Status | StatusName)[];
}

/** What a channel has for the calls of some methods. */
export interface MethodOptions {
  /**
   * The time a call may take, in milliseconds, where it has no `timeoutMs` of
   * its own; more than 0.
   *
   * @default {undefined} no limit
   */
  readonly timeoutMs?: number;
  /**
   * Whether a call waits while no connection can be had, where it does not say.
   *
   * @default {false}
   */
  readonly waitForReady?: boolean;
  /**
   * The largest message to receive, in bytes, where a call does not say; an
   * integer from 0 to 2³² − 1.
   *
   * @default {undefined} as the configuration says
   */
  readonly maxReceiveMessageSize?: number;
  /**
   * The largest message to send, in bytes, where a call does not say; an integer
   * from 0 to 2³² − 1.
   *
   * @default {undefined} as the configuration says
   */
  readonly maxSendMessageSize?: number;
  /**
   * Whether and when a failed call is tried again, where it does not say.
   *
   * @default {undefined} as the channel says
   */
  readonly retry?: boolean | RetryOptions;
  /**
   * When a call is sent more than once; not beside `retry`.
   *
   * @default {undefined} never
   */
  readonly hedging?: HedgingOptions;
}
