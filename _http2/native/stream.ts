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
import type {
  HeaderBlock,
  HeaderList,
  RawHeaders,
} from "../../_wire/headers.ts";
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
  /** Opens a stream of a client; null if the connection takes none any more. */
  request(
    stream: NativeStream,
    shared: HeaderList,
    own: HeaderList,
    end: boolean,
  ): Http2Stream | null;
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
  /** The neighbours in the session's list. */
  previous: NativeStream | null = null;
  next: NativeStream | null = null;
  readonly #owner: StreamOwner;
  readonly #isServer: boolean;
  /** Null until a client has sent the head. */
  #h2: Http2Stream | null;
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

  /** Makes the stream of a client's call, or of a request that has no call yet. */
  constructor(owner: StreamOwner, of: ByteSink | Http2Stream) {
    this.#owner = owner;
    this.#isServer = !("onHead" in of);
    if ("onHead" in of) {
      this.#h2 = null;
      this.#sink = of;
    } else {
      this.#h2 = of;
      this.#sink = DEAF;
      of.handler = this;
    }
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
    this.#localEnded = end;
    this.#owner.onSent();
    const [shared, own] = fieldsOf(head);
    if (this.#isServer) {
      this.#h2!.sendHeaders(shared, own, end);
      if (end) this.#dropRest();
      return;
    }
    this.path = pathOf(shared);
    this.#h2 = this.#owner.request(this, shared, own, end);
    // The connection took its last stream before this one.
    if (this.#h2 === null) this.#refuse();
  }

  send(bytes: Uint8Array, end = false): void | Promise<void> {
    if (this.#isGone) return;
    this.#localEnded = end;
    this.#owner.onSent();
    if (this.#h2!.sendData(bytes, end) || end || this.#isGone) return;
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  sendTrailers(trailers: HeaderBlock): void {
    if (this.#isGone) return;
    this.#localEnded = true;
    this.#owner.onSent();
    const [shared, own] = fieldsOf(trailers);
    this.#h2!.sendTrailers(shared, own);
    this.#dropRest();
  }

  reset(code: ResetCode): void {
    if (this.#isGone) return;
    this.#resetting = true;
    this.#waiting = null;
    this.#owedBytes = 0;
    this.#h2?.reset(code);
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

  #refuse(): void {
    this.#resetting = true;
    const why = this.#owner.endReason ??
      reasonOfLoss("Connection takes no more calls");
    process.nextTick(() => this.#close({ ...why, unprocessed: true }));
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
    if (!this.#paused) return this.#sink.onEnd(trailers);
    this.#waitingTrailers = trailers;
    if (!this.#isServer) this.#sink.onStop();
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

  /** The connection is gone: so is a stream that it has never opened. */
  lose(): void {
    if (this.#h2 !== null) return;
    const why = this.#owner.endReason ?? reasonOfLoss("Connection was lost");
    this.#close({ ...why, unprocessed: true });
  }

  /** Tells the call the end of a stream that it has reset. */
  closeReset(): void {
    this.#close(CLEAN);
  }

  #onPeerEnd(): void {
    this.#peerEnded = true;
    if (this.#isServer || this.#localEnded && this.#h2!.queuedBytes === 0) {
      return;
    }
    // Later, for the call ends its half by itself when it learns of it.
    setImmediate(dropUnsent, this);
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
    this.#h2!.consume(bytes);
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

/** The two lists that the engine takes. */
function fieldsOf(
  { shared, own, next }: HeaderBlock,
): readonly [shared: HeaderList, own: HeaderList] {
  return [shared, next === null ? own : [...own, ...next.toList()]];
}

/** The path of a request. */
function pathOf(list: HeaderList): string {
  return list[list.indexOf(":path") + 1] ?? "";
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
  onStop() {},
  onEnd() {},
  onClose() {},
};
