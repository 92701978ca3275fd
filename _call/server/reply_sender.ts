/**
 * The reply of a server's call, on its way out: the head, the messages, the
 * status.
 *
 * @module
 */

import { GRPCError } from "../../core/errors.ts";
import type { Metadata } from "../../core/metadata.ts";
import { Status } from "../../core/status.ts";
import {
  acceptsEncoding,
  type Compression,
  type Compressor,
  compressorFor,
} from "../../_wire/compression.ts";
import { FRAME_PREFIX_BYTES } from "../../_wire/frame.ts";
import { HeaderBlock, replyHead } from "../../_wire/headers.ts";
import type { Account } from "../account.ts";
import type { ByteStream } from "../byte_stream.ts";
import type { CallOutcome } from "../call_record.ts";
import type { Outcome } from "../../_wire/outcome.ts";
import {
  encodeDetails,
  INTERNAL_SERVER_ERROR,
  trailersFor,
} from "./outcome.ts";
import { type Half, misuse } from "../half.ts";
import { checkHeaderLimit } from "../header_limit.ts";
import { SendGate } from "../send_gate.ts";
import type { ServerEvents } from "./events.ts";
import type { CallIdentity, RequestStart, ServerHost } from "./host.ts";
import { after } from "../step_queue.ts";

/** The call that the reply belongs to. */
export interface ReplyOwner extends CallIdentity {
  /** The half that the reply is sent on. */
  readonly reply: Half;
  /** The request that began the call. */
  readonly start: RequestStart;
  /** Why the call ended before its time, if it did. */
  readonly aborted: GRPCError | undefined;
  /** It is known how the call ends; of several times the first counts. */
  onOutcome(outcome: CallOutcome): void;
  /** The status is on its way. */
  onReplied(): void;
}

/** Sends the reply of one call. */
export class ReplySender {
  readonly half: Half;
  readonly #owner: ReplyOwner;
  readonly #host: ServerHost;
  readonly #stream: ByteStream;
  readonly #account: Account;
  readonly #start: RequestStart;
  /** Null also if nobody wants to know what is sent. */
  readonly #events: ServerEvents | null;
  /** What compresses the messages; null for nothing. */
  #compressor: Compressor | null = null;
  #gate: SendGate | undefined;

  constructor(
    owner: ReplyOwner,
    host: ServerHost,
    stream: ByteStream,
    events: ServerEvents | null,
  ) {
    this.#owner = owner;
    this.half = owner.reply;
    this.#host = host;
    this.#stream = stream;
    this.#account = stream.account;
    this.#start = owner.start;
    this.#events = events?.hearsReplies ? events : null;
  }

  /** Sends the initial metadata. */
  head(
    metadata: Metadata | null,
    compression: Compression | undefined,
  ): void | Promise<void> {
    const { compressors } = this.#host;
    const compressor = compression === undefined
      ? this.#host.compressor
      : compressorFor("Cannot send initial metadata", compression, compressors);
    const events = this.#events;
    if (events === null) return this.#sendHead(metadata, compressor);
    return events.outgoing.run(() => this.#announce(metadata, compressor));
  }

  /** Sends a message, and the initial metadata first if it was not sent. */
  message(message: unknown, compress: boolean): void | Promise<void> {
    const events = this.#events;
    return events === null
      ? this.#sendMessage(message, compress)
      : this.#queue(events, message, compress);
  }

  // Functions that are made seldom are made apart from the rest: V8 makes memory
  // for what they need wherever the function around them is called.

  #queue(
    events: ServerEvents,
    message: unknown,
    compress: boolean,
  ): void | Promise<void> {
    return events.outgoing.run(() => {
      if (this.half.phase !== "idle") this.#require("message");
      const announced = this.half.phase === "idle"
        ? this.#announce(null, this.#host.compressor)
        : undefined;
      return after(
        announced,
        () =>
          events.sendMessage(
            message,
            (message) => this.#sendMessage(message, compress),
          ),
      );
    });
  }

  /**
   * Sends the status and the trailing metadata, which end the call.
   *
   * @throws What stands against it, or what a listener threw; then nothing is
   *   sent.
   */
  outcome(outcome: Outcome): void | Promise<void> {
    const events = this.#events;
    return events === null
      ? this.#sendOutcome(outcome)
      : this.#queueOutcome(events, outcome);
  }

