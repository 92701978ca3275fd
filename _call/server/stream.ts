/**
 * The handler's face of a call.
 *
 * @module
 */

import type { MessageInit } from "../../core/codec.ts";
import type { Deadline } from "../../core/deadline.ts";
import { describe } from "../../core/_describe.ts";
import { GRPCError, ProtocolError } from "../../core/errors.ts";
import { Metadata, type MetadataInit } from "../../core/metadata.ts";
import { checkOptions, type OptionNames } from "../../core/_options.ts";
import type { Peer } from "../../core/peer.ts";
import { isStatus, Status } from "../../core/status.ts";
import type { Compression } from "../../_wire/compression.ts";
import type { MessageOf, Received } from "../many.ts";
import { MessageIterator } from "../message_iterator.ts";
import { type ParentCall, setParentReader } from "../parent.ts";
import type { ServerCall } from "./call.ts";
import { readableOf, writableOf } from "../web_streams.ts";

/** Options of {@linkcode ServerStream.sendInitialMetadata}. */
export interface InitialMetadataOptions {
  /**
   * Metadata to send before the first message.
   *
   * @default {undefined} none
   */
  readonly metadata?: MetadataInit;
  /**
   * How replies are compressed, in place of the server's `compression`. They
   * are not if the client does not accept it.
   *
   * @default {undefined} as the server says
   */
  readonly compression?: Compression;
}

/** Options of {@linkcode ServerStream.sendMessage}. */
export interface ReplyOptions {
  /**
   * Whether the message may be compressed, where the replies are: `false` for
   * one that holds a secret beside what others can choose.
   *
   * @default {true}
   */
  readonly compress?: boolean;
}

/** Options of {@linkcode ServerStream.sendTrailingMetadata}. */
export interface TrailingMetadataOptions {
  /**
   * The status the call ends with.
   *
   * @default {Status.OK}
   */
  readonly status?: Status;
  /**
   * A message for people, sent with the status.
   *
   * @default {""}
   */
  readonly statusMessage?: string;
  /**
   * Details of the status: messages that the server's status details codec
   * encodes.
   *
   * @default {[]}
   */
  readonly statusDetails?: readonly unknown[];
  /**
   * Metadata to send with the status, after what
   * {@linkcode ServerStream.trailingMetadata} holds.
   *
   * @default {undefined} none
   */
  readonly metadata?: MetadataInit;
}

const INITIAL_OPTIONS: OptionNames<InitialMetadataOptions> = {
  metadata: true,
  compression: true,
};

const REPLY_OPTIONS: OptionNames<ReplyOptions> = { compress: true };

const TRAILING_OPTIONS: OptionNames<TrailingMetadataOptions> = {
  status: true,
  statusMessage: true,
  statusDetails: true,
  metadata: true,
};

type AnyCall = ServerCall<unknown, unknown>;
// deno-lint-ignore no-explicit-any
type AnyStream = ServerStream<any, any>;

let readCall: (stream: AnyStream) => AnyCall;

/** The call behind a stream; not for users. */
export function callOf(stream: AnyStream): AnyCall {
  return readCall(stream);
}

/**
 * A call, held by its handler: everything that can be received and sent, one
 * explicit step at a time, for all four kinds of call.
 *
 * What is not sent explicitly is sent by itself: the initial metadata before
 * the first message, the status OK when the handler returns, the status of a
 * {@linkcode GRPCError} when it throws one, and `UNKNOWN` when it throws
 * anything else.
 *
 * @typeParam Req The request message, or `Many<…>` of it.
 * @typeParam Rep The reply message, or `Many<…>` of it.
 */
