/**
 * The server's port and the connections that came in by it.
 *
 * @module
 */

import net from "node:net";
import type { Duplex } from "node:stream";
import { noContext } from "../../_context.ts";
import type { ClockTimer } from "../../core/clock.ts";
import { Peer } from "../../core/peer.ts";
import { formatTarget } from "../../core/target.ts";
import type { ServerTLSOptions } from "../../core/tls.ts";
import { AcceptWatch } from "./accept_watch.ts";
import { AddressLimit } from "./address_limit.ts";
import {
  type AcceptedSocket,
  ServerConnection,
  type ServerConnectionOptions,
} from "./connection.ts";
import { peerOf } from "../socket.ts";
import { explainPermission } from "../permission.ts";
import { ServerTLS } from "./tls.ts";
import { removeStaleSocket, restrictSocket } from "./unix_socket.ts";

/** What a server listens on, and how. */
export interface ListenOptions {
  readonly host?: string | undefined;
  /** The port; 0 or none for any that is free. */
  readonly port?: number | undefined;
  /** The path of a unix socket, in place of a port. */
  readonly path?: string | undefined;
  /** The permission bits of the file of that path. */
  readonly mode?: number | undefined;
  /** A socket that listens already, in place of a port. */
  readonly fd?: number | undefined;
  readonly backlog?: number | undefined;
  readonly ipv6Only?: boolean | undefined;
  readonly reusePort?: boolean | undefined;
  readonly tls?: ServerTLSOptions | undefined;
}

/** Where a server listens. */
export type ListenAddress =
  | { readonly hostname: string; readonly port: number }
  | { readonly path: string };

/** What all connections of an acceptor have in common. */
export type AcceptorOptions = Omit<ServerConnectionOptions, "onClosed">;

/** How often connections are accepted for a last time, if there always are. */
const MAX_ACCEPT_ROUNDS = 50;

const SHORT_TURN_MS = 0.5;

/** How long TLS handshakes may go on when the port is closed. */
const HANDSHAKE_MS = 500;

/** A listening port with its connections. */
export class Acceptor {
  readonly #options: ServerConnectionOptions;
  readonly #server: net.Server;
  readonly #watch: AcceptWatch;
  readonly #addresses: AddressLimit;
  readonly #connections = new Set<ServerConnection>();
  readonly #closed = Promise.withResolvers<void>();
  #isClosed = false;
  #tls: ServerTLS | null = null;
  #handshakeTimer: ClockTimer | undefined;
  #path: string | undefined;
  #host: string | undefined;
  #ipv6Only = false;
  #opening = false;
  #listening = false;
  #stopping = false;
  #stopped = false;
  /** How many connections were accepted. */
  #accepted = 0;
  /** How many of them were closed because there were too many. */
  #refused = 0;
  #address: ListenAddress | null = null;

