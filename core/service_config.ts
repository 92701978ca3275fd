/**
 * Service configs as the gRPC documents have them: JSON.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/service_config.md}
 * @see {@link https://github.com/grpc/grpc-proto/blob/master/grpc/service_config/service_config.proto}
 * @module
 */

import type { StatusName } from "./status.ts";

/** The methods that a {@linkcode ServiceConfigMethod} is for. */
export interface ServiceConfigName {
  /** The service with its package; all services, if it is empty or absent. */
  readonly service?: string | null;
  /** The method; all methods of the service, if it is empty or absent. */
  readonly method?: string | null;
}

/** When failed calls are tried again, in a {@linkcode ServiceConfigMethod}. */
export interface ServiceConfigRetryPolicy {
  /**
   * How many attempts a call has, the first included; an integer from 2. What is
   * more than `maxAttemptsLimit` counts as that.
   */
  readonly maxAttempts: number;
  /** The wait before the second attempt, such as `"0.1s"`. */
  readonly initialBackoff: string;
  /** The longest wait, such as `"1s"`. */
  readonly maxBackoff: string;
  /** How many times as long each wait is as the one before; more than 0. */
  readonly backoffMultiplier: number;
  /** The statuses after which there is another attempt, by name or number. */
  readonly retryableStatusCodes: readonly (StatusName | string | number)[];
}

/** When calls are sent more than once, in a {@linkcode ServiceConfigMethod}. */
export interface ServiceConfigHedgingPolicy {
  /**
   * How many attempts a call has, the first included; an integer from 2. What is
   * more than `maxAttemptsLimit` counts as that.
   */
  readonly maxAttempts: number;
  /** How long after an attempt the next begins; `"0s"` if it is absent. */
  readonly hedgingDelay?: string | null;
  /** The statuses that do not end the other attempts, by name or number. */
  readonly nonFatalStatusCodes?:
    | readonly (StatusName | string | number)[]
    | null;
}

/** What a {@linkcode ServiceConfig} says of some methods. */
export interface ServiceConfigMethod {
  /** The methods; an entry without any is skipped. */
  readonly name?: readonly ServiceConfigName[] | null;
  /** The longest that a call may take, such as `"1.5s"`. */
  readonly timeout?: string | null;
  /** Whether calls wait for a connection, unless they say otherwise. */
  readonly waitForReady?: boolean | null;
  /** The largest request, in bytes. */
  readonly maxRequestMessageBytes?: number | string | null;
  /** The largest reply, in bytes. */
  readonly maxResponseMessageBytes?: number | string | null;
  /** When failed calls are tried again. */
  readonly retryPolicy?: ServiceConfigRetryPolicy | null;
  /** When calls are sent more than once; not beside `retryPolicy`. */
  readonly hedgingPolicy?: ServiceConfigHedgingPolicy | null;
}

/**
 * What a service says about how it wants to be called, in the official JSON.
 * Fields that are not known are ignored, as the gRPC documents want it.
 */
export interface ServiceConfig {
  /** What holds for which methods. The entry that names a method best counts. */
  readonly methodConfig?: readonly ServiceConfigMethod[] | null;
  /** When there are no retries for a while, for all methods together. */
  readonly retryThrottling?: {
    /** How many tokens there are at first, and at most; up to 1000. */
    readonly maxTokens: number;
    /** What a successful call gives; a failed one takes a token. */
    readonly tokenRatio: number;
  } | null;
  /** The policies of load balancing, of which the first known one counts. */
  readonly loadBalancingConfig?:
    | readonly { readonly [policy: string]: unknown }[]
    | null;
  /** The policy of load balancing in its old form. */
  readonly loadBalancingPolicy?: string | null;
  /** Which service is asked for its health. */
  readonly healthCheckConfig?: {
    /** The name of the service; empty for the whole server. */
    readonly serviceName?: string | null;
  } | null;
}
