/**
 * The client: channels to servers and the methods that are called on them.
 *
 * ```ts
 * import { Channel, createStub } from "@grpclib/grpclib/client";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 *
 * async function greet(name: string): Promise<string> {
 *   await using channel = new Channel("127.0.0.1", 50051);
 *   const greeter = createStub(Greeter, channel);
 *   const reply = await greeter.sayHello({ name }, { timeoutMs: 5_000 });
 *   return reply.message;
 * }
 * ```
 *
 * A client needs the permission `--allow-net=host:port` and no other.
 *
 * @module
 */

import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  Message,
  MessageShape,
} from "@bufbuild/protobuf";
import { Cardinality } from "./core/cardinality.ts";
import { cardinalityOf, pathOf } from "./_call/descriptor.ts";
import type { CallOptions } from "./_call/client/options.ts";
import type { ClientStream } from "./_call/client/stream.ts";
import type { Many } from "./_call/many.ts";
import {
  makeMethod,
  type Messages,
  type MethodInfo,
  type StreamStreamMethod,
  type StreamUnaryMethod,
  type UnaryStreamMethod,
  type UnaryUnaryMethod,
} from "./_call/client/method.ts";
import { type Channel, hostOf } from "./_channel.ts";

export { Channel, type ChannelOptions, type WaitOptions } from "./_channel.ts";
export type { HTTP2Engine } from "./_http2/engine.ts";
export type { ConnectivityState, Endpoint } from "./core/connectivity.ts";
export type {
  CallNumbers,
  ChannelInspection,
  ResolutionInspection,
  StateChange,
} from "./core/inspection.ts";
export type {
  BalancingOptions,
  BalancingPolicy,
  EjectionOptions,
  FailurePercentageOptions,
  OutlierDetectionOptions,
  SuccessRateOptions,
} from "./core/balancing.ts";
export { proxyFromEnvironment, type ProxyOptions } from "./core/proxy.ts";
export type {
  Resolver,
  ResolverAnswer,
  ResolverQuestion,
} from "./core/resolver.ts";
export type {
  ConnectFunction,
  ConnectOptions,
} from "./_http2/client/connect.ts";
export type { Connection, WebConnection } from "./_http2/socket.ts";
export * from "./core/mod.ts";
export type {
  ChannelRetryOptions,
  HedgingOptions,
  MethodOptions,
  RetryOptions,
  ThrottlingOptions,
} from "./core/retry_options.ts";
export type {
  ServiceConfig,
  ServiceConfigHedgingPolicy,
  ServiceConfigMethod,
  ServiceConfigName,
  ServiceConfigRetryPolicy,
} from "./core/service_config.ts";
export {
  type ClientMiddleware,
  type ClientMiddlewareOf,
  type MiddlewareScope,
  type ServerMiddleware,
  type ServerMiddlewareOf,
  use,
} from "./_middleware.ts";
export { traceTo, type TraceTopic } from "./_trace_to.ts";
export type { OutgoingCall } from "./_call/client/middleware.ts";
export { ClientStream, type SendOptions } from "./_call/client/stream.ts";
export type { CallOptions } from "./_call/client/options.ts";
export type { ParentCall, PropagationOptions } from "./_call/parent.ts";
export type { Compression } from "./_wire/compression.ts";
export type { Many, MessageOf, Received } from "./_call/many.ts";
export type {
  CallReplies,
  Messages,
  MethodInfo,
  StreamStreamMethod,
  StreamUnaryMethod,
  UnaryStreamMethod,
  UnaryUnaryMethod,
} from "./_call/client/method.ts";

/** What a method is to its caller. */
interface MethodOptions {
  readonly path: string;
  readonly cardinality: Cardinality;
  readonly requestType: unknown;
  readonly replyType: unknown;
  /** What the .proto file says of it, if that is known. */
  readonly descriptor?: DescMethod;
}

