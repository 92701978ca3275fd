/** The doors: adding a name to one is a decision, seen here. */

import { assertEquals, assertMatch } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { USER_AGENT, VERSION } from "../../core/version.ts";

/** What both sides speak. */
const CORE = [
  ...["Clock", "ClockTimer"],
  ...[
    "CallEnd",
    "CallInfo",
    "MethodDescriptor",
    "ClientEvent",
    "Compression",
    "Event",
    "EventClass",
  ],
  ...["Listenable", "MethodFunc", "ProtoJsonCodec"],
  ...["ProtoJsonCodecOptions", "ProtoStatusDetailsCodec"],
  ...["ProtoStatusDetailsCodecOptions"],
  ...["RecvInitialMetadata", "RecvMessage", "RecvRequest"],
  ...[
    "RecvTrailingMetadata",
    "RetryCall",
    "SendInitialMetadata",
    "SendMessage",
  ],
  ...["SendRequest", "SendTrailingMetadata", "ServerEvent"],
  ...["StatusDetailsCodec", "UnknownDetail", "findDetail", "listen"],
  ...["ByteWriter", "Cardinality", "Codec", "Configuration"],
  ...["ConfigurationOptions", "Deadline", "GRPCError", "GRPCErrorOptions"],
  ...["Many", "MessageInit", "MessageOf", "Metadata", "MetadataInit"],
  ...["MetadataValue", "MetadataValueOf", "Peer", "PeerAddress"],
  ...["PeerCertificate", "PeerCertificateName", "ProtoCodec", "ProtocolError"],
  ...[
    "ChannelTLSOptions",
    "ClientCertificates",
    "PEM",
    "ResolvedConfiguration",
  ],
  ...["ServerTLSOptions", "TLSOptions"],
  ...["Received", "Status", "StatusName", "StreamTerminatedError"],
  ...["isClientStreaming", "isServerStreaming", "isStatus", "statusName"],
];

const MIDDLEWARE = [
  ...["ClientMiddleware", "ClientMiddlewareOf", "MiddlewareScope"],
  ...["OutgoingCall", "ServerMiddleware", "ServerMiddlewareOf", "use"],
  ...["TraceTopic", "traceTo"],
];

const CLIENT = [
  ...MIDDLEWARE,
  ...["DynamicMessage", "DynamicMethod"],
  ...["Connection", "HTTP2Engine", "WebConnection"],
  ...[
    "CallOptions",
    "CallReplies",
    "Channel",
    "ChannelOptions",
    "ClientStream",
    "Messages",
  ],
  ...["MethodInfo", "SendOptions", "StreamStreamMethod", "StreamUnaryMethod"],
  ...["Stub", "StubMethod", "UnaryStreamMethod", "UnaryUnaryMethod"],
  ...["ConnectivityState", "Endpoint", "WaitOptions"],
  ...["CallNumbers", "ChannelInspection", "StateChange"],
  "ResolutionInspection",
  ...["BalancingOptions", "BalancingPolicy", "EjectionOptions"],
  ...["FailurePercentageOptions", "OutlierDetectionOptions"],
  ...["ProxyOptions", "SuccessRateOptions", "proxyFromEnvironment"],
  ...["Resolver", "ResolverAnswer", "ResolverQuestion"],
  ...["ParentCall", "PropagationOptions"],
  ...["ConnectFunction", "ConnectOptions"],
  ...["ChannelRetryOptions", "HedgingOptions", "MethodOptions", "RetryOptions"],
  ...["ServiceConfig", "ServiceConfigHedgingPolicy", "ServiceConfigMethod"],
  ...["ServiceConfigName", "ServiceConfigRetryPolicy", "ThrottlingOptions"],
  ...["createStub", "streamStream", "streamUnary", "unaryStream", "unaryUnary"],
];

const SERVER = [
  ...["CallNumbers", "ConnectionFailure", "ServerInspection"],
  ...MIDDLEWARE,
  ...["ServerContext", "attach"],
  ...["Connection", "HTTP2Engine", "WebConnection"],
  ...["Closable", "CloseOptions", "GracefulExitOptions", "Handler"],
  ...["HandlerErrorInfo", "InitialMetadataOptions", "MethodImplementation"],
  ...["RefusalReason", "RefusedCallInfo"],
  ...[
    "Replies",
    "Reply",
    "ReplyOptions",
    "Server",
    "ServerOptions",
    "ServerStream",
    "Service",
  ],
  ...["ServiceImplementation", "StartOptions", "TrailingMetadataOptions"],
  ...["createService", "gracefulExit", "mapping"],
];

