/**
 * Settings of a channel or a server.
 *
 * @module
 */

import type { ConfigurationOptions } from "./_config_options.ts";
import {
  checkName,
  checkValue,
  NAMES,
  type Role,
  RULES,
} from "./_config_rules.ts";
import { describe } from "./_describe.ts";
import { isRecord } from "./_options.ts";

export type { ConfigurationOptions } from "./_config_options.ts";

/**
 * A configuration for one side, on which every default is settled: what
 * {@linkcode Configuration.forClient} and {@linkcode Configuration.forServer}
 * give.
 */
export type ResolvedConfiguration = Configuration & {
  /** The silence after which a PING is sent, in milliseconds. */
  readonly keepaliveTimeMs: number;
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
export class Configuration {
  /** How many unread bytes the other side may send on a connection. */
  declare readonly http2ConnectionWindowSize: number;

  /** How many unread bytes the other side may send in a call. */
  declare readonly http2StreamWindowSize: number;

  /** The largest message to receive, in bytes. */
  declare readonly maxReceiveMessageSize: number;

  /** The largest message to send, in bytes. */
  declare readonly maxSendMessageSize: number;

  /** The smallest message to compress, in bytes. */
  declare readonly minCompressMessageSize: number;

  /** The largest header list to receive, in bytes. */
  declare readonly maxHeaderListSize: number;

  /** How long one attempt to connect may take, in milliseconds. */
  declare readonly connectTimeoutMs: number;

  /** How long one address is tried alone, in milliseconds. */
  declare readonly connectionAttemptDelayMs: number;

  /** How long names are not looked up again, in milliseconds. */
  declare readonly minResolutionIntervalMs: number;

  /** When names are looked up again though nothing is wrong, in milliseconds. */
  declare readonly resolutionRefreshMs: number;

  /** The wait after the first failed attempt to connect, in milliseconds. */
  declare readonly initialReconnectBackoffMs: number;

  /** The longest wait after a failed attempt to connect, in milliseconds. */
  declare readonly maxReconnectBackoffMs: number;

  /**
   * The silence after which a PING is sent, in milliseconds; `undefined` where
   * the default of the client or the server is to be taken.
   */
  declare readonly keepaliveTimeMs: number | undefined;

  /** How long the acknowledgement of a PING may take, in milliseconds. */
  declare readonly keepaliveTimeoutMs: number;

  /** Whether PINGs are sent, and taken by a server, while there is no call. */
  declare readonly keepalivePermitWithoutCalls: boolean;

  /** How many PINGs may follow each other without a frame of a call; 0: any. */
  declare readonly http2MaxPingsWithoutData: number;

  /** The least time between such PINGs, in milliseconds. */
  declare readonly http2MinSentPingIntervalWithoutDataMs: number;

  /** How long a client keeps a connection without calls, in milliseconds. */
  declare readonly idleTimeoutMs: number;

  /** The host name that a client expects of the server, if it is another. */
  declare readonly tlsTargetNameOverride: string | undefined;

  /** The least time between PINGs of a client without a frame of a call, in milliseconds. */
  declare readonly http2MinRecvPingIntervalWithoutDataMs: number;

  /** How many earlier PINGs a server bears; 0: any. */
  declare readonly http2MaxPingStrikes: number;

  /** How old a connection to a server becomes, in milliseconds. */
  declare readonly maxConnectionAgeMs: number;

  /** How long calls may then go on, in milliseconds. */
  declare readonly maxConnectionAgeGraceMs: number;

  /** How long a server keeps a connection without calls, in milliseconds. */
  declare readonly maxConnectionIdleMs: number;

  /** How many calls may run at once on a connection to a server. */
  declare readonly maxConcurrentStreams: number;

  /** How many connections a server has at once. */
  declare readonly maxConnections: number;

  /** How many connections a server has at once from one address. */
  declare readonly maxConnectionsPerAddress: number;

  /** How many calls a client may open and cancel within a second on a connection. */
  declare readonly maxResetStreamsPerSecond: number;

  /** How many bytes may be held for peers, of all connections. */
  declare readonly maxHeldBytes: number;

  /** How many bytes may be held for one connection before it has to wait. */
  declare readonly maxHeldBytesPerConnection: number;

  /** How many bytes each received byte of a call's messages may inflate to. */
  declare readonly maxDecompressionRatio: number;

  /** How many handlers may run at once in a server. */
  declare readonly maxRunningCalls: number;

  /** How many handlers of one method may run at once in a server. */
  declare readonly maxRunningCallsPerMethod: number;

  /** How many calls may wait until their handlers can run. */
  declare readonly maxQueuedCalls: number;

  /** How long calls may wait for that, in milliseconds. */
  declare readonly maxQueueTimeMs: number;

  /** How long an unfinished request, or an unread reply, may stand still, in milliseconds. */
  declare readonly requestTimeoutMs: number;

  /** How late the event loop may be before calls are refused, in milliseconds. */
  declare readonly maxEventLoopDelayMs: number;

  /** How many attempts a call of a client may have. */
  declare readonly maxAttemptsLimit: number;

  /** How many bytes of its requests a call keeps for further attempts. */
  declare readonly perCallRetryBufferSize: number;

  /** How many bytes all calls of a channel keep for further attempts. */
  declare readonly retryBufferSize: number;

  static #defaults: Configuration | undefined;

  /** The same with the defaults of a side, once somebody has asked for it. */
  #client: ResolvedConfiguration | undefined;
  #server: ResolvedConfiguration | undefined;

  /**
   * Creates a configuration.
   *
   * @param options The settings that differ from the defaults.
   * @throws {TypeError} If there is an unknown option, or one is of a wrong type.
   * @throws {RangeError} If a value is out of its range.
   */
  constructor(options: ConfigurationOptions = {}) {
    if (!isRecord(options)) {
      throw new TypeError(
        `Cannot create configuration: options must be an object, received ${
          describe(options)
        }`,
      );
    }
    for (const name of Object.keys(options)) checkName(name);
    const fields: Record<string, unknown> = {};
    for (const name of NAMES) {
      const value = options[name];
      if (value !== undefined) checkValue(name, value);
      const { client, server } = RULES[name].defaults;
      // Where the sides differ, the value stays open until the side is known.
      fields[name] = value ?? (client === server ? client : undefined);
    }
    Object.freeze(Object.assign(this, fields));
  }

  /**
   * Makes a configuration of what a user may give.
   *
   * @param init A configuration, options for one, or `undefined` for the defaults.
   * @returns The configuration itself, or one with these options.
   * @throws {TypeError} If there is an unknown option, or one is of a wrong type.
   * @throws {RangeError} If a value is out of its range.
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
    if (init === undefined) {
      return Configuration.#defaults ??= new Configuration();
    }
    return init instanceof Configuration ? init : new Configuration(init);
  }

  /**
   * Settles the defaults of a client.
   *
   * @returns The configuration, with the client's defaults for what was not set.
   *
   * @example Usage
   * ```ts
   * import { Configuration } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new Configuration().forClient().keepaliveTimeMs, Infinity);
   *
   * const config = new Configuration({ keepaliveTimeMs: 60_000 });
   * assertEquals(config.forClient().keepaliveTimeMs, 60_000);
   * ```
   */
  forClient(): ResolvedConfiguration {
    return this.#client ??= this.#resolve("client");
  }

  /**
   * Settles the defaults of a server.
   *
   * @returns The configuration, with the server's defaults for what was not set.
   *
   * @example Usage
   * ```ts
   * import { Configuration } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new Configuration().forServer().keepaliveTimeMs, 7_200_000);
   * ```
   */
  forServer(): ResolvedConfiguration {
    return this.#server ??= this.#resolve("server");
  }

  /** The configuration with the defaults of a side for what is open. */
  #resolve(role: Role): ResolvedConfiguration {
    const settled: { [name: string]: unknown } = {};
    for (const name of NAMES) {
      settled[name] = this[name] ?? RULES[name].defaults[role];
    }
    return new Configuration(settled) as ResolvedConfiguration;
  }
}
