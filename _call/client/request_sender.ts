/**
 * The requests of a client's call, on their way out: the head, the messages,
 * the end; held back until there is a stream, and kept for a transparent retry.
 *
 * @module
 */

import type { Metadata } from "../../core/metadata.ts";
import type { Peer } from "../../core/peer.ts";
import { FRAME_PREFIX_BYTES } from "../../_wire/frame.ts";
import {
  type HeaderBlock,
  repeatedHead,
  requestHead,
} from "../../_wire/headers.ts";
import { encodeTimeout } from "../../_wire/timeout.ts";
import type { ByteStream } from "../byte_stream.ts";
import { type CallRecord, sendRequestHead } from "../call_record.ts";
import type { ClientEvents, RequestOpener } from "./events.ts";
import type { ClientCallOptions, ClientMethod } from "./host.ts";
import type { Half } from "../half.ts";
import { checkHeaderLimit } from "../header_limit.ts";
import { Outbox } from "./outbox.ts";
import { SendGate } from "../send_gate.ts";
import { after } from "../step_queue.ts";

const EMPTY: Uint8Array = new Uint8Array(0);

/** The call that the requests belong to. */
export interface SenderOwner {
  /** Whether the call is over, well or not. */
  readonly finished: boolean;
  /** Whether there is somebody to send requests to. */
  readonly takesRequests: boolean;
  /** How many milliseconds the call may still take, or Infinity. */
  readonly timeLeftMs: number;
  /** The server, once there is a connection. */
  readonly peer: Peer | null;
  /** What is counted of the call; null if nobody observes it. */
  readonly record: CallRecord | null;
  /** Ends the call from this side. */
  cancel(error: Error): void;
  /** Makes the error for what is sent after the end. */
  sendAfterEnd(): Error;
}

/** A message that listeners have to see before it is encoded. */
interface Unencoded {
  readonly message: unknown;
  readonly compress: boolean;
}

/** A message that is ready to be sent: its frame, where that can be made. */
export type Prepared = Uint8Array | Unencoded;

/** Sends the requests of one call. */
export class RequestSender implements RequestOpener {
  readonly half: Half;
  readonly #owner: SenderOwner;
  readonly #method: ClientMethod;
  readonly #options: ClientCallOptions;
  readonly #events: ClientEvents | null;
  /** The same, if somebody wants to see messages before they are encoded. */
  readonly #watchers: ClientEvents | null;
  /** The metadata of the request; listeners may change it. */
  #metadata: Metadata | null;
  /** Whether listeners know of the request, and whether they are through. */
  #announced: "not yet" | "begun" | "done";
  #stream: ByteStream | null = null;
  /** Whether the head was sent on the stream. */
  #isOpen = false;
  #headEnds = false;
  readonly #outbox = new Outbox();
  #opened: PromiseWithResolvers<void> | undefined;
  #gate: SendGate | undefined;

  constructor(
    owner: SenderOwner,
    half: Half,
    method: ClientMethod,
    options: ClientCallOptions,
    events: ClientEvents | null,
  ) {
    this.half = half;
    this.#owner = owner;
    this.#method = method;
    this.#options = options;
    this.#events = events;
    this.#watchers = events?.hearsMessages ? events : null;
    this.#metadata = options.metadata;
    this.#announced = events === null && options.gate === undefined
      ? "done"
      : "not yet";
  }

  /** Whether all that was sent is still there, for a transparent retry. */
  get isWhole(): boolean {
    return this.#outbox.isWhole;
  }

  /** Whether END_STREAM has left: for a unary request with its message. */
  get isEnded(): boolean {
    const { phase } = this.half;
    return phase === "ended" || phase === "full";
  }

  /** The head is to be sent, as soon as there is a stream. */
  begin(end: boolean): void {
    this.half.advance("head");
    if (end) this.half.advance("end");
    this.#headEnds = end;
  }

