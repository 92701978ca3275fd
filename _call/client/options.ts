/**
 * What a caller may ask of one call.
 *
 * @module
 */

import {
  checkBoolean,
  checkOptions,
  checkSignal,
  type OptionNames,
  wrongType,
} from "../../core/_options.ts";
import { Deadline } from "../../core/deadline.ts";
import { Metadata, type MetadataInit } from "../../core/metadata.ts";
import type { AttemptPolicy } from "./call_policy.ts";
import { readAttempts, readSize } from "./method_options.ts";
import type { HedgingOptions, RetryOptions } from "../../core/retry_options.ts";
import { type Compression, compressorFor } from "../../_wire/compression.ts";
import {
  cancellationOf,
  currentParent,
  faultlessValues,
  type ParentCall,
} from "../parent.ts";
import type { ClientCallOptions, ClientHost } from "./host.ts";
import type { CallPolicy } from "./method_policies.ts";

/** Options of a call. */
export interface CallOptions {
  /**
   * The time the call may take, in milliseconds, connecting included; `null` for
   * no limit though the channel has one. When it is over the call fails with
   * `DEADLINE_EXCEEDED`. With `deadline` too, the earlier one counts.
   *
   * @default {undefined} as the channel says
   */
  readonly timeoutMs?: number | null;
  /**
   * The point in time the call has to be complete at, such as the deadline of
   * the call that this one is made for.
   *
   * @default {undefined} no deadline
   */
  readonly deadline?: Deadline | null | undefined;
  /**
   * Metadata to send with the request.
   *
   * @default {undefined} none
   */
  readonly metadata?: MetadataInit;
  /**
   * Cancels the call when it aborts: the call fails with `CANCELLED`, and
   * `cause` is the signal's reason.
   *
   * @default {undefined} none
   */
  readonly signal?: AbortSignal;
  /**
   * The call that this one is made for: the one that a handler serves. This one
   * ends when that does, with `DEADLINE_EXCEEDED` if its deadline has come and
   * else with `CANCELLED`, and its deadline is that one's if it is earlier. What
   * goes along is chosen by `propagation` of the channel. `null` for a call that
   * is on its own, whatever the channel says.
   *
   * @default {undefined} the call whose handler makes it, if the channel has
   *   `propagation`
   */
  readonly parent?: ParentCall | null | undefined;
  /**
   * Whether the call waits while no connection can be had, until one can or its
   * deadline comes. Otherwise it fails with `UNAVAILABLE` as soon as an attempt
   * to connect has.
   *
   * @default {undefined} as the channel says
   */
  readonly waitForReady?: boolean;
  /**
   * How requests are compressed, in place of the channel's `compression`.
   *
   * @default {undefined} as the channel says
   */
  readonly compression?: Compression;
  /**
   * The largest message to receive, in bytes, in place of the channel's; an
   * integer from 0 to 2³² − 1.
   *
   * @default {undefined} as the channel says
   */
  readonly maxReceiveMessageSize?: number;
  /**
   * The largest message to send, in bytes, in place of the channel's; an
   * integer from 0 to 2³² − 1.
   *
   * @default {undefined} as the channel says
   */
  readonly maxSendMessageSize?: number;
  /**
   * Whether and when the call is tried again if it fails. It has to be one that
   * may be made twice.
   *
   * @default {undefined} as the channel says
   */
  readonly retry?: boolean | RetryOptions;
  /**
   * When the call is sent more than once, so that the first good reply counts;
   * not beside `retry`. It has to be one that may be made twice.
   *
   * @default {undefined} as the channel says
   */
  readonly hedging?: HedgingOptions;
}

const ACTION = "Cannot call";
const READING = { action: ACTION };

const CALL_OPTIONS: OptionNames<CallOptions> = {
  timeoutMs: true,
  deadline: true,
  metadata: true,
  signal: true,
  parent: true,
  waitForReady: true,
  compression: true,
  maxReceiveMessageSize: true,
  maxSendMessageSize: true,
  retry: true,
  hedging: true,
};

/** What the calls of a method have where their callers have no wishes. */
export interface CallDefaults {
  /** The same for all calls, but for the deadline. */
  readonly options: ClientCallOptions;
  /** What the channel has for the method. */
  readonly policy: CallPolicy;
}

/** What a call has without any wish of its caller. */
export function defaultOptions(host: ClientHost, path: string): CallDefaults {
  const policy = host.policies.of(path);
  const { config } = host;
  const options: ClientCallOptions = {
    metadata: null,
    deadline: undefined,
    timeLeftMs: undefined,
    signal: undefined,
    parent: null,
    waitForReady: policy.waitForReady,
    maxReceiveMessageSize: Math.min(
      policy.maxReceiveMessageSize ?? config.maxReceiveMessageSize,
      policy.receiveMessageLimit,
    ),
    maxSendMessageSize: Math.min(
      policy.maxSendMessageSize ?? config.maxSendMessageSize,
      policy.sendMessageLimit,
    ),
    compressor: host.compressor,
    attempts: policy.attempts,
  };
  return { options, policy };
}

