/**
 * A stream of `_h2/` as the `ByteStream` of a call.
 *
 * @module
 */

import process from "node:process";
import type { Account } from "../../_call/account.ts";
import {
  type ByteSink,
  type CloseReason,
  NO_SINK,
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
import { inNextTurn } from "../next_turn.ts";
import { ReceivedBytes } from "./received_bytes.ts";

/** The connection of a stream. */
export interface StreamOwner {
  /** What is held for the peer. */
  readonly account: Account;
  /** Large bytes were given to be sent. */
  onQueued(): void;
  /** Why the connection ended, if it has, or is about to. */
  readonly endReason: CloseReason | null;
  /** How many batches of frames were given to the socket. */
  readonly batches: number;
  /** Opens a stream of a client; null if the connection takes none any more. */
  request(
    stream: NativeStream,
    head: HeaderBlock,
    end: boolean,
  ): Http2Stream | null;
  /** HEADERS or DATA of a call are sent. */
  onSent(): void;
  /** The peer replied to a call. */
  onReply(): void;
  /** The peer reset the stream. */
  onPeerReset(): void;
  /** This side reset the stream. */
  onReset(): void;
  /** The stream is gone. */
  onStreamClose(stream: NativeStream): void;
}

/** Smaller messages are counted when they are written, with the others. */
const COUNTED_BYTES = 4096;

/** How far a stream has gone. */
const Phase = {
  OPEN: 0,
  /** The call is over, and the last of its reply waits to be sent. */
  SENDING_REST: 1,
  /** This side has reset it; its call is told in a moment. */
  RESET: 2,
  /** It is over, and its call does not want all of the reply yet. */
  LATE: 3,
  CLOSED: 4,
} as const;
type Phase = typeof Phase[keyof typeof Phase];

/** One stream of a call, on either side. */
export class NativeStream implements H2Stream, StreamHandler {
  path = "";
  openedAt = 0;
  sentAfter = 0;
  expiresAt = Infinity;
  /** The neighbours in the session's list. */
  previous: NativeStream | null = null;
  next: NativeStream | null = null;
  readonly #owner: StreamOwner;
  readonly #isServer: boolean;
  /** Null until a client has sent the head. */
  #h2: Http2Stream | null;
  #sink: ByteSink;
  #phase: Phase = Phase.OPEN;
  /** How many batches had left before the request of a client. */
  #openedBehind = 0;
  #peerEnded = false;
  /** The call has ended its half, to the last byte. */
  #localEnded = false;
  /** The call has ended its half, or reset the stream. */
  #isThrough = false;
  #paused = false;
  /** Whether the call is being told something: nothing else comes between. */
  #isTelling = false;
  /** Bytes that the call was given, and that have no credit yet. */
  #owedBytes = 0;
  /** What the call was not given yet: bytes, the end behind them, the close. */
  #waiting: ReceivedBytes | null = null;
  #waitingBytes = 0;
  #waitingEnd: RawHeaders | null = null;
  #why: CloseReason | null = null;
  #hasLeft = false;
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
      this.#sink = NO_SINK;
      of.handler = this;
      this.account.traffic.openStream();
    }
  }

  /**
   * Gives a request its call.
   *
   * @param end Whether the request ends with its head.
   */
  start(sink: ByteSink, end: boolean): void {
    this.#sink = sink;
    if (this.#phase !== Phase.CLOSED) {
      if (end) this.onEnd(NONE);
      return;
    }
    // It was replied to, and over with that, before there was a call to be told.
    if (end) sink.onEnd(NONE);
    sink.onClose(this.#why!);
  }

  get isCutOff(): boolean {
    return !this.#isThrough;
  }

  get account(): Account {
    return this.#owner.account;
  }

  // Down: what the call asks for

  sendHead(head: HeaderBlock, end = false): void {
    if (this.#isGone) return;
    this.#isThrough = this.#localEnded = end;
    this.#owner.onSent();
    const { shared, own, next } = head;
    if (this.#isServer) {
      this.#h2!.sendHeaders(shared, own, end, next);
      if (end) this.#dropRest();
      return;
    }
    this.path = pathOf(shared);
    this.#openedBehind = this.#owner.batches;
    this.#h2 = this.#owner.request(this, head, end);
    // The connection took its last stream before this one.
    if (this.#h2 === null) this.#refuse();
    else this.account.traffic.openStream();
  }

  send(bytes: Uint8Array, end = false): void | Promise<void> {
    if (this.#isGone) return;
    this.#isThrough = this.#localEnded = end;
    this.#owner.onSent();
    // Each is the frame of a message; without bytes it is only the end.
    if (bytes.length > 0) this.account.traffic.send();
    const isFree = this.#h2!.sendData(bytes, end);
    if (bytes.length >= COUNTED_BYTES) this.#owner.onQueued();
    if (isFree || end || this.#isGone) return;
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  sendTrailers(trailers: HeaderBlock): void {
    if (this.#isGone) return;
    this.#isThrough = this.#localEnded = true;
    this.#owner.onSent();
    const { shared, own, next } = trailers;
    this.#h2!.sendTrailers(shared, own, next);
    this.#dropRest();
  }

  reset(code: ResetCode): void {
    if (this.#isGone && this.#phase !== Phase.LATE) return;
    this.#phase = Phase.RESET;
    this.#isThrough = true;
    this.#dropReceived();
    if (this.#h2 !== null && this.#why === null) {
      this.#h2.reset(code);
      this.#owner.onReset();
    }
    // Later, for the call may be in the middle of something.
    process.nextTick(closeStream, this);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#tell();
  }

  #refuse(): void {
    const { endReason } = this.#owner;
    this.#phase = Phase.RESET;
    this.#isThrough = true;
    // While the connection goes on, the next stream may be refused as well.
    this.#why = endReason === null
      ? reasonOfLoss("Connection takes no more calls", undefined, true)
      : { ...endReason, ...UNSENT };
    process.nextTick(closeStream, this);
  }

  /** Whether the call can do nothing on it any more. */
  get #isGone(): boolean {
    return this.#phase !== Phase.OPEN;
  }

  /** After a server has ended the call: what the client still sends is not wanted. */
  #dropRest(): void {
    // Not at once: the client's own end may be here in a moment.
    if (!this.#peerEnded && !this.#isGone) inNextTurn(dropRest, this);
  }

  dropRest(): void {
    if (this.#peerEnded || this.#isGone) return;
    // "A server MAY request that the client abort transmission of a request
    // without error by sending a RST_STREAM with an error code of NO_ERROR
    // after sending a complete response."
    // https://www.rfc-editor.org/rfc/rfc9113#section-8.1
    const h2 = this.#h2!;
    this.#dropReceived();
    h2.reset(ResetCode.NO_ERROR);
    if (h2.isClosed) return this.#close(CLEAN);
    // It is not sent yet: the stream counts until it is.
    this.#phase = Phase.SENDING_REST;
    h2.handler = this;
  }

  // Up: what the engine tells

  onHeaders(fields: RawHeaders, end: boolean): void {
    this.#owner.onReply();
    if (end) {
      this.#peerEnded = true;
      this.#dropUnsent();
    }
    this.#isTelling = true;
    try {
      this.#sink.onHead(fields, end);
    } finally {
      this.#isTelling = false;
    }
    this.#tell();
  }

  onInterim(): void {}

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isGone) return;
    if (this.#paused || this.#isTelling) {
      (this.#waiting ??= new ReceivedBytes()).push(bytes.subarray(start, end));
      this.#waitingBytes += end - start;
      this.account.hold(end - start);
      return;
    }
    this.#tellData(bytes, start, end);
    this.#tell();
  }

  onEnd(trailers: RawHeaders): void {
    if (this.#isGone) return;
    this.#peerEnded = true;
    this.#waitingEnd = trailers;
    this.#tell();
    if (this.#waitingEnd === null || this.#isServer) return;
    // There is data before it that the call does not want yet.
    this.onDrain();
    this.#sink.onStop(false);
  }

  onDrain(): void {
    this.#drained?.resolve();
    this.#drained = null;
  }

  onClose(end: StreamEnd): void {
    if (end.cause === "reset") this.#owner.onPeerReset();
    this.#why = this.#phase === Phase.SENDING_REST
      ? CLEAN
      : this.#reasonOf(end);
    // A server's call without a reply is broken off by this, and its handler
    // takes no more: what waits may be a million messages.
    if (this.#isServer && !this.#isThrough) this.#dropReceived();
    this.#tell();
  }

  /** The connection is gone, and with it a stream that the engine knows not of. */
  lose(): void {
    if (this.#phase === Phase.RESET) return this.closeReset();
    const why = this.#owner.endReason ?? reasonOfLoss("Connection was lost");
    this.#close(this.#h2 === null ? { ...why, ...UNSENT } : why);
  }

  /** Tells the call the end of a stream that it has reset. */
  closeReset(): void {
    this.#close(this.#why ?? CLEAN);
  }

  /** After the server has ended the call: what is not sent yet is not wanted. */
  #dropUnsent(): void {
    // Later, for the call ends its half by itself when it learns of it.
    if (!this.#isServer && !this.#h2!.isClosed) setImmediate(dropUnsent, this);
  }

  dropUnsent(): void {
    if (this.#isGone) return;
    this.reset(this.#isThrough ? ResetCode.CANCEL : ResetCode.NO_ERROR);
  }

  /**
   * Tells the call what waits, as long as it wants it. What has arrived of a
   * reply is not lost with its stream, nor told before it is wanted: it may be a
   * million messages. The call learns of the end behind it.
   */
  #tell(): void {
    if (this.#isTelling) return;
    while (!this.#paused || this.#why !== null) {
      if (this.#paused && !this.#isServer && this.#hasWaiting) {
        return this.#wait();
      }
      const bytes = this.#waiting === null ? null : this.#waiting.shift();
      if (bytes !== null) {
        this.#release(Math.min(bytes.length, this.#waitingBytes));
        this.#tellData(bytes, 0, bytes.length);
        continue;
      }
      this.#waiting = null;
      const trailers = this.#waitingEnd;
      if (trailers === null) break;
      this.#waitingEnd = null;
      this.#dropUnsent();
      this.#isTelling = true;
      try {
        this.#sink.onEnd(trailers);
      } finally {
        this.#isTelling = false;
      }
    }
    if (this.#phase === Phase.RESET) return;
    if (this.#why !== null) this.#close(this.#why);
    else if (!this.#paused) this.#payBack();
  }

  #tellData(bytes: Uint8Array, start: number, end: number): void {
    this.#owedBytes += end - start;
    this.#isTelling = true;
    try {
      this.#sink.onData(bytes, start, end);
    } finally {
      this.#isTelling = false;
    }
  }

  /** Whether the call was not told all that came. */
  get #hasWaiting(): boolean {
    return this.#waiting?.isEmpty === false || this.#waitingEnd !== null;
  }

  /** Lets the peer send as much as the call has taken. */
  #payBack(): void {
    const bytes = this.#owedBytes;
    if (bytes === 0) return;
    this.#owedBytes = 0;
    this.#h2!.consume(bytes);
  }

  /** Counts so many of the bytes that wait no longer. */
  #release(bytes: number): void {
    if (bytes === 0) return;
    this.#waitingBytes -= bytes;
    this.account.release(bytes);
  }

  #dropReceived(): void {
    this.#release(this.#waitingBytes);
    this.#waiting = null;
    this.#waitingEnd = null;
    this.#owedBytes = 0;
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
          unsent: this.#isUnsent,
        };
      case "connection": {
        const why = endReason ?? reasonOfLoss("Connection was lost", message);
        return unprocessed || this.#isUnsent ? { ...why, ...UNSENT } : why;
      }
      case "violation":
        // Not unprocessed, even if it never left: it would not the next time.
        return {
          clean: false,
          status: statusOfReset(code),
          message: `Stream was reset with ${resetName(code)}: ${message}`,
          unprocessed: false,
        };
    }
  }

  /** Whether nothing of a request was even given to the socket. */
  get #isUnsent(): boolean {
    return !this.#isServer && this.#openedBehind === this.#owner.batches;
  }

  /** The stream is over, but not for its call, which has all of it for itself. */
  #wait(): void {
    if (this.#phase === Phase.LATE) return;
    this.#phase = Phase.LATE;
    this.#release(this.#waitingBytes);
    this.#leave();
    this.#sink.onStop(true);
  }

  #close(why: CloseReason): void {
    if (this.#phase === Phase.CLOSED) return;
    this.#phase = Phase.CLOSED;
    this.#why = why;
    this.#dropReceived();
    this.#leave();
    this.#sink.onClose(why);
  }

  /** The connection need not know of it any more. */
  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    // What was received before a good end still counts for the connection.
    const held = this.#h2 === null ? 0 : this.#h2.heldBytes;
    if (held > 0) this.#h2!.consume(held);
    this.onDrain();
    if (this.#h2 !== null) {
      this.account.traffic.closeStream(
        this.#isServer ? this.#localEnded : this.#peerEnded,
      );
    }
    this.#owner.onStreamClose(this);
  }
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

/** Nothing of the call has left. */
const UNSENT = { unprocessed: true, unsent: true };
