/**
 * One call from the server's side: the rules of the protocol between the
 * handler's face of it, `ServerStream`, and the wire.
 *
 * @module
 */

import {
  isClientStreaming,
  isServerStreaming,
} from "../../core/cardinality.ts";
import type { Deadline } from "../../core/deadline.ts";
import { GRPCError } from "../../core/errors.ts";
import type { MethodFunc } from "../../core/events.ts";
import type { Metadata } from "../../core/metadata.ts";
import type { Peer } from "../../core/peer.ts";
import { Status } from "../../core/status.ts";
import type { Compression } from "../../_wire/compression.ts";
import { FrameReader } from "../../_wire/frame.ts";
import { decodeMetadata, type RawHeaders } from "../../_wire/headers.ts";
import {
  type Account,
  type Holder,
  MIN_COUNTED_BYTES,
  MIN_HOLDER_BYTES,
} from "../account.ts";
import { type Admitted, Place } from "./admission.ts";
import {
  type ByteSink,
  type ByteStream,
  type CloseReason,
  ResetCode,
} from "../byte_stream.ts";
import type { CallOutcome } from "../call_record.ts";
import {
  decodeMessage,
  type Decoding,
  decompressMessage,
  type Inflation,
} from "../decode.ts";
import type { Outcome } from "../../_wire/outcome.ts";
import { INTERNAL_SERVER_ERROR, outcomeOf, withMetadata } from "./outcome.ts";
import { Half } from "../half.ts";
import { type Decoded, Inbox, weightOf } from "../inbox.ts";
import { ListenerError } from "../events.ts";
import { type ReplyOwner, ReplySender } from "./reply_sender.ts";
import {
  checkComplete,
  endedBeforeReply,
  secondMessage,
  tooMuchHeld,
  unfinishedRequest,
} from "../faults.ts";
import { Cancellation } from "../cancellation.ts";
import {
  type MessageArrival,
  ServerEvents,
  type ServerEventsOwner,
} from "./events.ts";
import type { RequestStart, ServerCallOwner, ServerHost } from "./host.ts";

