/**
 * Connections that somebody else made.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import { noContext } from "../_context.ts";
import type { SocketSource } from "./connect.ts";
import { WebDuplex } from "./web_duplex.ts";

/**
 * A connection that somebody else made: a stream of Node, such as a socket, or a
 * pair of Web Streams, such as a `Deno.Conn`.
 */
export type Connection = Duplex | WebConnection;

/** A connection as a pair of Web Streams. */
export interface WebConnection {
  /** What the other side sends. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What this side sends. */
  readonly writable: WritableStream<Uint8Array>;
}

/** Options of the function that makes a channel's connections. */
export interface ConnectOptions {
  /** Aborts when the connection is not wanted any more. */
  readonly signal: AbortSignal;
}

/** Makes a connection. */
export type ConnectFunction = (
  options: ConnectOptions,
) => Connection | Promise<Connection>;

/** Gets its connections from a function. */
export function given(connect: ConnectFunction): SocketSource {
  return (listener) => {
    const controller = new AbortController();
    let over = false;
    const onConnection = (connection: Connection): void => {
      const socket = socketOf(connection);
      if (over) return discard(socket);
      if (socket.destroyed) throw new Error("the connection is closed");
      over = true;
      listener.onSocket(socket);
    };
    new Promise<Connection>((resolve) =>
      resolve(connect({ signal: controller.signal }))
    ).then(onConnection).catch((error) => {
      if (over) return;
      over = true;
      listener.onFailure(error);
    });
    return {
      refer(): void {
        // Who makes the connection knows what keeps the process alive.
      },
      cancel(): void {
        over = true;
        controller.abort();
      },
    };
  };
}

/**
 * Makes a stream of Node of a connection.
 *
 * @throws {TypeError} If it is none.
 */
export function socketOf(connection: Connection): Duplex {
  if (isDuplex(connection)) return withoutContext(connection);
  if (
    connection?.readable instanceof ReadableStream &&
    connection.writable instanceof WritableStream
  ) {
    return withoutContext(
      new WebDuplex(connection.readable, connection.writable),
    );
  }
  throw new TypeError(
    "A connection has to be a Duplex stream, or a pair { readable, writable } of Web Streams",
  );
}

/**
 * Has the bytes of a socket arrive in nobody's context, as those of the network
 * do: within one process it would be that of whoever sends them.
 */
function withoutContext(socket: Duplex): Duplex {
  const { push } = socket;
  if (typeof push !== "function") return socket;
  socket.push = (chunk, encoding) =>
    noContext(() => push.call(socket, chunk, encoding));
  return socket;
}

function isDuplex(connection: Connection): connection is Duplex {
  const { on, write, cork, uncork, end, pause, destroy } = (connection ??
    {}) as Partial<Duplex>;
  return [on, write, cork, uncork, end, pause, destroy].every((it) =>
    typeof it === "function"
  );
}

/** Closes a connection that nobody wants any more. */
function discard(socket: Duplex): void {
  socket.on("error", () => {});
  socket.destroy();
}
