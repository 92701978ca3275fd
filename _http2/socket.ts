/**
 * Sockets, and what stands for one: what the engines need of them.
 *
 * @module
 */

import { Duplex } from "node:stream";
import { type PeerCertificate, TLSSocket } from "node:tls";
import { noContext } from "../_context.ts";
import { plainBytes } from "../core/_bytes.ts";
import type { SocketFigures } from "../core/_figures.ts";
import { Peer, type PeerAddress } from "../core/peer.ts";
import { peerCertificate } from "./tls.ts";

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

/**
 * A pair of Web Streams as a stream of Node. That of Node itself waits, when it
 * is destroyed, for the other side to have taken all that was sent, which a side
 * that is gone never does.
 */
export class WebDuplex extends Duplex {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #reading = false;

  constructor(
    readable: ReadableStream<Uint8Array>,
    writable: WritableStream<Uint8Array>,
  ) {
    // As a socket does, it ends its own side when the other side has ended.
    super({ allowHalfOpen: false });
    this.#reader = readable.getReader();
    this.#writer = writable.getWriter();
    // HTTP/2 knows no half of a connection: what was written is still sent, if
    // the other side takes it, but nobody waits for that.
    this.once("end", () => this.destroy());
    // When the other side takes no more, it is gone.
    this.#writer.closed.catch((error) => this.destroy(asError(error)));
  }

  override _read(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#reader.read().then(({ done, value }) => {
      this.#reading = false;
      this.push(done ? null : value);
    }).catch((error) => this.destroy(asError(error)));
  }

  override _write(
    bytes: Uint8Array,
    _encoding: string,
    callback: (error?: Error) => void,
  ): void {
    this.#writer.write(bytes).then(
      () => callback(),
      (error) => callback(asError(error)),
    );
  }

  override _final(callback: (error?: Error) => void): void {
    this.#writer.close().then(
      () => callback(),
      (error) => callback(asError(error)),
    );
  }

  override _destroy(
    error: Error | null,
    callback: (error: Error | null) => void,
  ): void {
    // What was written is still sent, if the other side takes it.
    const closed = error === null
      ? this.#writer.close()
      : this.#writer.abort(error);
    closed.catch(() => {});
    this.#reader.cancel(error ?? undefined).catch(() => {});
    callback(error);
  }
}

/** What a stream was ended with, as an error. */
function asError(reason: unknown): Error {
  return reason instanceof Error
    ? reason
    : new Error("the connection was closed", { cause: reason });
}

/** The part of a socket that knows the other end. */
interface Addressed {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/**
 * Tells who is at the other end.
 *
 * @param socket The socket, connected; or any stream, for a peer in memory.
 * @param path The path of the unix socket, if it is one.
 * @param isVerified Whether its certificate was verified, if it has one. A
 *   client verifies that of each server.
 */
export function peerOf(
  socket: Duplex,
  path: string | undefined,
  isVerified: boolean,
): Peer {
  const { remoteAddress, remotePort } = socket as Addressed;
  let addr: PeerAddress | null = null;
  if (remoteAddress !== undefined && remotePort !== undefined) {
    addr = { hostname: remoteAddress, port: remotePort };
  } else if (path !== undefined) {
    addr = { path };
  }
  return new Peer(
    addr,
    socket instanceof TLSSocket ? peerCertificate(socket, isVerified) : null,
  );
}

/** The part of a socket that knows its own end. */
interface Bound {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/**
 * Looks at a socket.
 *
 * @param socket The socket; null while there is none.
 * @param peer Who is at its other end.
 */
export function socketFigures(
  socket: Duplex | null,
  { addr, cert }: Peer,
): SocketFigures {
  const { localAddress, localPort } = (socket ?? {}) as Bound;
  const local = localAddress !== undefined && localPort !== undefined
    ? { hostname: localAddress, port: localPort }
    // Of a unix socket both ends have the path.
    : addr !== null && "path" in addr
    ? addr
    : null;
  if (!(socket instanceof TLSSocket)) {
    return { local, remote: addr, security: null };
  }
  const { standardName, name } = socket.getCipher() ?? {};
  const own = socket.getCertificate() as Partial<PeerCertificate> | null;
  const security = {
    cipher: standardName ?? name ?? "",
    localCertificate: own?.raw === undefined ? null : plainBytes(own.raw),
    remoteCertificate: cert?.raw ?? null,
  };
  return { local, remote: addr, security };
}

/** The part of a socket that says whether it keeps the process alive. */
interface Referable {
  ref?(): void;
  unref?(): void;
}

/** Has a socket keep the process alive, or not, if it can. */
export function setRef(socket: Duplex | null, needed: boolean): void {
  const referable = socket as Referable | null;
  if (needed) referable?.ref?.();
  else referable?.unref?.();
}
