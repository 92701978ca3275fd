/**
 * One call from the client's side: the rules of the protocol between the
 * caller's face of it, `ClientStream`, and the wire.
 *
 * All four kinds take this one path. Nothing here is `async`: promises are
 * made only where somebody has to wait.
 *
 * @module
 */

import {
  isClientStreaming,
  isServerStreaming,
} from "../../core/cardinality.ts";
import { assignCall, GRPCError } from "../../core/errors.ts";
import type { CallInfo } from "../../core/events.ts";
import type { Metadata } from "../../core/metadata.ts";
import type { Peer } from "../../core/peer.ts";
import { Status } from "../../core/status.ts";
import { type Context, currentContext, noContext } from "../../_context.ts";
import { FrameReader } from "../../_wire/frame.ts";
import { fitsWhenSplit, type RawHeaders } from "../../_wire/headers.ts";
import type { ReceivedOutcome } from "../../_wire/outcome.ts";
import { type Account, type Holder, MIN_HOLDER_BYTES } from "../account.ts";
import {
  type ByteStream,
  type CloseReason,
  ResetCode,
  type StreamSource,
} from "../byte_stream.ts";
import { CallRecord, type Observed } from "../call_record.ts";
import { Attempts, type AttemptsOwner } from "./attempts.ts";
import {
  ClientCallInfo,
  ClientEvents,
  type ClientEventsOwner,
} from "./events.ts";
import type { ClientCallOptions, ClientMethod } from "./host.ts";
import {
  decodeMessage,
  type Decoding,
  decompressMessage,
  type Inflation,
} from "../decode.ts";
import { Half } from "../half.ts";
import { receivedTooLarge } from "../header_limit.ts";
import { Inbox } from "../inbox.ts";
import { DelayedReset } from "./delayed_reset.ts";
import {
  checkComplete,
  endedBeforeStatus,
  noStatus,
  secondMessage,
  sentAfterEnd,
  tooMuchHeld,
} from "../faults.ts";
import {
  type Prepared,
  RequestSender,
  type SenderOwner,
} from "./request_sender.ts";
import { Cancellation, deadlineExceeded } from "../cancellation.ts";
import { decodeDetails, failureOf } from "./reply_reader.ts";
import { TransparentRetry } from "./transparent_retry.ts";

type Gate = PromiseWithResolvers<void>;

/** Told how a call ended: with an error, or with null for OK. */
export type FinishCallback = (error: Error | null) => void;

/** Told why no more requests are wanted. */
export type StopCallback = (error: Error) => void;

