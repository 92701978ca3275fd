/**
 * Sockets in memory: each end of a connection is one.
 *
 * @module
 */

import { Duplex } from "node:stream";

/** Where a socket's bytes go. */
export interface Outgoing {
  /** Takes bytes, and says when it has room for more. */
  send(bytes: Uint8Array, onRoom: () => void): void;
  /** There will be no more of them. */
  end(): void;
}

/** Where a socket's bytes come from. */
export interface Incoming {
  /** The socket has room. */
  onRoom(): void;
  /** The socket takes no more. */
  close(): void;
}

/** One end of a connection in memory. */
export class MemorySocket extends Duplex {
  #outgoing: Outgoing | undefined;
  #incoming: Incoming | undefined;

  constructor() {
    // As a socket does, it ends its own side when the other side has ended.
    super({ allowHalfOpen: false });
  }

  /** Says where the bytes go, and where they come from. */
  attach(outgoing: Outgoing, incoming: Incoming): void {
    this.#outgoing = outgoing;
    this.#incoming = incoming;
  }

  override _read(): void {
    this.#incoming?.onRoom();
  }

  override _write(
    bytes: Uint8Array,
    _encoding: string,
    onRoom: () => void,
  ): void {
    this.#outgoing?.send(bytes, onRoom);
  }

  override _final(callback: () => void): void {
    this.#outgoing?.end();
    callback();
  }

  override _destroy(
    error: Error | null,
    callback: (error: Error | null) => void,
  ): void {
    this.#outgoing?.end();
    this.#incoming?.close();
    callback(error);
  }

  // What node:http2 may ask of a socket. It keeps no process alive.

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}
