/**
 * What the sessions of both sides have in common, on `node:http2`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Http2Session } from "node:http2";
import process from "node:process";
import type { Duplex } from "node:stream";
import type { Account } from "../../_call/account.ts";
import type { CloseReason } from "../../_call/byte_stream.ts";
import type { ConnectionWindows } from "../../core/_figures.ts";
import type { H2Session, H2SessionOwner, H2Stream } from "../engine.ts";
import { debugText } from "../reset.ts";
import { ReadGate } from "../read_gate.ts";
import { harden } from "./harden.ts";
import { Backlog } from "./socket_writes.ts";
import type { NodeStream, StreamOwner } from "./stream.ts";

/** From how many bytes on a socket is not written to because the peer reads nothing. */
const BACKLOG_BYTES = 1024 * 1024;

/** After so many bytes it is counted how many wait. */
const COUNTED_BYTES = 64 * 1024;

/** What a PING of this side says. */
const PING = Buffer.from("grpclib!");

/**
 * How many header fields there can be in a list of this size, of which each
 * counts 32 bytes and its own. Without, `node:http2` takes 128, and resets the
 * stream for more.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-10.5.1}
 */
export function maxPairs(maxHeaderListSize: number): number {
  return Math.max(128, Math.ceil(maxHeaderListSize / 32));
}

