/**
 * The caller's face of a call.
 *
 * @module
 */

import type { MessageInit } from "../../core/codec.ts";
import { GRPCError, ProtocolError } from "../../core/errors.ts";
import type { Metadata } from "../../core/metadata.ts";
import { checkOptions, type OptionNames } from "../../core/_options.ts";
import type { Peer } from "../../core/peer.ts";
import { Status } from "../../core/status.ts";
import { decodeMetadata } from "../../_wire/headers.ts";
import type { ClientCall } from "./call.ts";
import { awaited, given, rejection, thrown } from "./caller_stack.ts";
import { misuse } from "../half.ts";
import type { MessageOf, Received } from "../many.ts";
import { MessageIterator } from "../message_iterator.ts";
import { readableOf, writableOf } from "../web_streams.ts";

/** Options of {@linkcode ClientStream.sendRequest}, `sendMessage` and its kin. */
export interface SendOptions {
  /**
   * Whether this is the last that is sent.
   *
   * @default {false}
   */
  readonly end?: boolean;
  /**
   * Whether the message may be compressed, where the call is: `false` for one
   * that holds a secret beside what others can choose.
   *
   * @default {true}
   */
  readonly compress?: boolean;
}

const SEND_OPTIONS: OptionNames<SendOptions> = { end: true, compress: true };

const NO_OPTIONS: SendOptions = {};

/**
 * A call, held by the caller: everything that can be sent and received, one
 * explicit step at a time, for all four kinds of call.
 *
 * A stream is opened with `stub.method.open()`, which does nothing on the
 * network. The call begins with the first {@linkcode sendRequest} or
 * {@linkcode sendMessage}. Leaving an `await using` block before the call is
 * complete cancels it.
 *
 * Whatever ends the call other than OK is a {@linkcode GRPCError}; calling a
 * method that the call's state does not allow is a {@linkcode ProtocolError}.
 *
 * @example Usage
 * ```ts
 * import { Channel, createService, createStub, Server } from "@grpclib/grpclib";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * await using server = new Server([
 *   createService(Greeter, {
 *     sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 *   }),
 * ]);
 * await server.start("127.0.0.1");
 * await using channel = new Channel("127.0.0.1", server.port!);
 *
 * await using stream = createStub(Greeter, channel).sayHello.open();
 * await stream.sendMessage({ name: "Ada" });
 * const reply = await stream.recvMessage();
 * await stream.recvTrailingMetadata();
 *
 * assertEquals(reply.message, "Hello, Ada!");
 * assertEquals(stream.trailingMetadata?.size, 0);
 * ```
 *
 * @typeParam Req The request message, or `Many<…>` of it.
 * @typeParam Rep The reply message, or `Many<…>` of it.
 */
