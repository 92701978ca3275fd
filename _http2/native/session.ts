/**
 * What the sessions of both sides have in common: `_h2/` on a socket.
 *
 * All that a turn of the event loop sends leaves at its end in one write. If it
 * is much, some leaves before, so that the peer can begin with it: at first two
 * KiB, then twice as much each time, which makes few writes of any amount.
 * There are few writes at a time. So the backpressure of the socket reaches the
 * streams, which wait for them.
 *
 * @module
 */

import { Socket } from "node:net";
import process from "node:process";
import type { Duplex } from "node:stream";
import { plainBytes } from "../../core/_bytes.ts";
import type { Account } from "../../_call/account.ts";
import type { CloseReason } from "../../_call/byte_stream.ts";
import {
  type ConnectionHandler,
  ErrorCode,
  errorName,
  Http2Connection,
  type Http2Options,
  type Http2Stream,
  type Violation,
} from "../../_h2/mod.ts";
import type { HeaderBlock, HeaderList } from "../../_wire/headers.ts";
import type { ConnectionWindows } from "../../core/_figures.ts";
import type { H2Session, H2SessionOwner, H2Stream } from "../engine.ts";
import { ReadGate } from "../read_gate.ts";
import type { NativeStream, StreamOwner } from "./stream.ts";

/** What a PING of this side says. */
const PING = new TextEncoder().encode("grpclib!");

/** How much of a turn is written before its end, at first, in bytes. */
const EARLY_BYTES = 2048;

