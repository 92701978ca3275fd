/**
 * The server's port and the connections that came in by it.
 *
 * @module
 */

import net from "node:net";
import type { Configuration } from "../core/config.ts";
import { ServerConnection, type StreamHandler } from "./server_connection.ts";

/** What a listener listens on. */
export interface ListenOptions {
  readonly host: string | undefined;
  readonly port: number;
  readonly backlog: number | undefined;
  readonly ipv6Only: boolean | undefined;
}

/** Where a listener listens. */
export interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
}

/** A listening port with its connections. */
export class Listener {
  readonly #config: Configuration;
  readonly #onStream: StreamHandler;
  readonly #server: net.Server;
  readonly #connections = new Set<ServerConnection>();
  readonly #closed = Promise.withResolvers<void>();
  #opening = false;
  #listening = false;
  #stopped = false;

  constructor(config: Configuration, onStream: StreamHandler) {
    this.#config = config;
    this.#onStream = onStream;
    this.#server = net.createServer((socket) => this.#accept(socket));
    tellListenErrors(this.#server);
  }

  /** Resolves when it was stopped and all connections are gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** How many connections there are, and how many streams. */
  get counts(): { connections: number; streams: number } {
    let streams = 0;
    for (const { streamCount } of this.#connections) streams += streamCount;
    return { connections: this.#connections.size, streams };
  }

  /** Starts to listen. */
  listen(options: ListenOptions): Promise<ListenAddress> {
    const { host, port, backlog, ipv6Only } = options;
    const { promise, resolve, reject } = Promise.withResolvers<ListenAddress>();
    const server = this.#server;
    const onError = (cause: Error): void => {
      server.off("listening", onListening);
      this.#opening = false;
      this.#checkClosed();
      reject(
        new Error(
          `Cannot listen on ${
            host ?? "all interfaces"
          }, port ${port}: ${cause.message}`,
          { cause },
        ),
      );
    };
    const onListening = (): void => {
      server.off("error", onError);
      // An error of a listening socket concerns one connection that was not
      // accepted: the port stays open.
      server.on("error", () => {});
      this.#opening = false;
      this.#listening = true;
      const { address, port } = server.address() as net.AddressInfo;
      if (this.#stopped) server.close(() => this.#checkClosed());
      resolve({ hostname: address, port });
    };
    server.once("error", onError);
    server.once("listening", onListening);
    this.#opening = true;
    try {
      server.listen({
        port,
        ...(host === undefined ? {} : { host }),
        ...(backlog === undefined ? {} : { backlog }),
        ...(ipv6Only === undefined ? {} : { ipv6Only }),
      });
    } catch (error) {
      server.off("error", onError);
      onError(error as Error);
    }
    return promise;
  }

  /** Accepts no more connections and bids farewell to those there are. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#listening) this.#server.close(() => this.#checkClosed());
    for (const connection of [...this.#connections]) connection.close();
    this.#checkClosed();
  }

  /** Gives the peers a last moment, then destroys their connections. */
  linger(): void {
    for (const connection of this.#connections) connection.linger();
  }

  #accept(socket: net.Socket): void {
    const connection = new ServerConnection(
      socket,
      this.#config,
      this.#onStream,
      (connection) => {
        this.#connections.delete(connection);
        this.#checkClosed();
      },
    );
    this.#connections.add(connection);
    if (this.#stopped) connection.close();
  }

  #checkClosed(): void {
    if (!this.#stopped || this.#connections.size > 0) return;
    if (this.#opening || (this.#listening && this.#server.listening)) return;
    this.#closed.resolve();
  }
}

/**
 * Makes a server tell every failure to listen by its 'error' event.
 *
 * On Deno a port that there is no permission for is refused by a throw, in a
 * later tick, where nobody could catch it. The method is called by this name on
 * Node, too.
 */
function tellListenErrors(server: net.Server): void {
  const inner = server as unknown as { _listen2?(...args: unknown[]): void };
  const { _listen2: listen } = inner;
  if (listen === undefined) return;
  inner._listen2 = (...args) => {
    try {
      listen.apply(server, args);
    } catch (error) {
      server.emit("error", error);
    }
  };
}