/** One call from the client's side. */
export class ClientCall<Req, Rep>
  implements AttemptsOwner, SenderOwner, ClientEventsOwner, Observed, Holder {
  readonly reply: Half;
  context?: Context;
  peer: Peer | null = null;
  /** How many bytes are held for it: what has come and was not taken. */
  heldBytes = 0;
  /** The initial metadata as it came; null before. */
  initialHeaders: RawHeaders | null = null;
  /** The trailing metadata as it came; null before. */
  trailingHeaders: RawHeaders | null = null;
  /** The initial metadata, once somebody wanted to see it. */
  initialMetadata: Metadata | null = null;
  /** The trailing metadata, once somebody wanted to see it. */
  trailingMetadata: Metadata | null = null;
  /** What is counted of it; null if nobody observes it. */
  record: CallRecord | null;

  readonly #method: ClientMethod;
  readonly #options: ClientCallOptions;
  readonly #sender: RequestSender;
  readonly #events: ClientEvents | null;
  /** Made for who asks. */
  #info: CallInfo | null = null;
  readonly #cancellation: Cancellation;
  readonly #inbox: Inbox<Rep>;
  readonly #reader: FrameReader;
  #decoding: Decoding | null = null;
  #inflation: Inflation | null = null;
  /** What is held for the server, while there is a stream. */
  #account: Account | null = null;
  #isReleased = false;
  /** Whether it is among the calls that hold much. */
  #isListed = false;
  #stream: ByteStream | null = null;
  /** Whether it has ended, though listeners may hold up what comes of that. */
  #streamClosed = false;
  readonly #retry = new TransparentRetry();
  /** What makes its attempts; null if it makes but one. */
  readonly #attempts: Attempts | null;
  /** Why the flow of bytes is stopped: how many reasons there are. */
  #holds = 0;
  #delayedReset: DelayedReset | undefined;
  #finished = false;
  /** Whether the server wants no more requests, though there is more to read. */
  #stopped = false;
  #error: Error | null = null;
  /** Whether the deadline and the caller's signal are heeded. */
  #watching = false;
  /** Whether it is begun, if at all, by who is making it. */
  #isNew = true;
  /** Whether it has asked for a stream. */
  #hasClaimed = false;
  /** Whether it asks for a stream, just after it began to heed them. */
  #isBeginning = false;
  #headed: Gate | undefined;
  #done: Gate | undefined;
  #onFinish: FinishCallback | undefined;
  #onStop: StopCallback | undefined;
  #begun: Gate | undefined;

  constructor(method: ClientMethod, options: ClientCallOptions) {
    const { cardinality, host: { deadlines } } = method;
    this.#method = method;
    this.#options = options;
    this.reply = new Half(isServerStreaming(cardinality));
    this.#cancellation = new Cancellation(
      this,
      options.deadline,
      options.signal,
      deadlines,
      options.parent,
    );
    this.#inbox = new Inbox(this);
    this.#reader = new FrameReader(this, options.maxReceiveMessageSize);
    const { audience, observers } = method.host.listeners;
    this.#events = audience === null ? null : new ClientEvents(this, audience);
    this.record = observers === null
      ? null
      : new CallRecord(this, null, observers, deadlines);
    this.#sender = new RequestSender(
      this,
      new Half(isClientStreaming(cardinality)),
      method,
      options,
      this.#events,
    );
    this.#attempts = options.attempts === null
      ? null
      : new Attempts(this, method.host, options.attempts, {
        sender: this.#sender,
        events: this.#events,
      });
  }

  /** What those are told of it who listen or observe. */
  get info(): CallInfo {
    return this.#info ??= new ClientCallInfo(
      this,
      this.#method.descriptor,
      this.#options.deadline,
    );
  }

  /** The half that is sent. */
  get request(): Half {
    return this.#sender.half;
  }

  /** When the call has to be complete, by the channel's clock. */
  get expiresAt(): number {
    return this.#cancellation.expiresAt;
  }

  /** How many milliseconds the call may still take, or Infinity. */
  get timeLeftMs(): number {
    // Looking at the clock is what a deadline costs most.
    return this.#isBeginning
      ? this.#cancellation.timeLeftOnEntry
      : this.#cancellation.timeLeftMs;
  }

  /** Whether the call waits through failed attempts to connect. */
  get waitForReady(): boolean {
    return this.#options.waitForReady;
  }

  /** Whether the call is over, well or not. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Whether there is somebody to send requests to. */
  get takesRequests(): boolean {
    return !this.#finished && !this.#stopped;
  }

  /** What the call failed with, if it has. */
  get error(): Error | null {
    return this.#error;
  }

  /** Tells once how the call ended, at once if it has. */
  onFinish(callback: FinishCallback): void {
    if (this.#finished) return callback(this.#error);
    this.#onFinish = callback;
  }

  /**
   * Tells once that no more requests are wanted, at once if it is so: because
   * the call is over, or because the server has ended it.
   */
  onceStopped(callback: StopCallback): void {
    if (this.takesRequests) this.#onStop = callback;
    else callback(this.sendAfterEnd());
  }

  /**
   * Readies a call that is not begun by who makes it, here and now. Listeners
   * run in the context of whoever made the call.
   */
  beginLater(): void {
    this.#isNew = false;
    this.#keepContext();
  }

  /**
   * Begins the call: asks for a stream, which the head is sent on. A call that
   * was cancelled before it began never does.
   */
  begin(end = false): void {
    this.#sender.begin(end);
    if (!this.#finished) {
      this.#method.host.callCounts.start();
      if (this.record?.begin(this.context) === false) this.record = null;
    }
    this.#begun?.resolve();
    const wasWatching = this.#watching;
    if (!wasWatching) {
      this.#watch(this.#isNew ? this.#options.timeLeftMs : undefined);
    }
    // A deadline that is past sends nothing.
    if (!this.#finished) {
      this.#hasClaimed = true;
      this.#isBeginning = !wasWatching;
      this.#source.claim(this);
      this.#isBeginning = false;
    }
    if (!this.#finished && this.#events?.hearsMore) this.#keepContext();
  }

  get #source(): StreamSource {
    return this.#attempts ?? this.#method.host.source;
  }

  #keepContext(): void {
    if (this.#events === null && this.record === null) return;
    this.context ??= currentContext();
  }

  /** Waits until the call has begun, or is over. */
  whenBegun(): void | Promise<void> {
    if (this.#finished || this.request.phase !== "idle") return;
    const begun = this.#begun ??= Promise.withResolvers();
    this.watch();
    return begun.promise;
  }

  /** Heeds what may end the call from outside, though it has not begun. */
  watch(): void {
    if (!this.#watching) this.#watch(undefined);
  }

  #watch(timeLeftMs: number | undefined): void {
    if (this.#finished) return;
    this.#watching = true;
    this.#cancellation.enter(timeLeftMs);
  }

  /**
   * Makes a request ready to be sent, before anything of it is.
   *
   * @throws What the codec throws, or what says that it is too large.
   */
  prepare(message: unknown, compress = true): Prepared {
    return this.#sender.prepare(message, compress);
  }

  /** Sends a request, beginning the call if it has not begun. */
  send(prepared: Prepared, end: boolean): void | Promise<void> {
    if (this.request.phase === "idle") this.begin();
    return this.#sender.message(prepared, end);
  }

  /** Sends the one request of a call that has begun; nobody waits for that. */
  sendOnly(prepared: Prepared): void {
    this.#sender.only(prepared);
  }

  /** Ends the requests. */
  endRequests(): void | Promise<void> {
    if (this.takesRequests) return this.#sender.end();
  }

  /** Waits until the head is sent. */
  whenOpened(): void | Promise<void> {
    if (this.#error !== null) throw this.#error;
    return this.#sender.whenOpened();
  }

  /** Waits for the initial metadata. */
  whenHeaded(): void | Promise<void> {
    if (this.initialHeaders !== null) return;
    if (this.#error !== null) throw this.#error;
    if (this.#finished) return; // the reply was only trailers.
    return (this.#headed ??= Promise.withResolvers()).promise;
  }

  /** Waits for the status, which has to be OK. */
  whenDone(): void | Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (this.#finished) return;
    return (this.#done ??= Promise.withResolvers()).promise;
  }

  /** Gives the next reply, or null after the last. */
  take(): Rep | null | Promise<Rep | null> {
    return this.#inbox.take();
  }

  /**
   * Ends the call from this side; the server is told at once. The caller gets
   * the error as it is: most are a `GRPCError`, but what the caller's own
   * source of requests threw comes back unchanged.
   */
  cancel(error: Error): void {
    if (this.#finished) return;
    this.#drop(error);
    // Before the reset, whose end must not be taken for the reason.
    this.#finish(error);
    this.#stream?.reset(ResetCode.CANCEL);
  }

  // The cancellation

  onCancelled(error: GRPCError): void {
    const stream = this.#stream;
    const hasAsked = stream !== null && !this.#streamClosed &&
      this.#sender.isEnded && this.#attempts?.isAsking !== false;
    if (this.#finished || !hasAsked || !this.#cancellation.expired) {
      return this.cancel(stream === null ? this.#withWait(error) : error);
    }
    // The server keeps the deadline too, and is about to end the stream by
    // itself. Servers take many resets for an attack, whatever they are for.
    this.#drop(error);
    this.#finish(error);
    if (this.#holds > 0) stream.resume();
    // It was over, and had waited to be read.
    if (this.#streamClosed) return;
    this.#delayedReset = new DelayedReset(stream, this.#method.host.deadlines);
  }

  /** A deadline that came before there was a stream says what was waited for. */
  #withWait(error: GRPCError): GRPCError {
    const { status, message, cause } = error;
    const { waitReason } = this.#method.host.source;
    if (status !== Status.DEADLINE_EXCEEDED || !this.#hasClaimed) return error;
    return waitReason === undefined
      ? error
      : new GRPCError(status, `${message} (${waitReason})`, { cause });
  }

  // The stream

  onStream(stream: ByteStream, peer: Peer): void {
    this.#stream = stream;
    this.#streamClosed = false;
    this.onConnection(stream.account, peer);
    this.#sender.onStream(stream);
  }

  onConnection(account: Account, peer: Peer): void {
    this.peer = peer;
    this.#account = account;
    const { maxReceiveMessageSize } = this.#options;
    const { config } = this.#method.host;
    if (maxReceiveMessageSize > config.maxReceiveMessageSize) {
      account.allow(maxReceiveMessageSize);
    }
  }

  onHead(raw: RawHeaders, end: boolean): void {
    if (this.#finished) return;
    this.#sender.forget();
    try {
      const { maxReceiveMessageSize } = this.#options;
      this.#decoding = this.#method.replies.head(
        raw,
        end,
        maxReceiveMessageSize,
      );
    } catch (error) {
      return this.cancel(error as GRPCError);
    }
    if (end) return this.#onOutcome(raw, true);
    this.reply.advance("head");
    if (this.#events === null) this.acceptHead(raw, null);
    else this.#events.onHead(raw);
  }

  acceptHead(raw: RawHeaders, metadata: Metadata | null): void {
    this.initialHeaders = raw;
    this.initialMetadata = metadata;
    this.#headed?.resolve();
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#finished) return;
    try {
      this.#reader.push(bytes, start, end);
    } catch (error) {
      this.cancel(error as GRPCError);
    }
  }

  onFrame(bytes: Uint8Array, compressed: boolean): void {
    if (this.#finished) return;
    this.#account?.traffic.receive();
    this.record?.received(bytes.length);
    if (!this.reply.advance("message")) {
      return this.cancel(secondMessage("reply"));
    }
    if (this.#events === null) this.#inbox.deliver(bytes, compressed);
    else this.#events.onFrame(bytes, compressed);
  }

  onAssembly(bytes: number): void {
    this.hold(bytes);
  }

  /** Waits until a message may be decoded that nobody takes yet. */
  whenRoom(bytes: Uint8Array, compressed: boolean): void | Promise<void> {
    return this.#inbox.whenRoom(bytes, compressed);
  }

  acceptMessage(
    bytes: Uint8Array,
    compressed: boolean,
    message?: unknown,
    plainBytes = 0,
  ): void {
    const decoded = message === undefined
      ? undefined
      : { message: message as Rep, plainBytes };
    this.#inbox.deliver(bytes, compressed, decoded);
  }

  onStop(isOver: boolean): void {
    if (isOver) this.#releaseAll();
    if (!this.takesRequests) return;
    this.#stopped = true;
    this.#sender.stop();
    this.#onStop?.(this.sendAfterEnd());
  }

  onEnd(trailers: RawHeaders): void {
    if (this.#finished) return;
    if (trailers.length > 0) this.#onOutcome(trailers, false);
    else this.#onNoStatus();
  }

  // Apart from the rest, for V8 makes memory for what a function in here needs
  // wherever the one around it is called.
  #onNoStatus(): void {
    this.#behindEvents(() => this.#end(noStatus()));
  }

  onClose(why: CloseReason): void {
    this.#streamClosed = true;
    this.#delayedReset?.[Symbol.dispose]();
    if (this.#finished) return;
    this.#onStreamLost(why);
  }

  #onStreamLost(why: CloseReason): void {
    this.#sender.onStreamLost();
    // What came before the end of the stream counts.
    this.#behindEvents(() => this.#onClose(why));
  }

  #onClose(why: CloseReason): void {
    const hadStream = this.#stream !== null;
    this.#stream = null;
    if (hadStream && this.#isUntouched && this.#retry.begin(why)) {
      this.peer = null;
      this.record?.attemptFailed(why.status);
      // This is the context of the connection, or of any other call on it.
      const context = this.context ?? noContext;
      return context(() => this.#source.claim(this));
    }
    if (why.status === Status.CANCELLED && this.#cancellation.expired) {
      // The server's clock rang first: it is the deadline all the same.
      return this.onCancelled(deadlineExceeded());
    }
    this.#finish(endedBeforeStatus(why));
  }

  // The inbox and the events

  /** The connection, which takes turns with others. */
  get party(): object {
    return this.#account!;
  }

  decodeMessage(bytes: Uint8Array, compressed: boolean): Rep {
    return this.decodePlain(this.plainOf(bytes, compressed)) as Rep;
  }

  plainOf(bytes: Uint8Array, compressed: boolean): Uint8Array {
    if (!compressed) return bytes;
    this.#inflation ??= { compressedBytes: 0, plainBytes: 0 };
    return decompressMessage(this.#decoding!, bytes, this.#inflation);
  }

  decodePlain(plain: Uint8Array): unknown {
    return decodeMessage(this.#decoding!, plain);
  }

  /** Counts bytes that are held for it; negative for fewer. */
  hold(bytes: number): void {
    if (this.#isReleased) return;
    const account = this.#account!;
    this.heldBytes += bytes;
    if (bytes < 0) return account.release(-bytes);
    account.hold(bytes);
    if (this.heldBytes >= MIN_HOLDER_BYTES && !this.#isListed) {
      this.#isListed = true;
      account.holders.add(this);
    }
  }

  get unfinishedBytes(): number {
    // A single one is not taken before its end is in.
    const { many, phase } = this.reply;
    if (!many && phase !== "ended") return this.heldBytes;
    // Of one that nobody reads the rest is not waited for.
    return this.#holds > 0 ? 0 : this.#reader.assemblyBytes;
  }

  get arrivedBytes(): number {
    return this.#reader.assembledBytes;
  }

  evict(): void {
    this.cancel(tooMuchHeld("reply"));
  }

  decodeDetails(outcome: ReceivedOutcome): readonly unknown[] {
    return decodeDetails(this.#method.host.statusDetailsCodec, outcome);
  }

  onBadMessage(error: GRPCError): void {
    this.cancel(error);
  }

  pause(): void {
    // A single reply is not taken before the status behind it is in.
    if (this.reply.many && this.#holds++ === 0) this.#stream?.pause();
  }

  resume(): void {
    if (this.reply.many && --this.#holds === 0) this.#stream?.resume();
  }

  // The end

  /** Drops what nobody has taken. */
  #drop(error: Error): void {
    this.#inbox.abort(error);
    this.#reader.stop();
    this.#releaseAll();
  }

  /** Counts no longer what is held: from now on it is the caller's alone. */
  #releaseAll(): void {
    const account = this.#account;
    const bytes = this.heldBytes;
    this.#isReleased = true;
    if (account === null) return;
    if (this.#isListed) account.holders.delete(this);
    if (bytes === 0) return;
    this.heldBytes = 0;
    account.release(bytes);
  }

  #onOutcome(raw: RawHeaders, trailersOnly: boolean): void {
    const { maxHeaderListSize } = this.#method.host.config;
    if (!trailersOnly && !fitsWhenSplit(raw, maxHeaderListSize)) {
      return this.cancel(
        receivedTooLarge("trailing metadata", maxHeaderListSize),
      );
    }
    const outcome = this.#method.replies.outcome(raw);
    if (this.#events === null) this.acceptOutcome(raw, outcome, null);
    else this.#events.onOutcome(raw, outcome, trailersOnly);
  }

  acceptOutcome(
    raw: RawHeaders,
    outcome: ReceivedOutcome,
    metadata: Metadata | null,
  ): void {
    this.trailingHeaders = raw;
    this.trailingMetadata = metadata;
    if (outcome.status !== Status.OK) {
      this.reply.advance("fail");
      return this.#end(failureOf(this, raw, outcome));
    }
    this.#end(checkComplete("reply", this.reply, this.#reader.truncated));
  }

  /** Whether all that was sent is still there, and nothing has come. */
  get #isUntouched(): boolean {
    return this.#sender.isWhole && this.initialHeaders === null &&
      this.#attempts === null;
  }

  /** The server is through; so is this side, whatever it had still to send. */
  #end(error: GRPCError | null): void {
    this.#finish(error);
    if (!this.#sender.isEnded) this.#stream?.reset(ResetCode.NO_ERROR);
  }

  #finish(error: Error | null): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#error = error;
    assignCall(error, this.#method.head.fields.path, this.peer);
    this.#cancellation[Symbol.dispose]();
    this.#reader.stop();
    this.#releaseAll();
    if (this.#attempts !== null) this.#attempts.finish(error);
    else if (this.#stream === null) this.#source.withdraw(this);
    this.#sender.finish(error);
    this.#inbox.finish(error);
    // One that never began is not counted.
    if (this.request.phase !== "idle") {
      this.#method.host.callCounts.end(error === null);
      if (error === null) this.#account!.traffic.callsSucceeded++;
    }
    this.record?.fail(error, this.peer);
    this.#begun?.resolve();
    settle(this.#headed, error);
    settle(this.#done, error);
    this.#onFinish?.(error);
    if (!this.#stopped) this.#onStop?.(this.sendAfterEnd());
  }

  sendAfterEnd(): Error {
    return this.#error ?? sentAfterEnd(this.#finished);
  }

  #behindEvents(step: () => void): void {
    if (this.#events === null) step();
    else this.#events.behind(step);
  }
}

function settle(gate: Gate | undefined, error: Error | null): void {
  if (error === null) gate?.resolve();
  else gate?.reject(error);
}
