/**
 * Where providers are found: in the options, or else where OpenTelemetry's API
 * has them registered, by an SDK or by Deno itself.
 *
 * That place is one global object for all versions 1.x of the API, and so no
 * package is needed to look there.
 *
 * @module
 */

import { VERSION } from "../core/version.ts";
import type {
  ContextLike,
  ContextManagerLike,
  MeterProviderLike,
  PropagatorLike,
  TracerLike,
  TracerProviderLike,
} from "./api.ts";
import { SCOPE } from "./keys.ts";
import { hasOnlyW3CFields } from "./trace_parent.ts";
import { Instruments, type MetricsOption, type Side } from "./metrics.ts";

/** Where a context has its span, for the API package and SDKs alike. */
export const SPAN_KEY: symbol = Symbol.for("OpenTelemetry Context Key SPAN");

const REGISTRY = Symbol.for("opentelemetry.js.api.1");

/** What may be registered, or given in its place. */
export interface Providers {
  /** Makes the tracers. */
  readonly trace?: TracerProviderLike | undefined;
  /** Makes the meters. */
  readonly metrics?: MeterProviderLike | undefined;
  /** Reads and writes `traceparent`. */
  readonly propagation?: PropagatorLike | undefined;
  /** Knows the context of the moment. */
  readonly context?: ContextManagerLike | undefined;
}

const NONE: Providers = {};

/** A context as those of the API: what was set last, on top of what was before. */
class OwnContext implements ContextLike {
  readonly #below: OwnContext | null;
  readonly #key: symbol | null;
  readonly #value: unknown;

  constructor(below: OwnContext | null, key: symbol | null, value: unknown) {
    this.#below = below;
    this.#key = key;
    this.#value = value;
  }

  getValue(key: symbol): unknown {
    return this.#key === key ? this.#value : this.#below?.getValue(key);
  }

  setValue(key: symbol, value: unknown): ContextLike {
    return new OwnContext(this, key, value);
  }

  deleteValue(key: symbol): ContextLike {
    return new OwnContext(this, key, undefined);
  }
}

/** The context of what comes from elsewhere. */
export const ROOT: ContextLike = new OwnContext(null, null, undefined);

/** What there is to observe calls with. */
export interface Telemetry {
  readonly tracer: TracerLike | null;
  readonly instruments: Instruments | null;
  readonly propagator: PropagatorLike | null;
  /** Whether that deals in nothing but what the W3C has for it. */
  readonly isW3C: boolean;
  readonly contexts: ContextManagerLike | null;
}

/** Finds what there is, which may come, and change, at any time. */
export class TelemetrySource {
  readonly #given: Providers;
  readonly #side: Side;
  readonly #metrics: MetricsOption;
  #trace: TracerProviderLike | undefined;
  #meters: MeterProviderLike | undefined;
  #propagation: PropagatorLike | undefined;
  #context: ContextManagerLike | undefined;
  #found: Telemetry | null = null;

  /**
   * @param given What counts more than what is registered.
   * @param side Whose metrics.
   * @param metrics Which of them.
   */
  constructor(given: Providers, side: Side, metrics: MetricsOption) {
    this.#given = given;
    this.#side = side;
    this.#metrics = metrics;
  }

  /** What there is now; null for nothing. */
  get current(): Telemetry | null {
    const registered =
      (globalThis as { readonly [REGISTRY]?: Providers })[REGISTRY] ?? NONE;
    const given = this.#given;
    const trace = given.trace ?? registered.trace;
    const meters = given.metrics ?? registered.metrics;
    const propagation = given.propagation ?? registered.propagation;
    const context = given.context ?? registered.context;
    if (
      trace !== this.#trace || meters !== this.#meters ||
      propagation !== this.#propagation || context !== this.#context
    ) {
      this.#trace = trace;
      this.#meters = meters;
      this.#propagation = propagation;
      this.#context = context;
      this.#found = this.#make();
    }
    return this.#found;
  }

  #make(): Telemetry | null {
    const tracer = this.#trace?.getTracer(SCOPE, VERSION) ?? null;
    const instruments = this.#meters === undefined || this.#metrics === "none"
      ? null
      : new Instruments(
        this.#meters.getMeter(SCOPE, VERSION),
        this.#side,
        this.#metrics,
      );
    if (tracer === null && instruments === null) return null;
    const propagator = this.#propagation ?? null;
    return {
      tracer,
      instruments,
      propagator,
      isW3C: propagator !== null && hasOnlyW3CFields(propagator),
      contexts: this.#context ?? null,
    };
  }
}
