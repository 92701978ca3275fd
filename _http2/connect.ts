/**
 * From a channel's target to a socket that HTTP/2 can be spoken on.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { Dial, type Endpoint } from "./dial.ts";
import { refer } from "./refer.ts";
import { faultOfProtocol } from "./tls.ts";
import { explainHandshake } from "./tls_faults.ts";

/** The one who wants a socket. Exactly one of its methods is called, once. */
export interface SocketListener {
  onSocket(socket: Duplex): void;
  onFailure(error: unknown): void;
}

/** An attempt to get a socket. It keeps the process alive, as a timer does. */
export interface SocketAttempt {
  /** Says whether it keeps the process alive, as far as it can tell. */
  refer(needed: boolean): void;
  /** Gives up; the listener is told nothing any more. */
  cancel(): void;
}

/** Begins an attempt to get a socket. */
export type SocketSource = (listener: SocketListener) => SocketAttempt;

/** Connects to an endpoint, without TLS. */
export function plaintext(endpoint: Endpoint): SocketSource {
  return (listener) => new Dial(endpoint, listener);
}

/** Encrypts connections of a source with TLS. */
export function secure(
  source: SocketSource,
  options: tls.ConnectionOptions,
): SocketSource {
  return (listener) => {
    let socket: tls.TLSSocket | undefined;
    let referred = true;
    let over = false;
    const fail = (error: unknown): void => {
      if (over) return;
      over = true;
      listener.onFailure(explainHandshake(error));
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
        refer(socket, referred);
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
          listener.onSocket(socket!);
        });
      },
    });
    return {
      refer(needed): void {
        referred = needed;
        attempt.refer(needed);
        refer(socket ?? null, needed);
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
