/**
 * OpenTelemetry's API with everything kept in memory: providers that tests look
 * into.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type {
  Attributes,
  ContextLike,
  ContextManagerLike,
  InstrumentOptions,
  MeterLike,
  MeterProviderLike,
  PropagatorLike,
  SpanContextLike,
  SpanLike,
  TracerLike,
  TracerProviderLike,
} from "../otel/mod.ts";

const SPAN = Symbol.for("OpenTelemetry Context Key SPAN");

class FakeContext implements ContextLike {
  readonly #values: ReadonlyMap<symbol, unknown>;

  constructor(values: ReadonlyMap<symbol, unknown> = new Map()) {
    this.#values = values;
  }

  getValue(key: symbol): unknown {
    return this.#values.get(key);
  }

  setValue(key: symbol, value: unknown): ContextLike {
    return new FakeContext(new Map(this.#values).set(key, value));
  }

  deleteValue(key: symbol): ContextLike {
    const values = new Map(this.#values);
    values.delete(key);
    return new FakeContext(values);
  }
}

/** A span, and what has been done to it. */
export class FakeSpan implements SpanLike {
  readonly name: string;
  readonly kind: number | undefined;
  /** The id of the span that it is a part of; undefined for none. */
  readonly parent: string | undefined;
  readonly attributes: Record<string, unknown>;
  readonly events: string[] = [];
  status: { code: number; message?: string } | undefined;
  /** How often it was ended. */
  ends = 0;
  readonly #context: SpanContextLike;

  constructor(
    init: { name: string; kind?: number | undefined },
    attributes: Attributes,
    parent: SpanContextLike | undefined,
    context: SpanContextLike,
  ) {
    this.name = init.name;
    this.kind = init.kind;
    this.parent = parent?.spanId;
    this.attributes = { ...attributes };
    this.#context = context;
  }

  /** Its own id. */
  get id(): string {
    return this.#context.spanId;
  }

  spanContext(): SpanContextLike {
    return this.#context;
  }

  setAttribute(key: string, value: unknown): void {
    this.attributes[key] = value;
  }

  addEvent(name: string): void {
    this.events.push(name);
  }

  setStatus(status: { code: number; message?: string }): void {
    this.status = status;
  }

  end(): void {
    this.ends++;
  }
}

/** One number that was recorded. */
export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly attributes: Attributes;
}

/** Providers of everything. */
export class FakeTelemetry {
  readonly spans: FakeSpan[] = [];
  readonly measurements: Measurement[] = [];
  readonly instruments: ({ name: string } & InstrumentOptions)[] = [];
  /** The names and versions that tracers and meters were asked for with. */
  readonly scopes: string[] = [];
  /** The flags of new traces. */
  traceFlags = 1;
  /** What the propagator was asked for, in order. */
  readonly propagated: ("inject" | "extract")[] = [];

  readonly #contexts = new AsyncLocalStorage<ContextLike>();

  readonly context: ContextManagerLike = {
    active: () => this.#contexts.getStore() ?? new FakeContext(),
    with: (context, fn) => this.#contexts.run(context, fn),
  };

  readonly #tracer: TracerLike = {
    startSpan: (name, options = {}, context = this.context.active()) => {
      const parent = (context.getValue(SPAN) as SpanLike | undefined)
        ?.spanContext();
      const own = {
        traceId: parent?.traceId ?? this.#id("a", 32),
        spanId: this.#id("b", 16),
        traceFlags: parent?.traceFlags ?? this.traceFlags,
      };
      const { kind, attributes = {} } = options;
      const span = new FakeSpan({ name, kind }, attributes, parent, own);
      this.spans.push(span);
      return span;
    },
  };

  readonly trace: TracerProviderLike = {
    getTracer: (name, version) => {
      this.scopes.push(`${name}@${version}`);
      return this.#tracer;
    },
  };

  readonly metrics: MeterProviderLike = {
    getMeter: (name, version) => {
      this.scopes.push(`${name}@${version}`);
      const instrument = (name: string, options: InstrumentOptions = {}) => {
        this.instruments.push({ name, ...options });
        return (value: number, attributes: Attributes = {}) => {
          this.measurements.push({ name, value, attributes });
        };
      };
      const meter: MeterLike = {
        createCounter: (name, options) => ({ add: instrument(name, options) }),
        createHistogram: (name, options) => ({
          record: instrument(name, options),
        }),
      };
      return meter;
    },
  };

  readonly propagation: PropagatorLike = {
    inject: (context, carrier, setter) => {
      this.propagated.push("inject");
      const span = context.getValue(SPAN) as SpanLike | undefined;
      if (span === undefined) return;
      const { traceId, spanId, traceFlags } = span.spanContext();
      const flags = `0${traceFlags}`;
      setter.set(carrier, "traceparent", `00-${traceId}-${spanId}-${flags}`);
    },
    extract: (context, carrier, getter) => {
      this.propagated.push("extract");
      const text = getter.get(carrier, "traceparent");
      const [, traceId, spanId, flags] = `${text ?? ""}`.split("-");
      if (flags === undefined) return context;
      const remote = { traceId, spanId, traceFlags: Number(flags) };
      return context.setValue(SPAN, { spanContext: () => remote });
    },
    fields: () => ["traceparent"],
  };

  /** The options that have it used for a channel or a server. */
  get options(): {
    tracerProvider: TracerProviderLike;
    meterProvider: MeterProviderLike;
    propagator: PropagatorLike;
    contextManager: ContextManagerLike;
  } {
    return {
      tracerProvider: this.trace,
      meterProvider: this.metrics,
      propagator: this.propagation,
      contextManager: this.context,
    };
  }

  /** The spans that have not ended, or more than once. */
  get live(): FakeSpan[] {
    return this.spans.filter(({ ends }) => ends !== 1);
  }

  /** The spans of one kind. */
  of(kind: "client" | "server"): FakeSpan[] {
    const number = kind === "client" ? 2 : 1;
    return this.spans.filter(({ kind }) => kind === number);
  }

  /** Runs a function in a span, as a program does. */
  async inSpan<R>(name: string, fn: () => Promise<R>): Promise<R> {
    const span = this.#tracer.startSpan(name);
    const context = this.context.active().setValue(SPAN, span);
    try {
      return await this.context.with(context, fn);
    } finally {
      span.end();
    }
  }

  /** The span that is active here. */
  get active(): FakeSpan | undefined {
    return this.context.active().getValue(SPAN) as FakeSpan | undefined;
  }

  #ids = 0;

  #id(letter: string, length: number): string {
    return (++this.#ids).toString(16).padStart(length, letter);
  }
}
