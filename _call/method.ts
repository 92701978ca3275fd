/**
 * Methods as the client calls them: one kind of object for each kind of call.
 *
 * @module
 */

import {
  type Cardinality,
  isClientStreaming,
  isServerStreaming,
} from "../core/cardinality.ts";
import type { MessageInit } from "../core/codec.ts";
import { Deadline } from "../core/deadline.ts";
import { GRPCError, ProtocolError } from "../core/errors.ts";
import { Metadata, type MetadataInit } from "../core/metadata.ts";
import { Status } from "../core/status.ts";
import { ClientCall } from "./client_call.ts";
import { ClientStream } from "./client_stream.ts";
import type { ClientCallOptions, ClientTarget } from "./client_target.ts";
import type { Many } from "./many.ts";
import { MessageIterator } from "./message_iterator.ts";
import { type Send, sendAll, sendOne } from "./requests.ts";

/** Options of a call. */
export interface CallOptions {
  /**
   * The time the call may take, in milliseconds, connecting included. When it
   * is over the call fails with `DEADLINE_EXCEEDED`. With `deadline` too, the
   * earlier one counts.
   *
   * @default {undefined} no limit
   */
  readonly timeoutMs?: number;
  /**
   * The point in time the call has to be complete at, such as the deadline of
   * the call that this one is made for.
   *
   * @default {undefined} no deadline
   */
  readonly deadline?: Deadline | null | undefined;
  /**
   * Metadata to send with the request.
   *
   * @default {undefined} none
   */
  readonly metadata?: MetadataInit;
  /**
   * Cancels the call when it aborts: the call fails with `CANCELLED`, and
   * `cause` is the signal's reason.
   *
   * @default {undefined} none
   */
  readonly signal?: AbortSignal;
  /**
   * Whether the call waits while no connection can be had, until one can or its
   * deadline comes. Otherwise it fails with `UNAVAILABLE` as soon as an attempt
   * to connect has.
   *
   * @default {false}
   */
  readonly waitForReady?: boolean;
}

/** Messages to send: any iterable, sync or async; a `ReadableStream` is one. */
export type Messages<M> =
  | Iterable<MessageInit<M>>
  | AsyncIterable<MessageInit<M>>;

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
  (message: MessageInit<Req>, options?: CallOptions): AsyncIterable<Rep>;
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
  (messages: Messages<Req>, options?: CallOptions): AsyncIterable<Rep>;
  /**
   * Opens a stream for a call, step by step. Nothing is sent by this.
   *
   * @param options How to call.
   * @returns The stream.
   */
  open(options?: CallOptions): ClientStream<Many<Req>, Many<Rep>>;
}

const NO_OPTIONS: ClientCallOptions = {
  metadata: null,
  deadline: undefined,
  signal: undefined,
  waitForReady: false,
};

/** Checks a caller's options, before anything is sent. */
function readOptions(options: CallOptions | undefined): ClientCallOptions {
  if (options === undefined) return NO_OPTIONS;
  const { timeoutMs, metadata, signal } = options;
  const deadline = options.deadline ?? undefined;
  return {
    metadata: metadata === undefined ? null : new Metadata(metadata),
    deadline: timeoutMs === undefined
      ? deadline
      : Deadline.earliest(deadline, Deadline.fromTimeout(timeoutMs)),
    signal,
    waitForReady: options.waitForReady ?? false,
  };
}

/** Makes the callable object of a method, of whichever kind. */
export function makeMethod(target: ClientTarget, path: string): unknown {
  const { cardinality } = target;
  const send = isClientStreaming(cardinality) ? sendAll : sendOne;
  const call = isServerStreaming(cardinality)
    ? (requests: unknown, options?: CallOptions) =>
      new Replies(target, options, send, requests)
    : (requests: unknown, options?: CallOptions) =>
      callForReply(target, options, send, requests);
  return Object.assign(call, {
    open: (options?: CallOptions) =>
      new ClientStream(new ClientCall(target, readOptions(options))),
    path,
    cardinality,
  });
}

type AnyCall = ClientCall<unknown, unknown>;

/** Makes a call with one reply. */
function callForReply(
  target: ClientTarget,
  options: CallOptions | undefined,
  send: Send,
  requests: unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const call: AnyCall = new ClientCall(target, readOptions(options));
    call.onFinish((error) => {
      if (error !== null) return reject(error);
      try {
        resolve(call.take());
      } catch (error) {
        reject(error);
      }
    });
    send(call, requests);
  });
}

/** The replies of a call that begins when they are first asked for. */
class Replies implements AsyncIterable<unknown> {
  readonly #call: AnyCall;
  readonly #send: Send;
  readonly #requests: unknown;
  #iterated = false;

  constructor(
    target: ClientTarget,
    options: CallOptions | undefined,
    send: Send,
    requests: unknown,
  ) {
    this.#call = new ClientCall(target, readOptions(options));
    this.#send = send;
    this.#requests = requests;
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown, undefined> {
    if (this.#iterated) {
      throw new ProtocolError(
        "The replies of a call can be iterated only once",
      );
    }
    this.#iterated = true;
    return new MessageIterator(() => this.#next(), () => this.#leave());
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
