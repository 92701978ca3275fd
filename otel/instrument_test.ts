import { AsyncLocalStorage } from "node:async_hooks";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertMatch,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  type CallOptions,
  Channel,
  createStub,
  Deadline,
  GRPCError,
  Metadata,
  Status,
  statusName,
  type Stub,
  unaryUnary,
} from "../mod.ts";
import {
  type EchoHandlers,
  echoWith,
  startEcho,
} from "../_testdata/echo_service.ts";
import { FakeTelemetry } from "../_testdata/fake_telemetry.ts";
import {
  Echo,
  EchoReplySchema,
  EchoRequestSchema,
} from "../_testdata/gen/echo_pb.ts";
import { RawServer } from "../_testdata/raw_h2.ts";
import { replyWell, shakeHands } from "../_testdata/raw_replies.ts";
import { Waiters } from "../_testdata/waiters.ts";
import { soon, until } from "../_testdata/waiting.ts";
import { ChannelFor, type Faults, VirtualClock } from "../testing/mod.ts";
import { observe } from "../core/_listeners.ts";
import {
  instrument,
  type InstrumentCallsOptions,
  type SpanContextLike,
  type SpanLike,
} from "./mod.ts";

const UNARY = "grpclib.test.Echo/Unary";

const REFUSED_STREAM = 7;

/** A channel and a server that are observed, and what was seen. */
class Observed implements AsyncDisposable {
  readonly telemetry = new FakeTelemetry();
  readonly channel: ChannelFor;
  readonly stub: Stub<typeof Echo>;

  constructor(
    handlers: EchoHandlers = {},
    options: InstrumentCallsOptions & {
      readonly faults?: Faults;
      readonly clock?: VirtualClock;
      readonly retry?: boolean;
    } = {},
  ) {
    const { faults, clock, retry, ...own } = options;
    this.channel = new ChannelFor([echoWith(handlers)], {
      ...(faults && { faults }),
      ...(clock && { clock }),
      ...(retry && { channel: { retry } }),
      onError() {},
    });
    this.stub = createStub(Echo, this.channel);
    const all = { ...this.telemetry.options, ...own };
    instrument(this.channel, all);
    instrument(this.channel.server, all);
  }

  /** The values of an instrument, with what they are marked with. */
  measured(name: string): string[] {
    return this.telemetry.measurements.filter((it) => it.name === name)
      .map(({ value, attributes }) =>
        `${value} ${Object.values(attributes).join(" ")}`
      );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.channel.close();
  }
}

async function readAll(replies: AsyncIterable<unknown>): Promise<void> {
  for await (const _reply of replies);
}

/** How a call ends, in words. */
function outcome(call: PromiseLike<unknown>): Promise<string> {
  return soon(
    Promise.resolve(call).then(
      () => "OK",
      (error) =>
        error instanceof GRPCError ? statusName(error.status) : `${error}`,
    ),
    "the call",
  );
}

Deno.test("instrument() makes a span on either side, of which the server's is a part of the client's, and that of the caller's", async () => {
  await using test = new Observed();
  const { telemetry, stub } = test;
  await telemetry.inSpan("app", () => stub.unary({ text: "a" }));
  const [app, client, server] = telemetry.spans;
  assertEquals(telemetry.spans.length, 3);
  assertEquals(client!.parent, app!.id);
  assertEquals(server!.parent, client!.id);
  assertEquals([client!.name, client!.kind], [UNARY, 2]);
  assertEquals([server!.name, server!.kind], [UNARY, 1]);
  assertEquals(client!.attributes, {
    "rpc.system.name": "grpc",
    "rpc.method": UNARY,
    "server.address": "in-memory",
    "server.port": 50051,
    "rpc.response.status_code": "OK",
  });
  assertEquals(server!.attributes, {
    "rpc.system.name": "grpc",
    "rpc.method": UNARY,
    "rpc.response.status_code": "OK",
  });
  assertEquals([client!.status, server!.status], [undefined, undefined]);
  assertEquals(telemetry.live, []);
});

