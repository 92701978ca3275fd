/**
 * What Deno's telemetry is exported to, over OTLP/HTTP in JSON.
 *
 * @see {@link https://opentelemetry.io/docs/specs/otlp/#otlphttp}
 * @module
 */

interface Value {
  readonly stringValue?: string;
  readonly doubleValue?: number;
  readonly intValue?: string | number;
}

interface Attribute {
  readonly key: string;
  readonly value: Value;
}

interface Scoped<K extends string, T> {
  readonly scope?: { readonly name?: string };
  readonly items?: K;
  readonly spans?: readonly T[];
  readonly metrics?: readonly T[];
  readonly logRecords?: readonly T[];
}

/** A span. */
export interface ReceivedSpan {
  readonly name: string;
  readonly kind: number | string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly attributes?: readonly Attribute[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

/** A metric. */
export interface ReceivedMetric {
  readonly name: string;
  readonly unit: string;
}

/** A line of a log. */
export interface ReceivedLog {
  readonly traceId?: string;
  readonly spanId?: string;
  readonly body?: Value;
}

interface Body {
  readonly resourceSpans?: readonly {
    readonly scopeSpans: readonly Scoped<"spans", ReceivedSpan>[];
  }[];
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly Scoped<"metrics", ReceivedMetric>[];
  }[];
  readonly resourceLogs?: readonly {
    readonly scopeLogs: readonly Scoped<"logRecords", ReceivedLog>[];
  }[];
}

/** Receives what programs export. */
export class OTLPReceiver implements AsyncDisposable {
  readonly spans: ReceivedSpan[] = [];
  readonly metrics: ReceivedMetric[] = [];
  readonly logs: ReceivedLog[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        this.#take(await request.json());
        return Response.json({});
      },
    );
  }

  /** What has a program export to it. */
  get env(): Readonly<Record<string, string>> {
    return {
      OTEL_DENO: "true",
      OTEL_DENO_CONSOLE: "capture",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${this.#server.addr.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    };
  }

  #take(body: Body): void {
    for (const { scopeSpans } of body.resourceSpans ?? []) {
      for (const { spans = [] } of scopeSpans) this.spans.push(...spans);
    }
    for (const { scopeMetrics } of body.resourceMetrics ?? []) {
      for (const { metrics = [] } of scopeMetrics) {
        this.metrics.push(...metrics);
      }
    }
    for (const { scopeLogs } of body.resourceLogs ?? []) {
      for (const { logRecords = [] } of scopeLogs) {
        this.logs.push(...logRecords);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** The value of an attribute. */
export function attributeOf(
  { attributes = [] }: ReceivedSpan,
  key: string,
): string | number | undefined {
  const { value } = attributes.find((it) => it.key === key) ?? {};
  return value?.stringValue ?? value?.doubleValue ?? value?.intValue;
}
