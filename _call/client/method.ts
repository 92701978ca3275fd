/**
 * Methods as the client calls them: one kind of object for each kind of call.
 *
 * @module
 */

import type { DescMethod } from "@bufbuild/protobuf";
import {
  type Cardinality,
  isClientStreaming,
  isServerStreaming,
} from "../../core/cardinality.ts";
import type { MessageInit } from "../../core/codec.ts";
import { GRPCError, ProtocolError } from "../../core/errors.ts";
import type { MethodDescriptor } from "../../core/events.ts";
import { Status } from "../../core/status.ts";
import { currentContext } from "../../_context.ts";
import type { HeadTemplate } from "../../_wire/headers.ts";
import {
  type CallDefaults,
  type CallOptions,
  defaultOptions,
  readOptions,
} from "./options.ts";
import { ClientCall } from "./call.ts";
import { rejection } from "./caller_stack.ts";
import { methodDescriptor } from "../descriptor.ts";
import { ClientStream } from "./stream.ts";
import type { ClientCallOptions, ClientHost, ClientMethod } from "./host.ts";
import type { Many } from "../many.ts";
import { MessageIterator } from "../message_iterator.ts";
import { openThrough, repliesThrough, replyThrough } from "./middleware.ts";
import { ReplyReader } from "./reply_reader.ts";
import { type Send, sendAll, sendOne } from "./requests.ts";

/** Messages to send: any iterable, sync or async; a `ReadableStream` is one. */
export type Messages<M> =
  | Iterable<MessageInit<M>>
  | AsyncIterable<MessageInit<M>>;

/**
 * The replies of a call that begins when they are iterated, which can be done
 * once. It is not to be awaited: that would begin nothing, and is refused by the
 * compiler.
 */
export interface CallReplies<Rep> extends AsyncIterable<Rep> {
  /**
   * Never there. It makes `await` of the replies an error of types: iterate over
   * them with `for await`.
   */
  readonly then?: (iterateInstead: "for await (const reply of …)") => never;
}

/** What all kinds of method have in common. */
export interface MethodInfo {
  /** The path of the method, such as `/helloworld.Greeter/SayHello`. */
  readonly path: string;
  /** The kind of call. */
  readonly cardinality: Cardinality;
}

/** A method with one request and one reply. */
export interface UnaryUnaryMethod<Req, Rep> extends MethodInfo {
  /**
   * Calls the method.
   *
   * @param message The request, or the fields to make it of.
   * @param options How to call.
   * @returns The reply.
   * @throws {GRPCError} If the call failed.
   */
  (message: MessageInit<Req>, options?: CallOptions): Promise<Rep>;
  /**
   * Opens a stream for a call, step by step. Nothing is sent by this.
   *
   * @param options How to call.
   * @returns The stream.
   */
  open(options?: CallOptions): ClientStream<Req, Rep>;
}

/** A method with one request and many replies. */
export interface UnaryStreamMethod<Req, Rep> extends MethodInfo {
  /**
   * Calls the method when the iteration of the replies begins.
   *
   * @param message The request, or the fields to make it of.
   * @param options How to call.
   * @returns The replies, to be iterated once. Leaving the iteration early
   *   cancels the call; a failed call makes it throw a {@linkcode GRPCError}.
   */
  (message: MessageInit<Req>, options?: CallOptions): CallReplies<Rep>;
  /**
   * Opens a stream for a call, step by step. Nothing is sent by this.
   *
   * @param options How to call.
   * @returns The stream.
   */
  open(options?: CallOptions): ClientStream<Req, Many<Rep>>;
}

/** A method with many requests and one reply. */
export interface StreamUnaryMethod<Req, Rep> extends MethodInfo {
  /**
   * Calls the method.
   *
   * @param messages The requests. What the iterable throws cancels the call and
   *   is thrown here.
   * @param options How to call.
   * @returns The reply.
   * @throws {GRPCError} If the call failed.
   */
  (messages: Messages<Req>, options?: CallOptions): Promise<Rep>;
  /**
   * Opens a stream for a call, step by step. Nothing is sent by this.
   *
   * @param options How to call.
   * @returns The stream.
   */
  open(options?: CallOptions): ClientStream<Many<Req>, Rep>;
}

/** A method with many requests and many replies. */
export interface StreamStreamMethod<Req, Rep> extends MethodInfo {
  /**
   * Calls the method when the iteration of the replies begins. Requests are
   * sent while replies are read.
   *
   * @param messages The requests. What the iterable throws cancels the call and
   *   is thrown by the iteration.
   * @param options How to call.
   * @returns The replies, to be iterated once.
   */
  (messages: Messages<Req>, options?: CallOptions): CallReplies<Rep>;
  /**
   * Opens a stream for a call, step by step. Nothing is sent by this.
   *
   * @param options How to call.
   * @returns The stream.
   */
  open(options?: CallOptions): ClientStream<Many<Req>, Many<Rep>>;
}

/** What a method is made of. */
export interface MethodInit
  extends
    Pick<ClientMethod, "host" | "requestType" | "replyType" | "cardinality"> {
  readonly path: string;
  /** What the .proto file says of it, if that is known. */
  readonly descriptor?: DescMethod | undefined;
}

/** Makes the callable object of a method, of whichever kind. */
export function makeMethod(init: MethodInit): unknown {
  const { path, cardinality } = init;
  const method = new Method(init);
  const call = (requests: unknown, options?: CallOptions): unknown =>
    method.call(requests, options);
  const open = (options?: CallOptions): ClientStream<unknown, unknown> =>
    method.open(options);
  return Object.assign(call, { open, path, cardinality });
}

