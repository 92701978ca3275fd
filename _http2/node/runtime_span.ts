/**
 * What Deno itself does with the streams of `node:http2` when it runs with
 * `OTEL_DENO=true`: it makes spans of them, and writes their trace into the heads
 * of requests.
 *
 * @see {@link https://github.com/denoland/deno/pull/34510}
 * @module
 */

/** What of OpenTelemetry's API is needed here. */
interface Context {
  setValue(key: symbol, value: unknown): Context;
}

interface Registry {
  readonly context?: {
    active(): Context;
    with<R>(context: Context, fn: () => R): R;
  };
}

const REGISTRY = Symbol.for("opentelemetry.js.api.1");
const SUPPRESS = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/**
 * Opens a stream for a request, whose trace stays what the caller has said: the
 * runtime would write its own over it.
 *
 * @param headers The head, which others may have as well.
 * @param open Opens the stream for what is to be sent as the head.
 * @returns The stream.
 */
export function openStream<H extends object, S>(
  headers: H,
  open: (headers: H) => S,
): S {
  const registry = (globalThis as { readonly [REGISTRY]?: Registry })[REGISTRY];
  if (registry?.context === undefined) return open(headers);
  const { context } = registry;
  // What the runtime writes into is this call's alone.
  const own = { ...headers };
  if (!("traceparent" in own)) return open(own);
  const quiet = context.active().setValue(SUPPRESS, true);
  return context.with(quiet, () => open(own));
}

/** Where a stream keeps it; undefined until one was found that has it. */
let key: symbol | undefined;

/**
 * Drops the span of a stream that was just opened, if it has one: it knows
 * nothing of gRPC, and is not exported when it never ends.
 */
export function dropRuntimeSpan(stream: object): void {
  key ??= Object.getOwnPropertySymbols(stream)
    .find(({ description }) => description === "kOtelSpan");
  if (key !== undefined) (stream as { [key]: unknown })[key] = undefined;
}