Deno.test("instrument() tells addresses over TCP", async () => {
  const telemetry = new FakeTelemetry();
  await using echo = await startEcho();
  instrument(echo.channel, telemetry.options);
  instrument(echo.server, telemetry.options);
  await echo.stub.unary({});
  const [client, server] = telemetry.spans;
  const { attributes } = client!;
  assertEquals(attributes["server.address"], "127.0.0.1");
  assertEquals(attributes["server.port"], echo.port);
  assertEquals(attributes["network.peer.address"], "127.0.0.1");
  assertEquals(attributes["network.peer.port"], echo.port);
  assertEquals(server!.attributes["network.peer.address"], "127.0.0.1");
  assertGreater(server!.attributes["network.peer.port"] as number, 0);
});

Deno.test("instrument() runs handlers in their span, and so the calls that they make", async () => {
  const telemetry = new FakeTelemetry();
  await using last = new ChannelFor([echoWith({})]);
  instrument(last, telemetry.options);
  const next = createStub(Echo, last);
  const seen: unknown[] = [];
  await using first = new ChannelFor([
    echoWith({
      async serverStream(stream) {
        for (let index = 0; index < 2; index++) {
          seen.push(telemetry.active?.kind);
          await stream.sendMessage(await next.unary({}));
        }
      },
    }),
  ]);
  instrument(first.server, telemetry.options);
  await readAll(createStub(Echo, first).serverStream({}));
  const [server, ...clients] = telemetry.spans;
  assertEquals(seen, [1, 1]);
  assertEquals(clients.map(({ parent }) => parent), [server!.id, server!.id]);
  // It had no parent, whosever context the connection was made in.
  assertEquals(server!.parent, undefined);
});

Deno.test("instrument() gives each of the calls that wait for one connection the parent of its caller", async () => {
  await using test = new Observed();
  const { telemetry, stub } = test;
  const names = ["a", "b", "c"];
  await Promise.all(
    names.map((text) => telemetry.inSpan(text, () => stub.unary({ text }))),
  );
  const callers = telemetry.spans.slice(0, 0);
  for (const name of names) {
    callers.push(telemetry.spans.find((span) => span.name === name)!);
  }
  const parents = telemetry.of("client").map(({ parent }) => parent);
  assertEquals(parents.sort(), callers.map(({ id }) => id).sort());
  const clients = telemetry.of("client").map(({ id }) => id).sort();
  const served = telemetry.of("server").map(({ parent }) => parent!).sort();
  assertEquals(served, clients);
});

/** What ends calls: the status on the client, that on the server, or null. */
type Ending = readonly [
  how: string,
  end: (test: Observed, waiters: Waiters) => Promise<string>,
  client: string,
  server: string | null,
];

const call = async (
  { stub }: Observed,
  options?: CallOptions,
): Promise<string> => await outcome(stub.unary({}, options));

const ENDINGS: readonly Ending[] = [
  ["OK", ({ stub }) => outcome(readAll(stub.serverStream({}))), "OK", "OK"],
  [
    "a status",
    ({ stub }) => outcome(stub.clientStream([{ status: 5 }])),
    "NOT_FOUND",
    "NOT_FOUND",
  ],
  [
    "a deadline",
    async (test, waiters) => {
      const result = call(test, { timeoutMs: 20 });
      await waiters.pass(20);
      return await result;
    },
    "DEADLINE_EXCEEDED",
    "DEADLINE_EXCEEDED",
  ],
  [
    "a deadline that is past",
    (test) => call(test, { deadline: Deadline.fromTimeout(-1) }),
    "DEADLINE_EXCEEDED",
    null,
  ],
  [
    "its caller",
    async (test, waiters) => {
      const controller = new AbortController();
      const { signal } = controller;
      const result = call(test, { signal });
      await waiters.started;
      controller.abort();
      return await result;
    },
    "CANCELLED",
    "CANCELLED",
  ],
  [
    "a method that is not there",
    ({ channel }) =>
      outcome(
        unaryUnary(
          channel,
          "/a.B/C",
          EchoRequestSchema,
          EchoReplySchema,
        )({}),
      ),
    "UNIMPLEMENTED",
    "UNIMPLEMENTED",
  ],
  [
    "the close of its channel",
    async (test, waiters) => {
      const result = call(test);
      await waiters.started;
      await test.channel.close();
      return await result;
    },
    "CANCELLED",
    // The wire between the two goes with it.
    "UNAVAILABLE",
  ],
];

