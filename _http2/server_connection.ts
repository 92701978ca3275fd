/**
 * One HTTP/2 connection that a client made to the server.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import http2, {
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import process from "node:process";
import type { Duplex } from "node:stream";
import {
  type ByteSink,
  type ByteStream,
  type CloseReason,
  ResetCode,
} from "../_call/byte_stream.ts";
import type { RawHeaders } from "../_wire/headers.ts";
import type { Clock, ClockTimer } from "../core/clock.ts";
import type { ResolvedConfiguration } from "../core/config.ts";
import type { Peer } from "../core/peer.ts";
import { PingStrikes, RapidResets } from "./abuse.ts";
import { Keepalive } from "./keepalive.ts";
import { openConnections } from "./open_connections.ts";
import { peerOf } from "./peer_of.ts";
import { reasonOfGoaway, reasonOfLoss } from "./reset.ts";
import { ServerLifetime } from "./server_lifetime.ts";
import {
  Backlog,
  batchWrites,
  debugText,
  harden,
  SERVER_BATCH,
} from "./session.ts";
import { H2Stream, type StreamOwner } from "./stream.ts";

/** Takes on a stream that a client opened. */
export type StreamHandler = (
  stream: ByteStream,
  raw: RawHeaders,
  peer: Peer,
) => ByteSink;

/** What all connections of a listener have in common. */
export interface ServerConnectionOptions {
  /** What is asked of clients and their connections. */
  readonly config: ResolvedConfiguration;
  /** What its times go by. */
  readonly clock: Clock;
  /** Takes on the streams that clients open. */
  readonly onStream: StreamHandler;
  /** Told when a connection is gone. */
  readonly onClosed: (connection: ServerConnection) => void;
}

/** A connected socket, encrypted or not. */
export interface AcceptedSocket {
  /** The socket, or any stream that stands for one. */
  readonly socket: Duplex;
  /** The path that the client connected to, of a unix socket. */
  readonly path: string | undefined;
  /** Whether the client was asked for a certificate. */
  readonly asked: boolean;
}

/** How long a peer may take to close its side, once all streams are ended. */
/** What is no larger may be the answer to a PING, and nothing more. */
const PING_FRAME_BYTES = 17;

const LINGER_MS = 1000;

const ENHANCE_YOUR_CALM = 11;

/** GOAWAY NO_ERROR with the largest id that a stream can have. */
const SHUTDOWN_NOTICE = Buffer.from(
  "0000080700000000007fffffff00000000",
  "hex",
);

/** What a PING of the server says. */
const PING = Buffer.from("grpclib!");

/** One connection of a client. */
export class ServerConnection implements StreamOwner {
  readonly #socket: Duplex;
  readonly #session: ServerHttp2Session;
  readonly #options: ServerConnectionOptions;
  readonly #peer: Peer;
  /** The streams, with the time at which each was opened. */
  readonly #streams = new Map<H2Stream, number>();
  readonly #backlog: Backlog;
  readonly #lifetime: ServerLifetime;
  readonly #strikes: PingStrikes;
  readonly #resets: RapidResets;
  #keepalive: Keepalive | null = null;
  #lingerTimer: ClockTimer | undefined;
  #closing = false;
  #expelled = false;
  #gone = false;
  #error: unknown;
  #endReason: CloseReason | null = null;

