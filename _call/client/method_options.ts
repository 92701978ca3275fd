/**
 * The options of retries, hedging and methods, checked and read.
 *
 * @module
 */

import type {
  AttemptPolicy,
  HedgingPolicy,
  MethodPolicy,
  RetryPolicy,
  ThrottlingPolicy,
} from "./call_policy.ts";
import { show } from "../../core/_describe.ts";
import {
  checkBoolean,
  checkOptions,
  isRecord,
  type OptionNames,
  wrongType,
} from "../../core/_options.ts";
import type {
  ChannelRetryOptions,
  HedgingOptions,
  MethodOptions,
  RetryOptions,
  ThrottlingOptions,
} from "../../core/retry_options.ts";
import { isStatus, Status, type StatusName } from "../../core/status.ts";

/** How options are read. */
export interface OptionsReading {
  /** What was attempted with them, such as `Cannot create channel`. */
  readonly action: string;
  /** What stands before their names, such as `methods["pkg.Service"].`. */
  readonly prefix?: string;
  /** How many attempts a call may have at most. */
  readonly maxAttemptsLimit: number;
}

const RETRY_OPTIONS: OptionNames<RetryOptions> = {
  maxAttempts: true,
  initialBackoffMs: true,
  maxBackoffMs: true,
  backoffMultiplier: true,
  retryableStatusCodes: true,
};

const CHANNEL_RETRY_OPTIONS: OptionNames<ChannelRetryOptions> = {
  ...RETRY_OPTIONS,
  throttling: true,
};

const THROTTLING_OPTIONS: OptionNames<ThrottlingOptions> = {
  maxTokens: true,
  tokenRatio: true,
};

const HEDGING_OPTIONS: OptionNames<HedgingOptions> = {
  maxAttempts: true,
  delayMs: true,
  nonFatalStatusCodes: true,
};

const METHOD_OPTIONS: OptionNames<MethodOptions> = {
  timeoutMs: true,
  waitForReady: true,
  maxReceiveMessageSize: true,
  maxSendMessageSize: true,
  retry: true,
  hedging: true,
};

/**
 * Reads the option `retry` of a method or a call.
 *
 * @param retry The option.
 * @param reading How to read it.
 * @returns The policy; null for one attempt; undefined if it is not there.
 * @throws {TypeError} If something is of a wrong type.
 * @throws {RangeError} If a value is not allowed.
 */
export function readRetry(
  retry: boolean | RetryOptions | undefined,
  reading: OptionsReading,
): RetryPolicy | null | undefined {
  return readPolicy(retry, RETRY_OPTIONS, reading);
}

/**
 * Reads the option `retry` of a channel.
 *
 * @param retry The option.
 * @param reading How to read it.
 * @returns The policy, as {@linkcode readRetry} gives it, and its throttling;
 *   null for none.
 * @throws {TypeError} If something is of a wrong type.
 * @throws {RangeError} If a value is not allowed.
 */
export function readChannelRetry(
  retry: boolean | ChannelRetryOptions | undefined,
  reading: OptionsReading,
): {
  readonly policy: RetryPolicy | null | undefined;
  readonly throttling: ThrottlingPolicy | null;
} {
  const policy = readPolicy(retry, CHANNEL_RETRY_OPTIONS, reading);
  const { throttling = {} } = typeof retry === "object" ? retry : {};
  if (throttling === null) return { policy, throttling };
  const inner = within(reading, "retry.throttling");
  checkOptions(inner.action, throttling, THROTTLING_OPTIONS, inner.prefix);
  const { maxTokens = 10, tokenRatio = 0.1 } = throttling;
  checkNumber(inner, "maxTokens", maxTokens, { above: 0, max: 1_000 });
  // What is less than a thousandth does not count.
  checkNumber(inner, "tokenRatio", tokenRatio, { min: 0.001 });
  return { policy, throttling: { maxTokens, tokenRatio } };
}

