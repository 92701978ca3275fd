/**
 * What each option of a configuration may be, and what it is when nobody says.
 *
 * @module
 */

import { describe } from "./_describe.ts";
import { nearest } from "./_nearest.ts";
import type { ConfigurationOptions } from "./_config_options.ts";

/** The two sides that read a configuration. */
export type Role = "client" | "server";

/** What the values of an option are. */
export type Kind = "integer" | "number" | "boolean" | "string";

/** The rule of one option, whose values are of type `T`. */
export interface Rule<T = unknown> {
  /** What the values are. */
  readonly kind: Kind;
  /** The range of an integer or number. */
  readonly range?: Range;
  /** The value where none is given, for each side. */
  readonly defaults: Readonly<Record<Role, T | undefined>>;
}

/** From where to where a number may be. */
export interface Range {
  /** The least, or what it has to be more than. */
  readonly min: number;
  /** Whether the least itself is too little. */
  readonly aboveMin: boolean;
  /** The most. */
  readonly max: number;
  /** Whether Infinity is allowed beside it. */
  readonly orInfinity: boolean;
}

const MIB = 1024 * 1024;

// The window every connection of HTTP/2 begins with: it cannot be made smaller
// for a connection. https://www.rfc-editor.org/rfc/rfc9113#section-6.9.2
const MIN_WINDOW = 65_535;

// The most that a window, a stream id or a delay of a timer can be; a timer
// with a longer delay would fire at once.
// https://www.rfc-editor.org/rfc/rfc9113#section-6.9.1
const MAX_INT = 2 ** 31 - 1;

// Message-Length → "encoded as 4 byte unsigned integer"
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
const MAX_MESSAGE = 2 ** 32 - 1;

const INTEGER: Range = {
  min: 0,
  aboveMin: false,
  max: MAX_INT,
  orInfinity: false,
};
const WINDOW: Range = { ...INTEGER, min: MIN_WINDOW };
const MESSAGE: Range = { ...INTEGER, max: MAX_MESSAGE };
const HEADERS: Range = { ...INTEGER, min: 1024 };
const COUNT: Range = { ...INTEGER, min: 1 };
const COUNT_OR_ANY: Range = { ...COUNT, orInfinity: true };
const BYTES_OR_ANY: Range = {
  ...INTEGER,
  min: 65_536,
  max: Number.MAX_SAFE_INTEGER,
  orInfinity: true,
};
const INTERVAL: Range = INTEGER;
const INTERVAL_OR_EVER: Range = { ...INTERVAL, orInfinity: true };
const DELAY: Range = { ...INTEGER, aboveMin: true };
const DELAY_OR_NEVER: Range = { ...DELAY, orInfinity: true };

/**
 * The rules, one row per option.
 *
 * The defaults are those of grpclib and gRPC-core, with three exceptions, for a
 * peer is hostile until proven otherwise:
 *
 * - `maxConnections` is unlimited there. Each connection takes a file descriptor,
 *   and a server without any serves nobody new. 2000 is half of 4096, the least
 *   hard limit that systems come with, to which Deno and Node raise their own;
 *   the rest is for whatever else the program opens.
 * - `maxConcurrentStreams` is unlimited in gRPC-core. Then one connection can
 *   start any number of handlers at a few bytes each, and no window holds it
 *   back. 1000 is ten times what HTTP/2 recommends as the least, and what
 *   grpclib and ASP.NET have; further calls wait at the client.
 * - `maxResetStreamsPerSecond` has no counterpart there. 500 is half of what
 *   nghttp2, below `node:http2`, bears at once, so that this limit is met first.
 */
