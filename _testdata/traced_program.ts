/**
 * A program whose calls Deno traces, as its environment says:
 *
 *     OTEL_DENO=true deno run --allow-net traced_program.ts instrumented
 *     OTEL_DENO=true deno run --allow-net traced_program.ts plain
 *     OTEL_DENO=true deno run --allow-net traced_program.ts relay <port>
 *
 * The first two make calls to themselves, some of which wait for the connection,
 * and tell what they have seen. The last one serves calls by calling the port,
 * tells its own port, and leaves when its input ends.
 *
 * @module
 */

// It speaks on the console.
// deno-lint-ignore-file no-console

import {
  Channel,
  createService,
  createStub,
  GRPCError,
  Server,
  Status,
} from "../mod.ts";
import { instrument, type TracerProviderLike } from "../otel/mod.ts";
import { Echo } from "./gen/echo_pb.ts";

interface Registry {
  readonly trace: TracerProviderLike;
  readonly context: {
    active(): { setValue(key: symbol, value: unknown): unknown };
    with<R>(context: unknown, fn: () => R): R;
  };
}

const { trace, context } = (globalThis as unknown as Record<symbol, Registry>)[
  Symbol.for("opentelemetry.js.api.1")
]!;

/** Runs a function in a span of its own. */
async function inSpan(name: string, fn: () => Promise<void>): Promise<void> {
  const span = trace.getTracer("app").startSpan(name);
  const key = Symbol.for("OpenTelemetry Context Key SPAN");
  await context.with(context.active().setValue(key, span), fn);
  span.end();
}

async function callItself(isInstrumented: boolean): Promise<void> {
  const traces: (string | undefined)[] = [];
  const service = createService(Echo, {
    unary({ status }, call) {
      traces.push(call.metadata.get("traceparent"));
      if (isInstrumented) console.log("In a handler");
      if (status !== 0) throw new GRPCError(status as Status, "As asked");
      return {};
    },
    async *serverStream() {
      yield { index: 0 };
      await Promise.resolve();
      if (isInstrumented) console.log("In a handler");
      yield { index: 1 };
    },
    clientStream: () => ({}),
    async *bidi() {},
  });
  await using server = new Server([service]);
  await server.start("127.0.0.1");
  await using channel = new Channel("127.0.0.1", server.port!);
  if (isInstrumented) {
    instrument(server);
    instrument(channel);
  }
  const stub = createStub(Echo, channel);
  const queued = ["a", "b", "c"].map((name) =>
    inSpan(name, async () => {
      await stub.unary({});
    })
  );
  await Promise.all(queued);
  await inSpan("d", async () => {
    await stub.unary({ status: Status.INTERNAL }).catch(() => {});
    for await (const _reply of stub.serverStream({}));
  });
  const own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  if (!isInstrumented) {
    await stub.unary({}, { metadata: { traceparent: own } });
  }
  console.log(JSON.stringify(traces));
}

async function relay(port: number): Promise<void> {
  const channel = new Channel("127.0.0.1", port);
  const next = createStub(Echo, channel);
  const server = new Server([createService(Echo, {
    async unary(request) {
      // The first of them wait for the connection.
      const calls = [1, 2, 3].map(() => next.unary(request));
      return (await Promise.all(calls))[0]!;
    },
    async *serverStream(request) {
      yield* next.serverStream(request);
    },
    clientStream: () => ({}),
    async *bidi() {},
  })]);
  instrument(channel);
  instrument(server);
  await server.start("127.0.0.1");
  console.log(server.port);
  for await (const _chunk of Deno.stdin.readable);
  await channel.close();
  await server[Symbol.asyncDispose]();
}

const [role, port] = Deno.args;
if (role === "relay") await relay(Number(port));
else await callItself(role === "instrumented");
