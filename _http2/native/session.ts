/**
 * What the sessions of both sides have in common: `_h2/` on a socket.
 *
 * All that a turn of the event loop sends leaves in one write, and there is one
 * write at a time: what comes meanwhile is the next. So the backpressure of the
 * socket reaches the streams, which wait for the write.
 *
 * @module
 */

import process from "node:process";
import type { Duplex } from "node:stream";
import {
  type ConnectionHandler,
  Http2Connection,
  type Http2Options,
  type Http2Stream,
  type Violation,
} from "../../_h2/mod.ts";
import type { CloseReason } from "../../_call/byte_stream.ts";
import type { RawHeaders } from "../../_wire/headers.ts";
import type { H2Session, H2SessionOwner, H2Stream } from "../engine.ts";
import { debugText } from "../reset.ts";
import type { NativeStream, StreamOwner } from "./stream.ts";

/** A batch that is no larger may be the acknowledgement of a PING, no more. */
const PING_FRAME_BYTES = 17;

/** A connection of `_h2/` on its socket, and its streams. */
export abstract class NativeSession
  implements H2Session, StreamOwner, ConnectionHandler {
  protected readonly h2: Http2Connection;
  readonly #socket: Duplex;
  readonly #owner: H2SessionOwner;
  readonly #onAck: (() => void)[] = [];
  readonly #streams = new Set<NativeStream>();
  #isFlushScheduled = false;
  /** The session takes no more streams and ends with the last. */
  #isClosing = false;
  /** Nothing is read or written any more but what is in the output. */
  #isOver = false;
  #isGone = false;

  constructor(socket: Duplex, owner: H2SessionOwner, options: Http2Options) {
    this.#socket = socket;
    this.#owner = owner;
    this.h2 = new Http2Connection(options, this);
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("end", () => this.#onEnd());
    socket.on("error", (error) => this.#owner.onError(error));
    socket.on("close", () => this.#onSocketClose());
    this.onOutput();
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  get streams(): Iterable<H2Stream> {
    return this.#streams;
  }

  get isOver(): boolean {
    return this.#isOver || this.#socket.destroyed;
  }

  ping(onAck: () => void): void {
    if (this.isOver) return;
    this.#onAck.push(onAck);
    this.h2.ping();
  }

  close(): void {
    if (this.#isClosing || this.#isOver) return;
    this.#isClosing = true;
    this.h2.goaway();
    if (this.streamCount === 0) this.#finish();
  }

  destroy(): void {
    if (this.#isOver) {
      this.#socket.destroy();
      return;
    }
    this.h2.abort(0, "");
    this.#finish();
  }
}