  constructor(options: AcceptorOptions) {
    this.#options = {
      ...options,
      onClosed: (connection) => {
        this.#connections.delete(connection);
        const reason = connection.endReason?.message ?? null;
        options.connectivity?.connection(connection, "closed", reason);
        this.#watch.onDisconnect();
        this.#checkClosed();
      },
    };
    this.#server = net.createServer((socket) => this.#accept(socket));
    this.#watch = new AcceptWatch(this.#server, () => this.#onExhausted());
    this.#addresses = new AddressLimit(
      options.config.maxConnectionsPerAddress,
    );
    this.#hookListening();
  }

  /** Resolves when it was stopped and all connections are gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Ends connections that hold too much, and whose clients take nothing. */
  endStuck(now: number, timeoutMs: number): void {
    for (const connection of [...this.#connections]) {
      connection.endIfStuck(now, timeoutMs);
    }
  }

  /**
   * How many connections there are, how many streams, and how many connections
   * were closed because there were too many.
   */
  get counts(): { connections: number; streams: number; refused: number } {
    let streams = 0;
    for (const { streamCount } of this.#connections) streams += streamCount;
    const { size } = this.#connections;
    return { connections: size, streams, refused: this.#refused };
  }

  /** Whether it was stopped and all connections are gone. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Where it listens; null while it does not. */
  get address(): ListenAddress | null {
    return this.#listening && !this.#stopped ? this.#address : null;
  }

  /** The connections that are not gone, in the order they came. */
  get connections(): Iterable<ServerConnection> {
    return this.#connections;
  }

  /** Whether connections are encrypted. */
  get isSecure(): boolean {
    return this.#tls !== null;
  }

  /** Starts to listen. */
  async listen(options: ListenOptions): Promise<ListenAddress> {
    const { path, tls } = options;
    this.#tls = tls === undefined ? null : this.#makeTLS(tls);
    this.#path = path;
    this.#host = options.host;
    this.#ipv6Only = options.ipv6Only ?? false;
    this.#opening = true;
    try {
      try {
        return await this.#open(options);
      } catch (error) {
        const { code } = error as { code?: unknown };
        const hasFile = path !== undefined && !path.startsWith("\0");
        if (!hasFile || code !== "EADDRINUSE") throw error;
        await removeStaleSocket(path);
        if (this.#stopped) throw error;
        return await this.#open(options);
      }
    } catch (cause) {
      const { host: hostname = "0.0.0.0", port = 0 } = options;
      const { message } = explainPermission(
        cause as Error,
        path === undefined ? { hostname, port } : { path },
      );
      throw new Error(`Cannot listen on ${placeOf(options)}: ${message}`, {
        cause,
      });
    } finally {
      this.#opening = false;
      this.#checkClosed();
    }
  }

  /** Serves a connection that somebody else accepted. */
  accept(socket: Duplex): void {
    if (this.#admit(socket, undefined)) {
      this.#add({ socket, path: undefined, isVerified: false });
    }
  }

  /** Takes other certificates for the connections that come from now on. */
  setTLS(options: ServerTLSOptions): void {
    this.#tls?.replace(options);
  }

  /**
   * Shuts down gracefully: accepts the connections that wait for it, closes the
   * port, and has every client finish what it has begun.
   */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    if (this.#listening) await this.#acceptQueue();
    this.stopNow();
  }

  /** As `stop()`, but leaves alone the connections that wait. */
  stopNow(): void {
    if (this.#stopped) return;
    this.#stopping = this.#stopped = true;
    this.#watch.stop();
    // First the port, or clients would come back by it.
    if (this.#listening) this.#server.close(() => this.#checkClosed());
    for (const connection of [...this.#connections]) connection.close();
    if (this.#tls !== null && this.#tls.pending > 0) {
      this.#handshakeTimer = this.#options.clock.setTimeout(
        () => this.#tls?.destroy(),
        HANDSHAKE_MS,
      );
    }
    this.#checkClosed();
  }

  /** Gives the peers a last moment, then destroys their connections. */
  linger(): void {
    // There is no call on them yet.
    this.#tls?.destroy();
    for (const connection of this.#connections) connection.linger();
  }

  /**
   * Accepts the connections that the system has accepted, and whose clients may
   * have sent requests already: the system resets them when the port is closed.
   * There is no way to close it for new ones alone, so what comes in the moment
   * between is lost.
   */
  async #acceptQueue(): Promise<void> {
    for (let round = 0; round < MAX_ACCEPT_ROUNDS; round++) {
      const before = this.#accepted;
      // The system is asked for events when nothing else is to be done, and
      // immediates come after the events of their turn.
      await new Promise((resolve) => setTimeout(resolve, 1));
      const start = performance.now();
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#stopped) return;
      const isShort = performance.now() - start < SHORT_TURN_MS;
      if (isShort && this.#accepted === before) return;
    }
  }

  #open(options: ListenOptions): Promise<ListenAddress> {
    const { promise, resolve, reject } = Promise.withResolvers<ListenAddress>();
    const server = this.#server;
    const onError = (error: Error): void => {
      server.off("listening", onListening);
      reject(error);
    };
    const onListening = (): void => {
      server.off("error", onError);
      // An error of a listening socket concerns one connection that was not
      // accepted: the port stays open.
      server.on("error", () => {});
      this.#listening = true;
      const address = server.address() as net.AddressInfo | string;
      try {
        // That of a file descriptor is somebody else's.
        const { path, mode } = options;
        if (path !== undefined) restrictSocket(path, mode);
      } catch (error) {
        this.#listening = false;
        server.close();
        return reject(error);
      }
      if (this.#stopped) server.close(() => this.#checkClosed());
      else this.#watch.start(options);
      if (typeof address === "string") this.#path = address;
      this.#address = typeof address === "string"
        ? { path: address }
        : { hostname: address.address, port: address.port };
      resolve(this.#address);
    };
    server.once("error", onError);
    server.once("listening", onListening);
    try {
      server.listen(netOptions(options));
    } catch (error) {
      server.off("error", onError);
      onError(error as Error);
    }
    return promise;
  }

  /**
   * Makes every failure to listen an 'error' event, and has a name listened on
   * by the permission for that name.
   *
   * On Deno a port that there is no permission for is refused by a throw, in a
   * later tick, where nobody could catch it; and the permission that is asked
   * for is that of the address the name was looked up to. The method is called
   * by this name on Node, too.
   */
  #hookListening(): void {
    const server = this.#server;
    const inner = server as unknown as { _listen2?(...args: unknown[]): void };
    const { _listen2: listen } = inner;
    if (listen === undefined) return;
    inner._listen2 = (address, ...rest) => {
      try {
        try {
          listen.call(server, address, ...rest);
        } catch (error) {
          const host = this.#host;
          const isDenied = (error as Error).name === "NotCapable";
          if (!isDenied || host === undefined || net.isIP(host) !== 0) {
            throw error;
          }
          listen.call(server, host, ...rest);
        }
      } catch (error) {
        server.emit("error", error);
      }
    };
  }

  #makeTLS(options: ServerTLSOptions): ServerTLS {
    return new ServerTLS(
      options,
      this.#options.config.connectTimeoutMs,
      (socket, isVerified) =>
        this.#add({ socket, path: this.#path, isVerified }),
      (error, socket) =>
        this.#options.onFailure?.(error, peerOf(socket, this.#path, false)),
      () => this.#checkClosed(),
    );
  }

  /**
   * Takes a connection in, or closes it and says why: there may be no more of
   * all, or of its address.
   */
  #admit(socket: Duplex, path: string | undefined): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.#options.config;
    const count = this.#connections.size + (this.#tls?.pending ?? 0);
    let why: string;
    if (count >= maxConnections) {
      why = `maxConnections is ${maxConnections}, and there are as many`;
    } else if (!this.#addresses.admit(socket)) {
      why =
        `maxConnectionsPerAddress is ${maxConnectionsPerAddress}, and there are as many of its address`;
    } else {
      return true;
    }
    this.#refused++;
    const peer = peerOf(socket, path, false);
    refuse(socket);
    this.#options.onFailure?.(
      new Error(`Cannot accept connection: ${why}`),
      peer,
    );
    return false;
  }

  #onExhausted(): void {
    const { maxConnections } = this.#options.config;
    const error = new Error(
      `Cannot accept connections: the process has no file descriptor left; there are ${this.#connections.size} connections, and maxConnections is ${maxConnections}`,
    );
    this.#options.onFailure?.(
      Object.assign(error, { code: "EMFILE" }),
      new Peer(this.#address),
    );
  }

  #accept(socket: net.Socket): void {
    this.#accepted++;
    if (
      this.#stopped ||
      // Deno listens on IPv4 none the less.
      this.#ipv6Only && isIPv4(socket.remoteAddress)
    ) {
      refuse(socket);
    } else if (!this.#admit(socket, this.#path)) {
      return;
    } else if (this.#tls !== null) {
      this.#tls.accept(socket);
    } else {
      this.#add({ socket, path: this.#path, isVerified: false });
    }
  }

  #add(accepted: AcceptedSocket): void {
    // Handlers run in this context.
    const connection = noContext(() =>
      new ServerConnection(accepted, this.#options)
    );
    this.#connections.add(connection);
    this.#options.connectivity?.connection(connection, "connected", null);
    if (this.#stopped) connection.close();
  }

  #checkClosed(): void {
    if (!this.#stopped || this.#connections.size > 0) return;
    if ((this.#tls?.pending ?? 0) > 0) return;
    if (this.#opening || (this.#listening && this.#server.listening)) return;
    this.#options.clock.clearTimeout(this.#handshakeTimer);
    this.#isClosed = true;
    this.#closed.resolve();
  }
}

/** Closes a connection that is not served. */
function refuse(socket: Duplex): void {
  socket.on("error", () => {});
  socket.destroy();
}

/** Whether an address is one of IPv4, also as IPv6 has it: `::ffff:1.2.3.4`. */
function isIPv4(address: string | undefined): boolean {
  return address !== undefined && /^(::ffff:)?[0-9.]+$/i.test(address);
}

/** The options as `node:net` has them, with none that is absent. */
function netOptions(
  options: ListenOptions,
): net.ListenOptions & { readonly fd?: number } {
  const { path, fd, host, port = 0, backlog, ipv6Only, reusePort } = options;
  const common = backlog === undefined ? {} : { backlog };
  if (path !== undefined) return { ...common, path };
  if (fd !== undefined) return { ...common, fd };
  return {
    ...common,
    port,
    ...(host === undefined ? {} : { host }),
    ...(ipv6Only === undefined ? {} : { ipv6Only }),
    ...(reusePort === undefined ? {} : { reusePort }),
  };
}

/** Says where to listen, for people. */
function placeOf({ path, fd, host, port }: ListenOptions): string {
  if (path !== undefined) {
    return formatTarget({ kind: "path", path, authority: "localhost" });
  }
  if (fd !== undefined) return `file descriptor ${fd}`;
  return `${host ?? "all interfaces"}, port ${port ?? 0}`;
}