/** A hardened session of `node:http2`, and its streams. */
export abstract class NodeSession<H2 extends Http2Session>
  implements H2Session, StreamOwner {
  protected readonly h2: H2;
  protected readonly socket: Duplex;
  readonly #owner: H2SessionOwner;
  readonly #streams = new Set<NodeStream>();
  readonly #backlog: Backlog;
  /** The streams that are read no further for now, and what they keep. */
  readonly #paused = new Set<NodeStream>();
  #bufferedBytes = 0;
  #queuedBytes = 0;
  /** Whether too much is held for the peer. */
  #isFull = false;
  #gate: ReadGate | null = null;
  /** How many bytes of frames were given to the socket. */
  #writtenBytes = 0;
  /** How many there were when it was counted last how many wait. */
  #countedAt = 0;
  /** Whether there is nothing more to be told of how streams were reset. */
  #sealed = true;
  /** Whether this side or the peer has asked for the end. */
  #left = false;
  /** Whether it has told an error of HTTP/2. */
  #hasError = false;

  /**
   * @param makeSession Makes the session on the socket, of this one.
   * @param onChunk Told of all that the socket receives, before the session;
   *   says whether the session may have it. If not, it has nothing any more.
   */
  constructor(
    socket: Duplex,
    owner: H2SessionOwner,
    makeSession: (session: NodeSession<H2>) => H2,
    onChunk: (chunk: Uint8Array) => boolean,
  ) {
    this.socket = socket;
    this.#owner = owner;
    // Before http2's own listeners, so that the end of the connection is known
    // when the ends of its streams are told.
    socket.on("error", (error) => {
      this.#seal();
      owner.onError(error);
    });
    socket.on("end", () => {
      // What was received before the end waits for its turn no longer.
      this.#gate?.flush();
      this.#seal();
    });
    socket.on("close", () => {
      this.#gate?.flush();
      this.#seal();
      owner.onSocketClose();
    });
    socket.on("data", (chunk: Uint8Array) => {
      owner.onReceived();
      this.#countBuffered();
      if (!onChunk(chunk)) this.#gate?.stop();
    });
    const before = socket.listenerCount("data");
    const h2 = this.h2 = makeSession(this);
    // On Node the session reads from the system itself.
    if (socket.listenerCount("data") > before) {
      this.#gate = this.#gateReads(owner);
    }
    this.#sealed = false;
    // Each way in which node:http2 ends a session ends the socket so.
    const { end } = socket;
    socket.end = function (...args: unknown[]): Duplex {
      owner.onEnding();
      return (end as (...args: unknown[]) => Duplex).call(socket, ...args);
    } as Duplex["end"];
    socket.on("drain", () => this.#countUnsent());
    this.#backlog = new Backlog(socket, () => {
      for (const stream of this.#streams) stream.onDrain();
    });
    harden(h2);
    h2.on("remoteSettings", ({ maxConcurrentStreams }) => {
      owner.onSettings(maxConcurrentStreams ?? Infinity);
    });
    h2.on("goaway", (code, lastStreamId, data) => {
      this.#left = true;
      // Not at once: on Deno a reset before it is told in the next tick, and
      // then the session ends.
      process.nextTick(() => this.#seal(code !== 0));
      owner.onGoaway(code, lastStreamId, debugText(data));
    });
    h2.on("error", (error) => {
      this.#hasError = true;
      this.#seal();
      owner.onError(error);
    });
    h2.on("close", () => {
      for (const stream of [...this.#streams]) stream.abandon();
      owner.onClosed();
    });
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  get streams(): Iterable<H2Stream> {
    return this.#streams;
  }

  get isOver(): boolean {
    return this.h2.destroyed || this.socket.destroyed;
  }

  get endCause(): string | undefined {
    if (!this.h2.destroyed || this.#left || this.socket.readableEnded) {
      return undefined;
    }
    return "node:http2 ended it, because the peer broke the rules of HTTP/2 or sent too much that is close to it";
  }

  get isViolated(): boolean {
    return this.#hasError || this.endCause !== undefined;
  }

  get writing(): { readonly written: number; readonly unsent: number } {
    const { writableLength } = this.socket;
    return {
      written: this.#writtenBytes - writableLength,
      unsent: writableLength + this.#queuedBytes,
    };
  }

  get windows(): ConnectionWindows | null {
    if (this.h2.destroyed) return null;
    // In the words of Node a window is that of whose data it is.
    const { remoteWindowSize: local, localWindowSize: remote } = this.h2.state;
    return local === undefined || remote === undefined
      ? null
      : { local, remote };
  }

  get account(): Account {
    return this.#owner.account;
  }

  /**
   * There is no way to hold back the credit of one connection, or of a stream
   * whose data is not read: the socket is not read any further, unless that would
   * keep what is to be sent from being sent.
   */
  pause(isPaused: boolean): void {
    this.#isFull = isPaused;
    this.#pauseSocket();
  }

  /** Has the session wait for its turn to take what the socket received. */
  #gateReads({ account }: H2SessionOwner): ReadGate {
    const { socket } = this;
    const read = socket.listeners("data").at(-1)!;
    socket.off("data", read as () => void);
    const gate = new ReadGate(
      socket,
      account,
      (chunk) => {
        read.call(socket, chunk);
      },
    );
    socket.on("data", (chunk: Uint8Array) => gate.onData(chunk));
    // In the tick after it is made the session itself reads what a paused socket
    // has buffered, which the gate is given as well: that would be taken twice.
    gate.keepOpen(true);
    process.nextTick(() => gate.keepOpen(false));
    return gate;
  }

  #pauseSocket(): void {
    this.#gate?.hold(
      this.#isFull && (
        this.account.isClogged || this.socket.writableLength > BACKLOG_BYTES
      ),
    );
  }

  ping(onAck: () => void): void {
    // A session that is gone throws, or refuses; its end is told elsewhere.
    try {
      this.h2.ping(PING, (error: Error | null) => {
        if (!error) onAck();
      });
    } catch {
      return;
    }
  }

  close(): void {
    this.#left = true;
    this.h2.close();
  }

  destroy(): void {
    this.#left = true;
    // That closes all streams, and not as the peer did.
    this.#seal();
    this.h2.destroy();
  }

  protected add(stream: NodeStream): void {
    this.#streams.add(stream);
  }

  /**
   * The connection may end, and its streams with it.
   *
   * @param isEnd Whether it certainly does.
   */
  #seal(isEnd = true): void {
    // A session that has ended has reset its streams already.
    if (this.#sealed || this.h2.destroyed) return;
    this.#sealed = isEnd;
    for (const stream of this.#streams) stream.seal();
  }

  // For the streams

  get endReason(): CloseReason | null {
    return this.#owner.endReason;
  }

  get backlogged(): boolean {
    return this.#backlog.isHigh;
  }

  onOpened(_streamId: number): void {}

  isUnsent(_streamId: number): boolean {
    return false;
  }

  onReset(): void {
    this.#owner.onReset();
  }

  isUnprocessed(streamId: number): boolean {
    return this.#owner.isUnprocessed(streamId);
  }

  onSent(): void {
    this.#owner.onSent();
  }

  onReply(): void {
    this.#owner.onReply();
  }

  onQueued(bytes: number): void {
    this.#queuedBytes += bytes;
    this.#countUnsent();
  }

  onPaused(stream: NodeStream, isPaused: boolean): void {
    if (isPaused) this.#paused.add(stream);
    else if (this.#paused.delete(stream)) this.#countBuffered();
  }

  /** Counts what is in the buffers of streams that are not read. */
  #countBuffered(): void {
    if (this.#paused.size === 0 && this.#bufferedBytes === 0) return;
    let bytes = 0;
    for (const stream of this.#paused) bytes += stream.bufferedBytes;
    const more = bytes - this.#bufferedBytes;
    this.#bufferedBytes = bytes;
    if (more > 0) this.account.hold(more);
    else if (more < 0) this.account.release(-more);
  }

  /** A frame was given to the socket. */
  onFrame(bytes: number): void {
    this.#writtenBytes += bytes;
    if (this.#writtenBytes - this.#countedAt < COUNTED_BYTES) return;
    this.#countedAt = this.#writtenBytes;
    this.#countUnsent();
  }

  #countUnsent(): void {
    this.account.setUnsent(this.#queuedBytes + this.socket.writableLength);
    if (this.#isFull) this.#pauseSocket();
  }

  onStreamClose(stream: NodeStream): void {
    this.#streams.delete(stream);
    if (this.#paused.delete(stream)) this.#countBuffered();
    this.#owner.onStreamClose(stream);
  }
}
