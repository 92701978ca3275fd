/**
 * Spans and metrics for the calls of a channel or a server.
 *
 * @module
 */

import type {
  CallObserver,
  CallStart,
  CallTrace,
} from "../core/_call_trace.ts";
import type { CallInfo, ClientEvent, ServerEvent } from "../core/events.ts";
import { describe } from "../core/_describe.ts";
import { type Listenable, listenersOf } from "../core/_listeners.ts";
import { checkKey } from "../core/_metadata_rules.ts";
import {
  checkBoolean,
  checkFunction,
  checkMethods,
  checkOptions,
  type OptionNames,
  wrongType,
} from "../core/_options.ts";
import { parseTargets } from "../core/target.ts";
import type {
  Attributes,
  ContextLike,
  ContextManagerLike,
  MeterProviderLike,
  PropagatorLike,
  SpanLike,
  TracerProviderLike,
} from "./api.ts";
import {
  OTHER_METHOD,
  SpanKey,
  SpanKind,
  UNKNOWN_METHOD,
  UNKNOWN_SPAN,
} from "./keys.ts";
import { labelsOf } from "./metrics.ts";
import { ROOT, SPAN_KEY, type Telemetry, TelemetrySource } from "./registry.ts";
import {
  isSampled,
  unsampledContext,
  UnsampledSpan,
  unsampledTraceparent,
} from "./sampling.ts";
import { unsampledParent } from "./trace_parent.ts";
import {
  ClientTracedCall,
  ServerTracedCall,
  type TracedMethod,
} from "./traced_call.ts";

/** Options for {@linkcode instrument}. */
export interface InstrumentCallsOptions {
  /**
   * Makes the spans.
   *
   * @default {undefined} what is registered, at the time of each call
   */
  readonly tracerProvider?: TracerProviderLike;
  /**
   * Makes the instruments.
   *
   * @default {undefined} what is registered, at the time of each call
   */
  readonly meterProvider?: MeterProviderLike;
  /**
   * Reads and writes `traceparent` and the like.
   *
   * @default {undefined} what is registered, at the time of each call
   */
  readonly propagator?: PropagatorLike;
  /**
   * Knows the context of the moment.
   *
   * @default {undefined} what is registered, at the time of each call
   */
  readonly contextManager?: ContextManagerLike;
  /**
   * Which metrics: `"duration"` for how many calls there are and how long they
   * take, `"all"` for the sizes of their messages as well, `"none"`.
   *
   * @default {"all"}
   */
  readonly metrics?: "all" | "duration" | "none";
  /**
   * Which part of the traces that begin with a call is sampled, from 0 for none
   * to 1 for all. Calls that belong to a trace already are sampled if that is.
   * A call that is not has no span at all, which takes a fraction of the time of
   * asking the provider, and takes part in propagation and metrics as others do.
   *
   * @default {undefined} the provider samples, after it was asked for a span
   */
  readonly sampleRate?: number;
  /**
   * Chooses the calls.
   *
   * @default {undefined} all
   */
  readonly filter?: (call: CallInfo) => boolean;
  /**
   * The keys of the request's metadata that spans are marked with.
   *
   * @default {[]}
   */
  readonly requestMetadata?: readonly string[];
  /**
   * Whether Deno keeps the spans that it makes itself of the streams of
   * `node:http2`, beside those of the calls.
   *
   * @default {false}
   */
  readonly http2Spans?: boolean;
}

const ACTION = "Cannot instrument";

const OPTIONS: OptionNames<InstrumentCallsOptions> = {
  tracerProvider: true,
  meterProvider: true,
  propagator: true,
  contextManager: true,
  metrics: true,
  sampleRate: true,
  filter: true,
  requestMetadata: true,
  http2Spans: true,
};

const METRICS = ["all", "duration", "none"];

/** A field of the head, as propagators read it. */
const GETTER = {
  keys(headers: readonly string[]): string[] {
    return headers.filter((_, i) => i % 2 === 0);
  },
  get(headers: readonly string[], key: string): string | undefined {
    let found: string | undefined;
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i] !== key) continue;
      // Several fields of one name are one list.
      // https://www.w3.org/TR/trace-context/#tracestate-header
      found = found === undefined
        ? headers[i + 1]
        : `${found},${headers[i + 1]}`;
    }
    return found;
  },
};

/**
 * Has the calls of a channel or a server traced and measured, from now on:
 * spans by OpenTelemetry's conventions for RPC, metrics by those of gRPC, and a
 * trace that goes on over the wire, by what the W3C has for that.
 *
 * Whatever is registered with OpenTelemetry's API makes them: Deno itself, when
 * it runs with `OTEL_DENO=true`, or an SDK. Without that nothing happens, and
 * next to nothing is paid. A second `instrument()` makes all of it twice.
 *
 * @param target The channel or the server.
 * @param options What to trace and measure.
 * @returns What ends it, for calls that begin later.
 * @throws {TypeError} If the target is neither, or an option is of a wrong type.
 * @throws {RangeError} If `metrics` is none of what there is, or `sampleRate` is
 *   not from 0 to 1.
 *
 * @example Usage
 * ```ts
 * import { Channel, createService, Server } from "@grpclib/grpclib";
 * import { instrument } from "@grpclib/grpclib/otel";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 *
 * await using server = new Server([
 *   createService(Greeter, {
 *     sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 *   }),
 * ]);
 * using _server = instrument(server, {
 *   filter: ({ methodName }) => !methodName.startsWith("/grpc.health."),
 * });
 *
 * await using channel = new Channel("127.0.0.1", 50051);
 * using _channel = instrument(channel);
 * ```
 */
