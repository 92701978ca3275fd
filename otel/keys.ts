/**
 * What spans, metrics and their attributes are called, in one place, for some of
 * the names are still to change.
 *
 * @see {@link https://opentelemetry.io/docs/specs/semconv/rpc/ | Semantic conventions, 1.44}
 * @see {@link https://github.com/grpc/proposal/blob/master/A66-otel-stats.md | gRFC A66}
 * @module
 */

/** The attributes of spans. */
export const SpanKey = {
  SYSTEM: "rpc.system.name",
  METHOD: "rpc.method",
  METHOD_ORIGINAL: "rpc.method_original",
  STATUS: "rpc.response.status_code",
  ERROR: "error.type",
  SERVER_ADDRESS: "server.address",
  SERVER_PORT: "server.port",
  PEER_ADDRESS: "network.peer.address",
  PEER_PORT: "network.peer.port",
  REQUEST_METADATA: "rpc.request.metadata.",
} as const;

/** What a span is called whose method the server does not have. */
export const UNKNOWN_SPAN = "grpc";

/** What stands in its attribute. */
export const UNKNOWN_METHOD = "_OTHER";

/** The attributes of measurements. */
export const MetricKey = {
  METHOD: "grpc.method",
  TARGET: "grpc.target",
  STATUS: "grpc.status",
} as const;

/** What stands there for a method that the server does not have. */
export const OTHER_METHOD = "other";

/** Whose spans and metrics these are. */
export const SCOPE = "@grpclib/grpclib";

/** `SpanKind` and `SpanStatusCode` of OpenTelemetry's API. */
export const SpanKind = { SERVER: 1, CLIENT: 2 } as const;
export const SPAN_ERROR = 2;

/** The lowest bit of the flags of a trace. */
export const SAMPLED = 1;

// https://github.com/grpc/proposal/blob/master/A66-otel-stats.md#metrics
const K = 1024;

/** The bounds of the buckets for seconds. */
export const LATENCY_BOUNDS: readonly number[] = [
  ...[0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002],
  ...[0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025],
  ...[0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4],
  ...[0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100],
];

/** The bounds of the buckets for bytes. */
export const SIZE_BOUNDS: readonly number[] = [
  ...[0, K, 2 * K, 4 * K, 16 * K, 64 * K, 256 * K],
  ...[K * K, 4 * K * K, 16 * K * K, 64 * K * K, 256 * K * K],
  ...[K * K * K, 4 * K * K * K],
];
