/**
 * Services that answer by a script.
 *
 * @module
 */

import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageShape,
} from "@bufbuild/protobuf";
import { cardinalityOf, pathOf } from "../_call/descriptor.ts";
import { isClientStreaming, isServerStreaming } from "../core/cardinality.ts";
import type { MessageInit } from "../core/codec.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import {
  createService,
  type MethodImplementation,
  type Service,
  type ServiceImplementation,
} from "../server.ts";

/** What the methods of a service answer, by their names. */
export type ServiceScript<S extends DescService> = {
  readonly [K in keyof S["method"]]?: MethodScript<S["method"][K]>;
};

/**
 * What one method answers: to its first call, its second and so on; or a
 * function that answers all of them.
 */
export type MethodScript<M> =
  | readonly ScriptedAnswer<M>[]
  | MethodImplementation<M>;

/**
 * The answer to one call: a reply, or as many as the method gives; an error; or
 * a function, as `createService` takes. Among replies an error ends the call.
 */
export type ScriptedAnswer<M> =
  | ScriptedReply<M>
  | Error
  | MethodImplementation<M>;

/** What a call is answered with, if it goes well, by the kind of its method. */
export type ScriptedReply<M> = M extends
  | DescMethodUnary<infer _I, infer O>
  | DescMethodClientStreaming<infer _I, infer O> ? MessageInit<MessageShape<O>>
  : M extends
    | DescMethodServerStreaming<infer _I, infer O>
    | DescMethodBiDiStreaming<infer _I, infer O>
    ? Iterable<MessageInit<MessageShape<O>> | Error>
  : never;

/** The requests that the methods of a service got, by their names. */
export type RecordedRequests<S extends DescService> = {
  readonly [K in keyof S["method"]]: readonly RecordedRequest<S["method"][K]>[];
};

/** What one call asked for: a message, or all messages, by the method's kind. */
export type RecordedRequest<M> = M extends
  | DescMethodUnary<infer I, infer _O>
  | DescMethodServerStreaming<infer I, infer _O> ? MessageShape<I>
  : M extends
    | DescMethodClientStreaming<infer I, infer _O>
    | DescMethodBiDiStreaming<infer I, infer _O> ? readonly MessageShape<I>[]
  : never;

/** A service that answers by a script: what {@linkcode stubService} makes. */
export interface StubbedService<S extends DescService> extends Service {
  /**
   * The requests that came, one for each call in the order they came. Of calls
   * with many requests it is an array, which grows as they arrive.
   */
  readonly requests: RecordedRequests<S>;
}

/**
 * Makes a service that answers by a script, and keeps the requests it got.
 *
 * A call beyond the script ends with `UNIMPLEMENTED`, and a message that says so.
 *
 * @example Usage
 * ```ts
 * import { createStub, GRPCError, Status } from "@grpclib/grpclib";
 * import { assertRejectsStatus, ChannelFor, stubService } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter";
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = stubService(Greeter, {
 *   sayHello: [{ message: "Hello!" }, new GRPCError(Status.UNAVAILABLE)],
 * });
 * await using channel = new ChannelFor([greeter]);
 * const stub = createStub(Greeter, channel);
 *
 * assertEquals((await stub.sayHello({ name: "Ada" })).message, "Hello!");
 * await assertRejectsStatus(stub.sayHello({ name: "Bob" }), Status.UNAVAILABLE);
 * assertEquals(greeter.requests.sayHello.map(({ name }) => name), ["Ada", "Bob"]);
 * ```
 *
 * @param service The descriptor, as protoc-gen-es generates it.
 * @param script What the methods answer.
 * @returns The service, to be given to `ChannelFor` or a server.
 * @throws {TypeError} If the script names a method that there is none of.
 * @typeParam S The type of the descriptor.
 */