function methodOf(channel: Channel, options: MethodOptions): unknown {
  const { path } = options;
  if (!/^\/[!-.0-~]+\/[!-.0-~]+$/.test(path)) {
    throw new TypeError(
      `Cannot create method: the path must be "/package.Service/Method", received "${path}"`,
    );
  }
  return makeMethod({ ...options, host: hostOf(channel) });
}

/**
 * Makes a method with one request and one reply. Generated stubs and
 * {@linkcode createStub} do this for you.
 *
 * @param channel The channel to call on.
 * @param path The path, such as `/helloworld.Greeter/SayHello`.
 * @param requestType The type of the requests, as the channel's codec needs it.
 * @param replyType The type of the replies.
 * @returns The method, to be called.
 * @throws {TypeError} If the path is of another form.
 */
export function unaryUnary<I extends DescMessage, O extends DescMessage>(
  channel: Channel,
  path: string,
  requestType: I,
  replyType: O,
): UnaryUnaryMethod<MessageShape<I>, MessageShape<O>>;
/** The same for codecs whose types of messages are not descriptors. */
export function unaryUnary<Req, Rep>(
  channel: Channel,
  path: string,
  requestType: unknown,
  replyType: unknown,
): UnaryUnaryMethod<Req, Rep>;
export function unaryUnary(
  channel: Channel,
  path: string,
  requestType: unknown,
  replyType: unknown,
): unknown {
  const cardinality = Cardinality.UNARY_UNARY;
  return methodOf(channel, { path, cardinality, requestType, replyType });
}

/**
 * Makes a method with one request and many replies. Generated stubs and
 * {@linkcode createStub} do this for you.
 *
 * @param channel The channel to call on.
 * @param path The path, such as `/helloworld.Greeter/SayHello`.
 * @param requestType The type of the requests, as the channel's codec needs it.
 * @param replyType The type of the replies.
 * @returns The method, to be called.
 * @throws {TypeError} If the path is of another form.
 */
export function unaryStream<I extends DescMessage, O extends DescMessage>(
  channel: Channel,
  path: string,
  requestType: I,
  replyType: O,
): UnaryStreamMethod<MessageShape<I>, MessageShape<O>>;
/** The same for codecs whose types of messages are not descriptors. */
export function unaryStream<Req, Rep>(
  channel: Channel,
  path: string,
  requestType: unknown,
  replyType: unknown,
): UnaryStreamMethod<Req, Rep>;
export function unaryStream(
  channel: Channel,
  path: string,
  requestType: unknown,
  replyType: unknown,
): unknown {
  const cardinality = Cardinality.UNARY_STREAM;
  return methodOf(channel, { path, cardinality, requestType, replyType });
}

/**
 * Makes a method with many requests and one reply. Generated stubs and
 * {@linkcode createStub} do this for you.
 *
 * @param channel The channel to call on.
 * @param path The path, such as `/helloworld.Greeter/SayHello`.
 * @param requestType The type of the requests, as the channel's codec needs it.
 * @param replyType The type of the replies.
 * @returns The method, to be called.
 * @throws {TypeError} If the path is of another form.
 */
export function streamUnary<I extends DescMessage, O extends DescMessage>(
  channel: Channel,
  path: string,
  requestType: I,
  replyType: O,
): StreamUnaryMethod<MessageShape<I>, MessageShape<O>>;
/** The same for codecs whose types of messages are not descriptors. */
export function streamUnary<Req, Rep>(
  channel: Channel,
  path: string,
  requestType: unknown,
  replyType: unknown,
): StreamUnaryMethod<Req, Rep>;
export function streamUnary(
  channel: Channel,
  path: string,
  requestType: unknown,
  replyType: unknown,
): unknown {
  const cardinality = Cardinality.STREAM_UNARY;
  return methodOf(channel, { path, cardinality, requestType, replyType });
}

