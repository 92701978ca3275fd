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
import { type Compression, compressorFor } from "../../_wire/compression.ts";
import type { ClientCallOptions, ClientHost } from "./host.ts";

/** Options of a call. */
export interface CallOptions {
  /**
   * The time the call may take, in milliseconds, connecting included. When it
   * is over the call fails with `DEADLINE_EXCEEDED`. With `deadline` too, the
   * earlier one counts.
   *
   * @default {undefined} no limit
   */
  readonly timeoutMs?: number;
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
   * Whether the call waits while no connection can be had, until one can or its
   * deadline comes. Otherwise it fails with `UNAVAILABLE` as soon as an attempt
   * to connect has.
   *
   * @default {false}
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
}

const ACTION = "Cannot call";

const CALL_OPTIONS: OptionNames<CallOptions> = {
  timeoutMs: true,
  deadline: true,
  metadata: true,
  signal: true,
  waitForReady: true,
  compression: true,
  maxReceiveMessageSize: true,
  maxSendMessageSize: true,
};

/** What a call has without any wish of its caller. */
export function defaultOptions(host: ClientHost): ClientCallOptions {
  return {
    metadata: null,
    deadline: undefined,
    timeLeftMs: undefined,
    signal: undefined,
    waitForReady: false,
    maxReceiveMessageSize: host.config.maxReceiveMessageSize,
    maxSendMessageSize: host.config.maxSendMessageSize,
    compressor: host.compressor,
  };
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
  defaults: ClientCallOptions,
  options: CallOptions | undefined,
): ClientCallOptions {
  if (options === undefined) return defaults;
  checkOptions(ACTION, options, CALL_OPTIONS);
  const { timeoutMs, metadata, signal, compression } = options;
  const deadline = options.deadline ?? undefined;
  if (deadline !== undefined && !(deadline instanceof Deadline)) {
    throw wrongType(ACTION, "deadline", "a Deadline", deadline);
  }
  checkSignal(ACTION, signal);
  checkBoolean(ACTION, "waitForReady", options.waitForReady);
  return {
    metadata: metadata === undefined ? null : new Metadata(metadata),
    deadline: timeoutMs === undefined ? deadline : Deadline.earliest(
      deadline,
      Deadline.fromTimeout(timeoutMs, host.deadlines.clock),
    ),
    timeLeftMs: deadline === undefined && timeoutMs !== undefined
      ? Math.max(0, timeoutMs)
      : undefined,
    signal,
    waitForReady: options.waitForReady ?? false,
    maxReceiveMessageSize: sizeOf("maxReceiveMessageSize", options) ??
      defaults.maxReceiveMessageSize,
    maxSendMessageSize: sizeOf("maxSendMessageSize", options) ??
      defaults.maxSendMessageSize,
    compressor: compression === undefined
      ? defaults.compressor
      : compressorFor(ACTION, compression, host.compressors),
  };
}

/** Reads the option of a size. */
function sizeOf(
  name: "maxReceiveMessageSize" | "maxSendMessageSize",
  options: CallOptions,
): number | undefined {
  const size: unknown = options[name];
  if (size === undefined) return undefined;
  if (typeof size !== "number") throw wrongType(ACTION, name, "a number", size);
  if (Number.isInteger(size) && size >= 0 && size < 2 ** 32) return size;
  throw new RangeError(
    `Cannot call: ${name} must be an integer from 0 to ${
      2 ** 32 - 1
    }, received ${size}`,
  );
}