export class ServerStream<in out Req, in out Rep>
  implements AsyncIterable<MessageOf<Req>>, ParentCall {
  // "in out" above: a stream of one message does not pass for one of many.

  readonly #call: ServerCall<MessageOf<Req>, MessageOf<Rep>>;
  #cancelled = false;
  #readable: ReadableStream<MessageOf<Req>> | undefined;
  #writable: WritableStream<MessageInit<MessageOf<Rep>>> | undefined;

  static {
    readCall = (stream) => stream.#call;
    setParentReader((parent) =>
      #call in parent ? parent.#call.cancellation : null
    );
  }

  /** @ignore Streams come from the server. */
  constructor(call: ServerCall<MessageOf<Req>, MessageOf<Rep>>) {
    this.#call = call;
  }

  /** The path of the method that is called, such as `/helloworld.Greeter/SayHello`. */
  get methodName(): string {
    return this.#call.methodName;
  }

  /** When the client stops to wait, or `null` if it waits without limit. */
  get deadline(): Deadline | null {
    return this.#call.deadline;
  }

  /** The metadata that came with the request. */
  get metadata(): Metadata {
    return this.#call.metadata;
  }

  /** What the client calls itself, or `null` if it does not say. */
  get userAgent(): string | null {
    return this.#call.start.request.head.userAgent;
  }

  /**
   * How many attempts the client says it has made at the call before, by retries
   * or hedging; 0 if it says nothing.
   */
  get previousAttempts(): number {
    const { previousAttempts } = this.#call.start.request.head;
    if (previousAttempts === null) return 0;
    return /^[0-9]{1,9}$/.test(previousAttempts) ? Number(previousAttempts) : 0;
  }

  /** The client at the other end. */
  get peer(): Peer {
    return this.#call.peer;
  }

  /**
   * Aborted, with a {@linkcode GRPCError} as its reason, when the call ends
   * before its time: the client cancelled, the deadline came, the connection
   * was lost, or the server closes. Pass it to whatever works for this call.
   */
  get signal(): AbortSignal {
    return this.#call.signal;
  }

  /**
   * The metadata that will be sent with the status, to be filled at any time
   * before.
   */
  get trailingMetadata(): Metadata {
    return this.#call.trailingMetadata ??= new Metadata();
  }

  /**
   * Receives the next message.
   *
   * @returns The message, or `null` when there are no more. With a unary
   *   request the first is always a message: the handler starts once it is in.
   * @throws {GRPCError} If the call was cancelled or failed; it is the reason
   *   of {@linkcode signal}.
   */
  // deno-lint-ignore require-await
  async recvMessage(): Promise<Received<Req>> {
    return this.#call.take() as Received<Req>;
  }

  /**
   * Sends the initial metadata at once. Without it they are sent, empty, before
   * the first message.
   *
   * @param options The metadata.
   * @returns When they are on their way.
   * @throws {ProtocolError} If they were sent before.
   * @throws {TypeError} If the metadata is not valid, or there is no such
   *   compression.
   * @throws {GRPCError} If the call was cancelled or failed.
   */
  // deno-lint-ignore require-await
  async sendInitialMetadata(
    options: InitialMetadataOptions = {},
  ): Promise<void> {
    checkOptions("Cannot send initial metadata", options, INITIAL_OPTIONS);
    const { metadata, compression } = options;
    return this.#call.sendHead(
      metadata === undefined ? null : new Metadata(metadata),
      compression,
    );
  }

  /**
   * Sends a message.
   *
   * @param message The message, or the fields to make it of.
   * @param options Whether it may be compressed.
   * @returns When the message is taken over for sending: at once, unless the
   *   client reads slower than this side writes.
   * @throws {TypeError} If the message is not of the reply's type.
   * @throws {ProtocolError} If a message was already sent for a unary reply, or
   *   the trailing metadata were.
   * @throws {GRPCError} If the call was cancelled or failed.
   */
  // deno-lint-ignore require-await
  async sendMessage(
    message: MessageInit<MessageOf<Rep>>,
    options: ReplyOptions = {},
  ): Promise<void> {
    checkOptions("Cannot send message", options, REPLY_OPTIONS);
    return this.#call.sendMessage(message, options.compress);
  }

  /**
   * Sends the status and the trailing metadata, which end the call. Without it
   * that is done when the handler returns or throws.
   *
   * @param options The status, its message, the metadata.
   * @returns When they are on their way.
   * @throws {ProtocolError} If they were sent before, or a unary reply with
   *   status OK has no message yet.
   * @throws {TypeError} If the metadata is not valid, or the message no string.
   * @throws {RangeError} If the status is none.
   * @throws {Error} What the codec throws that cannot encode the details.
   * @throws {GRPCError} If the call was cancelled or failed.
   */
  // deno-lint-ignore require-await
  async sendTrailingMetadata(
    options: TrailingMetadataOptions = {},
  ): Promise<void> {
    checkOptions("Cannot send trailing metadata", options, TRAILING_OPTIONS);
    const {
      status = Status.OK,
      statusMessage = "",
      statusDetails = [],
      metadata,
    } = options;
    if (!isStatus(status)) {
      throw new RangeError(
        `Cannot send trailing metadata: status must be an integer from 0 to 16, received ${status}`,
      );
    }
    if (typeof statusMessage !== "string") {
      throw new TypeError(
        `Cannot send trailing metadata: statusMessage must be a string, received ${
          describe(statusMessage)
        }`,
      );
    }
    return this.#call.sendOutcome({
      status,
      message: statusMessage,
      details: statusDetails,
      metadata: metadata === undefined ? null : new Metadata(metadata),
    });
  }

  /**
   * Cancels the call with RST_STREAM CANCEL: no status is sent, and the client
   * sees `CANCELLED`.
   *
   * @throws {ProtocolError} If the call was cancelled by this before.
   */
  cancel(): void {
    if (this.#cancelled) {
      throw new ProtocolError("Stream was already cancelled");
    }
    this.#cancelled = true;
    this.#call.cancel(
      new GRPCError(Status.CANCELLED, "Call was cancelled by its handler"),
    );
  }

  /**
   * The requests as a Web Stream. Read either it or {@linkcode recvMessage},
   * not both.
   */
  get readable(): ReadableStream<MessageOf<Req>> {
    return this.#readable ??= readableOf<MessageOf<Req>>(
      () => this.#call.take(),
      () => {},
    );
  }

  /**
   * The replies as a Web Stream. Closing it does not end the call: that is done
   * when the handler returns. Aborting it cancels the call.
   */
  get writable(): WritableStream<MessageInit<MessageOf<Rep>>> {
    return this.#writable ??= writableOf<MessageInit<MessageOf<Rep>>>({
      write: (message) => this.#call.sendMessage(message),
      close: () => {},
      watch: (fail) => {
        const { signal } = this;
        if (signal.aborted) fail(signal.reason);
        else signal.addEventListener("abort", () => fail(signal.reason));
      },
      abort: () => {
        if (!this.#cancelled) this.cancel();
      },
    });
  }

  /**
   * Iterates over the requests.
   *
   * @returns The iterator. Leaving it early leaves the other requests unread.
   */
  [Symbol.asyncIterator](): AsyncIterator<MessageOf<Req>, undefined> {
    return new MessageIterator<MessageOf<Req>>(
      () => this.#call.take(),
      () => {},
    );
  }
}
