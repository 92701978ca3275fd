/**
 * One call from the server's side: the rules of the protocol between the
 * handler's face of it, `ServerStream`, and the wire.
 *
 * @module
 */

import { isClientStreaming, isServerStreaming } from "../core/cardinality.ts";
import type { Codec } from "../core/codec.ts";
import type { Configuration } from "../core/config.ts";
import type { Deadline } from "../core/deadline.ts";
import { GRPCError, StreamTerminatedError } from "../core/errors.ts";
import type { Metadata } from "../core/metadata.ts";
import type { Peer } from "../core/peer.ts";
import { Status } from "../core/status.ts";
import { FrameReader, type FrameWriter } from "../_wire/frame.ts";
import { type RawHeaders, responseHead } from "../_wire/headers.ts";
import { type Outcome, outcomeTrailers } from "../_wire/outcome.ts";
import {
  type ByteSink,
  type ByteStream,
  type CloseReason,
  ResetCode,
} from "./byte_stream.ts";
import { decodeMessage } from "./decode.ts";
import { Half, misuse } from "./half.ts";
import type { Route } from "./handler.ts";
import { checkHeaderLimit, fitsHeaderLimit } from "./header_limit.ts";
import { Inbox } from "./inbox.ts";
import { Scope } from "./scope.ts";
import { SendGate } from "./send_gate.ts";

/** What a server gives to its calls. */
export interface ServerHost {
  readonly codec: Codec;
  readonly config: Configuration;
  readonly writer: FrameWriter;
  /** The content-type of every answer. */
  readonly contentType: string;
}

/** What is kept of the message of a status that is too long to send. */
const MAX_CUT_MESSAGE_CHARS = 1024;

/** One call from the server's side. */
export class ServerCall<Req, Rep> implements ByteSink {
  readonly request: Half;
  readonly response: Half;
  readonly route: Route;
  readonly peer: Peer;
  readonly deadline: Deadline | null;
  /** The request's head as it came. */
  readonly headers: RawHeaders;
  /** What the handler wants to be sent with the status, whatever it is. */
  trailingMetadata: Metadata | null = null;

  readonly #host: ServerHost;
  readonly #stream: ByteStream;
  readonly #scope: Scope;
  readonly #reader: FrameReader;
  /** Called once when the handler may start. */
  readonly #onReady: () => void;
  /** Called when the call ends before its time. */
  readonly #onAbort: () => void;
  #ready = false;
  #sends: SendGate | undefined;
  readonly #inbox: Inbox<Req>;
  /** A unary request on its way to the handler: its bytes, then itself. */
  #unary: Uint8Array | undefined;
  #unaryCompressed = false;
  #unaryMessage: Req | undefined;

  constructor(
    host: ServerHost,
    route: Route,
    stream: ByteStream,
    headers: RawHeaders,
    deadline: Deadline | null,
    peer: Peer,
    onReady: () => void,
    onAbort: () => void,
  ) {
    this.#host = host;
    this.#stream = stream;
    this.#onReady = onReady;
    this.#onAbort = onAbort;
    this.route = route;
    this.headers = headers;
    this.deadline = deadline;
    this.peer = peer;
    const { cardinality } = route.handler;
    this.request = new Half(isClientStreaming(cardinality));
    this.response = new Half(isServerStreaming(cardinality));
    this.request.advance("head");
    this.#inbox = new Inbox(this);
    this.#reader = new FrameReader(this, host.config.maxReceiveMessageSize);
    this.#scope = new Scope(this, deadline ?? undefined, undefined);
  }

  /** Begins to watch the deadline; a call for many requests is ready now. */
  begin(): void {
    this.#scope.enter();
    if (this.request.many) this.#becomeReady();
  }

  /** Aborted with the reason when the call ends before its time. */
  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  /** Why the call ended before its time, if it did. */
  get aborted(): GRPCError | undefined {
    return this.#scope.reason;
  }

  /** Whether the answer is complete, or can no longer be given. */
  get answered(): boolean {
    return this.response.phase === "ended";
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
  sendHead(metadata: Metadata | null): void {
    this.#require("head");
    const head = responseHead(this.#host.contentType, metadata);
    if (metadata !== null) {
      const fault = checkHeaderLimit("initial metadata", head);
      if (fault !== null) throw fault;
    }
    this.response.advance("head");
    this.#stream.sendHead(head);
  }

  /** Sends a message, and the initial metadata first if it was not sent. */
  sendMessage(message: unknown): void | Promise<void> {
    const { response } = this;
    if (response.phase !== "idle") this.#require("message");
    const frame = this.#host.writer.frame(
      this.#host.codec,
      message,
      this.route.handler.replyType,
      this.#host.config.maxSendMessageSize,
    );
    if (response.phase === "idle") this.sendHead(null);
    response.advance("message");
    const room = this.#stream.send(frame);
    if (room === undefined) return;
    const gate = this.#sends ??= new SendGate();
    return gate.wait(room).then(() => {
      if (this.aborted !== undefined) throw this.aborted;
    });
  }

  /** Sends the status and the trailing metadata, which end the call. */
  sendOutcome(outcome: Outcome): void {
    const input = outcome.status === Status.OK ? "end" : "fail";
    const { phase } = this.response;
    this.#require(input);
    let trailers = outcomeTrailers(outcome);
    if (!fitsHeaderLimit(trailers)) trailers = outcomeTrailers(cut(outcome));
    this.response.advance(input);
    this.#scope[Symbol.dispose]();
    if (phase === "idle") {
      // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
      // A trailers-only answer: one frame that is head and trailers at once.
      this.#stream.sendHead({
        ...responseHead(this.#host.contentType, null),
        ...trailers,
      }, true);
    } else {
      this.#stream.sendTrailers(trailers);
    }
  }

