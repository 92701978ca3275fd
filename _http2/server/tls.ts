/**
 * The server's side of TLS, up to the end of the handshake.
 *
 * @module
 */

import type { Socket } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import tls, { type Server, type TLSSocket } from "node:tls";
import type { ServerTLSOptions } from "../../core/tls.ts";
import { clientCertificatesOf, serverTLSOptions } from "../tls.ts";
import { explainHandshake } from "../tls_faults.ts";
import { VerifiedClients } from "./verified_clients.ts";

/**
 * Takes a connection that is encrypted by now.
 *
 * @param socket The socket.
 * @param isVerified Whether the client showed a certificate that was verified.
 */
export type SecureHandler = (socket: TLSSocket, isVerified: boolean) => void;

/** Told of a handshake that failed, and of the socket below it. */
export type HandshakeFailure = (error: Error, socket: Socket) => void;

/** What `node:tls` calls the socket that another one is encrypted over. */
interface Layered {
  readonly _parent?: Socket;
}

/** Encrypts the connections that a server accepted. */
export class ServerTLS {
  readonly #timeoutMs: number;
  readonly #onSecure: SecureHandler;
  readonly #onFailure: HandshakeFailure;
  readonly #onPending: () => void;
  /** Handshakes under way, with the timers that end them. */
  readonly #pending = new Map<Socket, ReturnType<typeof setTimeout>>();
  #verified = new VerifiedClients();
  /** The authorities that those were verified by. */
  #authorities = "";
  #isDestroyed = false;
  /** Listens to nothing: it is given its connections. */
  #server: Server;

  /**
   * @param options The server's certificate, and what is asked of clients.
   * @param timeoutMs How long a handshake may take, in milliseconds.
   * @param onSecure Takes the connections.
   * @param onFailure Told of the handshakes that failed.
   * @param onPending Told when there is one handshake less under way.
   */
  constructor(
    options: ServerTLSOptions,
    timeoutMs: number,
    onSecure: SecureHandler,
    onFailure: HandshakeFailure,
    onPending: () => void,
  ) {
    this.#timeoutMs = timeoutMs;
    this.#onSecure = onSecure;
    this.#onFailure = onFailure;
    this.#onPending = onPending;
    this.#server = this.#serverOf(options);
  }

  /** How many handshakes are under way. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Takes other options for the handshakes that begin from now on. */
  replace(options: ServerTLSOptions): void {
    this.#server = this.#serverOf(options);
  }

  /** Begins the handshake on an accepted connection. */
  accept(raw: Socket): void {
    this.#pending.set(
      raw,
      setTimeout(() => {
        const why = `no TLS handshake within ${this.#timeoutMs} ms`;
        this.#fail(new Error(why), raw);
        raw.destroy();
      }, this.#timeoutMs).unref(),
    );
    raw.on("error", () => raw.destroy());
    raw.on("close", () => this.#done(raw));
    this.#server.emit("connection", raw);
  }

  /** Ends the handshakes that are under way. */
  destroy(): void {
    this.#isDestroyed = true;
    for (const raw of [...this.#pending.keys()]) raw.destroy();
  }

  #serverOf(options: ServerTLSOptions): Server {
    const nodeOptions = serverTLSOptions(options);
    const server = tls.createServer(nodeOptions);
    const mode = clientCertificatesOf(options);
    const authorities = `${nodeOptions.ca}`;
    if (authorities !== this.#authorities) {
      this.#authorities = authorities;
      this.#verified = new VerifiedClients();
    }
    const verified = this.#verified;
    server.on("tlsClientError", (error, socket) => {
      const raw = (socket as Layered)._parent;
      this.#fail(error, raw ?? socket);
      raw?.destroy();
      socket.destroy();
    });
    server.on("secureConnection", (socket) => {
      const raw = (socket as Layered)._parent;
      const isVerified = mode !== "none" && verified.has(socket);
      let fault: string | undefined;
      // A client that knows nothing of ALPN has agreed to nothing.
      if (socket.alpnProtocol !== "h2") {
        const agreed = socket.alpnProtocol || "none";
        fault =
          `the client did not agree to HTTP/2 in the TLS handshake (ALPN: ${agreed})`;
      } else if (mode === "require" && !isVerified) {
        fault =
          "the client resumed a TLS session without a certificate that this server has verified";
      }
      if (fault === undefined && !socket.destroyed) {
        this.#onSecure(socket, isVerified);
      } else {
        this.#fail(
          new Error(fault ?? "the connection was closed"),
          raw ?? socket,
        );
        socket.on("error", () => {});
        socket.destroy();
      }
      if (raw !== undefined) this.#done(raw);
    });
    return server;
  }

  /** Tells of a handshake that failed, unless this side gave it up. */
  #fail(error: Error, raw: Socket): void {
    if (this.#isDestroyed) return;
    this.#onFailure(explainHandshake(error) as Error, raw);
  }

  #done(raw: Socket): void {
    const timer = this.#pending.get(raw);
    if (timer === undefined) return;
    clearTimeout(timer);
    this.#pending.delete(raw);
    this.#onPending();
  }
}