/**
 * Checks a caller's options, before anything is sent.
 *
 * @param host The channel.
 * @param defaults What holds where the caller has no wish.
 * @param options The caller's wishes.
 * @returns All that the call needs to know.
 * @throws {TypeError} If an option is of a wrong type.
 * @throws {RangeError} If a number or a value is out of range.
 */
export function readOptions(
  host: ClientHost,
  defaults: CallDefaults,
  options: CallOptions | undefined,
): ClientCallOptions {
  const own = readOwnOptions(host, defaults, options);
  const parent = options?.parent;
  if (parent === undefined) {
    if (!host.propagation.isAutomatic) return own;
    return inherit(host, own, currentParent.getStore() ?? null);
  }
  return inherit(host, own, parent);
}

/** Adds what a call takes over from the one that it is made for. */
function inherit(
  { propagation }: ClientHost,
  own: ClientCallOptions,
  parent: ParentCall | null,
): ClientCallOptions {
  if (parent === null) return own;
  const cancellation = cancellationOf(parent);
  if (cancellation === null) {
    throw wrongType(ACTION, "parent", "a call that a handler serves", parent);
  }
  const deadline = propagation.deadline
    ? Deadline.earliest(own.deadline, parent.deadline ?? undefined)
    : own.deadline;
  return {
    ...own,
    deadline,
    timeLeftMs: deadline === own.deadline ? own.timeLeftMs : undefined,
    parent: propagation.cancellation ? cancellation : null,
    metadata: propagation.metadata.length === 0
      ? own.metadata
      : inheritMetadata(propagation.metadata, own.metadata, parent.metadata),
  };
}

/** Adds what the caller has not set itself. */
function inheritMetadata(
  keys: readonly string[],
  own: Metadata | null,
  parent: Metadata,
): Metadata | null {
  const all = new Metadata(own ?? undefined);
  for (const key of keys) {
    if (own?.has(key)) continue;
    for (const value of faultlessValues(parent, key)) all.append(key, value);
  }
  return all.size === 0 ? null : all;
}

function readOwnOptions(
  host: ClientHost,
  { options: defaults, policy }: CallDefaults,
  options: CallOptions | undefined,
): ClientCallOptions {
  if (options === undefined) {
    const timeoutMs = shorter(policy.timeoutMs, policy.maxTimeoutMs);
    if (timeoutMs === undefined) return defaults;
    return {
      ...defaults,
      deadline: Deadline.fromTimeout(timeoutMs, host.deadlines.clock),
      timeLeftMs: timeoutMs,
    };
  }
  checkOptions(ACTION, options, CALL_OPTIONS);
  const { metadata, signal, compression } = options;
  const deadline = options.deadline ?? undefined;
  if (deadline !== undefined && !(deadline instanceof Deadline)) {
    throw wrongType(ACTION, "deadline", "a Deadline", deadline);
  }
  checkSignal(ACTION, signal);
  checkBoolean(ACTION, "waitForReady", options.waitForReady);
  const wish = options.timeoutMs === undefined
    ? policy.timeoutMs
    : options.timeoutMs ?? undefined;
  const timeoutMs = shorter(wish, policy.maxTimeoutMs);
  const own = metadata === undefined ? null : new Metadata(metadata);
  return {
    // A head without any is one that is known.
    metadata: own?.size === 0 ? null : own,
    deadline: timeoutMs === undefined ? deadline : Deadline.earliest(
      deadline,
      Deadline.fromTimeout(timeoutMs, host.deadlines.clock),
    ),
    timeLeftMs: deadline === undefined && timeoutMs !== undefined
      ? Math.max(0, timeoutMs)
      : undefined,
    signal,
    parent: null,
    waitForReady: options.waitForReady ?? defaults.waitForReady,
    maxReceiveMessageSize: Math.min(
      readSize(options, "maxReceiveMessageSize", READING) ??
        defaults.maxReceiveMessageSize,
      policy.receiveMessageLimit,
    ),
    maxSendMessageSize: Math.min(
      readSize(options, "maxSendMessageSize", READING) ??
        defaults.maxSendMessageSize,
      policy.sendMessageLimit,
    ),
    compressor: compression === undefined
      ? defaults.compressor
      : compressorFor(ACTION, compression, host.compressors),
    attempts: attemptsOf(host, defaults, options),
  };
}

/** How many attempts a call makes: as its caller wants, or else as ever. */
function attemptsOf(
  host: ClientHost,
  defaults: ClientCallOptions,
  options: CallOptions,
): AttemptPolicy | null {
  if (options.retry === undefined && options.hedging === undefined) {
    return defaults.attempts;
  }
  const { maxAttemptsLimit } = host.config;
  const reading = { action: ACTION, maxAttemptsLimit };
  const attempts = readAttempts(options, reading);
  return attempts === undefined ? defaults.attempts : attempts;
}

/** The shorter of two times; what is no time is left for others to refuse. */
function shorter(
  wish: number | undefined,
  limit: number | undefined,
): number | undefined {
  if (wish === undefined) return limit;
  return limit !== undefined && wish > limit ? limit : wish;
}
