/**
 * One HTTP/2 connection that a client made to the server.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import {
  Account,
  type AccountOwner,
  type MemoryBudget,
} from "../../_call/account.ts";
import type {
  ByteSink,
  ByteStream,
  CloseReason,
} from "../../_call/byte_stream.ts";
import type { RawHeaders } from "../../_wire/headers.ts";
import type { ConnectivityObserver } from "../../core/_connectivity_trace.ts";
import type { ConnectionFigures, LookedAt } from "../../core/_figures.ts";
import type { Clock, ClockTimer } from "../../core/clock.ts";
import type { ResolvedConfiguration } from "../../core/config.ts";
import type { Peer } from "../../core/peer.ts";
import { PingStrikes, RapidResets } from "./abuse.ts";
import type {
  Engine,
  H2ServerOwner,
  H2ServerSession,
  H2Stream,
} from "../engine.ts";
import { FullAccount } from "../full_account.ts";
import { Keepalive, type KeepaliveOwner } from "../keepalive.ts";
import { DrainWatch } from "../drain_watch.ts";
import { openConnections } from "../open_connections.ts";
import { peerOf, socketFigures } from "../socket.ts";
import { ENHANCE_YOUR_CALM, reasonOfGoaway, reasonOfLoss } from "../reset.ts";
import { ServerLifetime } from "./lifetime.ts";

/** Takes on a stream that a client opened. */
export type StreamHandler = (
  stream: ByteStream,
  raw: RawHeaders,
  peer: Peer,
) => ByteSink;

/** What all connections of an acceptor have in common. */
export interface ServerConnectionOptions {
  /** What is asked of clients and their connections. */
  readonly config: ResolvedConfiguration;
  /** What its times go by. */
  readonly clock: Clock;
  /** What may be held for the clients. */
  readonly budget: MemoryBudget;
  /** Runs HTTP/2 on their sockets. */
  readonly engine: Engine;
  /** Takes on the streams that clients open. */
  readonly onStream: StreamHandler;
  /** Told of a connection that failed, or was ended for what its client did. */
  readonly onFailure?: ((error: Error, peer: Peer) => void) | undefined;
  /** Told of connections that come and go. */
  readonly connectivity?: ConnectivityObserver | undefined;
  /** Told when a connection is gone. */
  readonly onClosed: (connection: ServerConnection) => void;
}

/** A connected socket, encrypted or not. */
export interface AcceptedSocket {
  /** The socket, or any stream that stands for one. */
  readonly socket: Duplex;
  /** The path that the client connected to, of a unix socket. */
  readonly path: string | undefined;
  /** Whether the client showed a certificate that was verified. */
  readonly isVerified: boolean;
}

/** How long a peer may take to close its side, once all streams are ended. */
const LINGER_MS = 1000;

/**
 * How long streams are taken on of a client that acknowledges no PING: it may
 * be busy, and so may this side be, with what the client has sent unread.
 */
const SHUTDOWN_MS = 5000;

/**
 * So many requests are refused for their headers before the client is asked to
 * leave, and twice as many before it has to. `node:http2` on Deno keeps the
 * headers as long as the connection lasts.
 */
const MOST_HEADERS_REFUSED = 100;

