/**
 * Connections that somebody else made.
 *
 * @module
 */

import { Duplex } from "node:stream";
import type { SocketSource } from "./connect.ts";

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
  const { on, write, destroy, readable, writable } = (connection ??
    {}) as Partial<Duplex & WebConnection>;
  if ([on, write, destroy].every((method) => typeof method === "function")) {
    return connection as Duplex;
  }
  if (
    readable as unknown instanceof ReadableStream &&
    writable as unknown instanceof WritableStream
  ) {
    return Duplex.fromWeb(
      { readable, writable } as unknown as Parameters<typeof Duplex.fromWeb>[0],
    );
  }
  throw new TypeError(
    "A connection has to be a Duplex stream, or a pair { readable, writable } of Web Streams",
  );
}

/** Closes a connection that nobody wants any more. */
function discard(socket: Duplex): void {
  socket.on("error", () => {});
  socket.destroy();
}