  #queueOutcome(events: ServerEvents, outcome: Outcome): void | Promise<void> {
    return events.outgoing.run(() => {
      this.#require(inputOf(outcome));
      return events.sendTrailingMetadata(
        outcome,
        (metadata) => this.#sendOutcome({ ...outcome, metadata }),
      );
    });
  }

  /** Waits until all that was to be sent is sent. */
  whenSent(): void | Promise<void> {
    return this.#events?.outgoing.tail ?? undefined;
  }

  /**
   * Sends a status for a call that is over, whatever has become of the rest.
   *
   * @param headSent Whether the head was sent when it ended.
   */
  sendLast(outcome: Outcome, headSent: boolean): void {
    this.#owner.onOutcome(outcome);
    this.#write(this.#lastTrailersOf(outcome), headSent);
  }

  /** The call is over: who waits to send has to learn of it. */
  abort(error: GRPCError): void {
    this.#gate?.open();
    this.#events?.outgoing.abort(() => error);
  }

  /** Sends the head, when listeners have seen it. */
  #announce(
    metadata: Metadata | null,
    compressor: Compressor | null,
  ): void | Promise<void> {
    this.#require("head");
    return this.#events!.sendInitialMetadata(
      metadata,
      (metadata) => this.#sendHead(metadata, compressor),
    );
  }

  #sendHead(metadata: Metadata | null, wanted: Compressor | null): void {
    this.#require("head");
    const compressor = this.#chosen(wanted);
    const head = replyHead(
      this.#start.request.codec.contentType,
      metadata,
      compressor?.name ?? null,
    );
    if (metadata !== null) {
      const fault = checkHeaderLimit("initial metadata", head);
      if (fault !== null) throw fault;
    }
    this.#compressor = compressor;
    this.half.advance("head");
    this.#stream.sendHead(head);
  }

  #sendMessage(message: unknown, compress: boolean): void | Promise<void> {
    const { half } = this;
    const host = this.#host;
    const { codec, route } = this.#start.request;
    if (half.phase !== "idle") this.#require("message");
    if (this.#account.mustRefuse) {
      host.onRefused("memory", this.#owner);
      throw new GRPCError(
        Status.RESOURCE_EXHAUSTED,
        "Cannot send message: the client takes its replies too slowly, they are most of what is held, which is near maxHeldBytes",
      );
    }
    const compressor = half.phase === "idle"
      ? this.#chosen(host.compressor)
      : this.#compressor;
    const frame = host.writer.frame(
      codec.codec,
      message,
      route.handler.replyType,
      host.config.maxSendMessageSize,
      compress ? compressor : null,
      host.config.minCompressMessageSize,
    );
    if (half.phase === "idle") this.#sendHead(null, host.compressor);
    half.advance("message");
    this.#start.record?.sent(frame.length - FRAME_PREFIX_BYTES);
    const room = this.#stream.send(frame);
    if (room !== undefined) return this.#whenRoom(room);
  }

  #whenRoom(room: Promise<void>): Promise<void> {
    const gate = this.#gate ??= new SendGate();
    return gate.wait(room).then(() => {
      if (this.#owner.aborted !== undefined) throw this.#owner.aborted;
    });
  }

  #sendOutcome(outcome: Outcome): void {
    const input = inputOf(outcome);
    const headSent = this.half.phase !== "idle";
    this.#require(input);
    // Before anything is decided: it may be that it can not be said.
    const trailers = this.#trailersOf(outcome);
    this.half.advance(input);
    this.#owner.onOutcome(outcome);
    this.#owner.onReplied();
    this.#write(trailers, headSent);
  }

  #write(trailers: HeaderBlock, headSent: boolean): void {
    if (headSent) return this.#stream.sendTrailers(trailers);
    // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
    // A Trailers-Only reply: one frame that is head and trailers at once.
    const head = replyHead(this.#start.request.codec.contentType, null);
    this.#stream.sendHead(new HeaderBlock(head.shared, [], trailers), true);
  }

  /**
   * Chooses what compresses the messages: nothing that the client has not said
   * it accepts.
   * https://github.com/grpc/grpc/blob/master/doc/compression.md
   */
  #chosen(wanted: Compressor | null): Compressor | null {
    if (wanted === null) return null;
    const { acceptEncoding } = this.#start.request.head;
    return acceptsEncoding(acceptEncoding, wanted.name) ? wanted : null;
  }

  /** Makes the trailers, or throws what stands against it. */
  #trailersOf(outcome: Outcome): HeaderBlock {
    const { statusDetailsCodec } = this.#host;
    const { status, message } = outcome;
    const details = encodeDetails(
      statusDetailsCodec,
      status,
      message,
      outcome.details,
    );
    return trailersFor({ ...outcome, details });
  }

  /** Makes the trailers of a status that has to be sent, or what can be of it. */
  #lastTrailersOf(outcome: Outcome): HeaderBlock {
    // Details must not hide the status.
    for (const attempt of [outcome, { ...outcome, details: [] }]) {
      try {
        return this.#trailersOf(attempt);
      } catch {
        continue;
      }
    }
    // Such as a message that is no text.
    return this.#trailersOf(INTERNAL_SERVER_ERROR);
  }

  /** Throws what stands against an input: the end of the call, or misuse. */
  #require(input: "head" | "message" | "end" | "fail"): void {
    if (this.#owner.aborted !== undefined) throw this.#owner.aborted;
    if (!this.half.allows(input)) {
      throw misuse("reply", this.half.phase, input);
    }
  }
}

function inputOf({ status }: Outcome): "end" | "fail" {
  return status === Status.OK ? "end" : "fail";
}
