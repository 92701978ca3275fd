/**
 * The channel: where the calls of a client meet HTTP/2.
 *
 * @module
 */

import {
  checkBoolean,
  checkClock,
  checkDetailsCodec,
  checkFunction,
  checkOptions,
  checkSignal,
  type OptionNames,
  wrongType,
} from "./core/_options.ts";
import {
  type BalancingOptions,
  type BalancingPolicy,
  resolveBalancing,
} from "./core/balancing.ts";
import { CallCounts } from "./core/_figures.ts";
import type { Clock } from "./core/clock.ts";
import { type Codec, ProtoCodec } from "./core/codec.ts";
import { Configuration, type ConfigurationOptions } from "./core/config.ts";
import {
  CLIENT_EVENTS,
  type ClientEvent,
  type EventClass,
  type Listenable,
} from "./core/events.ts";
import type { ConnectivityState, Endpoint } from "./core/connectivity.ts";
import { Listeners } from "./core/_listeners.ts";
import { type ProxyOptions, resolveProxy } from "./core/proxy.ts";
import { printAs } from "./core/_inspect.ts";
import {
  type ChannelInspection,
  lastReason,
  numbersOf,
  resolutionOf,
} from "./core/inspection.ts";
import type { Resolver } from "./core/resolver.ts";
import type {
  ChannelRetryOptions,
  MethodOptions,
} from "./core/retry_options.ts";
import type { ServiceConfig } from "./core/service_config.ts";
import {
  ProtoStatusDetailsCodec,
  type StatusDetailsCodec,
} from "./core/status_details.ts";
import {
  formatTarget,
  parseTargets,
  pathTargetOf,
  type Target,
  targetOf,
} from "./core/target.ts";
import type { ChannelTLSOptions } from "./core/tls.ts";
import { USER_AGENT } from "./core/version.ts";
import {
  acceptEncodingOf,
  type Compression,
  compressorFor,
} from "./_wire/compression.ts";
import { frameWriter } from "./_wire/frame.ts";
import { HeadTemplate } from "./_wire/headers.ts";
import type { ClientHost } from "./_call/client/host.ts";
import { budgetLimitsOf, MemoryBudget } from "./_call/account.ts";
import { MethodPolicies } from "./_call/client/method_policies.ts";
import { RetryState } from "./_call/client/retry_state.ts";
import type { ParsedServiceConfig } from "./_call/client/service_config.ts";
import { deadlinesOn } from "./_call/cancellation.ts";
import { propagationOf, type PropagationOptions } from "./_call/parent.ts";
import type { ConnectionSource } from "./_balance/subchannel.ts";
import type { ConnectFunction } from "./_http2/client/connect.ts";
import type { HTTP2Engine } from "./_http2/engine.ts";
import { systemClock } from "./_http2/system_clock.ts";
import { connectionsOf } from "./_connections.ts";
import { engineOf } from "./_engines.ts";
import { compressors } from "./_zlib.ts";

