/**
 * Tracing and metrics with OpenTelemetry: by what Deno has built in, or by an
 * SDK, without any package in between.
 *
 * ```ts
 * import { Channel } from "@grpclib/grpclib";
 * import { instrument } from "@grpclib/grpclib/otel";
 *
 * await using channel = new Channel("127.0.0.1", 50051);
 * using _telemetry = instrument(channel);
 * ```
 *
 * @module
 */

export { instrument, type InstrumentCallsOptions } from "./instrument.ts";
export type {
  Attributes,
  ContextLike,
  ContextManagerLike,
  CounterLike,
  HistogramLike,
  InstrumentOptions,
  MeterLike,
  MeterProviderLike,
  PropagatorLike,
  SpanContextLike,
  SpanLike,
  TracerLike,
  TracerProviderLike,
} from "./api.ts";
