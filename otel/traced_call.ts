/**
 * One call, as a span and as measurements.
 *
 * @module
 */

import type { CallStart, CallSummary, CallTrace } from "../core/_call_trace.ts";
import { Metadata, metadataWith } from "../core/metadata.ts";
import type { Peer } from "../core/peer.ts";
import { Status, statusName } from "../core/status.ts";
import { encodeBin } from "../_wire/text.ts";
import type { ContextLike, SpanLike } from "./api.ts";
import { SAMPLED, SPAN_ERROR, SpanKey } from "./keys.ts";
import type { MethodLabels } from "./metrics.ts";
import type { Telemetry } from "./registry.ts";
import { TRACEPARENT } from "./trace_parent.ts";

/** Writes into metadata. */
const SETTER = {
  set(metadata: Metadata, key: string, value: string): void {
    try {
      metadata.set(key, value);
    } catch {
      // What cannot be sent is left out.
    }
  },
};

/** On a server these alone are its failures; the others are the client's. */
const SERVER_ERRORS: ReadonlySet<Status> = new Set([
  Status.UNKNOWN,
  Status.DEADLINE_EXCEEDED,
  Status.UNIMPLEMENTED,
  Status.INTERNAL,
  Status.UNAVAILABLE,
  Status.DATA_LOSS,
]);

const NOT_MEASURED: number[] = [];

/** What is the same for all calls of a method. */
export interface TracedMethod {
  readonly labels: MethodLabels;
  /** The keys of the metadata that spans are marked with. */
  readonly metadata: readonly string[];
  /** Whether the runtime keeps its own spans of the streams. */
  readonly http2Spans: boolean;
}

/** What both sides have. */
abstract class TracedCall implements CallTrace {
  readonly hasSpan: boolean;
  protected readonly telemetry: Telemetry;
  protected readonly method: TracedMethod;
  protected readonly span: SpanLike | null;
  protected readonly context: ContextLike;

  constructor(
    telemetry: Telemetry,
    method: TracedMethod,
    span: SpanLike | null,
    context: ContextLike,
  ) {
    this.telemetry = telemetry;
    this.method = method;
    this.span = span;
    this.context = context;
    // One that is not sampled has none of the runtime's either.
    this.hasSpan = telemetry.tracer !== null && !method.http2Spans;
  }

  abstract end(summary: CallSummary): void;

  /** Whether anybody will see what the span is marked with. */
  protected get isSampled(): boolean {
    return this.span !== null &&
      (this.span.spanContext().traceFlags & SAMPLED) !== 0;
  }

  protected endSpan(
    { status, message, peer }: CallSummary,
    isError: boolean,
  ): void {
    const { span } = this;
    if (span === null) return;
    try {
      if (!this.isSampled) return;
      const name = statusName(status);
      span.setAttribute(SpanKey.STATUS, name);
      markPeer(span, peer);
      if (isError) {
        span.setAttribute(SpanKey.ERROR, name);
        span.setStatus({ code: SPAN_ERROR, message });
      }
    } finally {
      // Also a span that takes no marks is over.
      span.end();
    }
  }
}

function markPeer(span: SpanLike, peer: Peer | null): void {
  const addr = peer?.addr ?? null;
  if (addr === null) return;
  if ("path" in addr) {
    return void span.setAttribute(SpanKey.PEER_ADDRESS, addr.path);
  }
  span.setAttribute(SpanKey.PEER_ADDRESS, addr.hostname);
  span.setAttribute(SpanKey.PEER_PORT, addr.port);
}

/** A call of a channel. */
export class ClientTracedCall extends TracedCall {
  /** Where the runtime keeps its spans, they are parts of that of the call. */
  readonly run?: <R>(fn: () => R) => R;
  readonly #call: CallStart;
  /** What is sent in place of what the propagator would write; null for that. */
  readonly #traceparent: string | null;
  /**
   * When the attempts began that run, in milliseconds since the call did; empty
   * if nobody measures them.
   */
  readonly #running: number[];
  #attempts = 0;

  constructor(
    telemetry: Telemetry,
    method: TracedMethod,
    span: SpanLike | null,
    context: ContextLike,
    call: CallStart,
    traceparent: string | null = null,
  ) {
    super(telemetry, method, span, context);
    this.#call = call;
    this.#traceparent = traceparent;
    this.#running = telemetry.instruments === null ? NOT_MEASURED : [0];
    const { contexts } = telemetry;
    if (method.http2Spans && contexts !== null) {
      this.run = (fn) => contexts.with(context, fn);
    }
    // The first attempt begins with the call: it is what waits for a connection.
    telemetry.instruments?.started(method.labels);
  }

  attempt(metadata: Metadata | null): Metadata | null {
    const { telemetry: { propagator, instruments }, method, span } = this;
    if (++this.#attempts > 1) {
      if (instruments !== null) {
        instruments.started(method.labels);
        this.#running.push(this.#call.elapsedMs);
      }
      span?.addEvent("retry", { "previous-rpc-attempts": this.#attempts - 1 });
    } else if (metadata !== null && method.metadata.length > 0) {
      this.#markMetadata(metadata);
    }
    if (this.#traceparent !== null) {
      return metadataWith(metadata, TRACEPARENT, this.#traceparent);
    }
    if (propagator === null) return metadata;
    const own = new Metadata(metadata ?? undefined);
    propagator.inject(this.context, own, SETTER);
    return own;
  }

  attemptFailed(status: Status): void {
    const { telemetry: { instruments }, method: { labels } } = this;
    if (instruments === null) return;
    // Of those that run side by side the oldest is as good as any.
    const begun = this.#running.shift();
    if (begun === undefined) return;
    instruments.replaced(labels, status, this.#call.elapsedMs - begun);
  }

  end(summary: CallSummary): void {
    this.endSpan(summary, summary.status !== Status.OK);
    const { telemetry: { instruments }, method: { labels } } = this;
    if (instruments === null) return;
    const { durationMs } = summary;
    // None, if all have failed: the call has waited to make another.
    const last = this.#running.pop();
    for (const begun of this.#running) {
      instruments.replaced(labels, Status.CANCELLED, durationMs - begun);
    }
    const attemptMs = last === undefined ? null : durationMs - last;
    instruments.ended(labels, summary, attemptMs);
  }

  #markMetadata(metadata: Metadata): void {
    if (!this.isSampled) return;
    for (const key of this.method.metadata) {
      const values = metadata.getAll(key).map((value) =>
        typeof value === "string" ? value : encodeBin(value)
      );
      if (values.length === 0) continue;
      this.span!.setAttribute(SpanKey.REQUEST_METADATA + key, values);
    }
  }
}

/** A call of a server. */
export class ServerTracedCall extends TracedCall {
  constructor(
    telemetry: Telemetry,
    method: TracedMethod,
    span: SpanLike | null,
    context: ContextLike,
  ) {
    super(telemetry, method, span, context);
    telemetry.instruments?.started(method.labels);
  }

  run<R>(fn: () => R): R {
    const { contexts } = this.telemetry;
    return contexts === null ? fn() : contexts.with(this.context, fn);
  }

  end(summary: CallSummary): void {
    this.endSpan(summary, SERVER_ERRORS.has(summary.status));
    const { telemetry: { instruments }, method: { labels } } = this;
    instruments?.ended(labels, summary, summary.durationMs);
  }
}
