/**
 * What is needed of OpenTelemetry's API: types alone, of which those of
 * `@opentelemetry/api` are more special ones.
 *
 * @module
 */

/** What a span or a measurement is marked with. */
export interface Attributes {
  /** The value under a key. */
  readonly [key: string]: string | number | boolean | string[] | undefined;
}

/** What travels of a span to others. */
export interface SpanContextLike {
  /** The trace, in hexadecimal. */
  readonly traceId: string;
  /** The span, in hexadecimal. */
  readonly spanId: string;
  /** Bits, of which the lowest says that it is sampled. */
  readonly traceFlags: number;
  /** Whether it came from another process. */
  readonly isRemote?: boolean | undefined;
}

/** A span: something that begins, is marked, and ends. */
export interface SpanLike {
  /** What travels of it. */
  spanContext(): SpanContextLike;
  /** Marks it. */
  setAttribute(key: string, value: string | number | string[]): unknown;
  /** Marks a moment in it. */
  addEvent(name: string, attributes?: Attributes): unknown;
  /** Says how it went: 2 for an error. */
  setStatus(status: { code: number; message?: string }): unknown;
  /** Ends it. */
  end(): void;
}

/** What is passed on from one span to those in it: values by keys, never changed. */
export interface ContextLike {
  /** Gives a value. */
  getValue(key: symbol): unknown;
  /** Makes a context with a value more. */
  setValue(key: symbol, value: unknown): ContextLike;
  /** Makes a context with a value less. */
  deleteValue(key: symbol): ContextLike;
}

/** What makes spans. */
export interface TracerLike {
  /** Begins a span, as a part of that of the context. */
  startSpan(
    name: string,
    options?: { kind?: number; attributes?: Attributes },
    context?: ContextLike,
  ): SpanLike;
}

/** What makes tracers: that of an SDK, or of Deno. */
export interface TracerProviderLike {
  /** Gives the tracer of a library. */
  getTracer(name: string, version?: string): TracerLike;
}

/** What adds up numbers. */
export interface CounterLike {
  /** Adds a number. */
  add(value: number, attributes?: Attributes): void;
}

/** What sorts numbers by their size. */
export interface HistogramLike {
  /** Records a number. */
  record(value: number, attributes?: Attributes): void;
}

/** How an instrument is described. */
export interface InstrumentOptions {
  /** What it measures, for people. */
  description?: string;
  /** The unit. */
  unit?: string;
  /** What the provider may take or leave. */
  advice?: {
    /** Where one bucket of a histogram ends and the next begins. */
    explicitBucketBoundaries?: number[];
  };
}

/** What makes instruments. */
export interface MeterLike {
  /** Makes a counter. */
  createCounter(name: string, options?: InstrumentOptions): CounterLike;
  /** Makes a histogram. */
  createHistogram(name: string, options?: InstrumentOptions): HistogramLike;
}

/** What makes meters: that of an SDK, or of Deno. */
export interface MeterProviderLike {
  /** Gives the meter of a library. */
  getMeter(name: string, version?: string): MeterLike;
}

/** What writes a context into metadata and reads it from there. */
export interface PropagatorLike {
  /** Writes a context. */
  inject(
    context: ContextLike,
    carrier: unknown,
    // Whatever the carrier is, the setter knows it.
    // deno-lint-ignore no-explicit-any
    setter: { set(carrier: any, key: string, value: string): void },
  ): void;
  /** Reads a context. */
  extract(
    context: ContextLike,
    carrier: unknown,
    getter: {
      // deno-lint-ignore no-explicit-any
      keys(carrier: any): string[];
      // deno-lint-ignore no-explicit-any
      get(carrier: any, key: string): string | string[] | undefined;
    },
  ): ContextLike;
  /**
   * The fields that it writes. One that has none but those of the W3C is not
   * asked about calls that are not sampled by `sampleRate`, where these have
   * nothing else to say.
   */
  fields?(): string[];
}

/** What knows the context of the moment. */
export interface ContextManagerLike {
  /** The context of the moment. */
  active(): ContextLike;
  /** Runs a function in a context. */
  with<R>(context: ContextLike, fn: () => R): R;
}
