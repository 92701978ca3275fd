/**
 * What a channel has for the calls of each method, from all that says something
 * of it: the options of the channel and its service config.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/service_config.md}
 * @module
 */

import type {
  AttemptPolicy,
  MethodPolicy,
  ThrottlingPolicy,
} from "./call_policy.ts";
import {
  readChannelRetry,
  readDefaults,
  readMethods,
} from "./method_options.ts";
import {
  type ParsedServiceConfig,
  parseServiceConfig,
} from "./service_config.ts";
import type {
  ChannelRetryOptions,
  MethodOptions,
} from "../../core/retry_options.ts";
import type { ServiceConfig } from "../../core/service_config.ts";

/** What holds for the calls of one method. */
export interface CallPolicy {
  /** The timeout of calls without one of their own, in milliseconds. */
  readonly timeoutMs: number | undefined;
  /** The longest timeout of any call, in milliseconds. */
  readonly maxTimeoutMs: number | undefined;
  /** Whether calls wait for a connection, unless they say otherwise. */
  readonly waitForReady: boolean;
  /** The largest message to send, unless a call says otherwise, in bytes. */
  readonly maxSendMessageSize: number | undefined;
  /** The largest message to receive, unless a call says otherwise, in bytes. */
  readonly maxReceiveMessageSize: number | undefined;
  /** What no call may exceed of that, in bytes. */
  readonly sendMessageLimit: number;
  /** What no call may exceed of that, in bytes. */
  readonly receiveMessageLimit: number;
  /** How many attempts calls make, unless they say otherwise; null for one. */
  readonly attempts: AttemptPolicy | null;
}

/** The options of a channel that are about the calls of its methods. */
export interface CallPolicyOptions {
  readonly timeoutMs?: number;
  readonly waitForReady?: boolean;
  readonly retry?: boolean | ChannelRetryOptions;
  readonly methods?: Readonly<Record<string, MethodOptions>>;
  readonly serviceConfig?: ServiceConfig | string;
}

/** What a channel has for the calls of its methods. */
export class MethodPolicies {
  /** What the options say of a service config. */
  readonly defaultConfig: ParsedServiceConfig | null;
  readonly #maxAttemptsLimit: number;
  readonly #all: MethodPolicy;
  readonly #methods: ReadonlyMap<string, MethodPolicy>;
  /** What the options say of throttling. */
  readonly #throttling: ThrottlingPolicy | null;
  /** Whether they say so only where there is no service config. */
  readonly #yieldsThrottling: boolean;
  #serviceConfig: ParsedServiceConfig | null;
  #version = 0;

  /**
   * @param options The options of the channel.
   * @param maxAttemptsLimit How many attempts a call may have at most.
   * @throws {TypeError} If something is of a wrong type.
   * @throws {RangeError} If a value is not allowed.
   */
  constructor(options: CallPolicyOptions = {}, maxAttemptsLimit = 5) {
    const action = "Cannot create channel";
    const reading = { action, maxAttemptsLimit };
    const { serviceConfig: config, retry } = options;
    this.#maxAttemptsLimit = maxAttemptsLimit;
    const { policy, throttling } = readChannelRetry(retry, reading);
    this.#all = {
      ...readDefaults(options, reading),
      ...(policy === undefined ? {} : { attempts: policy }),
    };
    this.#methods = readMethods(options.methods, reading);
    this.#throttling = throttling;
    this.#yieldsThrottling = retry === undefined;
    this.defaultConfig = this.#serviceConfig = config === undefined
      ? null
      : parseServiceConfig(config, reading);
  }

  /** When there are no retries for a while; null for never. */
  get throttling(): ThrottlingPolicy | null {
    const config = this.#serviceConfig;
    // Without a word on it a service config has none, as in the documents.
    return config?.throttling ??
      (this.#yieldsThrottling && config !== null ? null : this.#throttling);
  }

  /** Another number after each change: what was asked before may be outdated. */
  get version(): number {
    return this.#version;
  }

  /**
   * Reads a service config, which does not change anything yet.
   *
   * @param config The service config; `undefined` or null for that of the options.
   * @param action What was attempted with it.
   * @returns What it says, if there is one.
   * @throws {TypeError} If a field is of a wrong type, or missing.
   * @throws {RangeError} If the value of a field is not allowed.
   */
  read(
    config: ServiceConfig | string | null | undefined,
    action: string,
  ): ParsedServiceConfig | null {
    if (config === undefined || config === null) return this.defaultConfig;
    const maxAttemptsLimit = this.#maxAttemptsLimit;
    return parseServiceConfig(config, { action, maxAttemptsLimit });
  }

  /** Goes on with another service config, or with none. */
  use(config: ParsedServiceConfig | null): void {
    if (config === this.#serviceConfig) return;
    this.#serviceConfig = config;
    this.#version++;
  }

  /**
   * Gives what holds for a method: what the options say of it, what they say of
   * its service, the service config, and what the options say of all methods,
   * in this order. The limits of a service config hold in any case.
   *
   * @param path The path of the method.
   * @returns What holds.
   */
  of(path: string): CallPolicy {
    const service = path.slice(0, path.lastIndexOf("/") + 1);
    const methods = this.#serviceConfig?.methods;
    // "If there are multiple entries, the most specific one is used": whole
    // entries, of which nothing is merged.
    const config: MethodPolicy = methods?.get(path) ?? methods?.get(service) ??
      methods?.get("") ?? {};
    const own: MethodPolicy = {
      ...this.#methods.get(service),
      ...this.#methods.get(path),
    };
    const { attempts = config.attempts ?? this.#all.attempts ?? null } = own;
    return {
      timeoutMs: own.timeoutMs ?? this.#all.timeoutMs,
      maxTimeoutMs: config.timeoutMs,
      waitForReady: own.waitForReady ?? config.waitForReady ??
        this.#all.waitForReady ?? false,
      maxSendMessageSize: own.maxSendMessageSize,
      maxReceiveMessageSize: own.maxReceiveMessageSize,
      sendMessageLimit: config.maxSendMessageSize ?? Infinity,
      receiveMessageLimit: config.maxReceiveMessageSize ?? Infinity,
      attempts,
    };
  }
}
