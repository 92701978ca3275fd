/**
 * Which calls have spans, decided before one is made: a span that will not be
 * exported takes as long to make as one that will.
 *
 * @module
 */

import type { ContextLike, SpanContextLike, SpanLike } from "./api.ts";
import { SAMPLED } from "./keys.ts";
import { SPAN_KEY } from "./registry.ts";

/**
 * The place of a span in a trace that is not sampled. All that can be done to a
 * span can be done to it, for whoever finds it active, and comes to nothing.
 *
 * @see {@link https://opentelemetry.io/docs/specs/otel/trace/api/#wrapping-a-spancontext-in-a-span}
 */
class UnsampledSpan implements SpanLike {
  #context: SpanContextLike | undefined;

  spanContext(): SpanContextLike {
    return this.#context ??= {
      traceId: randomHex() + randomHex() + randomHex() + randomHex(),
      spanId: randomHex() + randomHex(),
      traceFlags: 0,
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

/** Each byte in hexadecimal: `toString(16)` takes ten times as long. */
const HEX = Array.from(
  { length: 256 },
  (_, byte) => byte.toString(16).padStart(2, "0"),
);

/** Eight digits, not all zero: an id of zeros alone is none. */
function randomHex(): string {
  const bits = Math.random() * 0xffff_ffff + 1 >>> 0;
  return HEX[bits >>> 24]! + HEX[bits >>> 16 & 0xff]! +
    HEX[bits >>> 8 & 0xff]! + HEX[bits & 0xff]!;
}

/**
 * Tells where a call is that has no span: in the trace of its caller, if that is
 * not sampled, or in one of its own that is not.
 *
 * @param parent The context that the call is made in, or came from.
 * @param sampleRate Which part of the traces that begin here is sampled, 0 to 1.
 * @returns The context of the call; null if it has a span.
 */
export function unsampledContext(
  parent: ContextLike,
  sampleRate: number,
): ContextLike | null {
  const span = parent.getValue(SPAN_KEY) as SpanLike | undefined;
  if (span !== undefined) {
    return span.spanContext().traceFlags & SAMPLED ? null : parent;
  }
  return Math.random() < sampleRate
    ? null
    : parent.setValue(SPAN_KEY, new UnsampledSpan());
}
