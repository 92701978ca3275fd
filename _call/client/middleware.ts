/**
 * A client's calls with middleware around them.
 *
 * @module
 */

import type { MessageInit } from "../../core/codec.ts";
import { GRPCError, ProtocolError } from "../../core/errors.ts";
import type { MethodDescriptor } from "../../core/events.ts";
import { Metadata } from "../../core/metadata.ts";
import {
  type Middleware,
  onlyOnce,
  runThrough,
} from "../../core/_middleware.ts";
import { Status } from "../../core/status.ts";
import { currentContext } from "../../_context.ts";
import type { Many } from "../many.ts";
import type { CallOptions } from "./options.ts";

/**
 * A call of a client, as the middleware around it sees it.
 *
 * @typeParam Req The request message, or `Many<…>` of it.
 * @typeParam Rep The reply message, or `Many<…>` of it.
 */
export interface OutgoingCall<Req = unknown, Rep = unknown> {
  /** The path of the method, such as `/helloworld.Greeter/SayHello`. */
  readonly methodName: string;
  /** The method. */
  readonly method: MethodDescriptor;
  /** The metadata that is sent; it may be changed. */
  readonly metadata: Metadata;
  /**
   * The options that the call was made with, but for the metadata; they may be
   * replaced before `next()`.
   */
  options: Omit<CallOptions, "metadata">;
  /**
   * The request, or an iterable of the requests; it may be replaced before
   * `next()`. `undefined` for a call that was opened as a stream.
   */
  request: unknown extends Req ? unknown
    : Req extends Many<infer M>
      ? Iterable<MessageInit<M>> | AsyncIterable<MessageInit<M>>
    : MessageInit<Req>;
  /**
   * The reply, once `next()` has come back, to be looked at or replaced: whoever
   * sets it need not call `next()`. Where there are many replies they are an
   * iterable, there from the beginning, that the caller iterates after
   * `next()` was called: put another around it before. `undefined` for a call
   * that was opened as a stream.
   */
  reply: unknown extends Rep ? unknown
    : Rep extends Many<infer M> ? AsyncIterable<M> | Iterable<M>
    : Rep | undefined;
}

/** Makes a call, of whatever kind, that has nothing around it. */
export type PlainCall = (requests: unknown, options: CallOptions) => unknown;

type Chain = readonly Middleware<OutgoingCall>[];

/** What a call is made of. */
export interface CallInit {
  readonly method: MethodDescriptor;
  readonly request: unknown;
  readonly options: CallOptions | undefined;
}

/** Makes a call with one reply through middleware. */
export async function replyThrough(
  chain: Chain,
  init: CallInit,
  plain: PlainCall,
): Promise<unknown> {
  const call = outgoing(init);
  await runThrough(chain, call, async () => {
    call.reply = await plain(call.request, optionsOf(call));
  });
  if (call.reply === undefined) throw notMade(call);
  return call.reply;
}

/** Makes a call with many replies through middleware, when they are iterated. */
export function repliesThrough(
  chain: Chain,
  init: CallInit,
  plain: PlainCall,
): AsyncIterable<unknown> {
  const call = outgoing(init);
  const replies: AsyncIterable<unknown> = {
    [Symbol.asyncIterator]: () =>
      (plain(call.request, optionsOf(call)) as AsyncIterable<unknown>)
        [Symbol.asyncIterator](),
  };
  call.reply = replies;
  const context = currentContext();
  let isIterated = false;
  return {
    [Symbol.asyncIterator]() {
      if (isIterated) {
        throw new ProtocolError(
          "The replies of a call can be iterated only once",
        );
      }
      isIterated = true;
      return iterateThrough(
        call,
        replies,
        (last) => context(() => runThrough(chain, call, last)),
      );
    },
  };
}

async function* iterateThrough(
  call: OutgoingCall,
  own: AsyncIterable<unknown>,
  run: (last: () => unknown) => Promise<void>,
): AsyncGenerator<unknown, undefined> {
  const reached = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  over.promise.catch(() => {});
  const once = onlyOnce("the replies of a call can be received only once");
  let isMade = false;
  const end = run(() => {
    once();
    isMade = true;
    reached.resolve();
    return over.promise;
  });
  end.then(reached.resolve, reached.reject);
  await reached.promise;
  if (!isMade && call.reply === own) throw notMade(call);
  try {
    yield* call.reply as AsyncIterable<unknown>;
    over.resolve();
  } catch (error) {
    over.reject(error);
  } finally {
    // Does nothing if that is known.
    over.reject(
      new GRPCError(
        Status.CANCELLED,
        "Call was cancelled: the iteration of its replies was left",
      ),
    );
  }
  // It has the last word on how the call ended.
  await end;
}

/** A call that was opened as a stream: its messages go past the middleware. */
export interface OpenedCall {
  readonly finished: boolean;
  cancel(error: Error): void;
  onFinish(callback: (error: Error | null) => void): void;
}

/**
 * Runs a call that was opened as a stream through middleware, from the moment at
 * which its head can be sent.
 *
 * @param chain What goes around it.
 * @param init What it is made of.
 * @param opened The call.
 * @param send Has the head sent, with this metadata.
 */
export function openThrough(
  chain: Chain,
  init: CallInit,
  opened: OpenedCall,
  send: (metadata: Metadata) => void,
): void {
  const call = outgoing(init);
  const once = onlyOnce("a call that was opened as a stream is made only once");
  let isMade = false;
  runThrough(chain, call, () => {
    once();
    isMade = true;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    opened.onFinish((error) => error === null ? resolve() : reject(error));
    if (!opened.finished) send(call.metadata);
    return promise;
  }).then(
    () => {
      if (!isMade) opened.cancel(notMade(call));
    },
    (error) => opened.cancel(error),
  );
}

function outgoing({ method, request, options = {} }: CallInit): OutgoingCall {
  const { metadata, ...others } = options;
  return {
    methodName: method.path,
    method,
    metadata: new Metadata(metadata),
    options: others,
    request,
    reply: undefined,
  };
}

function optionsOf({ options, metadata }: OutgoingCall): CallOptions {
  return { ...options, metadata };
}

function notMade({ methodName }: OutgoingCall): ProtocolError {
  return new ProtocolError(
    `Call of ${methodName} has no reply: middleware has to call next(), and to wait for it, or to set the reply`,
  );
}
