/**
 * Services from plain functions and async generators.
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
import type { Cardinality } from "../../core/cardinality.ts";
import type { MessageInit } from "../../core/codec.ts";
import { cardinalityOf, pathOf } from "../descriptor.ts";
import { type Handler, mapping, type Service } from "./handler.ts";
import type { Many } from "../many.ts";
import { isPromiseLike } from "../../core/_describe.ts";
import { callOf, type ServerStream } from "./stream.ts";

/** The functions that implement a service, by the names of its methods. */
export type ServiceImplementation<S extends DescService> = {
  readonly [K in keyof S["method"]]: MethodImplementation<S["method"][K]>;
};

/**
 * The function that implements one method, by its kind. It gets the request, or
 * an iterable of the requests, and the call; it gives the reply, or an iterable
 * of replies as an async generator does.
 */
export type MethodImplementation<M> = M extends
  DescMethodUnary<infer I, infer O> ? (
    request: MessageShape<I>,
    call: ServerStream<MessageShape<I>, MessageShape<O>>,
  ) => Reply<MessageShape<O>>
  : M extends DescMethodServerStreaming<infer I, infer O> ? (
      request: MessageShape<I>,
      call: ServerStream<MessageShape<I>, Many<MessageShape<O>>>,
    ) => Replies<MessageShape<O>>
  : M extends DescMethodClientStreaming<infer I, infer O> ? (
      requests: AsyncIterable<MessageShape<I>>,
      call: ServerStream<Many<MessageShape<I>>, MessageShape<O>>,
    ) => Reply<MessageShape<O>>
  : M extends DescMethodBiDiStreaming<infer I, infer O> ? (
      requests: AsyncIterable<MessageShape<I>>,
      call: ServerStream<Many<MessageShape<I>>, Many<MessageShape<O>>>,
    ) => Replies<MessageShape<O>>
  : never;

/** One reply, or its fields, now or as a promise. */
export type Reply<M> = MessageInit<M> | Promise<MessageInit<M>>;

/** Many replies, or their fields. */
export type Replies<M> =
  | AsyncIterable<MessageInit<M>>
  | Iterable<MessageInit<M>>;

/**
 * Makes a service from plain functions and async generators.
 *
 * @example Usage
 * ```ts
 * import { createService, mapping } from "@grpclib/grpclib";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const service = createService(Greeter, {
 *   sayHello({ name }, call) {
 *     call.trailingMetadata.set("served-by", "example");
 *     return { message: `Hello, ${name}!` };
 *   },
 * });
 *
 * assertEquals(Object.keys(service[mapping]()), ["/helloworld.Greeter/SayHello"]);
 * ```
 *
 * @param service The descriptor, as protoc-gen-es generates it.
 * @param implementation The functions.
 * @returns The service, to be given to a server.
 * @throws {TypeError} If a method has no function.
 * @typeParam S The type of the descriptor.
 */
export function createService<S extends DescService>(
  service: S,
  implementation: ServiceImplementation<S>,
): Service {
  const handlers: Record<string, Handler> = {};
  for (const method of service.methods) {
    const name = method.localName as keyof S["method"];
    const fn = implementation[name] as unknown;
    if (typeof fn !== "function") {
      throw new TypeError(
        `Cannot create service ${service.typeName}: method ${method.localName} must be a function, received ${typeof fn}`,
      );
    }
    handlers[pathOf(method)] = handlerOf(
      method,
      (requests, call) => fn.call(implementation, requests, call),
    );
  }
  const made: Service = { [mapping]: () => handlers };
  descriptors.set(made, service);
  return made;
}

const descriptors = new WeakMap<Service, DescService>();

/** The descriptor of a service, where `createService` has made it. */
export function descriptorOf(service: Service): DescService | undefined {
  return descriptors.get(service);
}

type AnyStream = ServerStream<Many<unknown>, Many<unknown>>;

function handlerOf(
  method: DescMethod,
  fn: (requests: unknown, call: AnyStream) => unknown,
): Handler {
  const cardinality = cardinalityOf(method);
  return {
    handle: HANDLES[cardinality](fn),
    cardinality,
    requestType: method.input,
    replyType: method.output,
    descriptor: method,
  };
}

type Handle = (stream: AnyStream) => void | Promise<void>;

const HANDLES: Readonly<
  Record<
    Cardinality,
    (fn: (requests: unknown, call: AnyStream) => unknown) => Handle
  >
> = {
  UNARY_UNARY: (fn) => (stream) =>
    reply(stream, fn(callOf(stream).take(), stream)),
  UNARY_STREAM: (fn) => (stream) =>
    replyAll(stream, fn(callOf(stream).take(), stream)),
  STREAM_UNARY: (fn) => (stream) => reply(stream, fn(stream, stream)),
  STREAM_STREAM: (fn) => (stream) => replyAll(stream, fn(stream, stream)),
};

/** Sends a reply, now if it is there: a promise more would cost more than it. */
function reply(stream: AnyStream, result: unknown): void | Promise<void> {
  const call = callOf(stream);
  return isPromiseLike(result)
    ? Promise.resolve(result).then((message) => call.sendMessage(message))
    : call.sendMessage(result);
}

async function replyAll(stream: AnyStream, results: unknown): Promise<void> {
  const call = callOf(stream);
  for await (const message of results as AsyncIterable<unknown>) {
    const wait = call.sendMessage(message);
    if (wait !== undefined) await wait;
  }
}
