/**
 * Traces as they arrive: what Deno exports of a program's calls, and one trace
 * over grpcio and grpc-go with OpenTelemetry's instrumentation, on either side of
 * ours.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { ChildProcess } from "../../_testdata/child_process.ts";
import { onEngine } from "../../_testdata/on_engine.ts";
import {
  attributeOf,
  OTLPReceiver,
  type ReceivedSpan,
} from "../../_testdata/otlp_receiver.ts";
import { startEcho } from "../../_testdata/echo_service.ts";
import { FakeTelemetry } from "../../_testdata/fake_telemetry.ts";
import { instrument } from "../../otel/mod.ts";
import {
  named,
  runTool,
  talkTo,
  tool,
  tracedPython,
  versionOf,
} from "../../_testdata/tools.ts";
import { soon } from "../../_testdata/waiting.ts";

const PROGRAM = import.meta.resolve("../../_testdata/traced_program.ts");

function startProgram(receiver: OTLPReceiver, ...args: string[]): ChildProcess {
  return new ChildProcess(
    ["--allow-net=127.0.0.1", PROGRAM, ...args],
    receiver.env,
  );
}

/** Runs a program to its end; gives its last line. */
async function run(receiver: OTLPReceiver, role: string): Promise<string> {
  await using program = startProgram(receiver, role);
  let last = "";
  for (let line; (line = await soon(program.line())) !== null;) last = line;
  assertEquals((await program.status).code, 0);
  return last;
}

/** The spans of a name, each with its parent's name. */
function parentsOf(spans: readonly ReceivedSpan[], name: string): string[] {
  return spans.filter((span) => span.name === name).map((span) => {
    const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
    if (parent === undefined) return "none";
    assertEquals(span.traceId, parent.traceId);
    return `${parent.kind} ${parent.name}`;
  }).sort();
}

Deno.test("instrument() has Deno export one span on each side of a call, metrics, and logs with their trace", async () => {
  await using receiver = new OTLPReceiver();
  await run(receiver, "instrumented");
  const { spans, logs, metrics } = receiver;
  const unary = "grpclib.test.Echo/Unary";
  assertEquals(parentsOf(spans, unary), [
    ...["1 a", "1 b", "1 c", "1 d"],
    ...Array(4).fill(`3 ${unary}`),
  ]);
  assertEquals(parentsOf(spans, "grpclib.test.Echo/ServerStream"), [
    "1 d",
    "3 grpclib.test.Echo/ServerStream",
  ]);
  // Nor does the runtime make any beside them.
  assertEquals(spans.filter(({ name }) => name === "POST"), []);
  assertEquals(spans.length, 4 + 8 + 2);
  const failed = spans.filter(({ status }) => status?.code === 2);
  assertEquals(
    failed.map((span) => attributeOf(span, "error.type")),
    ["INTERNAL", "INTERNAL"],
  );
  const said = logs.filter(({ body }) =>
    body?.stringValue?.startsWith("In a handler")
  );
  assertEquals(said.length, 5);
  for (const { spanId } of said) {
    const span = spans.find((span) => span.spanId === spanId);
    assertEquals(span?.kind, 2);
  }
  const names = new Set(metrics.map(({ name, unit }) => `${name} ${unit}`));
  assertEquals([...names].filter((name) => name.startsWith("grpc.")).sort(), [
    "grpc.client.attempt.duration s",
    "grpc.client.attempt.rcvd_total_compressed_message_size By",
    "grpc.client.attempt.sent_total_compressed_message_size By",
    "grpc.client.attempt.started {attempt}",
    "grpc.client.call.duration s",
    "grpc.server.call.duration s",
    "grpc.server.call.rcvd_total_compressed_message_size By",
    "grpc.server.call.sent_total_compressed_message_size By",
    "grpc.server.call.started {call}",
  ]);
});