for (const [how, end, client, server] of ENDINGS) {
  Deno.test(`instrument() ends the spans of a call once that ends with ${how}, and measures it`, async () => {
    const waiters = new Waiters();
    const { clock, handlers: { unary } } = waiters;
    await using test = new Observed({ unary }, { clock });
    const { telemetry } = test;
    assertEquals(await end(test, waiters), client);
    const expected = server === null ? 1 : 2;
    await until(
      () => telemetry.spans.filter(({ ends }) => ends > 0).length === expected,
      "the spans have ended",
    );
    assertEquals(telemetry.live, []);
    const statuses = (kind: "client" | "server") =>
      telemetry.of(kind).map(({ attributes }) =>
        attributes["rpc.response.status_code"]
      );
    assertEquals(statuses("client"), [client]);
    assertEquals(statuses("server"), server === null ? [] : [server]);
    const count = (name: string) => test.measured(name).length;
    assertEquals(count("grpc.client.attempt.started"), 1);
    assertEquals(count("grpc.client.attempt.duration"), 1);
    assertEquals(count("grpc.client.call.duration"), 1);
    assertEquals(count("grpc.server.call.started"), expected - 1);
    assertEquals(count("grpc.server.call.duration"), expected - 1);
  });
}

Deno.test("instrument() ends all spans of many calls, half of which are cancelled", async () => {
  await using test = new Observed();
  const { telemetry, stub } = test;
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 50 }, async (_, i) => {
      const controller = new AbortController();
      const options = { signal: controller.signal };
      const result = outcome(
        i % 4 < 2
          ? stub.unary({ delayMs: i % 2 }, options)
          : readAll(stub.serverStream({ count: 2, delayMs: i % 2 }, options)),
      );
      if (i % 2 === 1) queueMicrotask(() => controller.abort());
      await result;
    }));
  }
  await until(() => telemetry.live.length === 0, "no span is live");
  assertEquals(telemetry.of("client").length, 1_000);
});

Deno.test("instrument() has all failures as errors on a client, and on a server those that are its own", async () => {
  await using test = new Observed();
  for (let status = 1; status <= 16; status++) {
    await outcome(test.stub.unary({ status, statusMessage: "why" }));
  }
  const errors = (kind: "client" | "server") =>
    test.telemetry.of(kind).filter((span) => span.status !== undefined)
      .map(({ attributes, status }) => {
        assertEquals(status, { code: 2, message: "why" });
        return attributes["error.type"];
      });
  assertEquals(errors("client").length, 16);
  assertEquals(errors("server"), [
    "UNKNOWN",
    "DEADLINE_EXCEEDED",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
  ]);
});

Deno.test("instrument() does not name spans or labels after paths that the server does not have", async () => {
  await using test = new Observed();
  const { channel, telemetry } = test;
  const method = unaryUnary(
    channel,
    "/a.B/C",
    EchoRequestSchema,
    EchoReplySchema,
  );
  assertEquals(await outcome(method({})), "UNIMPLEMENTED");
  const [server] = telemetry.of("server");
  assertEquals(server!.name, "grpc");
  assertEquals(server!.attributes["rpc.method"], "_OTHER");
  assertEquals(server!.attributes["rpc.method_original"], "a.B/C");
  assertEquals(test.measured("grpc.server.call.started"), ["1 other"]);
});

const LATENCY = [
  ...[0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002],
  ...[0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025],
  ...[0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4],
  ...[0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100],
];
const SIZE = [
  ...[0, 1024, 2048, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216],
  ...[67108864, 268435456, 1073741824, 4294967296],
];

// https://github.com/grpc/proposal/blob/master/A66-otel-stats.md
const INSTRUMENTS = [
  ["grpc.client.attempt.started", "{attempt}", undefined],
  ["grpc.client.attempt.duration", "s", LATENCY],
  ["grpc.client.attempt.sent_total_compressed_message_size", "By", SIZE],
  ["grpc.client.attempt.rcvd_total_compressed_message_size", "By", SIZE],
  ["grpc.client.call.duration", "s", LATENCY],
  ["grpc.server.call.started", "{call}", undefined],
  ["grpc.server.call.duration", "s", LATENCY],
  ["grpc.server.call.sent_total_compressed_message_size", "By", SIZE],
  ["grpc.server.call.rcvd_total_compressed_message_size", "By", SIZE],
] as const;