export function instrument(
  target: Listenable<ClientEvent | ServerEvent>,
  options: InstrumentCallsOptions = {},
): Disposable {
  const listeners = target === null || typeof target !== "object"
    ? undefined
    : listenersOf(target);
  if (listeners === undefined) {
    throw new TypeError(
      `${ACTION}: the target must be a Channel or a Server, received ${
        describe(target)
      }`,
    );
  }
  check(options);
  const named = (target as { readonly target?: unknown }).target;
  const observer = typeof named === "string"
    ? new ClientObserver(options, named)
    : new ServerObserver(options);
  return listeners.observe(observer);
}

function check(options: InstrumentCallsOptions): void {
  checkOptions(ACTION, options, OPTIONS);
  for (
    const [name, type, methods] of [
      ["tracerProvider", "a TracerProvider", ["getTracer"]],
      ["meterProvider", "a MeterProvider", ["getMeter"]],
      ["propagator", "a TextMapPropagator", ["inject", "extract"]],
      ["contextManager", "a ContextManager", ["active", "with"]],
    ] as const
  ) {
    checkMethods(ACTION, name, options[name], { type, methods });
  }
  checkFunction(ACTION, "filter", options.filter);
  checkBoolean(ACTION, "http2Spans", options.http2Spans);
  const { metrics = "all", sampleRate = 1, requestMetadata = [] } = options;
  if (typeof sampleRate !== "number") {
    throw wrongType(ACTION, "sampleRate", "a number", sampleRate);
  }
  if (!(sampleRate >= 0 && sampleRate <= 1)) {
    throw new RangeError(
      `${ACTION}: sampleRate must be from 0 to 1, received ${sampleRate}`,
    );
  }
  if (!METRICS.includes(metrics)) {
    throw new RangeError(
      `${ACTION}: metrics must be one of ${METRICS.join(", ")}, received ${
        describe(metrics)
      }`,
    );
  }
  if (!Array.isArray(requestMetadata)) {
    const need = "an array of keys";
    throw wrongType(ACTION, "requestMetadata", need, requestMetadata);
  }
  for (const key of requestMetadata) checkKey("trace", key);
}

/** A method, and what its spans are marked with from the beginning. */
interface KnownMethod extends TracedMethod {
  readonly name: string;
  readonly attributes: Attributes;
}

/** What both sides have. */
abstract class CallsObserver implements CallObserver {
  /** Spans have a clock of their own. */
  readonly isTimed: boolean;
  readonly #source: TelemetrySource;
  readonly #filter: InstrumentCallsOptions["filter"];
  readonly #sampleRate: number | undefined;
  readonly #methods = new Map<string, KnownMethod>();
  protected readonly metadata: readonly string[];
  protected readonly http2Spans: boolean;

  constructor(options: InstrumentCallsOptions, side: "client" | "server") {
    const given = {
      trace: options.tracerProvider,
      metrics: options.meterProvider,
      propagation: options.propagator,
      context: options.contextManager,
    };
    const { metrics = "all" } = options;
    this.#source = new TelemetrySource(given, side, metrics);
    this.isTimed = metrics !== "none";
    this.#filter = options.filter;
    this.#sampleRate = options.sampleRate;
    this.metadata = options.requestMetadata ?? [];
    this.http2Spans = options.http2Spans ?? false;
  }

