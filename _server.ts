/**
 * A server: its services, the port they are served on, and its end.
 *
 * @module
 */

import { CallCounts } from "./core/_figures.ts";
import type { ConnectivityObserver } from "./core/_connectivity_trace.ts";
import type { Clock, ClockTimer } from "./core/clock.ts";
import { ProtoCodec } from "./core/codec.ts";
import { Configuration } from "./core/config.ts";
import { GRPCError, ProtocolError } from "./core/errors.ts";
import {
  type EventClass,
  type Listenable,
  SERVER_EVENTS,
  type ServerEvent,
} from "./core/events.ts";
import { Listeners } from "./core/_listeners.ts";
import { printAs } from "./core/_inspect.ts";
import {
  type ConnectionFailure,
  numbersOf,
  type ServerInspection,
} from "./core/inspection.ts";
import { noContext } from "./_context.ts";
import { Peer } from "./core/peer.ts";
import { Status } from "./core/status.ts";
import { ProtoStatusDetailsCodec } from "./core/status_details.ts";
import { formatTarget } from "./core/target.ts";
import type { ServerTLSOptions } from "./core/tls.ts";
import { acceptEncodingOf, compressorFor } from "./_wire/compression.ts";
import { frameWriter } from "./_wire/frame.ts";
import { budgetLimitsOf, MemoryBudget } from "./_call/account.ts";
import { Admission } from "./_call/server/admission.ts";
import {
  routesOf,
  type ServerContext,
  type Service,
} from "./_call/server/handler.ts";
import { CallList, runningHandlers } from "./_call/server/call_list.ts";
import { deadlinesOn } from "./_call/cancellation.ts";
import { type CallHost, CallServer } from "./_call/server/serve.ts";
import { codecsOf } from "./_call/server/codecs.ts";
import type { CallIdentity, RefusalReason } from "./_call/server/host.ts";
import type { ServerCall } from "./_call/server/call.ts";
import { type Connection, socketOf } from "./_http2/socket.ts";
import { Acceptor, type ListenAddress } from "./_http2/server/acceptor.ts";
import { systemClock } from "./_http2/system_clock.ts";
import {
  checkServerOptions,
  type CloseOptions,
  closeTimesOf,
  type HandlerErrorInfo,
  listenOptionsOf,
  type ServerOptions,
  type StartOptions,
  unfailing,
} from "./_server_options.ts";
import { type ServerFigures, showServer } from "./_server_figures.ts";
import { ServerWatch } from "./_server_watch.ts";
import { engineOf } from "./_engines.ts";
import { compressors } from "./_zlib.ts";

type AnyCall = ServerCall<unknown, unknown>;

/** How many connections that failed are remembered. */
const MOST_FAILURES = 32;

/**
 * A server of any number of services.
 *
 * @example Usage
 * ```ts
 * import { Server } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * const server = new Server([]);
 * assertEquals(server.address, null);
 * server.close();
 * await server.waitClosed();
 * ```
 */
export class Server implements AsyncDisposable, Listenable<ServerEvent> {
  readonly #acceptor: Acceptor;
  readonly #calls = new CallList<AnyCall>();
  readonly #clock: Clock;
  #refusedCalls = 0;
  readonly #callCounts = new CallCounts();
  readonly #connectivity: ConnectivityObserver;
  readonly #failedConnections: ConnectionFailure[] = [];
  #idle: PromiseWithResolvers<void> | undefined;
  #address: ListenAddress | null = null;
  #started = false;
  readonly #closing = new AbortController();
  /** When the server stops, and running calls are ended, on its clock. */
  #stopAt = Infinity;
  #graceEnd = Infinity;
  #drainTimer: ClockTimer | undefined;
  #graceTimer: ClockTimer | undefined;

