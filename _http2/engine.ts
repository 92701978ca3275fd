/**
 * What an HTTP/2 engine is to the connections of channels and servers.
 *
 * A connection is made of two parts. The policy is written once, in this
 * folder: connecting, states of a channel, keepalive, limits on PINGs and
 * resets, idle time, maximum age, graceful shutdown. The engine runs HTTP/2 on
 * the socket and knows none of it. There are two engines, `node/` on
 * `node:http2` and `native/` on `_h2/`, and neither knows of the other.
 *
 * An engine calls back on a stack where anything may be asked of it again, and
 * owns the socket it was given: it listens to it, reads from it, writes to it.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import type { Account } from "../_call/account.ts";
import type {
  ByteSink,
  ByteStream,
  CloseReason,
} from "../_call/byte_stream.ts";
import type { ConnectionWindows } from "../core/_figures.ts";
import type { RawHeaders } from "../_wire/headers.ts";

/** The name of an engine: `"node"` is `node:http2`, `"native"` the library's own. */
export type HTTP2Engine = "node" | "native";

/** An HTTP/2 implementation. */
export interface Engine {
  readonly name: HTTP2Engine;
  /** Runs the client's side of a connection on a connected socket. */
  connect(
    socket: Duplex,
    owner: H2ClientOwner,
    options: H2ClientOptions,
  ): H2ClientSession;
  /** Runs the server's side of a connection on an accepted socket. */
  accept(
    socket: Duplex,
    owner: H2ServerOwner,
    options: H2ServerOptions,
  ): H2ServerSession;
}

/** The SETTINGS and windows of this side. */
export interface H2SessionOptions {
  /** SETTINGS_INITIAL_WINDOW_SIZE, in bytes. */
  readonly streamWindowSize: number;
  /** The window of the whole connection, in bytes. */
  readonly connectionWindowSize: number;
  /** SETTINGS_MAX_HEADER_LIST_SIZE, in bytes. */
  readonly maxHeaderListSize: number;
}

/** What a client's side needs to know. */
export interface H2ClientOptions extends H2SessionOptions {
  readonly scheme: "http" | "https";
  readonly authority: string;
}

/** What a server's side needs to know. */
export interface H2ServerOptions extends H2SessionOptions {
  /** SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly maxConcurrentStreams: number;
  /**
   * How many streams a second a client may make this side reset by its errors.
   * Those that it resets itself are the policy's to count. `node:http2` has a
   * limit of its own.
   */
  readonly maxResetStreamsPerSecond: number;
}

/** A stream, as the connection's policy sees it. */
export interface H2Stream extends ByteStream {
  /** The path of the method that a client calls; empty at a server. */
  readonly path: string;
  /** When it was opened, by the connection's clock; kept for a server's policy. */
  openedAt: number;
  /** When the connection was read before that: the client sent it after this. */
  sentAfter: number;
  /** When its call has to be complete, by that clock; kept likewise. */
  expiresAt: number;
  /** Whether it ended, if it has, before this side was through or gave up. */
  readonly isCutOff: boolean;
}

/** What both sides' sessions can do. */
export interface H2Session {
  /** How many streams there are. */
  readonly streamCount: number;
  /** The streams there are. */
  readonly streams: Iterable<H2Stream>;
  /** Whether the session or its socket has ended, also before it has told. */
  readonly isOver: boolean;
  /** Why the session has ended, if it has by itself and has told no error. */
  readonly endCause?: string | undefined;
  /** Whether it has ended because the peer broke the rules of HTTP/2. */
  readonly isViolated: boolean;
  /** Sends a PING; `onAck` is called when it is acknowledged, if ever. */
  ping(onAck: () => void): void;
  /** Sends GOAWAY with NO_ERROR, opens no more streams, and ends with the last. */
  close(): void;
  /** Ends the session and all streams at once. */
  destroy(): void;
  /** Lets the peer send no more messages, as far as that can be, or again. */
  pause(isPaused: boolean): void;
  /**
   * How many bytes were written so far, and how many wait for it. Where the first
   * does not grow, and the second is not 0, the peer does not read.
   */
  readonly writing: { readonly written: number; readonly unsent: number };
  /** The windows of the connection; null where they are not known. */
  readonly windows: ConnectionWindows | null;
}

/** The client's side of a connection. */
export interface H2ClientSession extends H2Session {
  /** Makes a stream for a call. Nothing is sent before its head. */
  open(sink: ByteSink): H2Stream;
}

/** The server's side of a connection. */
export interface H2ServerSession extends H2Session {
  /**
   * Sends GOAWAY with the largest stream id: the client opens no more streams
   * once it has seen it, and those that are on their way are served.
   *
   * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.8}
   */
  sendShutdownNotice(): void;
  /** Sends GOAWAY with an error and ends the connection at once. */
  abort(code: number, debugData: string): void;
}

/** The policy of a connection, as its engine sees it. */
export interface H2SessionOwner {
  /** What is held for the peer: the session counts what it keeps itself. */
  readonly account: Account;
  /** Why the connection ended, if it has, or is about to. */
  readonly endReason: CloseReason | null;
  /** Whether the peer said, by GOAWAY, that it has not looked at this stream. */
  isUnprocessed(streamId: number): boolean;
  /** The peer's SETTINGS came, the first or later ones. */
  onSettings(maxConcurrentStreams: number): void;
  /** The peer sent GOAWAY. */
  onGoaway(code: number, lastStreamId: number, debugData: string): void;
  /** Something came in, and is looked at next. */
  onReceived(): void;
  /** HEADERS or DATA of a call are sent. */
  onSent(): void;
  /** The peer replied to a call. */
  onReply(): void;
  /** RST_STREAM is sent for a stream. */
  onReset(): void;
  /** A stream is gone. It does not count any more. */
  onStreamClose(stream: H2Stream): void;
  /** The peer has sent all that it will ever send on the connection. */
  onSocketEnd(): void;
  /** The socket is gone; the streams are told next, then `onClosed`. */
  onSocketClose(): void;
  /**
   * The session has ended itself, in good order or for an error, and its socket
   * has still to be rid of what was written to it. `onClosed` follows, which a
   * peer that reads nothing puts off for as long as it likes.
   */
  onEnding(): void;
  /**
   * The session is at the end of what it can do, or will be soon, such as of its
   * stream ids: those there are may go on, new ones belong on another.
   */
  onExhausted(): void;
  /** The session or its socket failed; `onClosed` follows. */
  onError(error: unknown): void;
  /** The session is gone: once, and last. */
  onClosed(): void;
}

/** The policy of a client's connection. */
export type H2ClientOwner = H2SessionOwner;

/** The policy of a server's connection. */
export interface H2ServerOwner extends H2SessionOwner {
  /** The peer sent a PING. */
  onPing(): void;
  /** A request was refused because its headers are larger than they may be. */
  onHeadersRefused(): void;
  /**
   * Headers are so large that the session does not take them; it takes nothing
   * any more.
   */
  onHeadersExcess(): void;
  /** HEADERS or DATA left: perhaps parts of what was sent long before. */
  onFrameWritten(): void;
  /**
   * A client opened a stream.
   *
   * @returns The one who is told its events; null to refuse it with
   *   REFUSED_STREAM.
   */
  onStream(stream: H2Stream, raw: RawHeaders): ByteSink | null;
}
