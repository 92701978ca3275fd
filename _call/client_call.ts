/**
 * One call from the client's side: the rules of the protocol between the
 * caller's face of it, `ClientStream`, and the wire.
 *
 * All four kinds take this one path. Nothing here is `async`: promises are
 * made only where somebody has to wait.
 *
 * @module
 */

import { isClientStreaming, isServerStreaming } from "../core/cardinality.ts";
import {
  deferMetadata,
  GRPCError,
  StreamTerminatedError,
} from "../core/errors.ts";
import type { Metadata } from "../core/metadata.ts";
import type { Peer } from "../core/peer.ts";
import { Status } from "../core/status.ts";
import { FrameReader } from "../_wire/frame.ts";
import {
  decodeMetadata,
  type RawHeaders,
  requestHead,
} from "../_wire/headers.ts";
import { parseOutcome } from "../_wire/outcome.ts";
import { encodeTimeout } from "../_wire/timeout.ts";
import {
  type ByteStream,
  type CloseReason,
  ResetCode,
  type StreamClaim,
} from "./byte_stream.ts";
import type { ClientCallOptions, ClientTarget } from "./client_target.ts";
import { decodeMessage } from "./decode.ts";
import { Half } from "./half.ts";
import { checkHeaderLimit } from "./header_limit.ts";
import { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { checkResponseHead, noStatus } from "./response_head.ts";
import { deadlineExceeded, Scope } from "./scope.ts";
import { SendGate } from "./send_gate.ts";

const EMPTY: Uint8Array = new Uint8Array(0);

/**
 * How often a call is sent anew that servers say they have not looked at. One
 * that says so each time would otherwise keep the call going round.
 */
const MAX_RETRIES = 5;

type Gate = PromiseWithResolvers<void>;

/** Told how a call ended: with an error, or with null for OK. */
export type FinishListener = (error: Error | null) => void;

/** One call from the client's side. */
export class ClientCall<Req, Rep> implements StreamClaim {
  readonly request: Half;
  readonly reply: Half;
  peer: Peer | null = null;
  /** The initial metadata as it came; null before. */
  initialHeaders: RawHeaders | null = null;
  /** The trailing metadata as it came; null before. */
  trailingHeaders: RawHeaders | null = null;
  readonly waitForReady: boolean;

  readonly #target: ClientTarget;
  readonly #metadata: Metadata | null;
  readonly #scope: Scope;
  readonly #inbox: Inbox<Rep>;
  readonly #reader: FrameReader;
  #stream: ByteStream | null = null;
  #headEnds = false;
  #retries = 0;
  readonly #outbox = new Outbox();
  #finished = false;
  #error: Error | null = null;
  #opened: Gate | undefined;
  #headed: Gate | undefined;
  #done: Gate | undefined;
  #sends: SendGate | undefined;
  #onFinish: FinishListener | undefined;

  constructor(target: ClientTarget, options: ClientCallOptions) {
    this.#target = target;
    this.#metadata = options.metadata;
    this.waitForReady = options.waitForReady;
    this.request = new Half(isClientStreaming(target.cardinality));
    this.reply = new Half(isServerStreaming(target.cardinality));
    this.#scope = new Scope(this, options.deadline, options.signal);
    this.#inbox = new Inbox(this);
    this.#reader = new FrameReader(
      this,
      target.host.config.maxReceiveMessageSize,
    );
  }

  /** Whether the call is over, well or not. */
  get finished(): boolean {
    return this.#finished;
  }

  /** What the call failed with, if it has. */
  get error(): Error | null {
    return this.#error;
  }

  /** Tells once how the call ended, at once if it has. */
  onFinish(listener: FinishListener): void {
    if (this.#finished) return listener(this.#error);
    const first = this.#onFinish;
    this.#onFinish = first === undefined ? listener : (error) => {
      first(error);
      listener(error);
    };
  }

  /** Begins the call: asks for a stream, which the head is sent on. */
  begin(end = false): void {
    this.request.advance("head");
    if (end) this.request.advance("end");
    this.#headEnds = end;
    this.#scope.enter();
    // A deadline that is past sends nothing.
    if (!this.#finished) this.#target.host.source.claim(this);
  }

  /** Makes the frame of a request, before anything of it is sent. */
  encode(message: unknown): Uint8Array {
    const { host, requestType } = this.#target;
    return host.writer.frame(
      host.codec,
      message,
      requestType,
      host.config.maxSendMessageSize,
    );
  }

  /** Sends a frame, after the ones that wait for the stream. */
  send(frame: Uint8Array, end: boolean): void | Promise<void> {
    if (this.#finished) throw this.#sendAfterEnd();
    const stream = this.#stream;
    if (stream === null) {
      this.#outbox.hold(frame, end);
      return this.whenOpened();
    }
    this.#outbox.keep(frame, end);
    const room = stream.send(frame, end);
    if (room === undefined) return;
    const gate = this.#sends ??= new SendGate();
    return gate.wait(room).then(() => this.#checkSent());
  }

  /** Ends the requests. */
  endRequests(): void | Promise<void> {
    if (this.#finished) return;
    return this.send(EMPTY, true);
  }

  /** Waits until the head is sent. */
  whenOpened(): void | Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (this.#stream !== null) return;
    return (this.#opened ??= Promise.withResolvers()).promise;
  }

  /** Waits for the initial metadata. */
  whenHeaded(): void | Promise<void> {
    if (this.initialHeaders !== null) return;
    if (this.#error !== null) throw this.#error;
    if (this.#finished) return; // The answer was only trailers.
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
    this.#inbox.abort(error);
    // Before the reset, whose end must not be taken for the reason.
    this.#finish(error);
    this.#stream?.reset(ResetCode.CANCEL);
  }

  // The scope

  onScopeEnd(error: GRPCError): void {
    this.cancel(error);
  }

  // The stream

  onStream(stream: ByteStream, peer: Peer): void {
    const { head } = this.#target;
    this.#stream = stream;
    this.peer = peer;
    const { expiresAt } = this.#scope;
    const timeout = expiresAt === Infinity
      ? null
      : encodeTimeout(Math.max(0, expiresAt - performance.now()));
    const block = requestHead(head, timeout, this.#metadata);
    if (this.#metadata !== null) {
      const fault = checkHeaderLimit("request", block);
      if (fault !== null) return this.cancel(fault);
    }
    stream.sendHead(block, this.#headEnds);
    this.#outbox.sendOn(stream);
    this.#opened?.resolve();
    this.#opened = undefined;
  }

  onHead(raw: RawHeaders, end: boolean): void {
    if (this.#finished) return;
    this.#outbox.forget();
    const fault = checkResponseHead(raw, end, this.#target.host.codec);
    if (fault !== null) return this.cancel(fault);
    if (end) {
      this.trailingHeaders = raw;
      this.#receiveOutcome(raw);
      return;
    }
    this.reply.advance("head");
    this.initialHeaders = raw;
    this.#headed?.resolve();
  }

  onData(chunk: Uint8Array): void {
    if (this.#finished) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.cancel(error as GRPCError);
    }
  }

  onFrame(bytes: Uint8Array, compressed: boolean): void {
    if (this.#finished) return;
    if (!this.reply.advance("message")) {
      // https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
      return this.cancel(
        new GRPCError(
          Status.UNIMPLEMENTED,
          "Received more than one message in reply to a call with a unary reply",
        ),
      );
    }
    this.#inbox.deliver(bytes, compressed);
  }

  onEnd(trailers: RawHeaders): void {
    if (this.#finished) return;
    if (trailers.length === 0) {
      return this.#end(noStatus());
    }
    this.trailingHeaders = trailers;
    this.#receiveOutcome(trailers);
  }

  onClose(why: CloseReason): void {
    if (this.#finished) return;
    const hadStream = this.#stream !== null;
    this.#stream = null;
    if (why.unprocessed && hadStream && this.#mayRetry) {
      this.#retries++;
      this.peer = null;
      return this.#target.host.source.claim(this);
    }
    if (why.status === Status.CANCELLED && this.#scope.expired) {
      // The server's clock rang first: it is the deadline all the same.
      return this.onScopeEnd(deadlineExceeded());
    }
    const error = why.clean
      ? noStatus()
      : new StreamTerminatedError(why.status, why.message, {
        cause: why.cause,
      });
    this.#finish(error);
  }

  // The inbox

  decodeMessage(bytes: Uint8Array, compressed: boolean): Rep {
    const { host: { codec }, replyType } = this.#target;
    return decodeMessage("reply", codec, replyType, bytes, compressed) as Rep;
  }

  onBadMessage(error: GRPCError): void {
    this.cancel(error);
  }

  pause(): void {
    // A single reply is not taken before the status behind it is in.
    if (this.reply.many) this.#stream?.pause();
  }

  resume(): void {
    if (this.reply.many) this.#stream?.resume();
  }

  // The end

  #receiveOutcome(raw: RawHeaders): void {
    const { status, message } = parseOutcome(raw);
    if (status !== Status.OK) {
      this.reply.advance("fail");
      const error = new GRPCError(status, message);
      deferMetadata(error, () => decodeMetadata(raw));
      return this.#end(error);
    }
    if (this.#reader.truncated) {
      return this.#end(
        new GRPCError(
          Status.INTERNAL,
          "The server ended the stream in the middle of a message",
        ),
      );
    }
    if (!this.reply.advance("end")) {
      return this.#end(
        new GRPCError(
          Status.UNIMPLEMENTED,
          "Received no message in reply to a call with a unary reply",
        ),
      );
    }
    this.#end(null);
  }

  /** Whether the call can be sent anew, as if it never had been. */
  get #mayRetry(): boolean {
    return this.#outbox.isWhole && this.initialHeaders === null &&
      this.#retries < MAX_RETRIES;
  }

  /** The server is through; so is this side, whatever it had still to send. */
  #end(error: GRPCError | null): void {
    this.#finish(error);
    if (!this.#requestsEnded) this.#stream?.reset(ResetCode.NO_ERROR);
  }

  /** Whether END_STREAM has left: for a unary request with its message. */
  get #requestsEnded(): boolean {
    const { phase } = this.request;
    return phase === "ended" || phase === "full";
  }

  #finish(error: Error | null): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#error = error;
    this.#scope[Symbol.dispose]();
    if (this.#stream === null) this.#target.host.source.withdraw(this);
    this.#outbox.forget();
    this.#inbox.finish(error);
    this.#sends?.open();
    settle(this.#opened, error);
    settle(this.#headed, error);
    settle(this.#done, error);
    this.#onFinish?.(error);
  }

  #checkSent(): void {
    if (this.#finished) throw this.#sendAfterEnd();
  }

  #sendAfterEnd(): Error {
    return this.#error ?? new StreamTerminatedError(
      Status.CANCELLED,
      "Cannot send: the server ended the call with status OK before",
    );
  }
}

function settle(gate: Gate | undefined, error: Error | null): void {
  if (gate === undefined) return;
  if (error === null) gate.resolve();
  else gate.reject(error);
}