Deno.test("instrument() has the instruments, units and buckets of gRFC A66", async () => {
  await using test = new Observed();
  await test.stub.unary({});
  const made = test.telemetry.instruments.map(({ name, unit, advice }) => [
    name,
    unit,
    advice?.explicitBucketBoundaries,
  ]);
  const byName = (a: readonly unknown[], b: readonly unknown[]) =>
    `${a[0]}` < `${b[0]}` ? -1 : 1;
  assertEquals(made.sort(byName), [...INSTRUMENTS].sort(byName) as never);
  assertEquals([...new Set(test.telemetry.scopes)].length, 1);
});

Deno.test("instrument() measures sizes and times, with the labels of gRFC A66", async () => {
  const clock = new VirtualClock();
  const gate = Promise.withResolvers<void>();
  await using test = new Observed({
    async unary(stream) {
      await gate.promise;
      await stream.sendMessage({ text: "12345" });
    },
  }, { clock });
  const result = outcome(test.stub.unary({ text: "123" }));
  await clock.advance(1_500);
  gate.resolve();
  await clock.advance(0);
  assertEquals(await result, "OK");
  const client = `${UNARY} dns:///in-memory:50051`;
  assertEquals(
    test.telemetry.measurements.find(({ name }) =>
      name === "grpc.client.call.duration"
    )?.attributes,
    {
      "grpc.method": UNARY,
      "grpc.target": "dns:///in-memory:50051",
      "grpc.status": "OK",
    },
  );
  const EXPECTED: Readonly<Record<string, string>> = {
    "grpc.client.attempt.started": `1 ${client}`,
    "grpc.client.attempt.duration": `1.5 ${client} OK`,
    "grpc.client.attempt.sent_total_compressed_message_size": `5 ${client} OK`,
    "grpc.client.attempt.rcvd_total_compressed_message_size": `7 ${client} OK`,
    "grpc.client.call.duration": `1.5 ${client} OK`,
    "grpc.server.call.started": `1 ${UNARY}`,
    "grpc.server.call.duration": `1.5 ${UNARY} OK`,
    "grpc.server.call.sent_total_compressed_message_size": `7 ${UNARY} OK`,
    "grpc.server.call.rcvd_total_compressed_message_size": `5 ${UNARY} OK`,
  };
  for (const [name, expected] of Object.entries(EXPECTED)) {
    assertEquals(test.measured(name), [expected], name);
  }
});

Deno.test("instrument() has one span for a call that makes several attempts, each with a trace, and measures each", async () => {
  const traces: (string | undefined)[] = [];
  const clock = new VirtualClock();
  await using test = new Observed({
    async unary(stream) {
      traces.push(stream.metadata.get("traceparent"));
      if (traces.length < 3) throw new GRPCError(Status.UNAVAILABLE, "no");
      await stream.sendMessage({});
    },
  }, { retry: true, clock });
  const result = outcome(test.stub.unary({}));
  for (let i = 0; i < 20; i++) await clock.advance(1_000);
  assertEquals(await result, "OK");
  const [span, ...others] = test.telemetry.of("client");
  assertEquals(others, []);
  assertEquals(span!.events, ["retry", "retry"]);
  assertEquals(new Set(traces).size, 1);
  assert(traces[0]!.includes(span!.id));
  assertEquals(test.telemetry.live, []);
  assertEquals(
    test.measured("grpc.client.attempt.duration").map((it) =>
      it.split(" ").at(-1)
    ),
    ["UNAVAILABLE", "UNAVAILABLE", "OK"],
  );
  assertEquals(test.measured("grpc.client.attempt.started").length, 3);
  assertEquals(test.measured("grpc.client.call.duration").length, 1);
});

