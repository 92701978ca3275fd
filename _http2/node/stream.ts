/**
 * A stream of `node:http2` as the `ByteStream` of a call: ordering,
 * backpressure, the end.
 *
 * What `node:http2` on Deno does otherwise than one would think is dealt with
 * here, and noted where it is.
 *
 * @module
 */

import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  Http2Stream,
  ServerHttp2Stream,
} from "node:http2";
import process from "node:process";
import type { Account } from "../../_call/account.ts";
import {
  type ByteSink,
  type CloseReason,
  ResetCode,
} from "../../_call/byte_stream.ts";
import type { HeaderBlock, RawHeaders } from "../../_wire/headers.ts";
import type { H2Stream } from "../engine.ts";
import { inNextTurn } from "../next_turn.ts";
import { dropRuntimeSpan, openStream } from "./runtime_span.ts";
import { CLEAN, reasonOfLoss, reasonOfReset } from "../reset.ts";
import { headerObject } from "./header_object.ts";
import { countRefusal } from "./reclaim.ts";
import {
  listenAsClient,
  listenAsServer,
  listenToAborted,
  listenToData,
  listenToDrain,
  type StreamEvents,
} from "./stream_events.ts";
import { WriteBuffer } from "./write_buffer.ts";

/** The connection of a stream. */
export interface StreamOwner {
  /** What is held for the peer. */
  readonly account: Account;
  /** So many bytes more wait to be sent; negative for fewer. */
  onQueued(bytes: number): void;
  /** The stream is read no further for now, or again. */
  onPaused(stream: NodeStream, isPaused: boolean): void;
  /** Why the connection ended, if it has, or is about to. */
  readonly endReason: CloseReason | null;
  /** Whether streams should wait, until `onDrain` tells them to go on. */
  readonly backlogged: boolean;
  /** Whether the peer said that it has not looked at this stream. */
  isUnprocessed(streamId: number): boolean;
  /** Whether nothing of the stream was given to the socket. */
  isUnsent(streamId: number): boolean;
  /** A frame of a call was sent. */
  onSent(): void;
  /** The peer replied to a call. */
  onReply(): void;
  /** A stream was opened by this side. */
  onOpened(streamId: number): void;
  /** A stream was reset by this side. */
  onReset(): void;
  /** The stream is gone. */
  onStreamClose(stream: NodeStream): void;
}

/** How many bytes may wait for the end of the tick before they are written. */
const FLUSH_ABOVE_BYTES = 64 * 1024;

/** Smaller messages are not counted one by one. */
const COUNTED_BYTES = 4096;

/** The flag END_STREAM of a frame. */
const END_STREAM = 0x1;

const NONE: RawHeaders = [];
const REQUEST: { endStream: boolean } = { endStream: false };
const REQUEST_END: { endStream: boolean } = { endStream: true };
// The date is of no use to a call, and not free.
const RESPOND = { waitForTrailers: true, sendDate: false };
const RESPOND_END = { endStream: true, sendDate: false };

/** One HTTP/2 stream of a call, on either side. */
export class NodeStream implements H2Stream, StreamEvents {
  path = "";
  openedAt = 0;
  sentAfter = 0;
  expiresAt = Infinity;
  readonly #owner: StreamOwner;
  readonly #session: ClientHttp2Session | null;
  #sink: ByteSink;
  #h2: Http2Stream | null = null;
  /** What the peer's half ended with, kept until its data is through. */
  #trailersIn: RawHeaders = NONE;
  #trailersOut: HeaderBlock | null = null;
  /** The peer's half is known to have ended in good order. */
  #peerEnded = false;
  #localEnded = false;
  /** Whether a server's head is all of its reply. */
  #headEnds = false;
  #resetting = false;
  #closed = false;
  /** Whether the call wants no bytes for now. */
  #isPaused = false;
  /** What came of a reply, if its stream ended before the call wanted it. */
  #rest: Uint8Array[] | null = null;
  /** What the stream was closed with, if the call has to be given the rest first. */
  #lateReason: CloseReason | null = null;
  /** Whether the call is being given the rest. */
  #isTelling = false;
  /** Whether the connection has forgotten it. */
  #hasLeft = false;
  /** Whether the head of the reply was told. */
  #headed = false;
  /** What the peer reset the stream with, before the end of the connection. */
  #resetCode: number | null = null;
  #error: unknown;
  readonly #buffer = new WriteBuffer();
  /** How many bytes of large messages are not written yet. */
  #queuedBytes = 0;
  #flushScheduled = false;
  #drained: PromiseWithResolvers<void> | null = null;

