/**
 * gRPC for Deno: servers and clients for all four kinds of call, over HTTP/2.
 *
 * A service from plain functions, served and called:
 *
 * ```ts
 * import { Channel, createService, createStub, Server } from "@grpclib/grpclib";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = createService(Greeter, {
 *   sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 * });
 *
 * await using server = new Server([greeter]);
 * await server.start("127.0.0.1");
 *
 * await using channel = new Channel("127.0.0.1", server.port!);
 * const reply = await createStub(Greeter, channel).sayHello({ name: "Ada" });
 *
 * assertEquals(reply.message, "Hello, Ada!");
 * ```
 *
 * Everything a program usually needs is here; a program that is only a client
 * or only a server may import `@grpclib/grpclib/client` or
 * `@grpclib/grpclib/server` instead.
 *
 * @module
 */

// The client
export {
  type BalancingOptions,
  type BalancingPolicy,
  type CallOptions,
  type CallReplies,
  Channel,
  type ChannelInspection,
  type ChannelOptions,
  type ChannelRetryOptions,
  ClientStream,
  type ConnectFunction,
  type Connection,
  type ConnectivityState,
  type ConnectOptions,
  createStub,
  type DynamicMessage,
  type DynamicMethod,
  type EjectionOptions,
  type Endpoint,
  type FailurePercentageOptions,
  type HedgingOptions,
  type HTTP2Engine,
  type Messages,
  type MethodInfo,
  type MethodOptions,
  type OutlierDetectionOptions,
  type ParentCall,
  type PropagationOptions,
  proxyFromEnvironment,
  type ProxyOptions,
  type ResolutionInspection,
  type Resolver,
  type ResolverAnswer,
  type ResolverQuestion,
  type RetryOptions,
  type SendOptions,
  type ServiceConfig,
  type ServiceConfigHedgingPolicy,
  type ServiceConfigMethod,
  type ServiceConfigName,
  type ServiceConfigRetryPolicy,
  type StateChange,
  streamStream,
  type StreamStreamMethod,
  streamUnary,
  type StreamUnaryMethod,
  type Stub,
  type StubMethod,
  type SuccessRateOptions,
  type ThrottlingOptions,
  unaryStream,
  type UnaryStreamMethod,
  unaryUnary,
  type UnaryUnaryMethod,
  type WaitOptions,
  type WebConnection,
} from "./client.ts";

// The server
export {
  attach,
  type Closable,
  type CloseOptions,
  createService,
  gracefulExit,
  type GracefulExitOptions,
  type Handler,
  type HandlerErrorInfo,
  type InitialMetadataOptions,
  mapping,
  type MethodImplementation,
  type RefusalReason,
  type RefusedCallInfo,
  type Replies,
  type Reply,
  type ReplyOptions,
  Server,
  type ServerContext,
  type ServerOptions,
  ServerStream,
  type Service,
  type ServiceImplementation,
  type StartOptions,
  type TrailingMetadataOptions,
} from "./server.ts";

// What both speak
export {
  type ByteWriter,
  CallEnd,
  type CallInfo,
  type CallNumbers,
  Cardinality,
  type ChannelTLSOptions,
  type ClientCertificates,
  type ClientEvent,
  type ClientMiddleware,
  type ClientMiddlewareOf,
  type Clock,
  type ClockTimer,
  type Codec,
  type Compression,
  Configuration,
  type ConfigurationOptions,
  type ConnectionFailure,
  Deadline,
  Event,
  type EventClass,
  findDetail,
  GRPCError,
  type GRPCErrorOptions,
  isClientStreaming,
  isServerStreaming,
  isStatus,
  listen,
  type Listenable,
  type Many,
  type MessageInit,
  type MessageOf,
  Metadata,
  type MetadataInit,
  type MetadataValue,
  type MetadataValueOf,
  type MethodDescriptor,
  type MethodFunc,
  type MiddlewareScope,
  type OutgoingCall,
  Peer,
  type PeerAddress,
  type PeerCertificate,
  type PeerCertificateName,
  type PEM,
  ProtoCodec,
  ProtocolError,
  ProtoJsonCodec,
  type ProtoJsonCodecOptions,
  ProtoStatusDetailsCodec,
  type ProtoStatusDetailsCodecOptions,
  type Received,
  RecvInitialMetadata,
  RecvMessage,
  RecvRequest,
  RecvTrailingMetadata,
  type ResolvedConfiguration,
  RetryCall,
  SendInitialMetadata,
  SendMessage,
  SendRequest,
  SendTrailingMetadata,
  type ServerEvent,
  type ServerInspection,
  type ServerMiddleware,
  type ServerMiddlewareOf,
  type ServerTLSOptions,
  Status,
  type StatusDetailsCodec,
  type StatusName,
  statusName,
  StreamTerminatedError,
  type TLSOptions,
  traceTo,
  type TraceTopic,
  UnknownDetail,
  use,
} from "./server.ts";