  /** There is a stream: sends the head, when listeners have seen it. */
  onStream(stream: ByteStream): void {
    this.#stream = stream;
    if (this.#announced === "done") return this.#open(stream);
    if (this.#announced === "begun") return;
    this.#announced = "begun";
    const { gate } = this.#options;
    if (gate === undefined) this.#announce(this.#metadata);
    else this.#announceBehind(gate);
  }

  #announceBehind(gate: NonNullable<ClientCallOptions["gate"]>): void {
    gate((metadata) => this.#announce(metadata));
  }

  #announce(metadata: Metadata | null): void {
    const { contentType } = this.#method.head.fields;
    if (this.#events === null) this.acceptRequest(metadata);
    else this.#events.sendRequest(metadata, contentType, this);
  }

  acceptRequest(metadata: Metadata | null): void {
    this.#announced = "done";
    this.#metadata = metadata?.size === 0 ? null : metadata;
    // The stream may be another by now, or still to come.
    if (this.#stream !== null && !this.#owner.finished) {
      this.#open(this.#stream);
    }
  }

  /** The stream is gone. */
  onStreamLost(): void {
    this.#stream = null;
    this.#isOpen = false;
  }

  /**
   * Makes a message ready to be sent: encodes it, unless there are listeners,
   * who will see it before.
   *
   * @throws What the codec throws, or what says that it is too large.
   */
  prepare(message: unknown, compress: boolean): Prepared {
    return this.#watchers === null
      ? this.#encode(message, compress)
      : { message, compress };
  }

  /** Sends a message of a call that has begun. */
  message(prepared: Prepared, end: boolean): void | Promise<void> {
    this.half.advance("message");
    if (end) this.half.advance("end");
    const isLast = end || !this.half.many;
    if (prepared instanceof Uint8Array) return this.#send(prepared, isLast);
    return this.#queue(prepared, isLast);
  }

  /**
   * Sends the one message of a unary request. What it would have to wait for is
   * told by the end of the call: a promise of it would be for nobody.
   */
  only(prepared: Prepared): void {
    this.half.advance("message");
    this.half.advance("end");
    if (prepared instanceof Uint8Array) this.#send(prepared, true, false);
    else this.#queue(prepared, true)?.catch(() => {});
  }

  /** Ends the requests. */
  end(): void | Promise<void> {
    if (this.#watchers === null) return this.#send(EMPTY, true);
    return this.#watchers.outgoing.run(() => {
      if (this.#owner.takesRequests) return this.#send(EMPTY, true);
    });
  }

  /** Waits until the head is sent. */
  whenOpened(): void | Promise<void> {
    if (this.#isOpen) return;
    return (this.#opened ??= Promise.withResolvers()).promise;
  }

  /** The server has taken the call up. */
  forget(): void {
    this.#outbox.forget();
  }

  /** Nobody takes what is sent from now on: who waits to send is told so. */
  stop(): void {
    this.#gate?.open();
    this.#watchers?.outgoing.abort(() => this.#owner.sendAfterEnd());
  }

  /** The call is over. */
  finish(error: Error | null): void {
    this.#outbox.forget();
    this.stop();
    if (error === null) this.#opened?.resolve();
    else this.#opened?.reject(error);
  }

  /** Makes the head of a further attempt, before which there were so many. */
  headFor(previousAttempts: number): HeaderBlock {
    return repeatedHead(this.#head(this.#forAttempt()), previousAttempts);
  }

  /** The metadata of one attempt. */
  #forAttempt(): Metadata | null {
    const { record, peer } = this.#owner;
    return record === null
      ? this.#metadata
      : record.attempt(this.#metadata, peer);
  }

  #head(metadata: Metadata | null): HeaderBlock {
    const { timeLeftMs } = this.#owner;
    const timeout = timeLeftMs === Infinity ? null : encodeTimeout(timeLeftMs);
    return requestHead(
      this.#method.head,
      timeout,
      metadata,
      this.#options.compressor?.name ?? null,
    );
  }

  #open(stream: ByteStream): void {
    const { record } = this.#owner;
    const metadata = this.#forAttempt();
    const block = this.#head(metadata);
    if (metadata !== null) {
      const fault = checkHeaderLimit("request", block);
      if (fault !== null) return this.#owner.cancel(fault);
    }
    this.#isOpen = true;
    // With several attempts the stream is each of theirs, which is done there.
    if (this.#options.attempts !== null) stream.sendHead(block, this.#headEnds);
    else sendRequestHead(record, stream, block, this.#headEnds);
    this.#outbox.sendOn(stream);
    // Of a call with several attempts the stream keeps what was sent.
    if (this.#options.attempts !== null) this.#outbox.forget();
    this.#opened?.resolve();
    this.#opened = undefined;
  }

  /** Makes the frame of a message. */
  #encode(message: unknown, compress: boolean): Uint8Array {
    const { host, requestType } = this.#method;
    const { maxSendMessageSize, compressor } = this.#options;
    return host.writer.frame(
      host.codec,
      message,
      requestType,
      maxSendMessageSize,
      compress ? compressor : null,
      host.config.minCompressMessageSize,
    );
  }

  /**
   * Sends a frame, after the ones that wait for the stream.
   *
   * @param isAwaited Whether somebody waits for what it gives.
   */
  #send(
    frame: Uint8Array,
    end: boolean,
    isAwaited = true,
  ): void | Promise<void> {
    if (!this.#owner.takesRequests) throw this.#owner.sendAfterEnd();
    const { record } = this.#owner;
    if (record !== null && frame !== EMPTY) {
      record.sent(frame.length - FRAME_PREFIX_BYTES);
    }
    const stream = this.#stream;
    if (stream === null || !this.#isOpen) {
      this.#outbox.hold(frame, end);
      return isAwaited ? this.whenOpened() : undefined;
    }
    this.#outbox.keep(frame, end);
    const room = stream.send(frame, end);
    if (room !== undefined && isAwaited) return this.#whenRoom(room);
  }

  // What has a function in it, and is seldom called, is apart from the rest: V8
  // makes memory for what such a function needs wherever the one around it is
  // called, 60 bytes for each message.

  #whenRoom(room: Promise<void>): Promise<void> {
    const gate = this.#gate ??= new SendGate();
    return gate.wait(room).then(() => {
      if (!this.#owner.takesRequests) throw this.#owner.sendAfterEnd();
    });
  }

  #queue(prepared: Unencoded, isLast: boolean): void | Promise<void> {
    return this.#watchers!.outgoing.run(() => this.#watched(prepared, isLast));
  }

  /** Sends a message that listeners see before; a bad one ends the call. */
  #watched(prepared: Unencoded, end: boolean): void | Promise<void> {
    const wait = this.#owner.finished ? undefined : this.whenOpened();
    return after(wait, () => this.#tellAndSend(prepared, end));
  }

  #tellAndSend(
    { message, compress }: Unencoded,
    end: boolean,
  ): void | Promise<void> {
    if (!this.#owner.takesRequests) throw this.#owner.sendAfterEnd();
    const fail = (error: unknown): never => {
      if (this.#owner.takesRequests) this.#owner.cancel(error as Error);
      throw error;
    };
    try {
      return this.#watchers!.sendMessage(
        message,
        (message) => this.#send(this.#encode(message, compress), end),
      )?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }
}
