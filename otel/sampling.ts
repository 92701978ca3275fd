/**
 * Which calls have spans, decided before one is made: a span that will not be
 * exported takes as long to make as one that will.
 *
 * @module
 */

import type { ContextLike, SpanContextLike, SpanLike } from "./api.ts";
import { SAMPLED } from "./keys.ts";
import { SPAN_KEY } from "./registry.ts";
import { checkedTraceparent, idsOf, newTraceparent } from "./trace_parent.ts";

/**
 * The place of a span in a trace that is not sampled. All that can be done to a
 * span can be done to it, for whoever finds it active, and comes to nothing.
 *
 * @see {@link https://opentelemetry.io/docs/specs/otel/trace/api/#wrapping-a-spancontext-in-a-span}
 */
export class UnsampledSpan implements SpanLike {
  readonly #received: string | null;
  #traceparent: string | undefined;
  #context: SpanContextLike | undefined;

  /** @param received The place that came with a request; null for a new trace. */
  constructor(received: string | null) {
    this.#received = received;
  }

  /** Its place, as it travels. */
  get traceparent(): string {
    return this.#traceparent ??= this.#received === null
      ? newTraceparent()
      : checkedTraceparent(this.#received);
  }

  spanContext(): SpanContextLike {
    const { traceparent } = this;
    return this.#context ??= {
      ...idsOf(traceparent),
      traceFlags: 0,
      ...(traceparent === this.#received && { isRemote: true }),
    };
  }

  isRecording(): boolean {
    return false;
  }

  setAttribute(): this {
    return this;
  }

  setAttributes(): this {
    return this;
  }

  addEvent(): this {
    return this;
  }

  addLink(): this {
    return this;
  }

  addLinks(): this {
    return this;
  }

  setStatus(): this {
    return this;
  }

  updateName(): this {
    return this;
  }

  recordException(): void {}

  end(): void {}
}

/**
 * Tells whether a call has a span: as the trace that it belongs to, or by chance
 * if it is the first of one.
 *
 * @param parent What the call is a part of; undefined for nothing.
 * @param sampleRate Which part of the traces that begin here is sampled, 0 to 1.
 */
export function isSampled(
  parent: SpanLike | undefined,
  sampleRate: number,
): boolean {
  if (parent === undefined) return Math.random() < sampleRate;
  if (parent instanceof UnsampledSpan) return false;
  return (parent.spanContext().traceFlags & SAMPLED) !== 0;
}

/** The context of a call without a span. */
export function unsampledContext(
  parent: ContextLike,
  span: SpanLike | undefined,
): ContextLike {
  return span === undefined
    ? parent.setValue(SPAN_KEY, new UnsampledSpan(null))
    : parent;
}

/** Where a context has what else is written of it, or that nothing is. */
const BAGGAGE_KEY = Symbol.for("OpenTelemetry Baggage Key");
const SUPPRESS_KEY = Symbol.for(
  "OpenTelemetry SDK Context Key SUPPRESS_TRACING",
);

/**
 * Tells what the W3C's propagators would write of a call without a span.
 *
 * @param context The context that it is made in.
 * @param span The span there.
 * @returns The `traceparent`; null if they may write something else.
 */
export function unsampledTraceparent(
  context: ContextLike,
  span: SpanLike | undefined,
): string | null {
  if (
    context.getValue(BAGGAGE_KEY) !== undefined ||
    context.getValue(SUPPRESS_KEY) !== undefined
  ) return null;
  if (span === undefined) return newTraceparent();
  return span instanceof UnsampledSpan ? span.traceparent : null;
}