/** One connection of a client. */
export class ServerConnection
  implements H2ServerOwner, AccountOwner, KeepaliveOwner, LookedAt {
  readonly account: Account;
  readonly #socket: Duplex;
  readonly #session: H2ServerSession;
  readonly #options: ServerConnectionOptions;
  readonly #peer: Peer;
  readonly #lifetime: ServerLifetime;
  readonly #strikes: PingStrikes;
  readonly #resets: RapidResets;
  readonly #full: FullAccount;
  readonly #drainWatch: DrainWatch;
  #keepalive: Keepalive | null = null;
  #lingerTimer: ClockTimer | undefined;
  #shutdownTimer: ClockTimer | undefined;
  /** No new calls are wanted; those that come nevertheless are served. */
  #closing = false;
  /** The client knows which of its streams were taken on. */
  #shutDown = false;
  /** No new calls are served. */
  #refusing = false;
  #expelled = false;
  #ready = false;
  /** When something came in last, by the clock. */
  #receivedAt = 0;
  #receivedBefore = 0;
  #gone = false;
  /** How many requests were refused for their headers. */
  #headersRefused = 0;
  /** How much was written when somebody looked last, and since when. */
  #writtenThen = -1;
  #writtenAt = 0;
  /** Since when the socket has taken nothing of that. */
  #blockedAt = 0;
  #error: unknown;
  #endReason: CloseReason | null = null;

  constructor(accepted: AcceptedSocket, options: ServerConnectionOptions) {
    const { socket, path, isVerified } = accepted;
    const { config, clock } = options;
    this.#strikes = new PingStrikes(config);
    this.#socket = socket;
    this.#options = options;
    this.account = new Account(options.budget, this);
    this.#full = new FullAccount(this.account, clock);
    this.#drainWatch = new DrainWatch(socket, clock, () => this.onClosed());
    this.#peer = peerOf(socket, path, isVerified);
    this.#resets = new RapidResets(config.maxResetStreamsPerSecond);
    this.#session = options.engine.accept(socket, this, {
      streamWindowSize: config.http2StreamWindowSize,
      connectionWindowSize: config.http2ConnectionWindowSize,
      maxHeaderListSize: config.maxHeaderListSize,
      maxConcurrentStreams: config.maxConcurrentStreams,
      maxResetStreamsPerSecond: config.maxResetStreamsPerSecond,
    });
    openConnections.add(this);
    this.#lifetime = new ServerLifetime(
      {
        onSilent: () =>
          this.#abandon(
            `no HTTP/2 SETTINGS within ${config.connectTimeoutMs} ms`,
          ),
        onExpired: () => this.close(),
        onOverdue: () => this.#abandon("the grace of its maximum age is over"),
      },
      config,
      clock,
    );
  }

  /** Why the connection ended, if it has, or is about to. */
  get endReason(): CloseReason | null {
    if (this.#endReason === null) {
      // The session knows of its end a little before it says so.
      if (this.#session.isOver) this.#noteEnd();
    }
    return this.#endReason;
  }

  /** What can be seen of it. */
  get figures(): ConnectionFigures {
    return {
      ...socketFigures(this.#socket, this.#peer),
      isClient: false,
      traffic: this.account.traffic,
      windows: this.#session.windows,
      maxStreams: null,
    };
  }

  /** How many streams there are. */
  get streamCount(): number {
    return this.#session.streamCount;
  }

  toString(): string {
    return `connection from ${this.#peer}`;
  }

  /**
   * Shuts down gracefully: the client is told to open no more streams, those
   * that it has opened until then are served, and the connection ends with
   * the last.
   */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#ready) this.#beginShutDown();
    this.#shutdownTimer = this.#options.clock.setTimeout(
      () => this.#endShutDown(),
      SHUTDOWN_MS,
    );
  }

  /**
   * Ends the connection soon, whatever runs on it: gives the peer a moment to
   * close its side, then destroys the connection. New streams are refused.
   */
  linger(): void {
    if (this.#gone || this.#refusing) return;
    this.#refusing = true;
    this.#lingerUnused();
  }

  /** Ends the connection at once, and all that runs on it. */
  destroy(): void {
    if (this.#gone) return;
    this.#closing = true;
    this.#session.destroy();
    this.#drainWatch.cut();
  }

  onFull(isFull: boolean): void {
    if (!this.#gone) this.#session.pause(isFull);
    this.#full.onFull(isFull);
  }

  onExcess(): boolean {
    if (this.#expelled || this.#gone) return false;
    this.#expel("too_much_held", "too much was held for it");
    return true;
  }

  /**
   * Ends the connection if it holds too much, and its client takes nothing. One
   * that reads, and gives no credit for streams, may have its reasons; one that
   * does not even read would not acknowledge a PING either, and has as long as
   * for that.
   *
   * @param now The time, in milliseconds.
   * @param timeoutMs How long it may take nothing.
   */
  endIfStuck(now: number, timeoutMs: number): void {
    const { written, unsent } = this.#session.writing;
    const isProgress = written !== this.#writtenThen;
    this.#writtenThen = written;
    if (isProgress || unsent === 0) this.#writtenAt = now;
    if (isProgress || this.#socket.writableLength === 0) this.#blockedAt = now;
    if (!this.account.isFull) return;
    const { keepaliveTimeoutMs } = this.#options.config;
    const ms = now - this.#blockedAt >= keepaliveTimeoutMs
      ? keepaliveTimeoutMs
      : timeoutMs;
    if (now - this.#writtenAt < ms) return;
    this.#abandon(`nothing of the ${unsent} bytes sent was taken for ${ms} ms`);
  }

  isUnprocessed(): boolean {
    return false;
  }

  onSent(): void {
    this.#strikes.onSent();
    this.#keepalive?.onSent();
  }

  onReply(): void {}

  onStreamClose(stream: H2Stream): void {
    if (this.streamCount === 0) {
      this.#lifetime.onUnused();
      if (this.#shutDown) this.#lingerUnused();
    }
    if (
      stream.isCutOff && this.endReason === null &&
      this.#resets.onReset(stream, this.#options.clock.now())
    ) {
      this.#expel("too_many_resets", "it cancelled too many calls");
    }
  }

  onStream(stream: H2Stream, raw: RawHeaders): ByteSink | null {
    if (this.streamCount === 1) this.#lifetime.onUsed();
    if (this.#refusing || this.#expelled) return null;
    // The client's own frames count as well: there may be no reply for long.
    this.#keepalive?.onSent();
    const call = this.#options.onStream(stream, raw, this.#peer);
    stream.openedAt = this.#receivedAt;
    stream.sentAfter = this.#receivedBefore;
    stream.expiresAt = call.expiresAt ?? Infinity;
    return call;
  }

  onSettings(): void {
    if (this.#ready) return;
    this.#ready = true;
    this.#onReady();
  }

  onReceived(): void {
    // Once for all that came together: a look at the clock is not free.
    this.#receivedBefore = this.#receivedAt;
    this.#receivedAt = this.#options.clock.now();
    this.#keepalive?.onReceived();
  }

  onFrameWritten(): void {
    // A long message is many frames, and gRPC clients measure the bandwidth by
    // a PING for some of them: those are no strikes.
    this.#strikes.onSent();
  }

  onGoaway(code: number, _lastStreamId: number, text: string): void {
    this.account.traffic.goawayCode = code;
    if (code === 0) return;
    this.#endReason ??= reasonOfGoaway(`${this.#peer}`, code, text);
  }

  onSocketEnd(): void {
    this.linger();
  }

  onEnding(): void {
    if (!this.#gone) this.#drainWatch.watch();
  }

  onSocketClose(): void {
    this.#noteEnd();
  }

  /**
   * In two steps, for requests may be on their way: the first GOAWAY tells the
   * client to open no more streams, the second which of them were taken on.
   * What comes after the second is lost to whoever does not send it again, such
   * as a proxy. So there are two PINGs between them: HAProxy, tonic and grpc-go
   * have been seen to send requests after they acknowledged the first.
   *
   * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.8}
   */
  #beginShutDown(): void {
    const session = this.#session;
    session.sendShutdownNotice();
    session.ping(() => session.ping(() => this.#endShutDown()));
  }

  /** Takes on no more streams, and ends with the last of those there are. */
  #endShutDown(): void {
    if (this.#gone || this.#shutDown) return;
    this.#shutDown = true;
    this.#options.clock.clearTimeout(this.#shutdownTimer);
    this.#session.close();
    if (this.streamCount === 0) this.#lingerUnused();
  }

  /** Ends a connection without streams, if the peer does not. */
  #lingerUnused(): void {
    if (this.#gone) return;
    this.#lingerTimer ??= this.#options.clock.setTimeout(
      () => this.destroy(),
      LINGER_MS,
    );
  }

  #onReady(): void {
    if (this.#gone) return;
    this.#lifetime.onReady();
    // Whoever has just connected has calls that wait for it.
    if (this.#closing) this.#session.ping(() => this.#beginShutDown());
    const { config, clock } = this.#options;
    if (config.keepaliveTimeMs === Infinity) return;
    this.#keepalive = new Keepalive(this, config, clock);
  }

  hasStreams(): boolean {
    return this.streamCount > 0;
  }

  ping(onAck: () => void): void {
    this.account.traffic.keepalivesSent++;
    this.#session.ping(onAck);
  }

  onDead(): void {
    const { keepaliveTimeoutMs } = this.#options.config;
    this.#abandon(
      `a PING was not acknowledged within ${keepaliveTimeoutMs} ms`,
    );
  }

  onReset(): void {}

  onExhausted(): void {
    this.close();
  }

  onPing(): void {
    if (this.#expelled) return;
    const now = this.#options.clock.now();
    if (this.#strikes.onPing(this.streamCount > 0, now)) {
      this.#expel("too_many_pings", "it sent too many PINGs");
    }
  }

  onHeadersRefused(): void {
    this.#headersRefused++;
    if (this.#headersRefused === MOST_HEADERS_REFUSED) this.close();
    if (this.#headersRefused > 2 * MOST_HEADERS_REFUSED) {
      this.#expelForHeaders();
    }
  }

  onHeadersExcess(): void {
    this.#expelForHeaders();
  }

  #expelForHeaders(): void {
    this.#expel("headers_too_large", "it sent headers that are too large");
  }

  /** Ends the connection of a client that goes too far, and tells it so. */
  #expel(debugData: string, reason: string): void {
    if (this.#expelled || this.#gone) return;
    this.#expelled = this.#closing = true;
    this.#report(reason);
    this.#endReason ??= this.#loss(new Error(reason));
    this.#session.abort(ENHANCE_YOUR_CALM, debugData);
    this.linger();
  }

  /** Gives the connection up, for a reason. */
  #abandon(reason: string): void {
    this.#endReason ??= this.#loss(new Error(reason));
    this.destroy();
  }

  /** Tells the server's owner why the connection was not served, or no more. */
  #report(reason: unknown): void {
    const { message } = reasonOfLoss("Connection was ended", reason);
    const cause = reason instanceof Error ? { cause: reason } : {};
    this.#options.onFailure?.(new Error(message, cause), this.#peer);
  }

  onError(error: unknown): void {
    // Such as a client that speaks HTTP/1.
    if (!this.#ready && this.#error === undefined && !this.#closing) {
      this.#report(error);
    }
    this.#error ??= error;
    this.#noteEnd();
    // "An endpoint that encounters a connection error … MUST close the TCP
    // connection", whether the peer reads or not.
    // https://www.rfc-editor.org/rfc/rfc9113#section-5.4.1
    this.linger();
  }

  #noteEnd(): void {
    if (this.#endReason !== null) return;
    const cause = this.#error ?? this.#session.endCause;
    this.#endReason = this.#loss(cause);
    // If it broke them before it was served, its error has told so.
    if (this.#ready && this.#session.isViolated) this.#report(cause);
  }

  #loss(cause: unknown): CloseReason {
    return reasonOfLoss(`Connection from ${this.#peer} was lost`, cause);
  }

  onClosed(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#options.clock.clearTimeout(this.#lingerTimer);
    this.#drainWatch.stop();
    this.#options.clock.clearTimeout(this.#shutdownTimer);
    this.#lifetime.stop();
    this.#keepalive?.stop();
    this.#noteEnd();
    this.account.close();
    this.#full.stop();
    openConnections.delete(this);
    this.#options.onClosed(this);
  }
}