function readPolicy<T extends RetryOptions>(
  retry: boolean | T | undefined,
  names: OptionNames<T>,
  reading: OptionsReading,
): RetryPolicy | null | undefined {
  if (retry === undefined) return undefined;
  if (retry === false) return null;
  const options: RetryOptions = retry === true ? {} : retry;
  const inner = within(reading, "retry");
  if (typeof retry !== "boolean") {
    if (!isRecord(retry)) {
      throw wrongType(
        reading.action,
        `${reading.prefix ?? ""}retry`,
        "true, false or RetryOptions",
        retry,
      );
    }
    checkOptions(inner.action, retry, names, inner.prefix);
  }
  const {
    maxAttempts = Math.min(4, reading.maxAttemptsLimit),
    initialBackoffMs = 100,
    maxBackoffMs = 1_000,
    backoffMultiplier = 2,
    retryableStatusCodes = ["UNAVAILABLE"],
  } = options;
  checkAttempts(inner, maxAttempts);
  checkNumber(inner, "initialBackoffMs", initialBackoffMs, { above: 0 });
  checkNumber(inner, "maxBackoffMs", maxBackoffMs, { above: 0 });
  checkNumber(inner, "backoffMultiplier", backoffMultiplier, { above: 0 });
  const retryable = readCodes(
    inner,
    "retryableStatusCodes",
    retryableStatusCodes,
  );
  if (retryable.size === 0) {
    throw new RangeError(
      `${inner.action}: ${inner.prefix}retryableStatusCodes must have at least one status, received none`,
    );
  }
  return {
    kind: "retry",
    maxAttempts,
    initialBackoffMs,
    maxBackoffMs,
    backoffMultiplier,
    retryable,
  };
}

/**
 * Reads the option `hedging` of a method or a call.
 *
 * @param hedging The option.
 * @param reading How to read it.
 * @returns The policy; undefined if it is not there.
 * @throws {TypeError} If something is of a wrong type.
 * @throws {RangeError} If a value is not allowed.
 */
export function readHedging(
  hedging: HedgingOptions | undefined,
  reading: OptionsReading,
): HedgingPolicy | undefined {
  if (hedging === undefined) return undefined;
  const inner = within(reading, "hedging");
  checkOptions(inner.action, hedging, HEDGING_OPTIONS, inner.prefix);
  const { maxAttempts, delayMs = 0, nonFatalStatusCodes = [] } = hedging;
  checkAttempts(inner, maxAttempts);
  checkNumber(inner, "delayMs", delayMs, { min: 0 });
  const nonFatal = readCodes(inner, "nonFatalStatusCodes", nonFatalStatusCodes);
  return { kind: "hedging", maxAttempts, delayMs, nonFatal };
}

/**
 * Reads `retry` and `hedging`, which exclude each other.
 *
 * @param options Where they are.
 * @param reading How to read them.
 * @returns The policy; null for one attempt; undefined if neither is there.
 * @throws {TypeError} If both are there, or something is of a wrong type.
 * @throws {RangeError} If a value is not allowed.
 */
export function readAttempts(
  options: Pick<MethodOptions, "retry" | "hedging">,
  reading: OptionsReading,
): AttemptPolicy | null | undefined {
  const retry = readRetry(options.retry, reading);
  const hedging = readHedging(options.hedging, reading);
  if (retry && hedging) {
    const { action, prefix = "" } = reading;
    throw new TypeError(
      `${action}: ${prefix}retry and ${prefix}hedging exclude each other, received both`,
    );
  }
  return hedging ?? retry;
}

const NO_POLICIES: ReadonlyMap<string, MethodPolicy> = new Map();

/**
 * Reads the option `methods` of a channel.
 *
 * @param methods The option.
 * @param reading How to read it.
 * @returns What it says of a method, or of a service (`"/service/"`).
 * @throws {TypeError} If a name or an option is none, or of a wrong type.
 * @throws {RangeError} If a value is not allowed.
 */
export function readMethods(
  methods: Readonly<Record<string, MethodOptions>> | undefined,
  reading: OptionsReading,
): ReadonlyMap<string, MethodPolicy> {
  const { action } = reading;
  if (methods === undefined) return NO_POLICIES;
  const policies = new Map<string, MethodPolicy>();
  if (!isRecord(methods)) {
    throw wrongType(action, "methods", "an object", methods);
  }
  for (const [name, options] of Object.entries(methods)) {
    if (!/^[!-.0-~]+(\/[!-.0-~]+)?$/.test(name)) {
      throw new TypeError(
        `${action}: the names of methods must be "package.Service" or "package.Service/Method", received "${name}"`,
      );
    }
    const path = name.includes("/") ? `/${name}` : `/${name}/`;
    const prefix = `methods["${name}"].`;
    policies.set(path, readMethod(options, { ...reading, prefix }));
  }
  return policies;
}