/**
 * Makes a method with many requests and many replies. Generated stubs and
 * {@linkcode createStub} do this for you.
 *
 * @param channel The channel to call on.
 * @param path The path, such as `/helloworld.Greeter/SayHello`.
 * @param requestType The type of the requests, as the channel's codec needs it.
 * @param replyType The type of the replies.
 * @returns The method, to be called.
 * @throws {TypeError} If the path is of another form.
 */
export function streamStream<I extends DescMessage, O extends DescMessage>(
  channel: Channel,
  path: string,
  requestType: I,
  replyType: O,
): StreamStreamMethod<MessageShape<I>, MessageShape<O>>;
/** The same for codecs whose types of messages are not descriptors. */
export function streamStream<Req, Rep>(
  channel: Channel,
  path: string,
  requestType: unknown,
  replyType: unknown,
): StreamStreamMethod<Req, Rep>;
export function streamStream(
  channel: Channel,
  path: string,
  requestType: unknown,
  replyType: unknown,
): unknown {
  const cardinality = Cardinality.STREAM_STREAM;
  return methodOf(channel, { path, cardinality, requestType, replyType });
}

/** The methods of a service, ready to be called: what {@linkcode createStub} gives. */
export type Stub<S extends DescService> = {
  readonly [K in keyof S["method"]]: StubMethod<S["method"][K]>;
};

/** One method of a {@linkcode Stub}, by its kind. */
export type StubMethod<M> = M extends DescMethodUnary<infer I, infer O>
  ? UnaryUnaryMethod<MessageShape<I>, MessageShape<O>>
  : M extends DescMethodServerStreaming<infer I, infer O>
    ? UnaryStreamMethod<MessageShape<I>, MessageShape<O>>
  : M extends DescMethodClientStreaming<infer I, infer O>
    ? StreamUnaryMethod<MessageShape<I>, MessageShape<O>>
  : M extends DescMethodBiDiStreaming<infer I, infer O>
    ? StreamStreamMethod<MessageShape<I>, MessageShape<O>>
  : DescMethod extends M ? DynamicMethod
  : never;

/**
 * A message of a type that is known only when the program runs: its fields by
 * their names in JavaScript.
 */
export type DynamicMessage = Message & {
  // As the type is not known, the types of its fields are not either.
  // deno-lint-ignore no-explicit-any
  readonly [field: string]: any;
};

/**
 * A method that is known only when the program runs, such as one of a service
 * that was found by reflection. It is one of the four kinds of method, as
 * `cardinality` tells.
 */
export interface DynamicMethod extends MethodInfo {
  /**
   * Calls the method.
   *
   * @param request The request, or the requests, as the method's kind needs.
   * @param options How to call.
   * @returns The reply, if the method has one, to be awaited; or the replies, if
   *   it has many, to be iterated.
   */
  (
    request: Partial<DynamicMessage> | Messages<Partial<DynamicMessage>>,
    options?: CallOptions,
  ): Promise<DynamicMessage> & AsyncIterable<DynamicMessage>;
  /**
   * Opens a stream for a call, step by step. Nothing is sent by this.
   *
   * @param options How to call.
   * @returns The stream.
   */
  open(
    options?: CallOptions,
  ): ClientStream<Many<DynamicMessage>, Many<DynamicMessage>>;
}

/**
 * Makes a stub from protobuf-es's descriptor of a service: an object with a
 * callable method for each rpc.
 *
 * @param service The descriptor, as protoc-gen-es generates it.
 * @param channel The channel to call on.
 * @returns The stub.
 * @typeParam S The type of the descriptor.
 */
export function createStub<S extends DescService>(
  service: S,
  channel: Channel,
): Stub<S> {
  const stub: Record<string, unknown> = {};
  for (const method of service.methods) {
    stub[method.localName] = methodOf(channel, {
      path: pathOf(method),
      cardinality: cardinalityOf(method),
      requestType: method.input,
      replyType: method.output,
      descriptor: method,
    });
  }
  return stub as Stub<S>;
}
