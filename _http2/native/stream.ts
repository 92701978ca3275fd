/**
 * A stream of `_h2/` as the `ByteStream` of a call.
 *
 * @module
 */

import process from "node:process";
import {
  type ByteSink,
  type CloseReason,
  ResetCode,
} from "../../_call/byte_stream.ts";
import type { HeaderBlock, RawHeaders } from "../../_wire/headers.ts";
import type { Http2Stream, StreamEnd, StreamHandler } from "../../_h2/mod.ts";
import type { H2Stream } from "../engine.ts";
import {
  CLEAN,
  reasonOfLoss,
  reasonOfReset,
  resetName,
  statusOfReset,
} from "../reset.ts";

/** The connection of a stream. */
export interface StreamOwner {
  /** Why the connection ended, if it has, or is about to. */
  readonly endReason: CloseReason | null;
  /** HEADERS or DATA of a call are sent. */
  onSent(): void;
  /** The peer answered a call. */
  onAnswer(): void;
  /** The stream is gone. */
  onStreamClose(stream: NativeStream): void;
}

/** A view of less than this part of its memory is copied when it is kept. */
const KEPT_PART = 0.5;

/** One stream of a call, on either side. */
export class NativeStream implements H2Stream, StreamHandler {
  path = "";
  openedAt = 0;
  readonly #owner: StreamOwner;
  readonly #h2: Http2Stream;
  readonly #isServer: boolean;
  #sink: ByteSink;
  #peerEnded = false;
  #localEnded = false;
  #resetting = false;
  #closed = false;
  #paused = false;
  /** Bytes that came since the call has paused: they have no credit yet. */
  #owedBytes = 0;
  /** What of them the call was not given, and the end behind it. */
  #waiting: Uint8Array[] | null = null;
  #waitingTrailers: RawHeaders | null = null;
  #drained: PromiseWithResolvers<void> | null = null;

  /** @param sink The call of a client; null for a request that has none yet. */
  constructor(owner: StreamOwner, h2: Http2Stream, sink: ByteSink | null) {
    this.#owner = owner;
    this.#h2 = h2;
    this.#isServer = sink === null;
    this.#sink = sink ?? DEAF;
    h2.handler = this;
  }

  /**
   * Gives a request its call.
   *
   * @param end Whether the request ends with its head.
   */
  start(sink: ByteSink, end: boolean): void {
    this.#sink = sink;
    if (end) this.onEnd(NONE);
  }

  get isCutOff(): boolean {
    return !this.#localEnded && !this.#resetting;
  }

  // Down: what the call asks for