function readMethod(
  options: MethodOptions,
  reading: OptionsReading & { readonly prefix: string },
): MethodPolicy {
  const { action, prefix } = reading;
  checkOptions(action, options, METHOD_OPTIONS, prefix);
  const attempts = readAttempts(options, reading);
  const maxReceiveMessageSize = readSize(
    options,
    "maxReceiveMessageSize",
    reading,
  );
  const maxSendMessageSize = readSize(options, "maxSendMessageSize", reading);
  return {
    ...readDefaults(options, reading),
    ...(maxReceiveMessageSize === undefined ? {} : { maxReceiveMessageSize }),
    ...(maxSendMessageSize === undefined ? {} : { maxSendMessageSize }),
    ...(attempts === undefined ? {} : { attempts }),
  };
}

/**
 * Reads what a channel has for all of its methods, or for some.
 *
 * @param options Where it is.
 * @param reading How to read it.
 * @returns What it says.
 * @throws {TypeError} If something is of a wrong type.
 * @throws {RangeError} If a value is not allowed.
 */
export function readDefaults(
  options: Pick<MethodOptions, "timeoutMs" | "waitForReady">,
  reading: OptionsReading,
): MethodPolicy {
  const { action, prefix = "" } = reading;
  const { timeoutMs, waitForReady } = options;
  if (timeoutMs !== undefined) {
    checkNumber(reading, "timeoutMs", timeoutMs, { above: 0 });
  }
  checkBoolean(action, `${prefix}waitForReady`, waitForReady);
  return {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(waitForReady === undefined ? {} : { waitForReady }),
  };
}

/**
 * Reads the size that messages may have.
 *
 * @param options Where it is.
 * @param name Which one.
 * @param where What was attempted, and what stands before the names.
 * @returns The size, if it is there.
 * @throws {TypeError} If it is no number.
 * @throws {RangeError} If it is out of range.
 */
export function readSize(
  options: Pick<MethodOptions, "maxReceiveMessageSize" | "maxSendMessageSize">,
  name: "maxReceiveMessageSize" | "maxSendMessageSize",
  { action, prefix = "" }: Pick<OptionsReading, "action" | "prefix">,
): number | undefined {
  const size: unknown = options[name];
  if (size === undefined) return undefined;
  if (typeof size !== "number") {
    throw wrongType(action, `${prefix}${name}`, "a number", size);
  }
  if (Number.isInteger(size) && size >= 0 && size < 2 ** 32) return size;
  throw new RangeError(
    `${action}: ${prefix}${name} must be an integer from 0 to ${
      2 ** 32 - 1
    }, received ${size}`,
  );
}

function within(
  reading: OptionsReading,
  name: string,
): OptionsReading & { readonly prefix: string } {
  return { ...reading, prefix: `${reading.prefix ?? ""}${name}.` };
}

function checkAttempts(reading: OptionsReading, value: unknown): void {
  const { action, prefix = "", maxAttemptsLimit } = reading;
  const isInteger = Number.isInteger(value);
  if (
    isInteger && (value as number) >= 2 && (value as number) <= maxAttemptsLimit
  ) return;
  const ErrorClass = typeof value === "number" ? RangeError : TypeError;
  throw new ErrorClass(
    `${action}: ${prefix}maxAttempts must be an integer from 2 to ${maxAttemptsLimit}, which is maxAttemptsLimit, received ${
      show(value)
    }`,
  );
}

function checkNumber(
  { action, prefix = "" }: OptionsReading,
  name: string,
  value: unknown,
  { above = -Infinity, min = -Infinity, max = Number.MAX_VALUE },
): void {
  if (
    typeof value === "number" && value > above && value >= min && value <= max
  ) return;
  const least = above === -Infinity
    ? `of at least ${min}`
    : `more than ${above}`;
  const most = max === Number.MAX_VALUE ? "" : ` and at most ${max}`;
  const ErrorClass = typeof value === "number" ? RangeError : TypeError;
  throw new ErrorClass(
    `${action}: ${prefix}${name} must be a finite number ${least}${most}, received ${
      show(value)
    }`,
  );
}

function readCodes(
  { action, prefix = "" }: OptionsReading,
  name: string,
  codes: unknown,
): ReadonlySet<Status> {
  if (!Array.isArray(codes)) {
    throw wrongType(action, `${prefix}${name}`, "a list of statuses", codes);
  }
  return new Set(codes.map((code: unknown, index) => {
    const status: unknown = typeof code === "string" &&
        Object.hasOwn(Status, code)
      ? Status[code as StatusName]
      : code;
    // No attempt fails with OK.
    if (isStatus(status) && status !== Status.OK) return status;
    throw new RangeError(
      `${action}: ${prefix}${name}[${index}] must be a status other than OK, received ${
        show(code)
      }`,
    );
  }));
}