  /**
   * Ends the call before its time, for a reason that the client is told as the
   * status: the handler's signal aborts and its pending operations reject.
   */
  fail(error: GRPCError): void {
    if (!this.answered) {
      this.sendOutcome({
        status: error.status,
        message: error.message,
        details: null,
        metadata: this.trailingMetadata,
      });
    }
    this.#abort(error);
  }

  /** Resets the stream: the client sees `CANCELLED`. */
  cancel(error: GRPCError): void {
    // Before the reset, whose end must not be taken for the reason.
    this.#abort(error);
    this.#stream.reset(ResetCode.CANCEL);
  }

  // The scope

  onScopeEnd(error: GRPCError): void {
    this.fail(error);
  }

  // The stream

  onHead(_raw: RawHeaders, _end: boolean): void {
    // A server's stream begins with the head; no second one comes.
  }

  onData(chunk: Uint8Array): void {
    if (this.aborted !== undefined) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      this.fail(error as GRPCError);
    }
  }

  onFrame(bytes: Uint8Array, compressed: boolean): void {
    if (this.aborted !== undefined) return;
    if (!this.request.advance("message")) {
      return this.fail(
        new GRPCError(
          Status.UNIMPLEMENTED,
          "Received more than one message for a method with a unary request",
        ),
      );
    }
    if (this.request.many) return this.#inbox.deliver(bytes, compressed);
    this.#unary = bytes;
    this.#unaryCompressed = compressed;
  }

  onEnd(_trailers: RawHeaders): void {
    if (this.aborted !== undefined) return;
    if (this.#reader.truncated) {
      return this.fail(
        new GRPCError(
          Status.INTERNAL,
          "The client ended the stream in the middle of a message",
        ),
      );
    }
    if (!this.request.advance("end")) {
      return this.fail(
        new GRPCError(
          Status.UNIMPLEMENTED,
          "Received no message for a method with a unary request",
        ),
      );
    }
    if (this.#unary !== undefined) {
      // Decoded before the handler starts: it runs for good requests alone.
      try {
        this.#unaryMessage = this.decodeMessage(
          this.#unary,
          this.#unaryCompressed,
        );
      } catch (error) {
        return this.fail(error as GRPCError);
      }
      this.#unary = undefined;
    }
    this.#inbox.finish(null);
    if (!this.#ready) this.#becomeReady();
  }

  onClose(why: CloseReason): void {
    if (this.answered && this.request.phase === "ended") return;
    const error = why.clean
      ? new StreamTerminatedError(
        Status.CANCELLED,
        "Call was cancelled: the stream ended before its answer",
      )
      : new StreamTerminatedError(why.status, why.message, {
        cause: why.cause,
      });
    // After the answer there is nothing left to call off, only to read.
    if (this.answered) this.#inbox.abort(error);
    else this.#abort(error);
  }

  // The inbox

  decodeMessage(bytes: Uint8Array, compressed: boolean): Req {
    const { codec } = this.#host;
    const { requestType } = this.route.handler;
    return decodeMessage(
      "request",
      codec,
      requestType,
      bytes,
      compressed,
    ) as Req;
  }

  onBadMessage(error: GRPCError): void {
    this.fail(error);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  #becomeReady(): void {
    this.#ready = true;
    if (this.aborted === undefined) this.#onReady();
  }

  #abort(error: GRPCError): void {
    this.response.advance("fail");
    this.#inbox.abort(error);
    this.#scope.abort(error);
    // A client that reads no more would have its senders wait for ever.
    this.#sends?.open();
    this.#onAbort();
  }

  /** Throws what stands against an input: the end of the call, or misuse. */
  #require(input: "head" | "message" | "end" | "fail"): void {
    if (this.aborted !== undefined) throw this.aborted;
    if (!this.response.allows(input)) {
      throw misuse("response", this.response.phase, input);
    }
  }
}

/** What is sent of an outcome that is too large: its status must arrive. */
function cut(outcome: Outcome): Outcome {
  // A success that does not bring all it should is none.
  const isOk = outcome.status === Status.OK;
  return {
    status: isOk ? Status.RESOURCE_EXHAUSTED : outcome.status,
    message: isOk
      ? "Trailing metadata is too large to be sent"
      : outcome.message.slice(0, MAX_CUT_MESSAGE_CHARS),
    details: null,
    metadata: null,
  };
}