  sendHead(head: HeaderBlock, end = false): void {
    if (this.#isGone) return;
    if (!this.#isServer) this.path = pathOf(head);
    this.#localEnded = end;
    this.#owner.onSent();
    this.#h2.sendHeaders(head, end);
    if (end) this.#dropRest();
  }

  send(bytes: Uint8Array, end = false): void | Promise<void> {
    if (this.#isGone) return;
    this.#localEnded = end;
    this.#owner.onSent();
    if (this.#h2.sendData(bytes, end) || end || this.#isGone) return;
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  sendTrailers(trailers: HeaderBlock): void {
    if (this.#isGone) return;
    this.#localEnded = true;
    this.#owner.onSent();
    this.#h2.sendTrailers(trailers);
    this.#dropRest();
  }

  reset(code: ResetCode): void {
    if (this.#isGone) return;
    this.#resetting = true;
    this.#waiting = null;
    this.#owedBytes = 0;
    this.#h2.reset(code);
    // Later, for the call may be in the middle of something.
    process.nextTick(closeStream, this);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#deliver(false);
    if (!this.#paused) this.#payBack();
  }

  get #isGone(): boolean {
    return this.#closed || this.#resetting;
  }

  /** After a server has ended the call: what the client still sends is not wanted. */
  #dropRest(): void {
    // Not at once: the client's own end may be here in a moment.
    if (this.#isServer && !this.#peerEnded) setImmediate(dropRest, this);
  }

  dropRest(): void {
    // "A server MAY request that the client abort transmission of a request
    // without error by sending a RST_STREAM with an error code of NO_ERROR
    // after sending a complete response."
    // https://www.rfc-editor.org/rfc/rfc9113#section-8.1
    if (!this.#peerEnded) this.reset(ResetCode.NO_ERROR);
  }

  // Up: what the engine tells

  onHeaders(fields: RawHeaders, end: boolean): void {
    this.#owner.onAnswer();
    if (end) this.#onPeerEnd();
    this.#sink.onHead(fields, end);
  }

  onInterim(): void {}

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isGone) return;
    const view = bytes.subarray(start, end);
    this.#owedBytes += view.length;
    if (this.#paused) {
      // A few bytes must not keep all of what came with them.
      const isPart = view.length < view.buffer.byteLength * KEPT_PART;
      (this.#waiting ??= []).push(isPart ? view.slice() : view);
      return;
    }
    this.#sink.onData(view);
    if (!this.#paused) this.#payBack();
  }

  onEnd(trailers: RawHeaders): void {
    if (this.#isGone) return;
    this.#onPeerEnd();
    if (this.#paused) this.#waitingTrailers = trailers;
    else this.#sink.onEnd(trailers);
  }

  onDrain(): void {
    this.#drained?.resolve();
    this.#drained = null;
  }

  onClose(end: StreamEnd): void {
    // What has arrived is not lost with its stream.
    if (this.#waiting !== null || this.#waitingTrailers !== null) {
      this.#deliver(true);
    }
    this.#close(this.#reasonOf(end));
  }

  /** Tells the call the end of a stream that it has reset. */
  closeReset(): void {
    this.#close(CLEAN);
  }

  #onPeerEnd(): void {
    this.#peerEnded = true;
    // Later, for the call ends its half by itself when it learns of it.
    if (!this.#isServer) setImmediate(dropUnsent, this);
  }

  /** After the server has ended the call: what is not sent yet is not wanted. */
  dropUnsent(): void {
    if (this.#isGone) return;
    this.reset(this.#localEnded ? ResetCode.CANCEL : ResetCode.NO_ERROR);
  }

  /** Gives the call what waits, as long as it wants it; or all of it. */
  #deliver(all: boolean): void {
    const waiting = this.#waiting ?? [];
    let next = 0;
    while (next < waiting.length && (all || !this.#paused)) {
      this.#sink.onData(waiting[next++]!);
      if (this.#isGone) return;
    }
    this.#waiting = next < waiting.length ? waiting.slice(next) : null;
    const trailers = this.#waitingTrailers;
    if (trailers === null || this.#waiting !== null) return;
    if (this.#paused && !all) return;
    this.#waitingTrailers = null;
    this.#sink.onEnd(trailers);
  }

  /** Lets the peer send as much as the call has taken. */
  #payBack(): void {
    const bytes = this.#owedBytes;
    if (bytes === 0) return;
    this.#owedBytes = 0;
    this.#h2.consume(bytes);
  }

  #reasonOf({ cause, code, message, unprocessed }: StreamEnd): CloseReason {
    const { endReason } = this.#owner;
    switch (cause) {
      case "complete":
        return CLEAN;
      case "reset":
        return code === ResetCode.NO_ERROR ? CLEAN : reasonOfReset(code);
      case "goaway":
        return {
          ...endReason ?? reasonOfReset(ResetCode.REFUSED_STREAM),
          unprocessed: true,
        };
      case "connection": {
        const why = endReason ?? reasonOfLoss("Connection was lost", message);
        return unprocessed ? { ...why, unprocessed } : why;
      }
      case "violation":
        return {
          clean: false,
          status: statusOfReset(code),
          message: `Stream was reset with ${resetName(code)}: ${message}`,
          unprocessed,
        };
    }
  }

  #close(why: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = this.#waitingTrailers = null;
    if (this.#owedBytes > 0 && !this.#paused) this.#payBack();
    this.onDrain();
    this.#owner.onStreamClose(this);
    this.#sink.onClose(why);
  }
}

/** The path of a request, which is one of the first fields. */
function pathOf({ shared, own }: HeaderBlock): string {
  for (const list of [shared, own]) {
    for (let i = 0; i + 1 < list.length; i += 2) {
      if (list[i] === ":path") return list[i + 1]!;
    }
  }
  return "";
}

// Functions that all streams share: one for each call would be garbage.

function closeStream(stream: NativeStream): void {
  stream.closeReset();
}

function dropRest(stream: NativeStream): void {
  stream.dropRest();
}

function dropUnsent(stream: NativeStream): void {
  stream.dropUnsent();
}

const NONE: RawHeaders = [];

/** Hears nothing. */
const DEAF: ByteSink = {
  onHead() {},
  onData() {},
  onEnd() {},
  onClose() {},
};
