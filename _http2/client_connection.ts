/**
 * One HTTP/2 connection of a channel, from its connect to its end.
 *
 * @module
 */

import http2, { type ClientHttp2Session } from "node:http2";
import net from "node:net";
import type { CloseReason, StreamClaim } from "../_call/byte_stream.ts";
import type { Configuration } from "../core/config.ts";
import { Peer } from "../core/peer.ts";
import { reasonOfGoaway, reasonOfLoss } from "./reset.ts";
import {
  Backlog,
  batchWrites,
  CLIENT_BATCH,
  debugText,
  harden,
  MAX_HEADER_LIST_BYTES,
} from "./session.ts";
import { H2Stream, type StreamOwner } from "./stream.ts";

/** Where a channel connects to. */
export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
  /** The endpoint in words, for errors and `:authority`. */
  readonly authority: string;
}

/** What a connection tells the one who uses it. */
export interface ConnectionListener {
  /** The peer's SETTINGS are in: streams may be opened. */
  onReady(connection: ClientConnection): void;
  /** A stream ended, or the peer allows more of them. */
  onRoom(connection: ClientConnection): void;
  /** No new streams from now on; those there are may go on. */
  onDraining(connection: ClientConnection): void;
  /** The connection is gone: once, and last. */
  onClosed(connection: ClientConnection, why: CloseReason): void;
}

/** How long a peer may take to close its side, once this side is closed. */
const LINGER_MS = 1000;

/** One HTTP/2 connection of a channel. */
export class ClientConnection implements StreamOwner {
  readonly #endpoint: Endpoint;
  readonly #listener: ConnectionListener;
  readonly #socket: net.Socket;
  readonly #session: ClientHttp2Session;
  readonly #streams = new Set<H2Stream>();
  readonly #backlog: Backlog;
  readonly #closed = Promise.withResolvers<void>();
  #connectTimer: ReturnType<typeof setTimeout> | undefined;
  #lingerTimer: ReturnType<typeof setTimeout> | undefined;
  #ready = false;
  #draining = false;
  #gone = false;
  #maxStreams = 0;
  #peer: Peer | null = null;
  #error: unknown;
  #endReason: CloseReason | null = null;

  constructor(
    endpoint: Endpoint,
    config: Configuration,
    listener: ConnectionListener,
  ) {
    this.#endpoint = endpoint;
    this.#listener = listener;
    const { hostname, port, authority } = endpoint;
    const socket = this.#socket = net.connect({ host: hostname, port });
    // Before http2's own listeners, so that the end of the connection is known
    // when the ends of its streams are told.
    socket.on("error", (error) => this.#onError(error));
    socket.on("close", () => this.#noteEnd());
    // The peer said all: what is opened from now on would find nobody.
    socket.on("end", () => this.#drain());
    batchWrites(socket, CLIENT_BATCH);
    this.#backlog = new Backlog(socket, () => {
      for (const stream of this.#streams) stream.onDrain();
    });
    const session = this.#session = http2.connect(`http://${authority}`, {
      createConnection: () => socket,
      settings: {
        initialWindowSize: config.http2StreamWindowSize,
        maxHeaderListSize: MAX_HEADER_LIST_BYTES,
        enablePush: false,
      },
      // Metadata may repeat any key.
      strictSingleValueFields: false,
    } as http2.ClientSessionOptions);
    harden(session);
    session.on("connect", () => {
      session.setLocalWindowSize(config.http2ConnectionWindowSize);
    });
    session.on("remoteSettings", (settings) => {
      this.#maxStreams = settings.maxConcurrentStreams ?? Infinity;
      if (!this.#ready) this.#onReady();
      else this.#listener.onRoom(this);
    });
    session.on("goaway", (code, _last, data) => this.#onGoaway(code, data));
    session.on("error", (error) => this.#onError(error));
    session.on("close", () => this.#onClosed());
    this.#connectTimer = setTimeout(() => {
      this.destroy(reasonOfLoss(
        `Cannot connect to ${authority}: no HTTP/2 SETTINGS within ${config.connectTimeoutMs} ms`,
      ));
    }, config.connectTimeoutMs);
  }

  /** Why the connection ended, if it has, or is about to. */
  get endReason(): CloseReason | null {
    if (this.#endReason === null) {
      // The session knows of its end a little before it says so.
      if (this.#session.destroyed || this.#socket.destroyed) this.#noteEnd();
    }
    return this.#endReason;
  }

  /** Whether a stream can be opened now. */
  get hasRoom(): boolean {
    return this.#ready && !this.#draining &&
      this.#streams.size < this.#maxStreams;
  }

  get backlogged(): boolean {
    return this.#backlog.isHigh;
  }

  /** How many streams there are. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Resolves when the connection is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Gives a call its stream. */
  open(claim: StreamClaim): void {
    const stream = new H2Stream(this, this.#session, claim);
    this.#streams.add(stream);
    claim.onStream(stream, this.#peer!);
  }

  onStreamClose(stream: H2Stream): void {
    this.#streams.delete(stream);
    this.#listener.onRoom(this);
  }

  /** Ends the connection at once, and all that runs on it, for a reason. */
  destroy(why: CloseReason): void {
    if (this.#gone) return;
    this.#endReason ??= why;
    this.#draining = true;
    this.#session.destroy();
    this.#lingerTimer ??= setTimeout(() => this.#socket.destroy(), LINGER_MS);
  }

  #onReady(): void {
    if (this.#draining) return;
    this.#ready = true;
    this.#clearTimers();
    const { remoteAddress, remotePort } = this.#socket;
    this.#peer = new Peer(
      remoteAddress === undefined || remotePort === undefined
        ? null
        : { hostname: remoteAddress, port: remotePort },
    );
    this.#listener.onReady(this);
  }

  #onGoaway(code: number, data: Uint8Array | undefined): void {
    if (code !== 0) {
      this.#endReason ??= reasonOfGoaway(
        this.#endpoint.authority,
        code,
        debugText(data),
      );
    }
    this.#drain();
  }

  /** Opens no more streams. Before there could be any, its close says so. */
  #drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    if (this.#ready) this.#listener.onDraining(this);
  }

  #onError(error: unknown): void {
    this.#error ??= error;
    this.#noteEnd();
  }

  #noteEnd(): void {
    const { authority } = this.#endpoint;
    this.#endReason ??= this.#ready
      ? reasonOfLoss(`Connection to ${authority} was lost`, this.#error)
      : reasonOfLoss(
        `Cannot connect to ${authority}`,
        this.#error ?? "the connection was closed before HTTP/2 SETTINGS",
        true,
      );
    // The streams learn of it before the session closes, and whoever calls
    // again at once needs another connection.
    this.#drain();
  }

  #onClosed(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#draining = true;
    this.#clearTimers();
    this.#noteEnd();
    this.#listener.onClosed(this, this.#endReason!);
    this.#closed.resolve();
  }

  #clearTimers(): void {
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#lingerTimer);
  }
}
