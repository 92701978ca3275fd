/**
 * From a channel's target to a socket that HTTP/2 can be spoken on.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { Dial, type Endpoint } from "./dial.ts";
import { type Connection, setRef, socketOf } from "../socket.ts";
import { faultOfProtocol } from "../tls.ts";
import { explainHandshake } from "../tls_faults.ts";

/** The one who wants a socket. Exactly one of its methods is called, once. */
export interface SocketOwner {
  onSocket(socket: Duplex): void;
  onFailure(error: unknown): void;
}

/** An attempt to get a socket. It keeps the process alive, as a timer does. */
export interface SocketAttempt {
  /** What it waits for, where that is not the server itself; for errors. */
  readonly waitsFor?: string | null;
  /** Says whether it keeps the process alive, as far as it can tell. */
  setRef(needed: boolean): void;
  /** Gives up; the owner is told nothing any more. */
  cancel(): void;
}

/** Begins an attempt to get a socket. */
export type SocketSource = (owner: SocketOwner) => SocketAttempt;

/** Connects to an endpoint, without TLS. */
export function plaintext(endpoint: Endpoint): SocketSource {
  return (owner) => new Dial(endpoint, owner);
}

/** Encrypts connections of a source with TLS. */
export function secure(
  source: SocketSource,
  options: tls.ConnectionOptions,
): SocketSource {
  return (owner) => {
    let socket: tls.TLSSocket | undefined;
    let isRef = true;
    let over = false;
    const fail = (error: unknown): void => {
      if (over) return;
      over = true;
      owner.onFailure(explainHandshake(error));
      socket?.destroy();
    };
    const attempt = source({
      onFailure: fail,
      onSocket: (tcp) => {
        tcp.on("error", fail);
        try {
          socket = tls.connect({ ...options, socket: tcp as Socket });
        } catch (error) {
          // Such as a certificate that is none.
          tcp.destroy();
          return fail(error);
        }
        setRef(socket, isRef);
        socket.on("error", fail);
        socket.on(
          "close",
          () =>
            fail(new Error("the connection was closed during TLS handshake")),
        );
        socket.once("secureConnect", () => {
          if (over) return;
          const fault = faultOfProtocol(socket!);
          if (fault !== undefined) return fail(fault);
          over = true;
          nameByAddress(socket!);
          owner.onSocket(socket!);
        });
      },
    });
    return {
      get waitsFor(): string | null {
        return attempt.waitsFor ?? null;
      },
      setRef(needed): void {
        isRef = needed;
        attempt.setRef(needed);
        setRef(socket ?? null, needed);
      },
      cancel(): void {
        over = true;
        attempt.cancel();
        socket?.destroy();
      },
    };
  };
}

/**
 * Takes the empty name off a socket whose server has none, only an address: on
 * Deno `node:http2` would make a URL of it and throw, where with `false` it
 * takes the address.
 */
function nameByAddress(socket: tls.TLSSocket): void {
  const named = socket as { servername?: string | false };
  if (named.servername === "") named.servername = false;
}

/** Options of the function that makes a channel's connections. */
export interface ConnectOptions {
  /**
   * What to connect to: the target of the channel, or one of its addresses where
   * it has several, such as `10.0.0.1:50051` or `unix:/run/x.sock`.
   */
  readonly address: string;
  /** Aborts when the connection is not wanted any more. */
  readonly signal: AbortSignal;
}

/** Makes a connection. */
export type ConnectFunction = (
  options: ConnectOptions,
) => Connection | Promise<Connection>;

/** Gets connections to an address from a function. */
export function connectBy(
  connect: ConnectFunction,
  address: string,
): SocketSource {
  return (owner) => {
    const controller = new AbortController();
    let over = false;
    const onConnection = (connection: Connection): void => {
      const socket = socketOf(connection);
      if (over) return discard(socket);
      if (socket.destroyed) throw new Error("the connection is closed");
      over = true;
      owner.onSocket(socket);
    };
    new Promise<Connection>((resolve) =>
      resolve(connect({ address, signal: controller.signal }))
    ).then(onConnection).catch((error) => {
      if (over) return;
      over = true;
      owner.onFailure(error);
    });
    return {
      setRef(): void {
        // Who makes the connection knows what keeps the process alive.
      },
      cancel(): void {
        over = true;
        controller.abort();
      },
    };
  };
}

/** Closes a connection that nobody wants any more. */
function discard(socket: Duplex): void {
  socket.on("error", () => {});
  socket.destroy();
}