  /**
   * Creates a server. It does nothing on the network.
   *
   * @param services The services; of two with the same path the later counts.
   * @param options How to serve them.
   * @throws {TypeError} If a service is none, or an option is of a wrong type.
   * @throws {RangeError} If an option is out of range.
   */
  constructor(services: Iterable<Service>, options: ServerOptions = {}) {
    checkServerOptions(options);
    const {
      codec = new ProtoCodec(),
      statusDetailsCodec = new ProtoStatusDetailsCodec(),
      compression = "identity",
      http2,
      clock,
    } = options;
    this.#clock = clock ?? systemClock;
    const action = "Cannot create server";
    const onError = unfailing(
      options.onError ?? logError,
      (failure, error, info) => {
        logError(error, info);
        logError(failure, info);
      },
    );
    // Whoever counts must not stand in the way of what protects, and a client
    // that cannot connect must not end the server.
    const onRefusedCall = unfailing(options.onRefusedCall);
    const onConnectionError = unfailing(options.onConnectionError);
    const config = Configuration.from(options.config).forServer();
    const budget = new MemoryBudget(budgetLimitsOf(config));
    const onRefused = (reason: RefusalReason, call: CallIdentity): void => {
      this.#refusedCalls++;
      const { methodName, peer } = call;
      onRefusedCall({ reason, methodName, peer });
    };
    const watch = new ServerWatch(
      {
        calls: this.#calls,
        isUsed: () =>
          this.#calls.size > 0 || this.#acceptor.counts.connections > 0,
        expireQueue: () => admission.expire(),
        endStuck: (now, timeoutMs) => this.#acceptor.endStuck(now, timeoutMs),
      },
      config,
      this.#clock,
    );
    const admission = new Admission<AnyCall>({
      get isLate() {
        return watch.isLate;
      },
      now: () => this.#clock.now(),
      onRefused,
    }, config);
    budget.onRoom = () => admission.schedule();
    const callCounts = this.#callCounts;
    const context: ServerContext = {
      closing: this.#closing.signal,
      report: (error, methodName) =>
        onError(error, { methodName, peer: new Peer(null) }),
    };
    // Before the services get to know it.
    showServer([this, context], this.#figures(callCounts));
    const listeners = new Listeners<ServerEvent>(
      "Server",
      this,
      (error, { methodName, peer }) =>
        onError(error, { methodName, peer: peer! }),
    );
    const { connectivity } = listeners;
    this.#connectivity = connectivity;
    const host: CallHost = {
      callCounts,
      admission,
      onRefused,
      codecs: codecsOf(codec),
      statusDetailsCodec,
      compressors,
      compressor: compressorFor(action, compression, compressors),
      acceptEncoding: acceptEncodingOf(compressors.keys()),
      listeners,
      deadlines: deadlinesOn(clock),
      propagates: options.propagation ?? false,
      config,
      writer: frameWriter,
      routes: routesOf(services, context),
      onCallStart: (call) => this.#onCallStart(call),
      onCallEnd: (call) => this.#onCallEnd(call),
      onHandlerError: (error, { methodName, peer }) =>
        onError(error, { methodName, peer }),
    };
    const calls = new CallServer(host);
    this.#acceptor = new Acceptor({
      config,
      clock: this.#clock,
      engine: engineOf(action, http2),
      budget,
      connectivity,
      onFailure: (error, peer) => {
        const connection = `connection from ${peer}`;
        connectivity.connection(connection, "failed", error.message);
        this.#onConnectionFailure(error, peer);
        onConnectionError(error, peer);
      },
      onStream: (stream, raw, peer) => {
        watch.start();
        return calls.serve(stream, raw, peer);
      },
    });
    this.#acceptor.closed.then(() => {
      watch.stop();
      this.#tellState("CLOSED");
    });
  }

  /** The classes of the events it has, for {@linkcode listen}. */
  get events(): readonly EventClass<ServerEvent>[] {
    return SERVER_EVENTS;
  }

  /**
   * Where the server listens, such as `127.0.0.1:50051` or `unix:/run/x.sock`;
   * null before.
   */
  get address(): string | null {
    const address = this.#address;
    if (address === null) return null;
    return formatTarget(
      "path" in address
        ? { kind: "path", authority: "localhost", ...address }
        : { kind: "host", authority: "", ...address },
    );
  }

  /** The port the server listens on; null before, and for a unix socket. */
  get port(): number | null {
    const address = this.#address;
    return address === null || "path" in address ? null : address.port;
  }

  /** How many calls were refused, or ended, to protect the server. */
  get refusedCalls(): number {
    return this.#refusedCalls;
  }

  /**
   * Tells what the server is doing: connections, calls, and which connections
   * failed. It is what `console.log(server)` shows.
   *
   * @returns A snapshot, as plain objects.
   *
   * @example Usage
   * ```ts
   * import { Server } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = new Server([]);
   * await server.start("127.0.0.1");
   * const { state, calls } = server.inspect();
   *
   * assertEquals([state, calls.started], ["SERVING", 0]);
   * ```
   */
  inspect(): ServerInspection {
    const { connections, streams, refused } = this.#acceptor.counts;
    return {
      address: this.address,
      state: this.#closing.signal.aborted
        ? "CLOSING"
        : this.#address === null
        ? "NOT_STARTED"
        : "SERVING",
      connections,
      streams,
      refusedConnections: refused,
      runningCalls: this[runningHandlers],
      refusedCalls: this.#refusedCalls,
      calls: numbersOf(this.#callCounts),
      failedConnections: [...this.#failedConnections],
    };
  }

  /**
   * Starts to listen, on a port or on what the options say.
   *
   * @param options Where to listen, and how.
   * @returns When clients can connect.
   * @throws {ProtocolError} If the server was started or closed before.
   * @throws {TypeError} If an option is wrong.
   * @throws {RangeError} If a number is out of range.
   * @throws {Error} If the port, path or file descriptor cannot be had.
   */
  start(options: StartOptions): Promise<void>;
  /**
   * Starts to listen.
   *
   * @param host The host name or address; without it all interfaces, of IPv6
   * and IPv4.
   * @param port The port; 0 or none for any that is free.
   * @param options How to listen.
   * @returns When clients can connect.
   * @throws {ProtocolError} If the server was started or closed before.
   * @throws {TypeError} If an option is wrong.
   * @throws {RangeError} If a number is out of range.
   * @throws {Error} If the port cannot be had.
   */
  start(host?: string, port?: number, options?: StartOptions): Promise<void>;
  async start(
    first?: string | StartOptions,
    port?: number,
    last: StartOptions = {},
  ): Promise<void> {
    if (this.#closing.signal.aborted) {
      throw new ProtocolError("Server is closed");
    }
    if (this.#started) throw new ProtocolError("Server is already started");
    const listening = typeof first === "object"
      ? listenOptionsOf(undefined, undefined, first)
      : listenOptionsOf(first, port, last);
    this.#started = true;
    let address: ListenAddress;
    try {
      address = await this.#acceptor.listen(listening);
    } catch (error) {
      this.#started = false;
      throw error;
    }
    // Closed meanwhile: the acceptor has given the port back.
    if (this.#closing.signal.aborted) {
      throw new ProtocolError("Server is closed");
    }
    this.#address = address;
    this.#tellState("SERVING");
  }

  /**
   * Serves a connection that somebody else accepted, whether the server was
   * started or not. The connection is the server's own from now on, to the end
   * of the server at the latest.
   *
   * @example Usage
   * ```ts
   * import { Channel, createService, createStub, Server } from "@grpclib/grpclib";
   * import { Greeter } from "@example/greeter";
   * import { assertEquals } from "@std/assert";
   *
   * await using server = new Server([
   *   createService(Greeter, { sayHello: ({ name }) => ({ message: `Hello, ${name}!` }) }),
   * ]);
   * await using channel = new Channel("localhost", 80, {
   *   connect() {
   *     const there = new TransformStream<Uint8Array, Uint8Array>();
   *     const back = new TransformStream<Uint8Array, Uint8Array>();
   *     server.accept({ readable: there.readable, writable: back.writable });
   *     return { readable: back.readable, writable: there.writable };
   *   },
   * });
   * const { message } = await createStub(Greeter, channel).sayHello({ name: "Ada" });
   *
   * assertEquals(message, "Hello, Ada!");
   * ```
   *
   * @param connection The connection; encrypted, if at all, by whoever made it.
   * @throws {ProtocolError} If the server was closed before.
   * @throws {TypeError} If it is no connection.
   */
  accept(connection: Connection): void {
    if (this.#stopAt === -Infinity) {
      throw new ProtocolError("Server is closed");
    }
    this.#acceptor.accept(socketOf(connection));
  }

  /**
   * Takes other certificates, or asks other ones of clients, from the next
   * connection on. Those there are go on as they are.
   *
   * @param options The options that take the place of those the server was
   * started with.
   * @throws {ProtocolError} If the server was not started with `tls`.
   * @throws {TypeError} If an option is wrong; then all stays as it was.
   */
  setTLS(options: ServerTLSOptions): void {
    if (!this.#acceptor.isSecure) {
      throw new ProtocolError("Server was not started with TLS");
    }
    this.#acceptor.setTLS(options);
  }

  /**
   * Closes the server. With a grace it shuts down gracefully: connections that
   * wait to be accepted are, the port is closed, clients are told to call
   * elsewhere, and the calls that come until they know are served. Calls may go
   * on for `graceMs`; then their signals abort, and their clients see
   * `UNAVAILABLE`. Called again, it can only shorten the times. A handler that
   * does not heed its signal goes on all the same, and so does `waitClosed()`;
   * {@linkcode gracefulExit} ends the process then.
   *
   * @param options How long the server and its calls may go on.
   * @throws {TypeError} If a time is not of type number.
   * @throws {RangeError} If a time is negative or NaN.
   */
  close(options: CloseOptions = {}): void {
    const { drainMs, graceMs } = closeTimesOf(options);
    // Services may have something to say before clients get a GOAWAY.
    if (!this.#closing.signal.aborted) this.#tellState("CLOSING");
    noContext(() => this.#closing.abort());
    const stopAt = this.#clock.now() + drainMs;
    if (stopAt < this.#stopAt) {
      this.#stopAt = stopAt;
      this.#clock.clearTimeout(this.#drainTimer);
      this.#drainTimer = this.#at(drainMs, () => {
        this.#stopAt = -Infinity;
        if (graceMs === 0) this.#acceptor.stopNow();
        else noContext(() => void this.#acceptor.stop());
      });
    }
    const graceEnd = stopAt + graceMs;
    if (graceEnd < this.#graceEnd) {
      this.#graceEnd = graceEnd;
      this.#clock.clearTimeout(this.#graceTimer);
      this.#graceTimer = this.#at(drainMs + graceMs, () => this.#endCalls());
      // Not when the last handler is through: a client that does not read
      // what it was sent must not hold its connection for ever.
      this.#acceptor.closed.then(() =>
        this.#clock.clearTimeout(this.#graceTimer)
      );
    }
  }

  /**
   * Waits until the server is closed, its handlers are through, and its
   * connections are gone.
   *
   * @returns When all of it is over.
   */
  async waitClosed(): Promise<void> {
    await this.#acceptor.closed;
    if (this.#calls.size > 0) {
      this.#idle ??= Promise.withResolvers();
      await this.#idle.promise;
    }
  }

  /** Closes the server without grace and waits until that is done. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.waitClosed();
  }

  /** @ignore For tests. */
  get [runningHandlers](): readonly string[] {
    return [...this.#calls].map(({ methodName }) => methodName);
  }

  #figures(callCounts: CallCounts): ServerFigures {
    // There is none yet while the server is made.
    const acceptor = (): Acceptor => this.#acceptor;
    return {
      createdAt: Date.now(),
      callCounts,
      get address() {
        return acceptor().address;
      },
      get connections() {
        return acceptor().connections;
      },
      get isClosed() {
        return acceptor().isClosed;
      },
    };
  }

  /** Does something after so many milliseconds; at once if that is none. */
  #at(delayMs: number, fn: () => void): ClockTimer | undefined {
    if (delayMs === 0) fn();
    else if (delayMs < 2 ** 31) return this.#clock.setTimeout(fn, delayMs);
    return undefined;
  }

  /** Ends the calls that are still running. */
  #endCalls(): void {
    this.#acceptor.stopNow();
    const error = new GRPCError(
      Status.UNAVAILABLE,
      "Server is shutting down",
    );
    for (const call of this.#calls) {
      if (call.aborted === undefined) call.fail(error);
    }
    this.#acceptor.linger();
  }

  #onConnectionFailure({ message: reason }: Error, peer: Peer): void {
    const failures = this.#failedConnections;
    failures.push({ at: new Date(), peer, reason });
    if (failures.length > MOST_FAILURES) failures.shift();
  }

  #tellState(state: string): void {
    const change = { at: Date.now(), state, reason: null };
    this.#connectivity.state("server", this.address ?? "in memory", change);
  }

  #onCallStart(call: AnyCall): void {
    this.#calls.add(call);
  }

  #onCallEnd(call: AnyCall): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#idle?.resolve();
  }
}

printAs(Server, (server) => server.inspect());

/** What is done with a handler's error when nobody else wants it. */
function logError(error: unknown, info: HandlerErrorInfo): void {
  // deno-lint-ignore no-console -- a lost exception is worse
  console.error(
    `Handler of ${info.methodName} failed for ${info.peer}:`,
    error,
  );
}
