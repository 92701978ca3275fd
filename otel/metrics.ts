/**
 * The metrics of calls.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A66-otel-stats.md | gRFC A66}
 * @module
 */

import type { CallSummary } from "../core/_call_trace.ts";
import { type Status, statusName } from "../core/status.ts";
import type {
  Attributes,
  CounterLike,
  HistogramLike,
  MeterLike,
} from "./api.ts";
import { LATENCY_BOUNDS, MetricKey, SIZE_BOUNDS } from "./keys.ts";

/** Whose metrics. */
export type Side = "client" | "server";

/** Which metrics: `"duration"` for how many calls there are, and how long. */
export type MetricsOption = "all" | "duration" | "none";

/** What the measurements of one method are marked with. */
export interface MethodLabels {
  /** Before a call ends. */
  readonly started: Attributes;
  /** When it has ended, by its status. */
  readonly ended: (Attributes | undefined)[];
}

/** The instruments of one side. */
export class Instruments {
  readonly #started: CounterLike;
  readonly #duration: HistogramLike;
  readonly #sent: HistogramLike | null;
  readonly #received: HistogramLike | null;
  /** A client has one more: of calls, beside that of attempts. */
  readonly #callDuration: HistogramLike | null;

  constructor(meter: MeterLike, side: Side, metrics: MetricsOption) {
    const isClient = side === "client";
    const prefix = isClient ? "grpc.client.attempt" : "grpc.server.call";
    const what = isClient ? "RPC attempt" : "RPC";
    const histogram = (
      name: string,
      description: string,
      unit: string,
      bounds: readonly number[],
    ): HistogramLike =>
      meter.createHistogram(name, {
        description,
        unit,
        advice: { explicitBucketBoundaries: [...bounds] },
      });
    const bytes = (name: string, way: string): HistogramLike | null =>
      metrics === "all"
        ? histogram(
          `${prefix}.${name}_total_compressed_message_size`,
          `Compressed message bytes ${way} per ${what}`,
          "By",
          SIZE_BOUNDS,
        )
        : null;
    this.#started = meter.createCounter(`${prefix}.started`, {
      description: `Number of ${what}s started`,
      unit: isClient ? "{attempt}" : "{call}",
    });
    this.#duration = histogram(
      `${prefix}.duration`,
      `Time taken by one ${what}`,
      "s",
      LATENCY_BOUNDS,
    );
    this.#sent = bytes("sent", "sent");
    this.#received = bytes("rcvd", "received");
    this.#callDuration = isClient
      ? histogram(
        "grpc.client.call.duration",
        "Time taken by one RPC from the application's perspective",
        "s",
        LATENCY_BOUNDS,
      )
      : null;
  }

  /** A call, or an attempt of one, begins. */
  started(labels: MethodLabels): void {
    this.#started.add(1, labels.started);
  }

  /**
   * A call is over, and so is its last attempt.
   *
   * @param labels Whose call it was.
   * @param call What became of it.
   * @param attemptMs How long the last attempt took, in milliseconds; null if
   *   none was under way.
   */
  ended(
    labels: MethodLabels,
    call: CallSummary,
    attemptMs: number | null,
  ): void {
    const marks = endedLabels(labels, call.status);
    if (attemptMs !== null) {
      this.#duration.record(attemptMs / 1000, marks);
      this.#sent?.record(call.sentBytes, marks);
      this.#received?.record(call.receivedBytes, marks);
    }
    this.#callDuration?.record(call.durationMs / 1000, marks);
  }

  /** An attempt has failed, and another is made in its place. */
  replaced(labels: MethodLabels, status: Status, attemptMs: number): void {
    const marks = endedLabels(labels, status);
    this.#duration.record(attemptMs / 1000, marks);
    // What it was sent counts for the one that is made in its place.
    this.#sent?.record(0, marks);
    this.#received?.record(0, marks);
  }
}

/** The labels of a method: one object for all that is the same. */
export function labelsOf(method: string, target: string | null): MethodLabels {
  const started: Attributes = target === null
    ? { [MetricKey.METHOD]: method }
    : { [MetricKey.METHOD]: method, [MetricKey.TARGET]: target };
  return { started, ended: [] };
}

function endedLabels({ started, ended }: MethodLabels, status: Status) {
  return ended[status] ??= {
    ...started,
    [MetricKey.STATUS]: statusName(status),
  };
}