for (const http2Spans of [true, false]) {
  Deno.test(`instrument() has one span for a call that is retried transparently, which waited or not, with http2Spans: ${http2Spans}`, async () => {
    const traces: (string | undefined)[] = [];
    await using server = new RawServer(async (connection) => {
      await shakeHands(connection);
      for (let count = 0;; count++) {
        const { streamId, fields } = await connection.request();
        traces.push(fields["traceparent"]);
        // No server has looked at the first try of each.
        if (count % 2 === 0) {
          await connection.rstStream(streamId, REFUSED_STREAM);
        } else await replyWell(connection, streamId);
      }
    });
    const telemetry = new FakeTelemetry();
    await using channel = new Channel("127.0.0.1", server.port);
    instrument(channel, { ...telemetry.options, http2Spans });
    const whose = new AsyncLocalStorage<string>();
    const active: (string | undefined)[] = [];
    const contexts: (string | undefined)[] = [];
    observe(channel, {
      start: () => ({
        run(fn) {
          active.push(telemetry.active?.id);
          contexts.push(whose.getStore());
          return fn();
        },
        end() {},
      }),
    });
    const stub = createStub(Echo, channel);
    // The first waits for its connection, the second finds it there.
    for (const name of ["waits", "goes on"]) {
      await telemetry.inSpan(
        name,
        () => whose.run(name, () => soon(stub.unary({}))),
      );
    }
    const apps = telemetry.spans.filter(({ kind }) => kind === undefined);
    const calls = telemetry.of("client");
    assertEquals(calls.map(({ parent }) => parent), apps.map(({ id }) => id));
    const [one, other] = calls.map(({ id }) => id);
    const ids = [one, one, other, other];
    assertEquals(traces.map((trace) => trace?.split("-")[2]), ids);
    assertEquals(calls.map(({ events }) => events), [["retry"], ["retry"]]);
    assertEquals(telemetry.live, []);
    // Where the runtime keeps its spans, they are parts of that of the call.
    if (http2Spans) assertEquals(active, ids);
    // What has waited has its own context ever after; no other's in any case.
    assertEquals(contexts, ["waits", "waits", "goes on", undefined]);
    const measured = telemetry.measurements.filter(({ name }) =>
      name === "grpc.client.attempt.duration"
    );
    assertEquals(measured.map(({ attributes }) => attributes["grpc.status"]), [
      ...["UNAVAILABLE", "OK"],
      ...["UNAVAILABLE", "OK"],
    ]);
  });
}

Deno.test("instrument() measures each attempt of a call with hedging, those included that it ends", async () => {
  let started = 0;
  const goOn = Promise.withResolvers<void>();
  await using test = new Observed({
    async unary(stream) {
      // The first two wait until the last has answered.
      if (++started < 3) await goOn.promise;
      await stream.sendMessage({});
    },
  });
  const hedging = { maxAttempts: 3 };
  assertEquals(await outcome(test.stub.unary({}, { hedging })), "OK");
  goOn.resolve();
  assertEquals(test.telemetry.of("client").length, 1);
  const statuses = (name: string) =>
    test.measured(name).map((it) => it.split(" ").at(-1)).sort();
  assertEquals(
    statuses("grpc.client.attempt.duration"),
    ["CANCELLED", "CANCELLED", "OK"],
  );
  assertEquals(test.measured("grpc.client.attempt.started").length, 3);
  assertEquals(statuses("grpc.client.call.duration"), ["OK"]);
});

Deno.test("instrument() marks spans with chosen metadata, and leaves calls out that are not chosen", async () => {
  await using test = new Observed({}, {
    requestMetadata: ["x-tenant"],
    filter: ({ methodName }) => !methodName.endsWith("/ClientStream"),
  });
  const metadata = { "x-tenant": ["a", "b"], authorization: "secret" };
  await test.stub.unary({}, { metadata });
  await test.stub.clientStream([{}], { metadata });
  const { spans } = test.telemetry;
  assertEquals(spans.map(({ name }) => name), [UNARY, UNARY]);
  for (const { attributes } of spans) {
    assertEquals(attributes["rpc.request.metadata.x-tenant"], ["a", "b"]);
    assert(!JSON.stringify(attributes).includes("secret"));
  }
});

Deno.test("instrument() hands on that a trace is not sampled, and marks nothing then", async () => {
  await using test = new Observed();
  test.telemetry.traceFlags = 0;
  await test.stub.unary({});
  const [client, server] = test.telemetry.spans;
  assertEquals(server!.parent, client!.id);
  assertEquals(server!.spanContext().traceFlags, 0);
  assertEquals(client!.attributes["rpc.response.status_code"], undefined);
  assertEquals(test.telemetry.live, []);
});