  /** @param session The session to open the stream on; null if it is open. */
  constructor(
    owner: StreamOwner,
    session: ClientHttp2Session | null,
    sink: ByteSink,
  ) {
    this.#owner = owner;
    this.#session = session;
    this.#sink = sink;
  }

  /** Takes on a stream that a client opened. */
  accept(h2: ServerHttp2Stream): void {
    this.#h2 = h2;
    this.account.traffic.openStream();
    listenAsServer(h2, this);
  }

  /** Tells the events of an accepted stream to its call, from now on. */
  start(sink: ByteSink): void {
    this.#sink = sink;
    listenToData(this.#h2!);
  }

  get account(): Account {
    return this.#owner.account;
  }

  /** How many bytes have come that nobody wants yet. */
  get bufferedBytes(): number {
    return this.#h2?.readableLength ?? 0;
  }

  get isCutOff(): boolean {
    return !this.#localEnded && !this.#resetting;
  }

  // Down: what the call asks for

  sendHead(head: HeaderBlock, end = false): void {
    if (this.#session !== null) return this.#request(head, end);
    if (this.#isGone) return;
    const h2 = this.#h2 as ServerHttp2Stream;
    h2.respond(
      headerObject(head),
      end ? RESPOND_END : RESPOND,
    );
    this.#owner.onSent();
    if (end) {
      this.#localEnded = true;
      this.#headEnds = true;
      countRefusal();
      this.#dropRest();
    }
  }

  send(bytes: Uint8Array, end = false): void | Promise<void> {
    if (this.#isGone) {
      // Its end is about to be told. Who sends without a pause has to wait for
      // it, or nothing else would ever run.
      if (this.#closed) return;
      return (this.#drained ??= Promise.withResolvers()).promise;
    }
    this.#buffer.add(bytes);
    // Each is the frame of a message; without bytes it is only the end.
    if (bytes.length > 0) this.account.traffic.send();
    if (bytes.length >= COUNTED_BYTES) this.#count(bytes.length);
    if (end) {
      this.#localEnded = true;
      this.#flush(true);
      return;
    }
    if (this.#buffer.bytes >= FLUSH_ABOVE_BYTES) {
      this.#flush(false);
    } else if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      process.nextTick(flushStream, this);
    }
    const needDrain = this.#h2!.writableNeedDrain;
    if (needDrain || this.#owner.backlogged) {
      if (this.#drained === null) {
        this.#drained = Promise.withResolvers();
        if (needDrain) listenToDrain(this.#h2!);
      }
      return this.#drained.promise;
    }
  }

  sendTrailers(trailers: HeaderBlock): void {
    if (this.#isGone) return;
    this.#trailersOut = trailers;
    this.#localEnded = true;
    this.#flush(true);
  }

  reset(code: ResetCode): void {
    if (this.#closed || this.#resetting) return;
    this.#resetting = true;
    this.#buffer.take();
    this.#rest = null;
    const h2 = this.#h2;
    if (h2 === null || this.#lateReason !== null) {
      // There is nothing to reset. Told later, as the end of any other stream is.
      process.nextTick(() => this.#close(CLEAN));
      return;
    }
    // Without this the stream is ended before it is reset, and the peer takes
    // a call that broke off for one that is complete.
    if (code !== ResetCode.NO_ERROR) h2.end = endNothing;
    // Not at once: not on the stack of nghttp2, and not before the HEADERS of a
    // request made in this turn. On Deno these leave in an immediate of their
    // own, and a reset of a stream without them would be lost.
    if (code === ResetCode.NO_ERROR && this.#session === null) {
      inNextTurn(resetWithoutError, this);
    } else setImmediate(() => this.resetNow(code));
  }

  resetNow(code: ResetCode): void {
    const h2 = this.#h2!;
    if (!h2.destroyed) {
      // With NO_ERROR it waits for what is ended and not sent yet, which a
      // server that has replied may never take.
      const isStuck = this.#session !== null && h2.writableEnded &&
        !h2.writableFinished;
      h2.close(isStuck ? ResetCode.CANCEL : code);
      this.#owner.onReset();
    }
    // A reset stream with unread data would never be closed.
    h2.resume();
    // Nor would one with data that the peer did not take, if it was closed with
    // NO_ERROR.
    if (!h2.writableFinished) inNextTurn(destroyStream, h2);
  }

  /**
   * The connection is about to end, which resets its streams as well: what the
   * peer reset before is told apart from that now.
   */
  seal(): void {
    if (this.#h2?.closed) this.#resetCode = this.#h2.rstCode;
  }

  /** The connection is gone: so is a stream that was not opened on it yet. */
  abandon(): void {
    if (this.#h2 !== null) return;
    const why = this.#owner.endReason ?? reasonOfLoss("Cannot open a stream");
    this.#close({ ...why, unprocessed: true });
  }

  dropSpan(): void {
    if (this.#h2 !== null) dropRuntimeSpan(this.#h2);
  }

  pause(): void {
    if (this.#h2 === null || this.#closed) return;
    this.#isPaused = true;
    if (this.#hasLeft) return;
    this.#h2.pause();
    this.#owner.onPaused(this, true);
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#lateReason !== null) return this.#tellRest();
    this.#owner.onPaused(this, false);
    this.#h2?.resume();
  }

  #request(head: HeaderBlock, end: boolean): void {
    const headers = headerObject(head);
    let h2: ClientHttp2Stream;
    try {
      h2 = openStream(
        headers,
        (headers) =>
          this.#session!.request(headers, end ? REQUEST_END : REQUEST),
      );
    } catch (error) {
      // The session is gone, which is told a tick later than it is so.
      this.#resetting = true;
      const why = this.#owner.endReason ??
        reasonOfLoss("Cannot open a stream", error);
      // Else the next request might fail as well, on the same session.
      const unsent = this.#owner.endReason !== null;
      process.nextTick(() => {
        this.#close({ ...why, unprocessed: true, unsent });
      });
      return;
    }
    this.path = String(headers[":path"]);
    this.#localEnded = end;
    this.#h2 = h2;
    listenAsClient(h2, this);
    this.account.traffic.openStream();
    this.#owner.onOpened(h2.id ?? 0);
    this.#owner.onSent();
  }

  /** Whether nothing can be sent any more. */
  get #isGone(): boolean {
    const h2 = this.#h2;
    return this.#closed || this.#resetting || h2 === null || h2.destroyed ||
      h2.closed;
  }

  /** Writes what waits for it. */
  #flush(end: boolean): void {
    const h2 = this.#h2!;
    const chunks = this.#buffer.take();
    // Corked, so that all of it is one write.
    if (chunks.length > 1) h2.cork();
    const last = end ? chunks.pop() : undefined;
    for (const chunk of chunks) this.#write(chunk);
    if (last !== undefined) h2.end(last, this.#onWritten(last.length));
    else if (end) h2.end();
    else if (chunks.length > 1) h2.uncork();
    this.#owner.onSent();
  }

  #write(chunk: Uint8Array): void {
    const onWritten = this.#onWritten(chunk.length);
    if (onWritten === undefined) this.#h2!.write(chunk);
    else this.#h2!.write(chunk, onWritten);
  }

  /** What has to be called when bytes are written, if they are counted. */
  #onWritten(bytes: number): (() => void) | undefined {
    if (this.#queuedBytes === 0 || bytes < COUNTED_BYTES) return undefined;
    return () => this.#count(-Math.min(bytes, this.#queuedBytes));
  }

  /** Counts bytes that wait to be sent. */
  #count(bytes: number): void {
    if (bytes === 0) return;
    this.#queuedBytes += bytes;
    this.#owner.onQueued(bytes);
  }

  /** After the server has ended: what is not sent yet is not wanted. */
  #dropUnsent(): void {
    if (this.#h2!.writableFinished) return;
    setImmediate(() => {
      if (!this.#h2!.writableFinished) this.reset(ResetCode.NO_ERROR);
    });
  }

  /** After this side has ended: what the peer still sends is not wanted. */
  #dropRest(): void {
    if (this.#peerEnded || this.#session !== null) return;
    // "Once the server has sent trailers, it may reset the stream with
    // NO_ERROR": two turns later, for a reset would overtake the trailers, unless
    // they are the head as well.
    inNextTurn(this.#headEnds ? dropRest : dropRestLater, this);
  }

  dropRest(): void {
    const h2 = this.#h2!;
    if (!this.#peerEnded) this.reset(ResetCode.NO_ERROR);
    else if (!h2.destroyed) h2.resume();
  }

  // Up: what node:http2 tells

  flushPending(): void {
    this.#flushScheduled = false;
    if (this.#buffer.bytes > 0 && !this.#isGone) this.#flush(false);
  }

  onResponse(raw: RawHeaders, flags: number): void {
    if (this.#resetting) return;
    this.#owner.onReply();
    this.#headed = true;
    if (!this.#localEnded) listenToAborted(this.#h2!);
    const end = (flags & END_STREAM) !== 0;
    if (end) {
      this.#peerEnded = true;
      this.#h2!.resume();
      this.#dropUnsent();
    } else {
      // Not before: on Deno data may come before the head it follows.
      listenToData(this.#h2!);
    }
    this.#sink.onHead(raw, end);
  }

  onData(chunk: Uint8Array): void {
    if (this.#resetting) return;
    // Deno resumes a stream that it destroys, though it was paused: all at once
    // would come what nobody may read of a client that left, and what the caller
    // does not read yet of a server.
    if (this.#h2!.destroyed) {
      if (this.#session === null) return;
      if (this.#isPaused || this.#rest !== null) {
        (this.#rest ??= []).push(chunk);
        return;
      }
    }
    this.#sink.onData(chunk, 0, chunk.length);
  }

  onTrailers(raw: RawHeaders): void {
    // On Deno they come before the data that they follow.
    this.#trailersIn = raw;
  }

  onClientEnd(): void {
    // With a rest, the close tells how the reply ends.
    if (this.#resetting || this.#peerEnded || this.#rest !== null) return;
    if (this.#trailersIn.length > 0) {
      this.#peerEnded = true;
      this.#dropUnsent();
      this.#sink.onEnd(this.#trailersIn);
      return;
    }
    // An end without trailers: a reset looks like this too, for a moment.
    setImmediate(() => {
      if (this.#closed || this.#resetting) return;
      this.#peerEnded = true;
      this.#dropUnsent();
      this.#sink.onEnd(NONE);
    });
  }

  onServerEnd(): void {
    // A reset by the client ends its data as well; 'aborted' has told so.
    if (this.#resetting || this.#h2!.aborted) return;
    this.#peerEnded = true;
    this.#sink.onEnd(this.#trailersIn);
  }

  onWantTrailers(): void {
    const h2 = this.#h2 as ServerHttp2Stream;
    if (h2.destroyed || h2.closed) return;
    h2.sendTrailers(
      this.#trailersOut === null ? {} : headerObject(this.#trailersOut),
    );
    this.#dropRest();
  }

  onClientAborted(): void {
    if (this.#resetting || this.#h2!.rstCode !== ResetCode.NO_ERROR) return;
    // "A server may request that the client abort transmission of a request …
    // after sending a complete response by sending RST_STREAM with NO_ERROR."
    // https://www.rfc-editor.org/rfc/rfc9113#section-8.1
    this.#drained?.resolve();
    this.#drained = null;
    this.#sink.onStop(false);
  }

  onDrain(): void {
    if (this.#drained === null || this.#owner.backlogged) return;
    this.#drained.resolve();
    this.#drained = null;
  }

  onError(error: unknown): void {
    this.#error = error;
  }

  onClose(): void {
    const isLate = this.#session !== null && !this.#peerEnded && this.#headed;
    if (!isLate) return this.#close(this.#closeReason());
    const h2 = this.#h2!;
    for (let rest = h2.read(); rest !== null; rest = h2.read()) {
      this.onData(rest);
    }
    if (this.#trailersIn.length > 0 && !this.#resetting) this.#peerEnded = true;
    this.#lateReason = this.#closeReason();
    this.#tellRest();
    if (this.#closed) return;
    this.#leave();
    this.#sink.onStop(true);
  }

  /**
   * What came of a reply is not lost with its stream, nor told before the call
   * wants it: it may be a million messages. The call learns of the end behind it.
   */
  #tellRest(): void {
    if (this.#isTelling || this.#closed) return;
    this.#isTelling = true;
    try {
      const rest = this.#rest ?? [];
      let told = 0;
      while (told < rest.length && !this.#isPaused && !this.#resetting) {
        const chunk = rest[told++]!;
        this.#sink.onData(chunk, 0, chunk.length);
      }
      if (!this.#resetting) {
        this.#rest = rest.slice(told);
        if (this.#rest.length > 0) return;
        if (this.#peerEnded) this.#sink.onEnd(this.#trailersIn);
      }
    } finally {
      this.#isTelling = false;
    }
    this.#close(this.#lateReason!);
  }

  #closeReason(): CloseReason {
    if (this.#resetting) return CLEAN;
    if (this.#peerEnded && this.#localEnded) return CLEAN;
    const { endReason } = this.#owner;
    const { id = 0, rstCode = 0 } = this.#h2!;
    // Nobody but the peer refuses a stream, even if it ends the connection then.
    const isRefused = rstCode === ResetCode.REFUSED_STREAM;
    if (isRefused || this.#owner.isUnprocessed(id)) {
      const why = endReason ??
        reasonOfReset(ResetCode.REFUSED_STREAM, this.#error);
      return { ...why, unprocessed: true, unsent: this.#owner.isUnsent(id) };
    }
    // The end of a connection resets its streams; that is not the peer's doing.
    if (endReason !== null && this.#resetCode === null) {
      if (!this.#owner.isUnsent(id)) return endReason;
      return { ...endReason, unprocessed: true, unsent: true };
    }
    const code = this.#resetCode ?? rstCode;
    if (code === ResetCode.NO_ERROR && this.#error === undefined) return CLEAN;
    return reasonOfReset(code, this.#error);
  }

  #close(why: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
    this.#sink.onClose(why);
  }

  /** The stream is over: the connection need not know of it any more. */
  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#buffer.take();
    this.#count(-this.#queuedBytes);
    this.#drained?.resolve();
    this.#drained = null;
    if (this.#h2 !== null) {
      this.account.traffic.closeStream(
        this.#session === null ? this.#localEnded : this.#peerEnded,
      );
    }
    this.#owner.onStreamClose(this);
  }
}

function flushStream(stream: NodeStream): void {
  stream.flushPending();
}

function resetWithoutError(stream: NodeStream): void {
  stream.resetNow(ResetCode.NO_ERROR);
}

function destroyStream(h2: Http2Stream): void {
  h2.destroy();
}

function dropRestLater(stream: NodeStream): void {
  inNextTurn(dropRest, stream);
}

function dropRest(stream: NodeStream): void {
  stream.dropRest();
}

function endNothing(this: Http2Stream): Http2Stream {
  return this;
}