/** A connection of `_h2/` on its socket, and its streams. */
export abstract class NativeSession
  implements H2Session, StreamOwner, ConnectionHandler {
  isViolated = false;
  protected readonly h2: Http2Connection;
  readonly #socket: Duplex;
  readonly #isSocket: boolean;
  readonly #isClient: boolean;
  readonly #owner: H2SessionOwner;
  readonly #gate: ReadGate;
  /** Who waits for the acknowledgements of PINGs, in order. */
  readonly #acks: (() => void)[] = [];
  /** The streams, as a list that goes through them. */
  #first: NativeStream | null = null;
  #streamCount = 0;
  #batches = 0;
  /** How many HEADERS and DATA frames there were in them. */
  #messageFrames = 0;
  #flushScheduled = false;
  #isFlushing = false;
  /** How many writes the socket has not taken yet. */
  #writes = 0;
  /** How much has to wait in this turn to be written before its end. */
  #earlyBytes = EARLY_BYTES;
  /** The session ends with its last stream. */
  #closing = false;
  /** The peer ended the connection for an error of it, and with it all streams. */
  #failed = false;
  /** Nothing is read any more, and nothing written but what is in the output. */
  #ended = false;
  /** The socket is destroyed as soon as what is in the output is written. */
  #isDestroyed = false;
  #gone = false;

  constructor(socket: Duplex, owner: H2SessionOwner, options: Http2Options) {
    this.#socket = socket;
    this.#owner = owner;
    this.#isSocket = socket instanceof Socket;
    this.#isClient = options.role === "client";
    this.h2 = new Http2Connection(options, this);
    // What a turn sends is one write already: nothing is gained by holding it
    // back until what was sent before is acknowledged.
    if (socket instanceof Socket) socket.setNoDelay(true);
    this.#gate = new ReadGate(
      socket,
      owner.account,
      (chunk) => this.#receive(chunk),
    );
    socket.on("data", (chunk: Uint8Array) => this.#gate.onData(chunk));
    socket.on("end", () => this.#onSocketEnd());
    socket.on("error", (error) => owner.onError(error));
    socket.on("close", () => this.#onSocketClose());
    this.onOutput();
  }

  get streamCount(): number {
    return this.#streamCount;
  }

  get streams(): Iterable<H2Stream> {
    const streams: NativeStream[] = [];
    for (let at = this.#first; at !== null; at = at.next) streams.push(at);
    return streams;
  }

  get isOver(): boolean {
    return this.#ended || this.#socket.destroyed;
  }

  get writing(): { readonly written: number; readonly unsent: number } {
    // Not what is written: PINGs and the like are acknowledged all the time.
    return { written: this.h2.messageFrames, unsent: this.#unsentBytes };
  }

  get windows(): ConnectionWindows {
    const { sendWindow: local, receiveWindow: remote } = this.h2;
    return { local, remote };
  }

  get #unsentBytes(): number {
    return this.h2.keptBytes + this.h2.outputBytes;
  }

  pause(isPaused: boolean): void {
    this.h2.holdCredit(isPaused);
  }

  ping(onAck: () => void): void {
    if (this.isOver) return;
    this.#acks.push(onAck);
    this.h2.ping(PING);
  }

  close(): void {
    if (this.#closing || this.isOver) return;
    this.#closing = true;
    this.h2.goaway(ErrorCode.NO_ERROR, "");
    if (this.#streamCount === 0) this.#finish();
  }

  destroy(): void {
    this.#isDestroyed = true;
    if (this.#ended) this.#finish();
    else this.abortWith(ErrorCode.NO_ERROR, "");
  }

  protected abortWith(code: number, debugData: string): void {
    if (this.#ended) return;
    this.h2.closeError(code as ErrorCode, debugData);
    if (code === ErrorCode.NO_ERROR) this.#finish();
    else this.#giveUp();
  }

  protected add(stream: NativeStream): void {
    stream.next = this.#first;
    if (this.#first !== null) this.#first.previous = stream;
    this.#first = stream;
    this.#streamCount++;
  }

  // For the streams

  get endReason(): CloseReason | null {
    return this.#owner.endReason;
  }

  get account(): Account {
    return this.#owner.account;
  }

  onQueued(): void {
    this.account.setUnsent(this.#unsentBytes);
  }

  get batches(): number {
    return this.#batches;
  }

  request(
    stream: NativeStream,
    { shared, own, next }: HeaderBlock,
    end: boolean,
  ): Http2Stream | null {
    const { h2 } = this;
    if (h2.canOpen) return h2.request(stream, shared, own, end, next);
    if (
      !this.isOver && !h2.isGoawayReceived &&
      h2.streamCount < h2.peerSettings.maxConcurrentStreams
    ) this.#owner.onExhausted();
    return null;
  }

  onSent(): void {
    this.#owner.onSent();
    if (this.h2.waitingBytes < this.#earlyBytes) return;
    this.#earlyBytes *= 2;
    this.#flush();
  }

  onReply(): void {
    this.#owner.onReply();
  }

  onPeerReset(): void {}

  onReset(): void {
    this.#owner.onReset();
  }

  onStreamClose(stream: NativeStream): void {
    const { previous, next } = stream;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next !== null) next.previous = previous;
    stream.previous = stream.next = null;
    this.#streamCount--;
    this.#owner.onStreamClose(stream);
    if (this.#closing && this.#streamCount === 0) this.#finish();
  }

  // What the engine tells

  onOutput(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    process.nextTick(flushSession, this);
  }

  onStream(stream: Http2Stream, _fields: HeaderList, _end: boolean): void {
    // A client takes no streams; the engine refuses them before.
    stream.reset(ErrorCode.REFUSED_STREAM);
  }

  onSettings(): void {
    const { maxConcurrentStreams } = this.h2.peerSettings;
    this.#owner.onSettings(maxConcurrentStreams);
  }

  onPing(): void {}

  onPingAck(): void {
    this.#acks.shift()?.();
  }

  onNoticeAck(): void {}

  onGoaway(lastId: number, code: number, debug: string): void {
    this.#owner.onGoaway(code, lastId, debug);
    if (code !== ErrorCode.NO_ERROR) {
      this.#failed = true;
      return;
    }
    this.#closing = true;
    if (this.#streamCount === 0) this.#finish();
  }

  onStreamViolation(): void {}

  onViolation({ code, message }: Violation): void {
    this.isViolated = true;
    this.#owner.onError(
      new Error(`HTTP/2 ${errorName(code)}: ${message}`),
    );
    this.#giveUp();
  }

  /** Called when frames of streams were written, and not only acknowledgements. */
  protected onFrameWritten(): void {}

  /** Writes what there is. */
  flush(): void {
    this.#flushScheduled = false;
    this.#earlyBytes = EARLY_BYTES;
    this.#flush();
  }

  #flush(): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    // A stream that is no socket may hand on what it is given at once, and what
    // comes of that must not overtake the rest.
    if (this.#isFlushing) return;
    const pieces = this.h2.takeOutput();
    const { length } = pieces;
    if (length === 0) return;
    this.#isFlushing = true;
    this.#writes++;
    this.#batches++;
    if (length > 1) socket.cork();
    for (let i = 0; i < length; i++) {
      // The engine uses its memory again, and a stream that is no socket may
      // hand on what it was given.
      const piece = this.#isSocket ? pieces[i]! : pieces[i]!.slice();
      if (i < length - 1) socket.write(piece);
      else socket.write(piece, (error) => this.#onWritten(error));
    }
    if (length > 1) socket.uncork();
    this.#isFlushing = false;
    const { messageFrames } = this.h2;
    if (messageFrames === this.#messageFrames) return;
    this.#messageFrames = messageFrames;
    this.onFrameWritten();
  }

  #onWritten(error: Error | null | undefined): void {
    // The socket is gone then, which it tells by itself.
    if (error) return;
    this.#writes--;
    this.h2.outputWritten();
    this.account.setUnsent(this.#unsentBytes);
    if (this.#ended) this.#finish();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#ended) return;
    this.#owner.onReceived();
    try {
      // One plain view of it, so that all views of messages are plain.
      this.h2.receive(plainBytes(chunk), performance.now());
    } catch (error) {
      // One connection is given up, rather than all of the process.
      this.#owner.onError(error);
      this.#giveUp();
    }
    // Not before the streams are told that the peer has not looked at them.
    if (this.#failed) this.destroy();
  }

  /**
   * Writes what there is, then ends this side of the socket. The socket is gone
   * when the peer has ended its side too, or when the owner loses patience: were
   * it destroyed now, what the peer still sends would make the system drop what
   * was written, the GOAWAY with it.
   */
  #finish(): void {
    this.#ended = true;
    this.#owner.onEnding();
    if (this.#writes > 0) return;
    this.#flush();
    // Nobody waits for what the peer may still say.
    if (this.#isDestroyed && this.#writes === 0) this.#socket.destroy();
    else this.#socket.end();
  }

  /** Ends the connection of a peer that does wrong, and reads no more of it. */
  #giveUp(): void {
    this.#finish();
    this.#gate.stop();
  }

  #onSocketEnd(): void {
    this.#gate.flush();
    this.#owner.onSocketEnd();
    if (this.#ended) return;
    this.#ended = true;
    // All that the peer ever said is read: what a stream has now it has.
    this.h2.lose("");
    if (!this.#isClient) return this.#finish();
    // What was not sent by now will be, on another connection, and must not be
    // heard on this one too.
    this.#owner.onEnding();
    this.#socket.end();
  }

  #onSocketClose(): void {
    if (this.#gone) return;
    this.#gate.flush();
    this.#gone = true;
    this.#ended = true;
    this.#owner.onSocketClose();
    this.h2.lose("");
    for (const stream of this.streams) (stream as NativeStream).lose();
    this.#owner.onClosed();
  }
}

// One function that all sessions share.
function flushSession(session: NativeSession): void {
  session.flush();
}