/** Options for {@linkcode Channel}. */
export interface ChannelOptions {
  /**
   * Makes bytes of messages and messages of bytes.
   *
   * @default {new ProtoCodec()}
   */
  readonly codec?: Codec;
  /**
   * Makes bytes of the details of a status, and details of bytes; `null` for
   * none.
   *
   * @default {new ProtoStatusDetailsCodec()}
   */
  readonly statusDetailsCodec?: StatusDetailsCodec | null;
  /**
   * How requests are compressed. The server has to know it: one that does not
   * answers `UNIMPLEMENTED`. Replies are decompressed in any case.
   *
   * @default {"identity"} not at all
   */
  readonly compression?: Compression;
  /**
   * Window sizes, message limits and the like.
   *
   * @default {new Configuration()}
   */
  readonly config?: Configuration | ConfigurationOptions;
  /**
   * The server as `host:port`, `dns:///host:port`, `unix:/run/x.sock` and the
   * like, where no host is given before the options; or several of them, over
   * which `balancing` spreads the calls.
   *
   * @default {"127.0.0.1:50051"}
   */
  readonly target?: string | readonly string[];
  /**
   * Says which servers there are, in place of the target, which then only says
   * what they are called.
   *
   * @default {undefined} none
   */
  readonly resolver?: Resolver;
  /**
   * How calls are spread over the servers there are.
   *
   * @default {"pick_first"} one connection, to the first that can be had
   */
  readonly balancing?: BalancingPolicy | BalancingOptions;
  /**
   * The path of a unix socket to connect to, in place of a host and port.
   *
   * @default {undefined} none
   */
  readonly path?: string;
  /**
   * The HTTP proxy that connections go through, such as
   * `http://proxy.example:3128`. It is told the name of the server, which is not
   * looked up here.
   *
   * @default {null} none
   */
  readonly proxy?: string | URL | ProxyOptions | null;
  /**
   * Makes the connections, in place of the network: called for each attempt. The
   * channel closes what it gets, and encrypts it if `tls` says so; the target
   * only says what the server is called.
   *
   * @default {undefined} connects to the target
   */
  readonly connect?: ConnectFunction;
  /**
   * Whether and how to encrypt: `true` for a certificate of the system's roots.
   *
   * @default {false} plaintext
   */
  readonly tls?: boolean | ChannelTLSOptions;
  /**
   * Whether a connection keeps the process alive while no call is running.
   *
   * @default {false}
   */
  readonly keepProcessAlive?: boolean;
  /**
   * The implementation of HTTP/2: `"node"` is `node:http2` of the runtime,
   * `"native"` the library's own, which is faster and knows fewer ceilings.
   *
   * @default {"node"}
   */
  readonly http2?: HTTP2Engine;
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
   * Whether and when failed calls are tried again, where neither `methods` nor
   * `serviceConfig` says something of it: `true` makes up to 4 attempts when the
   * server is `UNAVAILABLE`. That does not prove that nothing was done, so it is
   * for methods that may be called twice.
   *
   * @default {false}
   */
  readonly retry?: boolean | ChannelRetryOptions;
  /**
   * What holds for the calls of some methods, by `"package.Service/Method"`, or
   * `"package.Service"` for all of a service.
   *
   * @default {{}}
   */
  readonly methods?: Readonly<Record<string, MethodOptions>>;
  /**
   * What the service says about how it wants to be called, in the official JSON,
   * as an object or as text; that of a `resolver` takes its place.
   *
   * @default {undefined} nothing
   */
  readonly serviceConfig?: ServiceConfig | string;
  /**
   * Whether calls that a handler makes take over from the call that it serves:
   * `true` for its deadline and its cancellation, or what exactly. It takes a
   * server with `propagation`, or the option `parent` of calls.
   *
   * @default {false} nothing, but for calls with `parent`
   */
  readonly propagation?: boolean | PropagationOptions;
  /**
   * What deadlines, keepalive, idle time and backoff go by, for tests.
   *
   * @default {undefined} the clock of the system
   */
  readonly clock?: Clock;
}

const CHANNEL_OPTIONS: OptionNames<ChannelOptions> = {
  codec: true,
  statusDetailsCodec: true,
  compression: true,
  config: true,
  target: true,
  path: true,
  resolver: true,
  proxy: true,
  balancing: true,
  connect: true,
  tls: true,
  keepProcessAlive: true,
  clock: true,
  http2: true,
  timeoutMs: true,
  waitForReady: true,
  retry: true,
  methods: true,
  serviceConfig: true,
  propagation: true,
};

/** Options for {@linkcode Channel.waitForStateChange}. */
export interface WaitOptions {
  /**
   * Ends the wait when it aborts.
   *
   * @default {undefined} none
   */
  readonly signal?: AbortSignal;
}

const WAIT_OPTIONS: OptionNames<WaitOptions> = { signal: true };

/** What the methods of a channel need of it. */
export interface ChannelHost extends ClientHost {
  readonly source: ConnectionSource;
}

/** The names of all encodings that may be received. */
const ACCEPT_ENCODING = acceptEncodingOf(compressors.keys());

let readHost: (channel: Channel) => ChannelHost;

/** What a method of the channel needs of it; not for users. */
export function hostOf(channel: Channel): ChannelHost {
  return readHost(channel);
}

/**
 * A connection to a server, made when the first call needs it and made again
 * when it was lost. All stubs and calls to one server share one channel.
 *
 * @example Usage
 * ```ts
 * import { Channel } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * await using channel = new Channel("127.0.0.1", 50051);
 * assertEquals(channel.target, "127.0.0.1:50051");
 *
 * await using same = new Channel("dns:///127.0.0.1:50051");
 * assertEquals(same.target, "127.0.0.1:50051");
 * ```
 */
export class Channel implements AsyncDisposable, Listenable<ClientEvent> {
  readonly #host: ChannelHost;
  readonly #target: string;

  static {
    readHost = (channel) => channel.#host;
  }