export class ClientStream<in out Req, in out Rep>
  implements AsyncIterable<MessageOf<Rep>>, AsyncDisposable {
  // "in out" above: a stream of one message does not pass for one of many.

  readonly #call: ClientCall<MessageOf<Req>, MessageOf<Rep>>;
  #initialAsked = false;
  #trailingAsked = false;
  #replyAsked = false;
  #cancelled = false;
  #readable: ReadableStream<MessageOf<Rep>> | undefined;
  #writable: WritableStream<MessageInit<MessageOf<Req>>> | undefined;

  /** @ignore Streams come from `open()` of a method. */
  constructor(call: ClientCall<MessageOf<Req>, MessageOf<Rep>>) {
    this.#call = call;
  }

  /**
   * The metadata that the server sent before its first message, or `null`
   * while it has not come. Empty when the reply was only trailers.
   */
  get initialMetadata(): Metadata | null {
    const call = this.#call;
    if (call.initialMetadata === null) {
      if (call.initialHeaders !== null) {
        call.initialMetadata = decodeMetadata(call.initialHeaders);
      } else if (call.trailingHeaders !== null) {
        call.initialMetadata = decodeMetadata([]);
      }
    }
    return call.initialMetadata;
  }

  /**
   * The metadata that came with the status, or `null` while it has not come.
   */
  get trailingMetadata(): Metadata | null {
    const call = this.#call;
    if (call.trailingMetadata === null && call.trailingHeaders !== null) {
      call.trailingMetadata = decodeMetadata(call.trailingHeaders);
    }
    return call.trailingMetadata;
  }

  /** The server at the other end, or `null` while there is no connection. */
  get peer(): Peer | null {
    return this.#call.peer;
  }

  /**
   * Sends the request's head with its metadata, connecting if there is no
   * connection. The first {@linkcode sendMessage} does it by itself.
   *
   * @param options `end` to send no message at all, with a streaming request.
   * @returns When the head is on its way.
   * @throws {ProtocolError} If it is sent already, or `end` is asked for a
   *   unary request.
   * @throws {GRPCError} If the call failed.
   */
  sendRequest(options: SendOptions = {}): Promise<void> {
    return awaited(() => {
      checkOptions("Cannot send request", options, SEND_OPTIONS);
      const { end = false } = options;
      const call = this.#call;
      const { phase, many } = call.request;
      if (phase !== "idle") throw misuse("request", phase, "head");
      if (end && !many) {
        throw new ProtocolError(
          "Unary request requires a message to be sent before ending outgoing stream",
        );
      }
      call.begin(end);
      return call.whenOpened();
    });
  }

  /**
   * Sends a message. For a unary request it is the only one, and ends the
   * requests.
   *
   * @param message The message, or the fields to make it of.
   * @param options `end` if no message follows, with a streaming request.
   * @returns When the message is taken over for sending: at once, unless the
   *   server reads slower than this side writes.
   * @throws {TypeError} If the message is not of the request's type.
   * @throws {ProtocolError} If a message was already sent for a unary request,
   *   or the stream is ended.
   * @throws {GRPCError} If the call failed, or the server has ended it: how, the
   *   replies and {@linkcode recvTrailingMetadata} tell.
   */
  sendMessage(
    message: MessageInit<MessageOf<Req>>,
    options: SendOptions = NO_OPTIONS,
  ): Promise<void> {
    try {
      checkOptions("Cannot send message", options, SEND_OPTIONS);
      const { end = false, compress = true } = options;
      return given(this.#send(message, end, compress));
    } catch (error) {
      return thrown(error);
    }
  }

  /**
   * Ends the requests. A unary request is ended by its message already; ending
   * it again is allowed once.
   *
   * @returns When the end is on its way.
   * @throws {ProtocolError} If the request was not sent, a unary request has no
   *   message yet, or the stream was ended before.
   */
  end(): Promise<void> {
    return awaited(() => {
      const call = this.#call;
      const { request } = call;
      const { phase } = request;
      if (phase === "idle" || !request.advance("end")) {
        throw misuse("request", phase, "end");
      }
      if (request.many) return call.endRequests();
    });
  }

  /**
   * Waits for the server's initial metadata. {@linkcode recvMessage} does it by
   * itself.
   *
   * @returns When {@linkcode initialMetadata} is there.
   * @throws {ProtocolError} If the request was not sent, or the initial
   *   metadata was received before.
   * @throws {GRPCError} If the call failed, as a Trailers-Only reply says.
   */
  recvInitialMetadata(): Promise<void> {
    return awaited(() => {
      this.#requireRequest();
      if (this.#initialAsked) {
        throw new ProtocolError("Initial metadata was already received");
      }
      this.#initialAsked = true;
      return this.#call.whenHeaded();
    });
  }

  /**
   * Receives the next message.
   *
   * With a unary reply it comes once both the message and the status OK are
   * in; with a streaming reply `null` says that the status OK is in.
   *
   * @returns The message, or `null` when there are no more.
   * @throws {ProtocolError} If the request was not sent yet, or the message of a
   *   unary reply was already received.
   * @throws {GRPCError} If the call failed.
   */
  recvMessage(): Promise<Received<Rep>> {
    try {
      return given(this.#recvMessage());
    } catch (error) {
      return thrown(error);
    }
  }

  #recvMessage(): Received<Rep> | Promise<Received<Rep>> {
    this.#requireRequest();
    this.#initialAsked = true;
    const call = this.#call;
    if (!call.reply.many) {
      if (this.#replyAsked) {
        if (call.error !== null) throw call.error;
        throw new ProtocolError("Message was already received");
      }
      this.#replyAsked = true;
      const done = call.whenDone();
      const take = (): Received<Rep> => call.take() as Received<Rep>;
      return done === undefined ? take() : done.then(take);
    }
    return call.take() as Received<Rep> | Promise<Received<Rep>>;
  }

  /**
   * Waits for the status, which has to be OK, and the trailing metadata.
   *
   * @returns When {@linkcode trailingMetadata} is there.
   * @throws {ProtocolError} If the requests were not ended, or the trailing
   *   metadata was received before.
   * @throws {GRPCError} If the call failed.
   */
  recvTrailingMetadata(): Promise<void> {
    return awaited(() => {
      const call = this.#call;
      if (call.error !== null) throw call.error;
      const { phase } = call.request;
      if (!call.finished && phase !== "ended" && phase !== "full") {
        throw new ProtocolError("Outgoing stream was not ended");
      }
      if (this.#trailingAsked) {
        throw new ProtocolError("Trailing metadata was already received");
      }
      this.#trailingAsked = true;
      return call.whenDone();
    });
  }

  /**
   * Cancels the call. The server is told at once, with RST_STREAM CANCEL;
   * whatever waits here is rejected with `CANCELLED`. After the end of the call
   * it does nothing.
   *
   * @throws {ProtocolError} If the request was not sent yet, or the call was
   *   cancelled before.
   */
  cancel(): void {
    if (this.#cancelled) {
      throw new ProtocolError("Stream was already cancelled");
    }
    if (!this.#call.finished) this.#requireRequest();
    this.#cancelled = true;
    this.#cancel("Call was cancelled");
  }

  /**
   * The replies as a Web Stream, which wait for the request if that was not sent
   * yet. Cancelling it cancels the call. Read either it or
   * {@linkcode recvMessage}, not both.
   */
  get readable(): ReadableStream<MessageOf<Rep>> {
    return this.#readable ??= readableOf<MessageOf<Rep>>(
      () => {
        // Whoever pipes through a call reads from it before it is written to.
        const begun = this.#call.whenBegun();
        return begun === undefined
          ? this.#next()
          : begun.then(() => this.#next());
      },
      () => this.#cancel("Call was cancelled by its reader"),
    );
  }

  /**
   * The requests as a Web Stream. Closing it ends the requests, aborting it
   * cancels the call. When the server ends the call before, whatever its status
   * is, the stream is errored, so that a pipe into it ends.
   */
  get writable(): WritableStream<MessageInit<MessageOf<Req>>> {
    return this.#writable ??= writableOf<MessageInit<MessageOf<Req>>>({
      write: (message) => this.#send(message, false, true),
      close: () => this.#close(),
      abort: () => this.#cancel("Call was cancelled by its writer"),
      watch: (fail) => {
        this.#call.watch();
        this.#call.onceStopped((error) => {
          if (this.#call.error !== null || !this.#isEnded) fail(error);
        });
      },
    });
  }

  /**
   * Iterates over the replies; its end has checked the status. Leaving the
   * iteration before cancels the call.
   *
   * @returns The iterator.
   */
  [Symbol.asyncIterator](): AsyncIterator<MessageOf<Rep>, undefined> {
    return new MessageIterator(
      () => this.#next(),
      () => this.#cancel("Call was cancelled: its iteration was left"),
      rejection,
    );
  }

  /**
   * Cancels the call unless it is complete.
   *
   * @returns At once: leaving never waits for the network.
   */
  [Symbol.asyncDispose](): Promise<void> {
    this.#cancel("Call was cancelled: its block was left");
    return Promise.resolve();
  }

  #send(
    message: unknown,
    end: boolean,
    compress: boolean,
  ): void | Promise<void> {
    const call = this.#call;
    const { phase } = call.request;
    if (phase === "full" || phase === "ended") {
      if (call.error !== null) throw call.error;
      throw misuse("request", phase, "message");
    }
    return call.send(call.prepare(message, compress), end);
  }

  #close(): void | Promise<void> {
    const { request } = this.#call;
    if (request.phase === "idle") {
      if (!request.many) throw misuse("request", "idle", "end");
      return this.sendRequest({ end: true });
    }
    return this.end();
  }

  #next(): MessageOf<Rep> | null | Promise<MessageOf<Rep> | null> {
    if (this.#call.reply.many && this.#call.request.phase !== "idle") {
      this.#initialAsked = true;
      return this.#call.take();
    }
    // After the only one comes the end.
    if (this.#replyAsked && this.#call.error === null) return null;
    return this.recvMessage() as Promise<MessageOf<Rep> | null>;
  }

  /** Whether all requests are sent. */
  get #isEnded(): boolean {
    const { phase } = this.#call.request;
    return phase === "ended" || phase === "full";
  }

  #cancel(message: string): void {
    this.#call.cancel(new GRPCError(Status.CANCELLED, message));
  }

  #requireRequest(): void {
    if (this.#call.request.phase === "idle") {
      // A call that was cancelled before it began.
      if (this.#call.error !== null) throw this.#call.error;
      throw new ProtocolError("Request was not sent yet");
    }
  }
}