for (
  const [fields, isAsked] of [
    [undefined, true],
    [["traceparent", "tracestate", "baggage"], false],
    [["traceparent", "x-cloud-trace"], true],
    [["b3"], true],
  ] as const
) {
  Deno.test(`instrument() asks nobody for spans of traces that it does not sample, and hands on that they are not, with a propagator of ${fields}`, async () => {
    const seen: (string | null | undefined)[] = [];
    const remote: [id: unknown, isRemote: unknown][] = [];
    let inner: Stub<typeof Echo> | undefined;
    const telemetry = new FakeTelemetry();
    const { inject, extract } = telemetry.propagation;
    await using test = new Observed({
      async unary(stream) {
        seen.push(stream.metadata.get("traceparent"));
        const span = (telemetry.active as SpanLike).spanContext();
        remote.push([span.traceId, span.isRemote]);
        await stream.sendMessage({});
        // What the handler calls belongs to the trace.
        const stub = inner;
        inner = undefined;
        await stub?.unary({});
      },
    }, {
      ...telemetry.options,
      propagator: {
        inject,
        extract,
        ...(fields && { fields: () => [...fields] }),
      },
      sampleRate: 0,
    });
    inner = test.stub;
    await test.stub.unary({});
    await until(() => seen.length === 2, "the handler's own call");
    await test.stub.unary({});
    assertEquals(telemetry.spans, []);
    const traces = seen.map((trace) => {
      const [version, traceId, spanId, flags] = `${trace}`.split("-");
      assertMatch(`${traceId} ${spanId}`, /^[0-9a-f]{32} [0-9a-f]{16}$/);
      assertEquals([version, flags], ["00", "00"]);
      return traceId;
    });
    assertEquals(traces[0], traces[1]);
    assertNotEquals(traces[0], traces[2]);
    // That of the fake is not marked.
    const isRemote = isAsked ? undefined : true;
    assertEquals(remote, traces.map((trace) => [trace, isRemote]));
    assertEquals(telemetry.propagated.length > 0, isAsked);
    const started = telemetry.measurements.filter(({ name }) =>
      name === "grpc.client.attempt.started"
    );
    assertEquals(started.length, 3);
  });
}