  constructor(accepted: AcceptedSocket, options: ServerConnectionOptions) {
    const { socket, path, asked } = accepted;
    const { config, clock } = options;
    openConnections.add(this);
    this.#strikes = new PingStrikes(config);
    this.#socket = socket;
    this.#options = options;
    this.#peer = peerOf(socket, path, asked);
    // Before http2's own listeners, so that the end of the connection is known
    // when the ends of its streams are told.
    socket.on("error", (error) => this.#onError(error));
    socket.on("close", () => this.#noteEnd());
    batchWrites(socket, {
      ...SERVER_BATCH,
      // A long message is many frames, and gRPC clients measure the bandwidth
      // by a PING for some of them: those are no strikes.
      onWrite: (bytes) => {
        if (bytes > PING_FRAME_BYTES) this.#strikes.onSent();
      },
    });
    this.#backlog = new Backlog(socket, () => {
      for (const stream of this.#streams.keys()) stream.onDrain();
    });
    this.#resets = new RapidResets(config.maxResetStreamsPerSecond);
    const session = this.#session = http2.performServerHandshake(socket, {
      settings: {
        initialWindowSize: config.http2StreamWindowSize,
        maxHeaderListSize: config.maxHeaderListSize,
        maxConcurrentStreams: config.maxConcurrentStreams,
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
    session.once("remoteSettings", () => this.#onReady());
    session.on("ping", () => this.#onPing());
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
    this.#lifetime = new ServerLifetime(
      {
        onSilent: () =>
          this.#give(`no HTTP/2 SETTINGS within ${config.connectTimeoutMs} ms`),
        onExpired: () => this.close(),
        onOverdue: () => this.#give("the grace of its maximum age is over"),
      },
      config,
      clock,
    );
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

  toString(): string {
    return `connection from ${this.#peer}`;
  }

  /** Bids farewell: no new streams, and the end when those there are ended. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    // In two steps, for requests may be on their way: they are refused one by
    // one. After a GOAWAY of its own nghttp2 ignores them, and takes many of
    // them for an attack, which ends what runs as well.
    // https://www.rfc-editor.org/rfc/rfc9113#section-6.8
    this.#socket.write(SHUTDOWN_NOTICE);
    this.#ping(() => this.#session.close());
    if (this.#streams.size === 0) this.linger();
  }

  /** Gives the peer a moment to close its side, then destroys the connection. */
  linger(): void {
    if (this.#gone) return;
    this.#lingerTimer ??= this.#options.clock.setTimeout(
      () => this.destroy(),
      LINGER_MS,
    );
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

  onSent(): void {
    this.#strikes.onSent();
    this.#keepalive?.onSent();
  }

  onAnswer(): void {}

  onStreamClose(stream: H2Stream): void {
    const openedAt = this.#streams.get(stream)!;
    this.#streams.delete(stream);
    if (this.#streams.size === 0) {
      this.#lifetime.onUnused();
      if (this.#closing) this.linger();
    }
    if (
      stream.isCutOff && this.endReason === null &&
      this.#resets.onReset(openedAt, this.#options.clock.now())
    ) {
      this.#expel("too_many_resets", "it cancelled too many calls");
    }
  }

  #open(h2: ServerHttp2Stream, raw: RawHeaders): void {
    const stream = new H2Stream(this, null, DEAF);
    if (this.#streams.size === 0) this.#lifetime.onUsed();
    this.#streams.set(stream, this.#options.clock.now());
    stream.accept(h2);
    if (this.#closing) return stream.reset(ResetCode.REFUSED_STREAM);
    // The client's own frames count as well: there may be no answer for long.
    this.#keepalive?.onSent();
    stream.start(this.#options.onStream(stream, raw, this.#peer));
  }

  #onReady(): void {
    if (this.#gone) return;
    this.#lifetime.onReady();
    const { config, clock } = this.#options;
    if (config.keepaliveTimeMs === Infinity) return;
    const keepalive = this.#keepalive = new Keepalive({
      hasStreams: () => this.#streams.size > 0,
      ping: (onAck) => this.#ping(onAck),
      onDead: () =>
        this.#give(
          `no answer to a PING within ${config.keepaliveTimeoutMs} ms`,
        ),
    }, { ...config, clock });
    this.#socket.on("data", () => keepalive.onReceived());
  }

  #ping(onAck: () => void): void {
    // A session that is gone throws, or refuses; its end is told elsewhere.
    try {
      this.#session.ping(PING, (error: Error | null) => {
        if (!error) onAck();
      });
    } catch {
      return;
    }
  }

  #onPing(): void {
    if (this.#expelled) return;
    const now = this.#options.clock.now();
    if (this.#strikes.onPing(this.#streams.size > 0, now)) {
      this.#expel("too_many_pings", "it sent too many PINGs");
    }
  }

  /** Ends the connection of a client that goes too far, and tells it so. */
  #expel(debugData: string, reason: string): void {
    if (this.#expelled || this.#gone) return;
    this.#expelled = this.#closing = true;
    // Later, for this may be the stack of nghttp2.
    process.nextTick(() => {
      if (this.#gone || this.#session.destroyed) return;
      this.#session.goaway(ENHANCE_YOUR_CALM, 0, Buffer.from(debugData));
      setImmediate(() => this.#give(reason));
    });
  }

  /** Gives the connection up, for a reason. */
  #give(reason: string): void {
    this.#endReason ??= this.#loss(new Error(reason));
    this.destroy();
  }

  #onError(error: unknown): void {
    this.#error ??= error;
    this.#noteEnd();
  }

  #noteEnd(): void {
    this.#endReason ??= this.#loss(this.#error);
  }

  #loss(cause: unknown): CloseReason {
    return reasonOfLoss(`Connection from ${this.#peer} was lost`, cause);
  }

  #onGone(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#options.clock.clearTimeout(this.#lingerTimer);
    this.#lifetime.stop();
    this.#keepalive?.stop();
    this.#noteEnd();
    openConnections.delete(this);
    this.#options.onClosed(this);
  }
}

/** Hears nothing. */
const DEAF: ByteSink = {
  onHead() {},
  onData() {},
  onEnd() {},
  onClose() {},
};