type AnyCall = ClientCall<unknown, unknown>;

/**
 * A method of a channel. What its calls share is made when it is first called:
 * of most methods of a stub that is never.
 */
class Method implements ClientMethod {
  readonly host: ClientHost;
  readonly path: string;
  readonly cardinality: Cardinality;
  readonly requestType: unknown;
  readonly replyType: unknown;
  readonly #protoMethod: DescMethod | undefined;
  #head: HeadTemplate | null = null;
  #replies: ReplyReader | null = null;
  #descriptor: MethodDescriptor | null = null;
  #defaults: CallDefaults | null = null;
  /** The version of the channel's policies that the defaults are good for. */
  #version = 0;

  constructor(init: MethodInit) {
    this.host = init.host;
    this.path = init.path;
    this.cardinality = init.cardinality;
    this.requestType = init.requestType;
    this.replyType = init.replyType;
    this.#protoMethod = init.descriptor;
  }

  get head(): HeadTemplate {
    return this.#head ??= this.host.headOf(this.path);
  }

  get replies(): ReplyReader {
    return this.#replies ??= new ReplyReader(this);
  }

  get descriptor(): MethodDescriptor {
    const { path, cardinality, requestType, replyType } = this;
    return this.#descriptor ??= methodDescriptor({
      path,
      cardinality,
      requestType,
      replyType,
      descriptor: this.#protoMethod,
    });
  }

  /** Makes a call, and gives its reply or its replies. */
  call(requests: unknown, options: CallOptions | undefined): unknown {
    const chain = this.host.listeners.middleware.chainOf(this.path);
    if (chain === null) return this.#callPlain(requests, options);
    const through = isServerStreaming(this.cardinality)
      ? repliesThrough
      : replyThrough;
    return through(
      chain,
      { method: this.descriptor, request: requests, options },
      (requests, options) => this.#callPlain(requests, options),
    );
  }

  /** Makes a call that is gone through step by step. */
  open(options: CallOptions | undefined): ClientStream<unknown, unknown> {
    return new ClientStream(this.#open(options));
  }

  #callPlain(requests: unknown, options: CallOptions | undefined): unknown {
    const { cardinality } = this;
    const send = isClientStreaming(cardinality) ? sendAll : sendOne;
    if (isServerStreaming(cardinality)) {
      return new Replies(this.#makeForLater(options), send, requests);
    }
    return new Promise((resolve) => {
      callForReply(this.#make(options), send, requests, resolve);
    });
  }

  #open(options: CallOptions | undefined): AnyCall {
    const chain = this.host.listeners.middleware.chainOf(this.path);
    if (chain === null) return this.#makeForLater(options);
    const context = currentContext();
    const init = { method: this.descriptor, request: undefined, options };
    const call: AnyCall = new ClientCall(this, {
      ...this.#read(options),
      gate: (send) => context(() => openThrough(chain, init, call, send)),
    });
    call.beginLater();
    return call;
  }

  #makeForLater(options: CallOptions | undefined): AnyCall {
    const call = this.#make(options);
    call.beginLater();
    return call;
  }

  #make(options: CallOptions | undefined): AnyCall {
    return new ClientCall(this, this.#read(options));
  }

  #read(options: CallOptions | undefined): ClientCallOptions {
    const { host } = this;
    const { version } = host.policies;
    // A resolver may have had another word on it meanwhile.
    if (this.#defaults === null || version !== this.#version) {
      this.#version = version;
      this.#defaults = defaultOptions(host, this.path);
    }
    return readOptions(host, this.#defaults, options);
  }
}

/** Makes a call with one reply. */
function callForReply(
  call: AnyCall,
  send: Send,
  requests: unknown,
  resolve: (reply: unknown) => void,
): void {
  call.onFinish((error) => {
    if (error !== null) return resolve(rejection(error));
    try {
      resolve(call.take());
    } catch (error) {
      resolve(rejection(error));
    }
  });
  send(call, requests);
}

/** The replies of a call that begins when they are first asked for. */
class Replies implements AsyncIterable<unknown> {
  readonly #call: AnyCall;
  readonly #send: Send;
  readonly #requests: unknown;
  #iterated = false;

  constructor(call: AnyCall, send: Send, requests: unknown) {
    this.#call = call;
    this.#send = send === sendAll ? inContext(requests) : send;
    this.#requests = requests;
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    if (this.#iterated) {
      throw new ProtocolError(
        "The replies of a call can be iterated only once",
      );
    }
    this.#iterated = true;
    return new MessageIterator(
      () => this.#next(),
      () => this.#leave(),
      rejection,
    );
  }

  #next(): unknown {
    const call = this.#call;
    if (call.request.phase === "idle") this.#send(call, this.#requests);
    return call.take();
  }

  #leave(): void {
    if (this.#call.request.phase === "idle") return;
    this.#call.cancel(
      new GRPCError(
        Status.CANCELLED,
        "Call was cancelled: the iteration of its replies was left",
      ),
    );
  }
}

/**
 * Sends requests in the context of now, whoever begins the call later by its
 * iteration. Those of an array come without any code of the caller's.
 */
function inContext(requests: unknown): Send {
  if (Array.isArray(requests)) return sendAll;
  const context = currentContext();
  return (call, requests) => context(() => sendAll(call, requests));
}