Deno.test("instrument() asks the propagator where there is more to say than that a call is not sampled", async () => {
  const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-00`;
  await using test = new Observed({}, { sampleRate: 0 });
  const { telemetry: { context, propagated }, stub } = test;
  const asked = () => propagated.splice(0).join(" ");
  await stub.unary({}, { metadata: { a: "b" } });
  assertEquals(asked(), "");
  for (const key of ["Baggage Key", "SDK Context Key SUPPRESS_TRACING"]) {
    const said = context.active().setValue(
      Symbol.for(`OpenTelemetry ${key}`),
      true,
    );
    await context.with(said, () => stub.unary({}));
    assertEquals(asked(), "inject");
  }
  for (
    const metadata of [
      { tracestate: "a=b" },
      { baggage: "a=b" },
    ]
  ) {
    await stub.unary({}, { metadata });
    assertEquals(asked(), "extract");
  }
  // A channel that is not observed says what it likes.
  await using echo = await startEcho();
  instrument(echo.server, { ...test.telemetry.options, sampleRate: 0 });
  for (
    const [value, expected] of [
      [traceparent, ""],
      [traceparent.replace(/0$/, "1"), "extract"],
      [traceparent.replace(/^00/, "01"), "extract"],
      [`${traceparent}-`, "extract"],
    ] as const
  ) {
    await echo.stub.unary({}, { metadata: { traceparent: value } });
    assertEquals(`${value} ${asked()}`, `${value} ${expected}`);
  }
  await echo.stub.unary({}, {
    metadata: { traceparent: [traceparent, traceparent] },
  });
  assertEquals(asked(), "extract");
});

Deno.test("instrument() begins a new trace where a traceparent is malformed", async () => {
  const seen: (SpanContextLike | undefined)[] = [];
  const telemetry = new FakeTelemetry();
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        seen.push((telemetry.active as SpanLike | undefined)?.spanContext());
        await stream.sendMessage({});
      },
    },
  });
  instrument(echo.server, { ...telemetry.options, sampleRate: 0 });
  const spanId = "b".repeat(16);
  for (const traceId of ["a".repeat(32), "A".repeat(32), "0".repeat(32)]) {
    const traceparent = `00-${traceId}-${spanId}-00`;
    await echo.stub.unary({}, { metadata: { traceparent } });
  }
  const [good, ...bad] = seen;
  assertEquals(good, {
    traceId: "a".repeat(32),
    spanId,
    traceFlags: 0,
    isRemote: true,
  });
  for (const span of bad) {
    assertMatch(span!.traceId, /^(?!0+$)[0-9a-f]{32}$/);
    assertNotEquals(span!.spanId, spanId);
    assertEquals([span!.traceFlags, span!.isRemote], [0, undefined]);
  }
  assertEquals(bad.length, 2);
});

Deno.test("instrument() writes one traceparent, in place of the caller's, and leaves his metadata alone", async () => {
  const seen: unknown[] = [];
  await using test = new Observed({
    async unary(stream) {
      const { metadata } = stream;
      seen.push([metadata.getAll("traceparent").length, metadata.get("a")]);
      await stream.sendMessage({});
    },
  }, { sampleRate: 0 });
  const metadata = new Metadata({ traceparent: "mine", a: "b" });
  await test.stub.unary({}, { metadata });
  await test.stub.unary({}, { metadata: { a: "c" } });
  assertEquals(seen, [[1, "b"], [1, "c"]]);
  assertEquals([...metadata], [["traceparent", "mine"], ["a", "b"]]);
});

Deno.test("instrument() samples a call as the trace it belongs to, whatever the sampleRate", async () => {
  for (const sampleRate of [0, 1]) {
    for (const traceFlags of [0, 1]) {
      await using test = new Observed({}, { sampleRate });
      const { telemetry, stub } = test;
      telemetry.traceFlags = traceFlags;
      await telemetry.inSpan("app", () => stub.unary({}));
      const [app, client, server] = telemetry.spans;
      assertEquals(telemetry.spans.length, traceFlags === 1 ? 3 : 1);
      assertEquals(client?.parent, client && app!.id);
      assertEquals(server?.parent, client?.id);
      assertEquals(telemetry.live, []);
    }
  }
});

Deno.test("instrument() samples the part of the traces that sampleRate says", async () => {
  await using test = new Observed({}, { sampleRate: 0.5 });
  const { telemetry, stub } = test;
  const calls = 400;
  for (let i = 0; i < calls; i++) await stub.unary({});
  const sampled = telemetry.of("client").length;
  // Twelve standard deviations: once in 10³² runs it is further away by chance.
  assertAlmostEquals(sampled, calls / 2, 120);
  assertEquals(telemetry.of("server").length, sampled);
});

for (
  const [metrics, count] of [["duration", 5], ["none", 0], ["all", 9]] as const
) {
  Deno.test(`instrument() makes ${count} instruments for metrics: "${metrics}"`, async () => {
    await using test = new Observed({}, { metrics });
    await test.stub.unary({});
    assertEquals(test.telemetry.instruments.length, count);
    assertEquals(test.telemetry.spans.length, 2);
  });
}

Deno.test("instrument() does nothing while nothing is registered, and takes what is registered later", async () => {
  const REGISTRY = Symbol.for("opentelemetry.js.api.1");
  const registry = globalThis as { [REGISTRY]?: unknown };
  assertEquals(registry[REGISTRY], undefined);
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        const trace = stream.metadata.get("traceparent");
        await stream.sendMessage({ text: `${trace !== undefined}` });
      },
    },
  });
  using channel = instrument(echo.channel);
  instrument(echo.server);
  assertEquals((await echo.stub.unary({})).text, "false");
  const telemetry = new FakeTelemetry();
  registry[REGISTRY] = telemetry;
  try {
    assertEquals((await echo.stub.unary({})).text, "true");
    assertEquals(telemetry.spans.length, 2);
    channel[Symbol.dispose]();
    assertEquals((await echo.stub.unary({})).text, "false");
    assertEquals(telemetry.spans.length, 3);
    assertEquals(telemetry.live, []);
  } finally {
    delete registry[REGISTRY];
  }
});

Deno.test("instrument() keeps a call alive whose provider throws", async () => {
  const failures: unknown[] = [];
  const error = new Error("No span");
  await using echo = await startEcho({
    server: { onError: (error) => failures.push(error) },
  });
  const tracerProvider = {
    getTracer: () => ({
      startSpan() {
        throw error;
      },
    }),
  };
  instrument(echo.server, { tracerProvider, metrics: "none" });
  await echo.stub.unary({});
  assertStrictEquals(failures[0], error);
});

Deno.test("instrument() has propagators write what can be sent, and read what came", async () => {
  const telemetry = new FakeTelemetry();
  const read: unknown[] = [];
  const propagator: InstrumentCallsOptions["propagator"] = {
    inject(_context, carrier, setter) {
      setter.set(carrier, "x-trace", "1");
      setter.set(carrier, "grpc-trace", "2");
      setter.set(carrier, "x-text", "caf\u00e9");
    },
    extract(context, carrier, getter) {
      const keys = getter.keys(carrier).filter((key) => /^(x|grpc)-/.test(key));
      read.push(keys.sort());
      for (const key of ["x-trace", "x-list", "x-none"]) {
        read.push(getter.get(carrier, key));
      }
      return context;
    },
  };
  await using echo = await startEcho();
  for (const target of [echo.channel, echo.server]) {
    instrument(target, { ...telemetry.options, propagator });
  }
  await echo.stub.unary({}, { metadata: { "x-list": ["a", "b"] } });
  const [keys, ...values] = read;
  const accepted = ["grpc-accept-encoding"];
  assertEquals(
    new Set(keys as string[]),
    new Set([...accepted, "x-list", "x-trace"]),
  );
  // What stands in several fields, or in one, is a list.
  assertEquals(values, ["1", values[1], undefined]);
  assertEquals(`${values[1]}`.split(/, ?/), ["a", "b"]);
});

Deno.test("instrument() opens streams in the span of their call where the runtime keeps its own", async () => {
  for (const http2Spans of [true, false]) {
    const telemetry = new FakeTelemetry();
    await using echo = await startEcho();
    const seen: (string | undefined)[] = [];
    instrument(echo.channel, { ...telemetry.options, http2Spans });
    observe(echo.channel, {
      start: () => ({
        run(fn) {
          seen.push(telemetry.active?.id);
          return fn();
        },
        end() {},
      }),
    });
    // The first call waits for its connection.
    await echo.stub.unary({});
    await echo.stub.unary({});
    const ids = telemetry.of("client").map(({ id }) => id);
    assertEquals(seen, http2Spans ? ids : [undefined, undefined]);
  }
});

Deno.test("instrument() ends spans that cannot be marked", async () => {
  await using test = new Observed();
  const { trace: { getTracer }, spans } = test.telemetry;
  const tracerProvider = {
    getTracer(name: string) {
      const { startSpan } = getTracer(name);
      return {
        startSpan: (...args: Parameters<typeof startSpan>) =>
          Object.assign(startSpan(...args), {
            setAttribute() {
              throw new Error("No mark");
            },
          }),
      };
    },
  };
  instrument(test.channel.server, { tracerProvider, metrics: "none" });
  await test.stub.unary({});
  assertEquals(spans.length, 3);
  assertEquals(test.telemetry.live, []);
});

for (
  const [options, message] of [
    [{ tracerProvider: {} }, "tracerProvider must be a TracerProvider"],
    [{ meterProvider: 1 }, "meterProvider must be a MeterProvider"],
    [{ propagator: { inject() {} } }, "propagator must be a TextMapPropagator"],
    [{ contextManager: null }, "contextManager must be a ContextManager"],
    [{ metrics: "some" }, "metrics must be one of all, duration, none"],
    [{ sampleRate: "1" }, "sampleRate must be a number"],
    [{ sampleRate: 1.5 }, "sampleRate must be from 0 to 1"],
    [{ sampleRate: NaN }, "sampleRate must be from 0 to 1"],
    [{ filter: 1 }, "filter must be a function"],
    [{ requestMetadata: "a" }, "requestMetadata must be an array of keys"],
    [{ requestMetadata: ["grpc-a"] }, "is reserved"],
    [{ http2Spans: 1 }, "http2Spans must be true or false"],
    [{ metric: "all" }, 'there is no option "metric"'],
  ] as const
) {
  Deno.test(`instrument() refuses ${JSON.stringify(options)}`, () => {
    const channel = new Channel("127.0.0.1", 1);
    assertThrows(
      () => instrument(channel, options as never),
      Error,
      message,
    );
  });
}

Deno.test("instrument() refuses what is neither a channel nor a server", () => {
  for (const target of [null, 5, {}]) {
    assertThrows(
      () => instrument(target as never),
      TypeError,
      "Cannot instrument: the target must be a Channel or a Server, received",
    );
  }
});
