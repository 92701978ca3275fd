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
import { Status } from "../../core/status.ts";
import { currentContext } from "../../_context.ts";
import { type CallOptions, currentDefaults, readOptions } from "./options.ts";
import { ClientCall } from "./call.ts";
import { rejection } from "./caller_stack.ts";
import { methodDescriptor } from "../descriptor.ts";
import { ClientStream } from "./stream.ts";
import type { ClientMethod } from "./host.ts";
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
  extends Omit<ClientMethod, "descriptor" | "replies"> {
  /** What the .proto file says of it, if that is known. */
  readonly descriptor?: DescMethod | undefined;
}

/** Makes the callable object of a method, of whichever kind. */
export function makeMethod(init: MethodInit, path: string): unknown {
  const called: ClientMethod = {
    ...init,
    descriptor: methodDescriptor({ ...init, path }),
    replies: new ReplyReader(init),
  };
  const { cardinality, host } = called;
  const defaults = currentDefaults(host, path);
  const makeCall = (options?: CallOptions): AnyCall =>
    new ClientCall(called, readOptions(host, defaults(), options));
  const makeForLater = (options?: CallOptions): AnyCall => {
    const call = makeCall(options);
    call.beginLater();
    return call;
  };
  const open = (options?: CallOptions): AnyCall => {
    const chain = host.listeners.middleware.chainOf(path);
    if (chain === null) return makeForLater(options);
    const context = currentContext();
    const init = { method: called.descriptor, request: undefined, options };
    const call: AnyCall = new ClientCall(called, {
      ...readOptions(host, defaults(), options),
      gate: (send) => context(() => openThrough(chain, init, call, send)),
    });
    call.beginLater();
    return call;
  };
  const send = isClientStreaming(cardinality) ? sendAll : sendOne;
  const call = isServerStreaming(cardinality)
    ? (requests: unknown, options?: CallOptions) =>
      new Replies(makeForLater(options), send, requests)
    : (requests: unknown, options?: CallOptions) =>
      new Promise((resolve) => {
        callForReply(makeCall(options), send, requests, resolve);
      });
  const through = isServerStreaming(cardinality)
    ? repliesThrough
    : replyThrough;
  const callThrough = (request: unknown, options?: CallOptions): unknown => {
    const chain = host.listeners.middleware.chainOf(path);
    if (chain === null) return call(request, options);
    return through(
      chain,
      { method: called.descriptor, request, options },
      call,
    );
  };
  return Object.assign(callThrough, {
    open: (options?: CallOptions) => new ClientStream(open(options)),
    path,
    cardinality,
  });
}

type AnyCall = ClientCall<unknown, unknown>;

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