export function stubService<S extends DescService>(
  service: S,
  script: ServiceScript<S> = {},
): StubbedService<S> {
  const names = new Set(service.methods.map(({ localName }) => localName));
  for (const name of Object.keys(script)) {
    if (!names.has(name)) {
      throw new TypeError(
        `Cannot stub service ${service.typeName}: there is no method ${name}, only ${
          [...names].join(", ")
        }`,
      );
    }
  }
  const scripts = script as Readonly<Record<string, AnyScript | undefined>>;
  const requests: Record<string, unknown[]> = {};
  const implementation: Record<string, AnyFunction> = {};
  for (const method of service.methods) {
    const { localName } = method;
    const answers = scripts[localName];
    const taken: unknown[] = requests[localName] = [];
    const next = (): AnyAnswer =>
      typeof answers === "function"
        ? answers
        : answers?.[taken.length - 1] ?? beyond(method, answers, taken.length);
    implementation[localName] = functionOf(method, taken, next);
  }
  const made = createService(
    service,
    implementation as unknown as ServiceImplementation<S>,
  );
  return Object.assign(made, { requests: requests as RecordedRequests<S> });
}

/** The part of a call that says when it ended before its time. */
interface Aborting {
  readonly signal: AbortSignal;
}

type AnyFunction = (requests: unknown, call: unknown) => unknown;
type AnyAnswer = object | AnyFunction;
type AnyScript = readonly AnyAnswer[] | AnyFunction;

/** The error for a call that the script has no answer for. */
function beyond(
  method: DescMethod,
  answers: AnyScript | undefined,
  calls: number,
): GRPCError {
  const what = answers === undefined
    ? `the script does not name ${method.localName}`
    : `this is call ${calls}, and the script has ${answers.length} answers`;
  return new GRPCError(
    Status.UNIMPLEMENTED,
    `Cannot answer ${pathOf(method)}: ${what}`,
  );
}

/** The function that serves one method. */
function functionOf(
  method: DescMethod,
  taken: unknown[],
  next: () => AnyAnswer,
): AnyFunction {
  const cardinality = cardinalityOf(method);
  const hasMany = isClientStreaming(cardinality);
  const record = (requests: unknown): unknown => {
    if (!hasMany) {
      taken.push(requests);
      return requests;
    }
    const all: unknown[] = [];
    taken.push(all);
    return recorded(requests as AsyncIterable<unknown>, all);
  };
  if (isServerStreaming(cardinality)) {
    return async function* (input, call) {
      const requests = record(input);
      const answer = next();
      if (typeof answer === "function") {
        const replies = answer(requests, call);
        yield* untilAborted(replies, (call as Aborting).signal);
        return;
      }
      if (answer instanceof Error) throw answer;
      // Whoever sends many requests may wait for replies in between.
      const rest = hasMany ? drain(requests) : undefined;
      rest?.catch(() => {});
      for (const reply of answer as Iterable<unknown>) {
        if (reply instanceof Error) throw reply;
        yield reply;
      }
      await rest;
    };
  }
  return async (input, call) => {
    const requests = record(input);
    const answer = next();
    if (typeof answer === "function") {
      return await orAborted(
        answer(requests, call),
        (call as Aborting).signal,
      );
    }
    if (answer instanceof Error) throw answer;
    if (hasMany) await drain(requests);
    return answer;
  };
}

/** Passes messages on, and keeps them. */
async function* recorded(
  messages: AsyncIterable<unknown>,
  into: unknown[],
): AsyncGenerator<unknown> {
  for await (const message of messages) {
    into.push(message);
    yield message;
  }
}

/** Waits for a reply, but not when the call is over: it may never come. */
async function orAborted(
  reply: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([reply, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Gives replies, but not when the call is over: the next may never come. */
async function* untilAborted(
  replies: unknown,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const iterable = replies as AsyncIterable<unknown> | Iterable<unknown>;
  const iterator = Symbol.asyncIterator in iterable
    ? iterable[Symbol.asyncIterator]()
    : iterable[Symbol.iterator]();
  let done: boolean | undefined = false;
  try {
    for (;;) {
      const result = await orAborted(iterator.next(), signal) as IteratorResult<
        unknown
      >;
      done = result.done;
      if (done) return;
      yield result.value;
    }
  } finally {
    // Not waited for: it may be the one that never comes.
    if (!done) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

async function drain(messages: unknown): Promise<void> {
  for await (const _message of messages as AsyncIterable<unknown>);
}
