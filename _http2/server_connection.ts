/**
 * One HTTP/2 connection that a client made to the server.
 *
 * @module
 */

import http2, {
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import {
  type ByteSink,
  type ByteStream,
  type CloseReason,
  ResetCode,
} from "../_call/byte_stream.ts";
import type { RawHeaders } from "../_wire/headers.ts";
import type { Configuration } from "../core/config.ts";
import { Peer } from "../core/peer.ts";
import { reasonOfGoaway, reasonOfLoss } from "./reset.ts";
import {
  Backlog,
  batchWrites,
  debugText,
  harden,
  MAX_HEADER_LIST_BYTES,
  SERVER_BATCH,
} from "./session.ts";
import { H2Stream, type StreamOwner } from "./stream.ts";

/** Takes on a stream that a client opened. */
export type StreamHandler = (
  stream: ByteStream,
  raw: RawHeaders,
  peer: Peer,
) => ByteSink;

/** How long a peer may take to close its side, once all streams are ended. */
const LINGER_MS = 1000;

/** One connection of a client. */
export class ServerConnection implements StreamOwner {
  readonly #socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #onStream: StreamHandler;
  readonly #onClosed: (connection: ServerConnection) => void;
  readonly #peer: Peer;
  readonly #streams = new Set<H2Stream>();
  readonly #backlog: Backlog;
  #lingerTimer: ReturnType<typeof setTimeout> | undefined;
  #closing = false;
  #gone = false;
  #error: unknown;
  #endReason: CloseReason | null = null;

  constructor(
    socket: Socket,
    config: Configuration,
    onStream: StreamHandler,
    onClosed: (connection: ServerConnection) => void,
  ) {
    this.#socket = socket;
    this.#onStream = onStream;
    this.#onClosed = onClosed;
    const { remoteAddress, remotePort } = socket;
    this.#peer = new Peer(
      remoteAddress === undefined || remotePort === undefined
        ? null
        : { hostname: remoteAddress, port: remotePort },
    );
    // Before http2's own listeners, so that the end of the connection is known
    // when the ends of its streams are told.
    socket.on("error", (error) => this.#onError(error));
    socket.on("close", () => this.#noteEnd());
    batchWrites(socket, SERVER_BATCH);
    this.#backlog = new Backlog(socket, () => {
      for (const stream of this.#streams) stream.onDrain();
    });
    const session = this.#session = http2.performServerHandshake(socket, {
      settings: {
        initialWindowSize: config.http2StreamWindowSize,
        maxHeaderListSize: MAX_HEADER_LIST_BYTES,
      },
      // Metadata may repeat any key.
      strictSingleValueFields: false,
    } as http2.ServerOptions);
    harden(session);
    // Now, so that it leaves with the SETTINGS: later it would wait for the
    // next frame.
    session.setLocalWindowSize(config.http2ConnectionWindowSize);
    session.on(
      "stream",
      (
        h2: ServerHttp2Stream,
        _headers: unknown,
        _flags: number,
        raw: RawHeaders,
      ) => this.#open(h2, raw),
    );
    session.on("goaway", (code, _last, data) => {
      if (code === 0) return;
      this.#endReason ??= reasonOfGoaway(
        `${this.#peer}`,
        code,
        debugText(data),
      );
    });
    session.on("error", (error) => this.#onError(error));
    session.on("close", () => this.#onGone());
  }

  /** Why the connection ended, if it has, or is about to. */
  get endReason(): CloseReason | null {
    if (this.#endReason === null) {
      // The session knows of its end a little before it says so.
      if (this.#session.destroyed || this.#socket.destroyed) this.#noteEnd();
    }
    return this.#endReason;
  }

  get backlogged(): boolean {
    return this.#backlog.isHigh;
  }

  /** How many streams there are. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Bids farewell: no new streams, and the end when those there are ended. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#session.close();
    if (this.#streams.size === 0) this.linger();
  }

  /** Gives the peer a moment to close its side, then destroys the connection. */
  linger(): void {
    this.#lingerTimer ??= setTimeout(() => this.destroy(), LINGER_MS);
  }

  /** Ends the connection at once, and all that runs on it. */
  destroy(): void {
    if (this.#gone) return;
    this.#closing = true;
    this.#session.destroy();
    this.#socket.destroy();
  }

  isUnprocessed(): boolean {
    return false;
  }

  onSent(): void {}

  onAnswer(): void {}

  onStreamClose(stream: H2Stream): void {
    this.#streams.delete(stream);
    if (this.#closing && this.#streams.size === 0) this.linger();
  }

  #open(h2: ServerHttp2Stream, raw: RawHeaders): void {
    const stream = new H2Stream(this, null, DEAF);
    this.#streams.add(stream);
    stream.accept(h2);
    if (this.#closing) return stream.reset(ResetCode.REFUSED_STREAM);
    stream.start(this.#onStream(stream, raw, this.#peer));
  }

  #onError(error: unknown): void {
    this.#error ??= error;
    this.#noteEnd();
  }

  #noteEnd(): void {
    this.#endReason ??= reasonOfLoss(
      `Connection from ${this.#peer} was lost`,
      this.#error,
    );
  }

  #onGone(): void {
    if (this.#gone) return;
    this.#gone = true;
    clearTimeout(this.#lingerTimer);
    this.#noteEnd();
    this.#onClosed(this);
  }
}

/** Hears nothing. */
const DEAF: ByteSink = {
  onHead() {},
  onData() {},
  onEnd() {},
  onClose() {},
};