  start(call: CallStart): CallTrace | null {
    const { current } = this.#source;
    if (current === null) return null;
    const { info } = call;
    if (this.#filter !== undefined && !this.#filter(info)) return null;
    return this.begin(call, current);
  }

  /** Whether the provider is asked for the span of a call. */
  protected asks(parent: SpanLike | undefined): boolean {
    return this.#sampleRate === undefined ||
      isSampled(parent, this.#sampleRate);
  }

  /** Whether calls may go without a span. */
  protected get isSampling(): boolean {
    return this.#sampleRate !== undefined;
  }

  protected abstract begin(call: CallStart, telemetry: Telemetry): CallTrace;

  /** Gives a method that there is. */
  protected known(path: string): KnownMethod {
    let found = this.#methods.get(path);
    if (found === undefined) this.#methods.set(path, found = this.make(path));
    return found;
  }

  protected abstract make(path: string): KnownMethod;
}

function spanOf(context: ContextLike): SpanLike | undefined {
  return context.getValue(SPAN_KEY) as SpanLike | undefined;
}

/** Observes the calls of a channel. */
class ClientObserver extends CallsObserver {
  readonly #target: string;
  readonly #address: Attributes;

  constructor(options: InstrumentCallsOptions, target: string) {
    super(options, "client");
    // As gRPC's own plugins have it, whose targets have a scheme.
    this.#target = /^[a-z][a-z0-9+.-]*:(?!\d+$)/.test(target)
      ? target
      : `dns:///${target}`;
    this.#address = addressOf(target);
  }

  protected begin(call: CallStart, telemetry: Telemetry): CallTrace {
    const { tracer, contexts, isW3C } = telemetry;
    const method = this.known(call.info.methodName);
    const active = contexts?.active() ?? ROOT;
    if (tracer === null) {
      return new ClientTracedCall(telemetry, method, null, active, call);
    }
    const parent = spanOf(active);
    if (!this.asks(parent)) {
      // Where the runtime keeps its spans, a context is needed in any case.
      const traceparent = isW3C && !this.http2Spans
        ? unsampledTraceparent(active, parent)
        : null;
      const context = traceparent === null
        ? unsampledContext(active, parent)
        : active;
      return new ClientTracedCall(
        telemetry,
        method,
        null,
        context,
        call,
        traceparent,
      );
    }
    const { name, attributes } = method;
    const kind = SpanKind.CLIENT;
    const span = tracer.startSpan(name, { kind, attributes }, active);
    const context = active.setValue(SPAN_KEY, span);
    return new ClientTracedCall(telemetry, method, span, context, call);
  }

  protected make(path: string): KnownMethod {
    const name = path.slice(1);
    return {
      name,
      labels: labelsOf(name, this.#target),
      attributes: {
        [SpanKey.SYSTEM]: "grpc",
        [SpanKey.METHOD]: name,
        ...this.#address,
      },
      metadata: this.metadata,
      http2Spans: this.http2Spans,
    };
  }
}

/** The server that was asked for: the first one, if there are several. */
function addressOf(target: string): Attributes {
  let first;
  try {
    [first] = parseTargets(target.split(","));
  } catch {
    // One that a resolver of the user's own knows.
    return { [SpanKey.SERVER_ADDRESS]: target };
  }
  if (first === undefined) return {};
  if (first.kind === "path") return { [SpanKey.SERVER_ADDRESS]: first.path };
  return {
    [SpanKey.SERVER_ADDRESS]: first.hostname,
    [SpanKey.SERVER_PORT]: first.port,
  };
}

/** Observes the calls of a server. */
class ServerObserver extends CallsObserver {
  readonly #unknown: TracedMethod;

  constructor(options: InstrumentCallsOptions) {
    super(options, "server");
    this.#unknown = {
      labels: labelsOf(OTHER_METHOD, null),
      metadata: this.metadata,
      http2Spans: this.http2Spans,
    };
  }

  protected begin(call: CallStart, telemetry: Telemetry): CallTrace {
    const { tracer } = telemetry;
    const { info, headers } = call;
    const known = info.method === null ? null : this.known(info.methodName);
    const parent = this.#parentOf(headers!, telemetry);
    const method = known ?? this.#unknown;
    if (tracer === null) {
      return new ServerTracedCall(telemetry, method, null, parent);
    }
    const parentSpan = spanOf(parent);
    if (!this.asks(parentSpan)) {
      const context = unsampledContext(parent, parentSpan);
      return new ServerTracedCall(telemetry, method, null, context);
    }
    const attributes = this.#attributes(call, known);
    const name = known?.name ?? UNKNOWN_SPAN;
    const kind = SpanKind.SERVER;
    const span = tracer.startSpan(name, { kind, attributes }, parent);
    const context = parent.setValue(SPAN_KEY, span);
    return new ServerTracedCall(telemetry, method, span, context);
  }

  /** Not the context of the moment: it is whoever's connection this is. */
  #parentOf(
    headers: readonly string[],
    { propagator, isW3C }: Telemetry,
  ): ContextLike {
    if (propagator === null) return ROOT;
    if (isW3C) {
      const found = unsampledParent(headers);
      if (found === "") return ROOT;
      if (found !== null && this.isSampling) {
        return ROOT.setValue(SPAN_KEY, new UnsampledSpan(found));
      }
    }
    return propagator.extract(ROOT, headers, GETTER);
  }

  #attributes(
    { info: { methodName }, headers }: CallStart,
    known: KnownMethod | null,
  ): Attributes {
    const fixed = known?.attributes ?? {
      [SpanKey.SYSTEM]: "grpc",
      [SpanKey.METHOD]: UNKNOWN_METHOD,
      [SpanKey.METHOD_ORIGINAL]: methodName.slice(1),
    };
    if (this.metadata.length === 0) return fixed;
    const all: Record<string, Attributes[string]> = { ...fixed };
    for (const key of this.metadata) {
      const values = headers!.filter((_, i) =>
        i % 2 === 1 && headers![i - 1] === key
      );
      if (values.length > 0) all[SpanKey.REQUEST_METADATA + key] = values;
    }
    return all;
  }

  protected make(path: string): KnownMethod {
    const name = path.slice(1);
    return {
      name,
      labels: labelsOf(name, null),
      attributes: { [SpanKey.SYSTEM]: "grpc", [SpanKey.METHOD]: name },
      metadata: this.metadata,
      http2Spans: this.http2Spans,
    };
  }
}