Deno.test("Channel keeps the trace of calls that wait, and a traceparent of the caller's, also where only Deno traces", async () => {
  await using receiver = new OTLPReceiver();
  const traces: (string | null)[] = JSON.parse(await run(receiver, "plain"));
  const { spans } = receiver;
  // The last call has said itself which trace it belongs to.
  const own = traces.pop();
  assertEquals(own, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  // Deno knows nothing of streams that are not those of node:http2.
  const posts = onEngine({ node: 6, native: 0 });
  const clients = spans.filter(({ name, kind }) =>
    name === "POST" && kind === 3
  );
  assertEquals(clients.length, posts);
  const parents = clients.map(({ parentSpanId }) =>
    spans.find(({ spanId }) => spanId === parentSpanId)?.name
  );
  const callers = ["a", "b", "c", "d", "d", undefined];
  assertEquals(parents.sort(), callers.slice(0, posts));
  for (const trace of traces) {
    const id = trace?.split("-")[2];
    assertEquals(clients.some(({ spanId }) => spanId === id), posts > 0);
  }
});

const python = tracedPython();

const go = tool("traced-peer");

/** Peers that trace their calls, and how they are started. */
const PEERS: Readonly<Record<string, readonly [string | null, ...string[]]>> = {
  grpcio: [
    python,
    fileURLToPath(import.meta.resolve("../../_testdata/traced_peer.py")),
  ],
  "grpc-go": [go],
};

for (
  const [front, back] of [
    ["grpcio", "grpcio"],
    ["grpc-go", "grpc-go"],
    ["grpcio", "grpc-go"],
  ] as const
) {
  const [frontPath, ...frontArgs] = PEERS[front]!;
  const [backPath, ...backArgs] = PEERS[back]!;
  const needs = { [front]: frontPath, [back]: backPath };
  Deno.test({
    name: named(`One trace goes from ${front} through ours to ${back}`, needs),
    ignore: frontPath === null || backPath === null,
    async fn() {
      await using receiver = new OTLPReceiver();
      const spans: ReceivedSpan[] = receiver.spans;
      /** Ends a peer; its spans are the last that it tells. */
      const end = async (peer: ChildProcess) => {
        await peer.send("end");
        for (let line; (line = await soon(peer.line())) !== null;) {
          spans.push(JSON.parse(line));
        }
      };
      await using last = talkTo(backPath!, ...backArgs, "server");
      const lastPort = await soon(last.line(), `the port of ${back}`);
      await using ours = startProgram(receiver, "relay", lastPort!);
      const port = await soon(ours.line(), "the port of ours");
      await using first = talkTo(frontPath!, ...frontArgs, "client", port!);
      assertEquals(await soon(first.line(), `the calls of ${front}`), "done");
      await end(first);
      await ours.leave();
      await end(last);

      assertEquals(new Set(spans.map(({ traceId }) => traceId)).size, 1);
      const app = spans.find(({ name }) => name === "app")!;
      const childrenOf = (parent: ReceivedSpan) =>
        spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId);
      const seen = childrenOf(app).map((outer) => {
        assertEquals(outer.kind, "CLIENT");
        const [served, ...others] = childrenOf(outer);
        assertEquals(others, []);
        assertEquals(served!.kind, 2);
        const made = childrenOf(served!);
        for (const call of made) {
          assertEquals([call.kind, call.name], [3, served!.name]);
          const [last, ...others] = childrenOf(call);
          assertEquals(others, []);
          assertEquals(last!.kind, "SERVER");
          assertNotEquals(last!.spanId, call.spanId);
        }
        return `${served!.name} ${made.length}`;
      });
      assertEquals(seen, [
        "grpclib.test.Echo/Unary 3",
        "grpclib.test.Echo/ServerStream 1",
      ]);
      assert(spans.length === 1 + 2 * 2 + 4 * 2);
    },
  });
}

// What was installed before has not got the messages.
const collectorPython =
  versionOf("python-opentelemetry")?.includes("opentelemetry-proto")
    ? python
    : null;

Deno.test({
  name: named("grpcio receives the spans and metrics of our calls over gRPC", {
    "python with opentelemetry-proto": collectorPython,
  }),
  ignore: collectorPython === null,
  async fn() {
    const script = fileURLToPath(
      import.meta.resolve("../../_testdata/grpcio_collector.py"),
    );
    await using collector = talkTo(collectorPython!, script);
    const port = await soon(collector.line(), "the port of the collector");
    await using program = new ChildProcess(
      ["--allow-net=127.0.0.1", PROGRAM, "instrumented"],
      {
        OTEL_DENO: "true",
        OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      },
    );
    while (await soon(program.line()) !== null);
    assertEquals((await program.status).code, 0);
    await collector.send("end");
    const spans: ReceivedSpan[] = [];
    const metrics = new Map<string, string>();
    for (let line; (line = await soon(collector.line())) !== null;) {
      const told = JSON.parse(line);
      if ("unit" in told) metrics.set(told.name, `${told.unit} ${told.keys}`);
      else spans.push(told);
    }
    const unary = "grpclib.test.Echo/Unary";
    assertEquals(parentsOf(spans, unary), [
      ...["1 a", "1 b", "1 c", "1 d"],
      ...Array(4).fill(`3 ${unary}`),
    ]);
    const client = "grpc.method,grpc.status,grpc.target";
    assertEquals(
      Object.fromEntries(
        [...metrics].filter(([name]) => name.startsWith("grpc.")).sort(),
      ),
      {
        "grpc.client.attempt.duration": `s ${client}`,
        "grpc.client.attempt.rcvd_total_compressed_message_size":
          `By ${client}`,
        "grpc.client.attempt.sent_total_compressed_message_size":
          `By ${client}`,
        "grpc.client.attempt.started": "{attempt} grpc.method,grpc.target",
        "grpc.client.call.duration": `s ${client}`,
        "grpc.server.call.duration": "s grpc.method,grpc.status",
        "grpc.server.call.rcvd_total_compressed_message_size":
          "By grpc.method,grpc.status",
        "grpc.server.call.sent_total_compressed_message_size":
          "By grpc.method,grpc.status",
        "grpc.server.call.started": "{call} grpc.method",
      },
    );
  },
});

Deno.test({
  name: named(
    "instrument() has the metrics of gRPC's own plugin, with its units and labels",
    { python },
  ),
  ignore: python === null,
  async fn() {
    const script = fileURLToPath(
      import.meta.resolve("../../_testdata/measured_peer.py"),
    );
    const { stdout, stderr } = await runTool(python!, [script]);
    assert(stdout.startsWith("["), stderr);
    const theirs: { name: string; unit: string; keys: string[] }[] = JSON
      .parse(stdout);
    assertEquals(theirs.length, 8);

    const telemetry = new FakeTelemetry();
    await using echo = await startEcho();
    using _channel = instrument(echo.channel, telemetry.options);
    using _server = instrument(echo.server, telemetry.options);
    await echo.stub.unary({});
    for (const { name, unit, keys } of theirs) {
      const ours = telemetry.instruments.find((it) => it.name === name);
      assertEquals(ours?.unit, unit, name);
      const value = telemetry.measurements.find((it) => it.name === name)!;
      assertEquals(Object.keys(value.attributes).sort(), keys, name);
    }
  },
});