/** One call from the server's side. */
export class ServerCall<Req, Rep>
  implements ByteSink, ReplyOwner, ServerEventsOwner, Admitted, Holder {
  readonly request: Half;
  readonly reply: Half;
  readonly start: RequestStart;
  /** Whether its handler was to start. */
  wasReady = false;
  readonly account: Account;
  place: Place = Place.NONE;
  queuedAt = 0;
  /** How many bytes are held for it: what has come, as far as it is counted. */
  heldBytes = 0;
  /** What handles the call in place of its route, if listeners want that. */
  handle: MethodFunc | null = null;
  /** What the handler wants to be sent with the status, whatever it is. */
  trailingMetadata: Metadata | null = null;
  /** The neighbours in the list of calls that are running. */
  nextCall: ServerCall<Req, Rep> | null = null;
  previousCall: ServerCall<Req, Rep> | null = null;

  readonly #host: ServerHost;
  readonly #stream: ByteStream;
  readonly #owner: ServerCallOwner<ServerCall<Req, Rep>>;
  readonly #cancellation: Cancellation;
  readonly #reader: FrameReader;
  readonly #inbox: Inbox<Req>;
  readonly #decoding: Decoding;
  readonly #events: ServerEvents | null;
  readonly #sender: ReplySender;
  #metadata: Metadata | null = null;
  #inflation: Inflation | null = null;
  #isReleased = false;
  /** Whether it is among the calls that hold much. */
  #isListed = false;
  /** How many of the held bytes its handler has. */
  #workBytes = 0;
  /** How much of an unfinished message there was when somebody looked, and when. */
  #seenBytes = -1;
  #seenAt = 0;
  /** Why the flow of bytes is stopped: how many reasons there are. */
  #holds = 0;
  /** A unary request on its way to the handler: its bytes, then itself. */
  #unary: Uint8Array | undefined;
  #unaryCompressed = false;
  #unaryMessage: Req | undefined;
  /** Whether it is known how it ended. */
  #isCounted = false;

  constructor(
    host: ServerHost,
    stream: ByteStream,
    start: RequestStart,
    owner: ServerCallOwner<ServerCall<Req, Rep>>,
  ) {
    const { route: { handler }, decoding } = start.request;
    const { audience } = host.listeners;
    this.#host = host;
    this.#stream = stream;
    this.account = stream.account;
    this.start = start;
    this.#owner = owner;
    this.request = new Half(isClientStreaming(handler.cardinality));
    this.reply = new Half(isServerStreaming(handler.cardinality));
    this.request.advance("head");
    this.#inbox = new Inbox(this);
    this.#reader = new FrameReader(this, decoding.maxBytes);
    this.#decoding = decoding;
    const deadline = start.deadline ?? undefined;
    this.#cancellation = new Cancellation(
      this,
      deadline,
      undefined,
      host.deadlines,
    );
    this.#events = audience === null
      ? null
      : new ServerEvents(this, audience, start);
    this.#sender = new ReplySender(this, host, stream, this.#events);
  }

  /** The path of the method. */
  get methodName(): string {
    return this.start.request.route.path;
  }

  /** When the call has to be complete, by the server's clock. */
  get expiresAt(): number {
    return this.#cancellation.expiresAt;
  }

  /** When the client stops to wait. */
  get deadline(): Deadline | null {
    return this.start.deadline;
  }

  /** The client. */
  get peer(): Peer {
    return this.start.peer;
  }

  /** The metadata that came with the request. */
  get metadata(): Metadata {
    return this.#metadata ??= decodeMetadata(this.start.headers);
  }

  /** The connection, which takes turns with others. */
  get party(): object {
    return this.account;
  }

  /** What it costs to begin it, for {@linkcode turns}. */
  get weight(): number {
    const bytes = this.#unary;
    return bytes === undefined ? 1 : weightOf(bytes, this.#unaryCompressed);
  }

  /** Begins to watch the deadline; a call for many requests may start now. */
  begin(): void {
    const { headBytes, timeoutMs } = this.start.request;
    if (headBytes > 0) this.hold(headBytes);
    // The deadline was made of this just now.
    this.#cancellation.enter(timeoutMs ?? undefined);
    if (this.#events !== null) this.#tellRequest(this.#events);
    else if (this.request.many) this.#arrive();
  }

  // What has to do with events is apart from the rest: V8 makes memory for what
  // the functions in it need wherever the one around them is called.

  #tellRequest(events: ServerEvents): void {
    events.recvRequest();
    if (this.request.many) this.#arriveBehind(events);
  }

  #arriveBehind(events: ServerEvents): void {
    events.behind(() => this.#arrive());
  }

  acceptRequest(metadata: Metadata | null, methodFunc: MethodFunc): void {
    this.#metadata = metadata;
    this.handle = methodFunc;
  }

  /** Goes on, as there is room for it: its handler starts. */
  admit(): void {
    if (this.request.many) return this.#becomeReady();
    const bytes = this.#unary!;
    this.account.workBytes += this.heldBytes - this.#workBytes;
    this.#workBytes = this.heldBytes;
    const compressed = this.#unaryCompressed;
    this.#unary = undefined;
    const events = this.#events;
    if (events === null || !events.hearsMessages && events.isFree) {
      this.#startWith(bytes, compressed);
    } else this.#startBehind(events, bytes, compressed);
  }

  #startBehind(
    events: ServerEvents,
    bytes: Uint8Array,
    compressed: boolean,
  ): void {
    if (!events.hearsMessages) {
      return events.behind(() => this.#startWith(bytes, compressed));
    }
    this.#hear(bytes, compressed, (decoded) => {
      this.#unaryMessage = decoded!.message;
    });
    events.behind(() => this.#start());
  }

  /**
   * Starts the handler of a unary request, once that is decoded: it runs for
   * good requests alone.
   */
  #startWith(bytes: Uint8Array, compressed: boolean): void {
    try {
      this.#unaryMessage = this.decodeMessage(bytes, compressed);
    } catch (error) {
      return this.fail(error as GRPCError);
    }
    this.#start();
  }

  #start(): void {
    this.#inbox.finish(null);
    this.#becomeReady();
  }

  /** Counts bytes that are held for it; negative for fewer. */
  hold(bytes: number): void {
    if (this.#isReleased) return;
    this.heldBytes += bytes;
    if (bytes < 0) return this.account.release(-bytes);
    this.account.hold(bytes);
    if (this.heldBytes >= MIN_HOLDER_BYTES && !this.#isListed) {
      this.#isListed = true;
      this.account.holders.add(this);
    }
  }

  /** Nothing is held for it any more. */
  releaseAll(): void {
    const bytes = this.heldBytes;
    this.#isReleased = true;
    if (this.#isListed) this.account.holders.delete(this);
    if (bytes === 0) return;
    this.heldBytes = 0;
    this.account.workBytes -= this.#workBytes;
    this.#workBytes = 0;
    this.account.release(bytes);
  }

  get unfinishedBytes(): number {
    // A single one is not taken before its end is in.
    const { many, phase } = this.request;
    if (!many && phase !== "ended") return this.heldBytes;
    // Of one that nobody reads the rest is not waited for.
    return this.#holds > 0 ? 0 : this.#reader.assemblyBytes;
  }

  get arrivedBytes(): number {
    return this.#reader.assembledBytes;
  }

  evict(): void {
    this.#host.onRefused("memory", this);
    this.fail(tooMuchHeld("request"));
  }

  /**
   * Looks whether the client goes on with a message that it has begun.
   *
   * @param now The time, in milliseconds.
   * @param timeoutMs How long it may stand still.
   * @returns Whether it has not.
   */
  isStuck(now: number, timeoutMs: number): boolean {
    const isWaiting = this.#reader.truncated ||
      !this.request.many && this.request.phase !== "ended";
    // One whose connection is not read cannot help it.
    const isHeld = this.#holds > 0 || this.account.isFull;
    if (this.aborted !== undefined || !isWaiting || isHeld) {
      this.#seenBytes = -1;
      return false;
    }
    const bytes = this.#reader.assembledBytes;
    if (bytes !== this.#seenBytes) {
      this.#seenBytes = bytes;
      this.#seenAt = now;
    }
    return now - this.#seenAt >= timeoutMs;
  }

  /** Ends the call, for its client does not go on with its message. */
  giveUp(timeoutMs: number): void {
    this.#host.onRefused("time", this);
    this.fail(unfinishedRequest(timeoutMs));
  }

  /** Aborted with the reason when the call ends before its time. */
  get signal(): AbortSignal {
    return this.#cancellation.signal;
  }

  /** What ends it before its time, and the calls made for it. */
  get cancellation(): Cancellation {
    return this.#cancellation;
  }

  /** Why the call ended before its time, if it did. */
  get aborted(): GRPCError | undefined {
    return this.#cancellation.reason;
  }

  /** Whether the reply is complete, or can no longer be given. */
  get replied(): boolean {
    return this.reply.phase === "ended";
  }

  /** Gives the next request, or null after the last. */
  take(): Req | null | Promise<Req | null> {
    const message = this.#unaryMessage;
    if (message !== undefined && this.aborted === undefined) {
      this.#unaryMessage = undefined;
      return message;
    }
    return this.#inbox.take();
  }

  /** Sends the initial metadata. */
  sendHead(
    metadata: Metadata | null,
    compression?: Compression,
  ): void | Promise<void> {
    return this.#sender.head(metadata, compression);
  }

  /** Sends a message, and the initial metadata first if it was not sent. */
  sendMessage(message: unknown, compress = true): void | Promise<void> {
    // Whoever has the reply needs the request no longer.
    if (!this.reply.many && this.#workBytes > 0) {
      const bytes = this.#workBytes;
      this.#workBytes = 0;
      this.account.workBytes -= bytes;
      this.hold(-bytes);
    }
    return this.#sender.message(message, compress);
  }

  /** Sends the status and the trailing metadata, which end the call. */
  sendOutcome(outcome: Outcome): void | Promise<void> {
    const all = withMetadata(outcome, this.trailingMetadata);
    let wait: void | Promise<void>;
    try {
      wait = this.#sender.outcome(all);
    } catch (error) {
      this.#onOutcomeError(error);
      throw error;
    }
    if (wait !== undefined) return this.#watchOutcome(wait);
  }

  #watchOutcome(wait: Promise<void>): Promise<void> {
    return wait.catch((error) => {
      this.#onOutcomeError(error);
      throw error;
    });
  }

  /** Waits until all that the handler wanted to be sent is sent. */
  whenSent(): void | Promise<void> {
    return this.#sender.whenSent();
  }

  /**
   * Ends the call before its time, for a reason that the client is told as the
   * status: the handler's signal aborts and its pending operations reject.
   */
  fail(error: GRPCError): void {
    if (!this.replied) this.#sendLast(error);
    this.#abort(error);
  }

  /** Resets the stream: the client sees `CANCELLED`. */
  cancel(error: GRPCError): void {
    // Before the reset, whose end must not be taken for the reason.
    this.#abort(error);
    this.#stream.reset(ResetCode.CANCEL);
  }

  // The cancellation, the reply and the events

  onCancelled(error: GRPCError): void {
    this.fail(error);
  }

  onOutcome(outcome: CallOutcome): void {
    if (this.#isCounted) return;
    this.#isCounted = true;
    this.#host.callCounts.end(outcome.status === Status.OK);
    this.start.record?.end(outcome, this.peer);
  }

  onReplied(): void {
    this.#cancellation[Symbol.dispose]();
  }

  onEventError(error: GRPCError): void {
    if (this.aborted !== undefined) return;
    const { status, message } = this.#outcomeOf(error);
    this.fail(
      error instanceof ListenerError ? new GRPCError(status, message) : error,
    );
  }

  // The stream

  onHead(_raw: RawHeaders, _end: boolean): void {
    // A server's stream begins with the head; no second one comes.
  }

  onStop(): void {
    // A client that wants no more of the reply resets the stream.
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.aborted !== undefined) return;
    try {
      this.#reader.push(bytes, start, end);
    } catch (error) {
      this.fail(error as GRPCError);
    }
  }

  onFrame(bytes: Uint8Array, compressed: boolean): void {
    if (this.aborted !== undefined) return;
    this.account.traffic.receive();
    this.start.record?.received(bytes.length);
    if (!this.request.advance("message")) {
      return this.fail(secondMessage("request"));
    }
    if (!this.request.many) {
      this.#unary = bytes;
      this.#unaryCompressed = compressed;
      if (bytes.length >= MIN_COUNTED_BYTES) this.hold(bytes.length);
    } else if (this.#events === null) {
      this.#inbox.deliver(bytes, compressed);
    } else this.#hearOne(bytes, compressed);
  }

  #hearOne(bytes: Uint8Array, compressed: boolean): void {
    this.#hear(
      bytes,
      compressed,
      (decoded) => this.#inbox.deliver(bytes, compressed, decoded),
    );
  }

  onAssembly(bytes: number): void {
    this.hold(bytes);
  }

  onEnd(_trailers: RawHeaders): void {
    if (this.aborted !== undefined) return;
    const fault = checkComplete(
      "request",
      this.request,
      this.#reader.truncated,
    );
    if (fault !== null) return this.fail(fault);
    const events = this.#events;
    if (events === null || events.isFree) this.#endRequests();
    else this.#endRequestsBehind(events);
  }

  #endRequests(): void {
    if (this.request.many) this.#inbox.finish(null);
    else this.#arrive();
  }

  #endRequestsBehind(events: ServerEvents): void {
    events.behind(() => this.#endRequests());
  }

  onClose(why: CloseReason): void {
    if (this.replied && this.request.phase === "ended") return;
    // All that waits for it knows already.
    if (this.aborted !== undefined) return;
    const error = endedBeforeReply(why, this.#cancellation.expired);
    // After the reply there is nothing left to call off, only to read.
    if (this.replied) this.#inbox.abort(error);
    else this.#abort(error);
  }

  // The inbox

  decodeMessage(bytes: Uint8Array, compressed: boolean): Req {
    const plain = this.#plain(bytes, compressed);
    return decodeMessage(this.#decoding, plain) as Req;
  }

  #plain(bytes: Uint8Array, compressed: boolean): Uint8Array {
    if (!compressed) return bytes;
    this.#inflation ??= { compressedBytes: 0, plainBytes: 0 };
    const plain = decompressMessage(this.#decoding, bytes, this.#inflation);
    // The request is held until the handler is through with it.
    if (!this.request.many) {
      const more = plain.length - bytes.length;
      this.hold(more);
      this.account.workBytes += more;
      this.#workBytes += more;
    }
    return plain;
  }

  onBadMessage(error: GRPCError): void {
    this.fail(error);
  }

  pause(): void {
    if (this.#holds++ === 0) this.#stream.pause();
  }

  resume(): void {
    if (--this.#holds === 0) this.#stream.resume();
  }

  /**
   * Has listeners see a message when there is room for it, and gives it on, or
   * nothing if no listener wants to see it.
   */
  #hear(
    bytes: Uint8Array,
    compressed: boolean,
    next: (decoded: Decoded<Req> | undefined) => void,
  ): void {
    let plainBytes = 0;
    const arrival: MessageArrival = {
      compressed,
      whenRoom: () => {
        if (this.request.many) return this.#inbox.whenRoom(bytes, compressed);
      },
      decode: () => {
        const plain = this.#plain(bytes, compressed);
        plainBytes = plain.length;
        return decodeMessage(this.#decoding, plain);
      },
    };
    this.#events!.recvMessage(arrival, (message) => {
      next(
        message === undefined
          ? undefined
          : { message: message as Req, plainBytes },
      );
    });
  }

  /** Asks for its handler to start. */
  #arrive(): void {
    if (this.aborted !== undefined) return;
    this.#owner.onArrival(this, this.#events?.isAlone === true);
  }

  #becomeReady(): void {
    if (this.aborted !== undefined) return;
    this.wasReady = true;
    this.#owner.onReady(this);
  }

  /** A listener failed when the status was to be sent. */
  #onOutcomeError(error: unknown): void {
    if (this.#events === null || this.replied) return;
    if (!(error instanceof GRPCError)) return;
    const headSent = this.reply.phase !== "idle";
    this.#sender.sendLast(this.#outcomeOf(error), headSent);
    this.#abort(error);
  }

  /** Sends the status of an error, which nothing else may overtake. */
  #sendLast(error: GRPCError): void {
    const outcome = withMetadata(outcomeOf(error), this.trailingMetadata);
    const headSent = this.reply.phase !== "idle";
    this.reply.advance("fail");
    const sender = this.#sender;
    if (!this.#events?.hearsReplies) return sender.sendLast(outcome, headSent);
    const onError = (error: unknown): void =>
      sender.sendLast(this.#outcomeOf(error as GRPCError), headSent);
    try {
      this.#events.sendTrailingMetadata(
        outcome,
        (metadata) => sender.sendLast({ ...outcome, metadata }, headSent),
      )?.catch(onError);
    } catch (error) {
      onError(error);
    }
  }

  /** What the client is told of a failure: of a listener's own one nothing. */
  #outcomeOf(error: GRPCError): Outcome {
    if (!(error instanceof ListenerError)) return outcomeOf(error);
    this.#host.onHandlerError(error.cause, this);
    return INTERNAL_SERVER_ERROR;
  }

  #abort(error: GRPCError): void {
    this.reply.advance("fail");
    this.onOutcome(error);
    this.#reader.stop();
    this.#inbox.abort(error);
    this.#unary = undefined;
    this.releaseAll();
    this.#cancellation.abort(error);
    // A client that reads no more would have its senders wait for ever.
    this.#sender.abort(error);
    this.#owner.onAbort(this);
  }
}