const DETAILS = [
  ...["ProtoStatusDetailsCodec", "ProtoStatusDetailsCodecOptions"],
  ...["StatusDetailsCodec", "UnknownDetail", "findDetail"],
  ...[
    ...["BadRequest", "BadRequest_FieldViolation", "DebugInfo", "ErrorInfo"],
    ...["Help", "Help_Link", "LocalizedMessage", "PreconditionFailure"],
    ...["PreconditionFailure_Violation", "QuotaFailure"],
    ...["QuotaFailure_Violation", "RequestInfo", "ResourceInfo", "RetryInfo"],
    "StatusProto",
  ].flatMap((name) => [name, `${name}Schema`]),
];

const DOORS: Readonly<Record<string, readonly string[]>> = {
  "mod.ts": [...new Set([...CORE, ...CLIENT, ...SERVER])],
  "client.ts": [...CORE, ...CLIENT],
  "server.ts": [...CORE, ...SERVER],
  "error_details.ts": DETAILS,
  "testing/mod.ts": [
    ...["Call", "ChannelFor", "ChannelForOptions", "Clock", "ClockTimer"],
    ...["CutOptions", "DelayOptions", "FaultOptions", "Faults"],
    ...["FaultsOptions", "GoawayOptions", "GrpcTestContext"],
    ...["GrpcTestDefinition", "HandlerError", "MethodScript"],
    ...["RecordedRequest", "RecordedRequests", "RefuseOptions"],
    ...["ResetOptions", "ScriptedAnswer", "ScriptedReply", "ServiceScript"],
    ...["Services", "StubbedService", "TruncateOptions", "VirtualClock"],
    ...["assertRejectsStatus", "grpcTest", "stubService"],
  ],
  "admin/mod.ts": ["Channelz", "ChannelzService"],
  "logging/mod.ts": [
    ...["CallKind", "CallLogRecord", "LogCallsOptions", "LogLevel"],
    ...["jsonLine", "levelOf", "logCalls", "textLine"],
  ],
  "otel/mod.ts": [
    ...["Attributes", "ContextLike", "ContextManagerLike", "CounterLike"],
    ...["HistogramLike", "InstrumentCallsOptions", "InstrumentOptions"],
    ...["MeterLike", "MeterProviderLike", "PropagatorLike"],
    ...["SpanContextLike", "SpanLike", "TracerLike", "TracerProviderLike"],
    "instrument",
  ],
  "propagation/mod.ts": [
    ...["Deadline", "Metadata", "MetadataInit", "MetadataValue"],
    ...["MetadataValueOf", "ParentCall", "Peer", "PeerAddress"],
    ...["PeerCertificate", "PeerCertificateName", "PropagationOptions"],
    ...["currentCall", "detach"],
  ],
  "reflection/mod.ts": [
    ...["Reflection", "ReflectOptions", "ServerReflection"],
    ...["ServerReflectionOptions", "reflect"],
  ],
};

/** What `deno doc --json` tells, as far as it is used here. */
interface Doc {
  readonly nodes: Readonly<
    Record<string, { readonly symbols: readonly { readonly name: string }[] }>
  >;
}

for (const [path, names] of Object.entries(DOORS)) {
  Deno.test(`${path} exports what it should, types included`, async () => {
    const url = import.meta.resolve(`../../${path}`);
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["doc", "--json", url],
    }).output();
    const { nodes }: Doc = JSON.parse(new TextDecoder().decode(stdout));
    const exported = nodes[url]!.symbols.map(({ name }) => name);
    assertEquals(exported.sort(), [...names].sort());
  });
}

Deno.test("deno.json has the entry points that it should", () => {
  assertEquals(config.exports, {
    ".": "./mod.ts",
    "./client": "./client.ts",
    "./server": "./server.ts",
    "./health": "./health/mod.ts",
    "./error-details": "./error_details.ts",
    "./propagation": "./propagation/mod.ts",
    "./otel": "./otel/mod.ts",
    "./reflection": "./reflection/mod.ts",
    "./logging": "./logging/mod.ts",
    "./admin": "./admin/mod.ts",
    "./testing": "./testing/mod.ts",
    "./protoc-gen-grpclib": "./plugin/main.ts",
  });
});

Deno.test("VERSION is that of deno.json", () => {
  assertEquals(VERSION, config.version);
});

Deno.test("USER_AGENT names the library, its version and the runtime", () => {
  assertMatch(USER_AGENT, /^grpc-deno-grpclib\/\d+\.\d+\.\d+\S* \([!-~ ]+\)$/);
});