  /**
   * Creates a channel. It does nothing on the network.
   *
   * @param host The server's host name or address.
   * @param port The server's port.
   * @param options How to talk to it.
   * @throws {TypeError} If the host is none, or an option is of a wrong type.
   * @throws {RangeError} If the port or an option is out of range.
   */
  constructor(host?: string, port?: number, options?: ChannelOptions);
  /**
   * Creates a channel. It does nothing on the network.
   *
   * @param target The server as `host:port`, `dns:///host:port`,
   *   `unix:/run/x.sock` and the like.
   * @param options How to talk to it.
   * @throws {TypeError} If the target is of no such form, or an option is of a
   *   wrong type.
   * @throws {RangeError} If the port or an option is out of range.
   */
  constructor(target: string, options: ChannelOptions);
  /**
   * Creates a channel. It does nothing on the network.
   *
   * @param options The server, as `target` or `path`, and how to talk to it.
   * @throws {TypeError} If the target is of no such form, or an option is of a
   *   wrong type.
   * @throws {RangeError} If the port or an option is out of range.
   */
  constructor(options: ChannelOptions);
  constructor(
    first?: string | ChannelOptions,
    second?: number | ChannelOptions,
    last?: ChannelOptions,
  ) {
    const action = "Cannot create channel";
    const [host, port, options = {}] = typeof first === "object"
      ? [undefined, undefined, first]
      : typeof second === "object"
      ? [first, undefined, second]
      : [first, second, last];
    checkOptions(action, options, CHANNEL_OPTIONS);
    const targets = readTargets(host, port, options);
    const {
      codec = new ProtoCodec(),
      statusDetailsCodec = new ProtoStatusDetailsCodec(),
      compression = "identity",
      tls = false,
      http2,
      clock,
      connect,
    } = options;
    if (typeof codec?.contentSubtype !== "string") {
      throw wrongType(action, "codec", "a Codec", codec);
    }
    checkDetailsCodec(action, statusDetailsCodec);
    checkFunction(action, "connect", connect);
    checkFunction(action, "resolver", options.resolver);
    const proxy = resolveProxy(action, options.proxy);
    if (proxy !== null && connect !== undefined) {
      throw new TypeError(
        `${action}: connect makes the connections by itself, received proxy as well`,
      );
    }
    checkClock(action, clock);
    checkBoolean(action, "keepProcessAlive", options.keepProcessAlive);
    const compressor = compressorFor(
      action,
      compression,
      compressors,
    );
    const config = Configuration.from(options.config).forClient();
    const policies = new MethodPolicies(options, config.maxAttemptsLimit);
    const retries = new RetryState(policies, config);
    const balancingBy = (config: ParsedServiceConfig | null) =>
      resolveBalancing(
        action,
        // What is null is refused, not replaced.
        options.balancing === undefined
          ? config?.balancing ?? undefined
          : options.balancing,
      );
    // All are the same service, and answer to one name.
    const { authority } = targets[0]!;
    const scheme = tls === false ? "http" : "https";
    const { contentSubtype } = codec;
    // Some servers know no subtype; "proto" is what they take none for.
    const contentType = contentSubtype === "proto"
      ? "application/grpc"
      : `application/grpc+${contentSubtype}`;
    this.#target = targets.map(formatTarget).join(",");
    const listeners = new Listeners("Channel", this, (error) => {
      // Nobody waits for what has failed, and nobody should miss it.
      Promise.reject(error);
    });
    const source = connectionsOf({
      targets,
      tls,
      connect,
      resolver: options.resolver && {
        ask: options.resolver,
        serviceConfigs: {
          read: (config, action) => policies.read(config, action),
          use: (config) => {
            policies.use(config);
            retries.throttleBy(policies.throttling);
            return balancingBy(config);
          },
        },
      },
      proxy,
      balancing: balancingBy(policies.defaultConfig),
      shared: {
        authority,
        target: this.#target,
        scheme,
        config,
        idleTimeoutMs: config.idleTimeoutMs,
        keepProcessAlive: options.keepProcessAlive ?? false,
        clock: clock ?? systemClock,
        engine: engineOf("Cannot create channel", http2),
        budget: new MemoryBudget(budgetLimitsOf(config)),
        connectivity: listeners.connectivity,
      },
    });
    this.#host = {
      source,
      codec,
      statusDetailsCodec,
      config,
      writer: frameWriter,
      compressors,
      compressor,
      listeners,
      deadlines: deadlinesOn(clock),
      callCounts: new CallCounts(),
      policies,
      retries,
      propagation: propagationOf(action, options.propagation),
      headOf: (path) =>
        new HeadTemplate({
          scheme,
          authority,
          path,
          contentType,
          userAgent: USER_AGENT,
          encoding: compressor?.name ?? null,
          acceptEncoding: ACCEPT_ENCODING,
        }),
    };
  }

  /** The classes of the events it has, for {@linkcode listen}. */
  get events(): readonly EventClass<ClientEvent>[] {
    return CLIENT_EVENTS;
  }

  /** The server, such as `127.0.0.1:50051`. */
  get target(): string {
    return this.#target;
  }

  /** What the channel is doing, in gRPC's words. */
  get state(): ConnectivityState {
    return this.#host.source.state;
  }

  /**
   * The servers that the channel knows of now, and how it is connected to them.
   * With `pick_first` that is the one that takes the calls.
   */
  get endpoints(): readonly Endpoint[] {
    return this.#host.source.endpoints;
  }

  /**
   * Tells what the channel is doing, and what has become of its connections: why
   * it does not connect, if it does not. It is what `console.log(channel)` shows.
   *
   * @returns A snapshot, as plain objects.
   *
   * @example Usage
   * ```ts
   * import { Channel } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * await using channel = new Channel("127.0.0.1", 50051);
   * const { state, lastError, calls } = channel.inspect();
   *
   * assertEquals([state, lastError, calls.started], ["IDLE", null, 0]);
   * ```
   */
  inspect(): ChannelInspection {
    const { source, callCounts } = this.#host;
    const { connections, streams, waiting } = source.counts;
    const { state, endpoints, resolution, history, subchannels } = source;
    const nextMs = subchannels.map((it) => it.nextAttemptMs ?? Infinity)
      .reduce((one, other) => Math.min(one, other), Infinity);
    const since = history.changes.at(-1)?.at ?? history.createdAt;
    const histories = [history, ...subchannels.map((it) => it.history)];
    return {
      target: this.#target,
      state,
      since: new Date(since),
      lastError: lastReason(histories),
      nextAttempt: nextMs === Infinity ? null : new Date(Date.now() + nextMs),
      endpoints,
      resolution: resolutionOf(resolution),
      connections,
      streams,
      waitingCalls: waiting,
      calls: numbersOf(callCounts),
      history: history.changes.map((it) => ({ ...it, at: new Date(it.at) })),
    };
  }

  /** Connects now, rather than when the first call needs it. */
  connect(): void {
    this.#host.source.connect();
  }

  /**
   * Waits until the channel is in another state.
   *
   * @param state The state it is in now, as far as the caller knows.
   * @param options How long to wait.
   * @returns The state it is in then; at once if it is another already.
   * @throws The reason of the signal, if that aborts.
   *
   * @example Usage
   * ```ts
   * import { Channel } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * await using channel = new Channel("127.0.0.1", 50051);
   * assertEquals(channel.state, "IDLE");
   *
   * channel.connect();
   * assertEquals(await channel.waitForStateChange("IDLE"), "CONNECTING");
   * ```
   */
  async waitForStateChange(
    state: ConnectivityState,
    options: WaitOptions = {},
  ): Promise<ConnectivityState> {
    const { source } = this.#host;
    checkOptions("Cannot wait", options, WAIT_OPTIONS);
    const { signal } = options;
    checkSignal("Cannot wait", signal);
    signal?.throwIfAborted();
    while (source.state === state) {
      await untilAborted(source.changed, signal);
    }
    return source.state;
  }

  /**
   * Closes the channel for good: its calls fail with `CANCELLED`, and so does
   * any later one.
   *
   * @returns When its connections are gone, which takes a second at most.
   */
  close(): Promise<void> {
    return this.#host.source.close();
  }

  /** Closes the channel. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Reads the first arguments of a channel. */
function readTargets(
  host: string | undefined,
  port: number | undefined,
  { path, target }: ChannelOptions,
): Target[] {
  const isPlaced = host !== undefined || port !== undefined;
  if (
    [isPlaced, path !== undefined, target !== undefined].filter(Boolean)
      .length > 1
  ) {
    throw new TypeError(
      "Cannot create channel: it connects to a host and port, or a path, or a target, received more than one of them",
    );
  }
  if (path !== undefined) return [pathTargetOf(path)];
  if (target !== undefined) return parseTargets(target);
  return port === undefined
    ? parseTargets(host ?? "127.0.0.1")
    : [targetOf(host ?? "127.0.0.1", port)];
}

printAs(Channel, (channel) => channel.inspect());

/** Waits for a promise, but no longer than until a signal aborts. */
async function untilAborted(
  promise: Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (signal === undefined) return await promise;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
