/**
 * Settings of a channel or a server.
 *
 * @module
 */

import { describe } from "./_describe.ts";

/** Options for {@linkcode Configuration}. */
export interface ConfigurationOptions {
  /**
   * How many bytes the other side may send on a connection before this side
   * has read them, all calls together; an integer from 65535 to 2³¹ − 1.
   *
   * @default {4194304}
   */
  readonly http2ConnectionWindowSize?: number;
  /**
   * How many bytes the other side may send in a call before this side has
   * read them; an integer from 65535 to 2³¹ − 1.
   *
   * @default {4194304}
   */
  readonly http2StreamWindowSize?: number;
  /**
   * The largest message to receive, in bytes; an integer from 0 to 2³² − 1.
   * A larger one ends the call with RESOURCE_EXHAUSTED.
   *
   * @default {4194304}
   */
  readonly maxReceiveMessageSize?: number;
  /**
   * The largest message to send, in bytes; an integer from 0 to 2³² − 1.
   *
   * @default {4294967295}
   */
  readonly maxSendMessageSize?: number;
  /**
   * How long one attempt to connect may take, in milliseconds; more than 0, at
   * most 2³¹ − 1.
   *
   * @default {20000}
   */
  readonly connectTimeoutMs?: number;
}

const MIB = 1024 * 1024;

// The window every connection of HTTP/2 begins with: it cannot be made smaller
// for a connection. https://www.rfc-editor.org/rfc/rfc9113#section-6.9.2
const MIN_WINDOW = 65_535;

// https://www.rfc-editor.org/rfc/rfc9113#section-6.9.1
const MAX_WINDOW = 2 ** 31 - 1;

// Message-Length → "encoded as 4 byte unsigned integer"
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
const MAX_MESSAGE = 2 ** 32 - 1;

// A timer with a longer delay fires at once.
const MAX_DELAY = 2 ** 31 - 1;

const DEFAULTS: Required<ConfigurationOptions> = {
  http2ConnectionWindowSize: 4 * MIB,
  http2StreamWindowSize: 4 * MIB,
  maxReceiveMessageSize: 4 * MIB,
  maxSendMessageSize: MAX_MESSAGE,
  connectTimeoutMs: 20_000,
};

/**
 * Settings of a channel or a server, checked once and never changed.
 *
 * @example Usage
 * ```ts
 * import { Configuration } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * const config = new Configuration({ maxReceiveMessageSize: 16 * 1024 * 1024 });
 *
 * assertEquals(config.maxReceiveMessageSize, 16_777_216);
 * assertEquals(config.connectTimeoutMs, 20_000);
 * ```
 */
export class Configuration implements Required<ConfigurationOptions> {
  /** How many unread bytes the other side may send on a connection. */
  readonly http2ConnectionWindowSize: number;

  /** How many unread bytes the other side may send in a call. */
  readonly http2StreamWindowSize: number;

  /** The largest message to receive, in bytes. */
  readonly maxReceiveMessageSize: number;

  /** The largest message to send, in bytes. */
  readonly maxSendMessageSize: number;

  /** How long one attempt to connect may take, in milliseconds. */
  readonly connectTimeoutMs: number;

  /**
   * Creates a configuration.
   *
   * @param options The settings that differ from the defaults.
   * @throws {TypeError} If there is an unknown option, or one is not a number.
   * @throws {RangeError} If a number is out of its range.
   */
  constructor(options: ConfigurationOptions = {}) {
    if (typeof options !== "object" || options === null) {
      throw new TypeError(
        `Cannot create configuration: options must be an object, received ${
          describe(options)
        }`,
      );
    }
    for (const name of Object.keys(options)) {
      if (!Object.hasOwn(DEFAULTS, name)) {
        throw new TypeError(
          `Cannot create configuration: there is no option "${name}", only ${
            Object.keys(DEFAULTS).join(", ")
          }`,
        );
      }
    }
    const {
      http2ConnectionWindowSize = DEFAULTS.http2ConnectionWindowSize,
      http2StreamWindowSize = DEFAULTS.http2StreamWindowSize,
      maxReceiveMessageSize = DEFAULTS.maxReceiveMessageSize,
      maxSendMessageSize = DEFAULTS.maxSendMessageSize,
      connectTimeoutMs = DEFAULTS.connectTimeoutMs,
    } = options;
    requireIntegers(
      { http2ConnectionWindowSize, http2StreamWindowSize },
      MIN_WINDOW,
      MAX_WINDOW,
    );
    requireIntegers(
      { maxReceiveMessageSize, maxSendMessageSize },
      0,
      MAX_MESSAGE,
    );
    requireNumber("connectTimeoutMs", connectTimeoutMs);
    if (!(connectTimeoutMs > 0 && connectTimeoutMs <= MAX_DELAY)) {
      throw new RangeError(
        `Cannot create configuration: connectTimeoutMs must be more than 0 and at most ${MAX_DELAY}, received ${connectTimeoutMs}`,
      );
    }
    this.http2ConnectionWindowSize = http2ConnectionWindowSize;
    this.http2StreamWindowSize = http2StreamWindowSize;
    this.maxReceiveMessageSize = maxReceiveMessageSize;
    this.maxSendMessageSize = maxSendMessageSize;
    this.connectTimeoutMs = connectTimeoutMs;
    Object.freeze(this);
  }

  /**
   * Makes a configuration of what a user may give.
   *
   * @param init A configuration, options for one, or `undefined` for the defaults.
   * @returns The configuration itself, or a new one.
   * @throws {TypeError} If there is an unknown option, or one is not a number.
   * @throws {RangeError} If a number is out of its range.
   *
   * @example Usage
   * ```ts
   * import { Configuration } from "@grpclib/grpclib";
   * import { assertStrictEquals } from "@std/assert";
   *
   * const config = new Configuration();
   *
   * assertStrictEquals(Configuration.from(config), config);
   * ```
   */
  static from(
    init: Configuration | ConfigurationOptions | undefined,
  ): Configuration {
    return init instanceof Configuration ? init : new Configuration(init);
  }
}

/** Throws unless every setting is an integer within the limits. */
function requireIntegers(
  settings: { readonly [name: string]: number },
  min: number,
  max: number,
): void {
  for (const [name, value] of Object.entries(settings)) {
    requireNumber(name, value);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new RangeError(
        `Cannot create configuration: ${name} must be an integer from ${min} to ${max}, received ${value}`,
      );
    }
  }
}

/** Throws unless a setting is a number. */
function requireNumber(name: string, value: number): void {
  if (typeof value !== "number") {
    throw new TypeError(
      `Cannot create configuration: ${name} must be a number, received ${
        describe(value)
      }`,
    );
  }
}