export const RULES: {
  readonly [K in keyof ConfigurationOptions]-?: Rule<
    NonNullable<ConfigurationOptions[K]>
  >;
} = {
  http2ConnectionWindowSize: integer(WINDOW, 4 * MIB),
  http2StreamWindowSize: integer(WINDOW, 4 * MIB),
  maxReceiveMessageSize: integer(MESSAGE, 4 * MIB),
  maxSendMessageSize: integer(MESSAGE, MAX_MESSAGE),
  minCompressMessageSize: integer(MESSAGE, 1024),
  maxHeaderListSize: integer(HEADERS, 65_536),
  connectTimeoutMs: number(DELAY, 20_000),
  connectionAttemptDelayMs: number(DELAY, 250),
  minResolutionIntervalMs: number(INTERVAL, 30_000),
  resolutionRefreshMs: number(DELAY_OR_NEVER, 60_000),
  initialReconnectBackoffMs: number(DELAY, 1_000),
  maxReconnectBackoffMs: number(DELAY, 120_000),
  keepaliveTimeMs: number(DELAY_OR_NEVER, Infinity, 7_200_000),
  keepaliveTimeoutMs: number(DELAY, 20_000),
  keepalivePermitWithoutCalls: { kind: "boolean", defaults: both(false) },
  http2MaxPingsWithoutData: integer(INTEGER, 2),
  http2MinSentPingIntervalWithoutDataMs: number(INTERVAL, 300_000),
  idleTimeoutMs: number(DELAY_OR_NEVER, 1_800_000),
  tlsTargetNameOverride: { kind: "string", defaults: both(undefined) },
  http2MinRecvPingIntervalWithoutDataMs: number(INTERVAL, 300_000),
  http2MaxPingStrikes: integer(INTEGER, 2),
  maxConnectionAgeMs: number(DELAY_OR_NEVER, Infinity),
  maxConnectionAgeGraceMs: number(INTERVAL_OR_EVER, Infinity),
  maxConnectionIdleMs: number(DELAY_OR_NEVER, Infinity),
  maxConcurrentStreams: integer(COUNT, 1_000),
  maxConnections: integer(COUNT_OR_ANY, 2_000),
  maxConnectionsPerAddress: integer(COUNT_OR_ANY, Infinity),
  maxResetStreamsPerSecond: integer(COUNT_OR_ANY, 500),
  maxHeldBytes: integer(BYTES_OR_ANY, 96 * MIB),
  maxHeldBytesPerConnection: integer(BYTES_OR_ANY, 24 * MIB),
  maxDecompressionRatio: integer(COUNT_OR_ANY, 1_100),
  maxRunningCalls: integer(COUNT_OR_ANY, 4_000),
  maxRunningCallsPerMethod: integer(COUNT_OR_ANY, Infinity),
  maxQueuedCalls: integer({ ...INTEGER, orInfinity: true }, 1_000),
  maxQueueTimeMs: number(DELAY_OR_NEVER, 10_000),
  requestTimeoutMs: number(DELAY_OR_NEVER, 60_000),
  maxEventLoopDelayMs: number(DELAY_OR_NEVER, 5_000),
  maxAttemptsLimit: integer({ ...INTEGER, min: 2 }, 5),
  perCallRetryBufferSize: integer(INTEGER, MIB),
  retryBufferSize: integer(INTEGER, 16 * MIB),
};

/** The names of all options. */
export const NAMES = Object.keys(RULES) as readonly (keyof typeof RULES)[];

function integer(range: Range, value: number): Rule<number> {
  return { kind: "integer", range, defaults: both(value) };
}

function number(
  range: Range,
  client: number,
  server: number = client,
): Rule<number> {
  return { kind: "number", range, defaults: { client, server } };
}

function both<T>(value: T): Readonly<Record<Role, T>> {
  return { client: value, server: value };
}

/**
 * Says what a range asks for, as the end of "must be …".
 *
 * @param kind What the values are.
 * @param range The range.
 * @returns The words.
 */
export function needOf(kind: Kind, range: Range): string {
  const { min, aboveMin, max, orInfinity } = range;
  const limits = aboveMin
    ? `more than ${min} and at most ${max}`
    : `from ${min} to ${max}`;
  const noun = kind === "integer" ? "an integer " : "";
  return `${noun}${limits}${orInfinity ? ", or Infinity" : ""}`;
}

/**
 * Throws unless there is such an option.
 *
 * @param name The name.
 * @throws {TypeError} If there is none.
 */
export function checkName(name: string): void {
  if (Object.hasOwn(RULES, name)) return;
  throw new TypeError(
    `Cannot create configuration: there is no option "${name}", the nearest is "${
      nearest(name, NAMES)
    }"`,
  );
}

/**
 * Throws unless an option may have a value.
 *
 * @param name The name of the option.
 * @param value The value.
 * @throws {TypeError} If the value is of another type.
 * @throws {RangeError} If the value is out of range.
 */
export function checkValue(name: keyof typeof RULES, value: unknown): void {
  const { kind, range }: Rule = RULES[name];
  const wanted = kind === "integer" ? "number" : kind;
  const type: string = typeof value;
  if (type !== wanted) {
    throw new TypeError(
      `Cannot create configuration: ${name} must be a ${wanted}, received ${
        describe(value)
      }`,
    );
  }
  if (range !== undefined && !isWithin(range, kind, value as number)) {
    throw new RangeError(
      `Cannot create configuration: ${name} must be ${
        needOf(kind, range)
      }, received ${value}`,
    );
  }
  // The only text there is names a host.
  if (kind === "string" && !/^[0-9A-Za-z._:-]+$/.test(value as string)) {
    throw new RangeError(
      `Cannot create configuration: ${name} must be a host name or address, received "${value}"`,
    );
  }
}

function isWithin(range: Range, kind: Kind, value: number): boolean {
  const { min, aboveMin, max, orInfinity } = range;
  if (value === Infinity) return orInfinity;
  if (kind === "integer" && !Number.isInteger(value)) return false;
  return (aboveMin ? value > min : value >= min) && value <= max;
}
