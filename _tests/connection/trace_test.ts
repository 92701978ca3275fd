/** The trace of a channel or a server, as lines of text. */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  Channel,
  createStub,
  Server,
  Status,
  traceTo,
  type TraceTopic,
} from "../../mod.ts";
import { ChannelFor } from "../../testing/mod.ts";
import { startEcho } from "../../_testdata/echo_in_memory.ts";
import { MemoryFleet } from "../../_testdata/memory_fleet.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { assertStatus, Waiters } from "../../_testdata/waiters.ts";
import { until } from "../../_testdata/waiting.ts";

type Traced = Parameters<typeof traceTo>[0];

/** A trace whose lines are kept, without their times. */
class Trace implements Disposable {
  readonly lines: string[] = [];
  readonly #trace: Disposable;

  constructor(target: Traced, topics?: readonly TraceTopic[]) {
    this.#trace = traceTo(target, (line) => {
      const [, time, rest] = /^(\S+) (.*)$/.exec(line)!;
      assertEquals(new Date(time!).toISOString(), time);
      this.lines.push(rest!.replace(/after \d+\.\d{3} ms/, "after 1 ms"));
    }, topics);
  }

  /** Waits for a line that ends so. */
  until(end: string): Promise<void> {
    const has = () => this.lines.some((line) => line.endsWith(end));
    return until(has, `there is a line that ends with ${end}`);
  }

  [Symbol.dispose](): void {
    this.#trace[Symbol.dispose]();
  }
}

Deno.test("traceTo() tells of states, connections and calls of a channel", async () => {
  await using it = startEcho();
  using trace = new Trace(it.channel);
  await it.stub.unary({});
  await assertStatus(
    Status.NOT_FOUND,
    () =>
      it.stub.unary({
        status: Status.NOT_FOUND,
        statusMessage: "no\nsuch\x1b[31m book",
      }),
  );
  await it.channel.close();
  await trace.until("closed: Channel is closed");
  assertEquals(trace.lines, [
    "call #1 /grpclib.test.Echo/Unary started",
    "channel in-memory:50051: CONNECTING",
    "connection to in-memory:50051 connecting",
    "connection to in-memory:50051 connected",
    "channel in-memory:50051: READY",
    "call #1 /grpclib.test.Echo/Unary sent to in-memory, attempt 1",
    "call #1 /grpclib.test.Echo/Unary ended with OK after 1 ms, 1 sent, 1 received",
    "call #2 /grpclib.test.Echo/Unary started",
    "call #2 /grpclib.test.Echo/Unary sent to in-memory, attempt 1",
    String
      .raw`call #2 /grpclib.test.Echo/Unary ended with NOT_FOUND after 1 ms, 1 sent, 0 received: no\u000asuch\u001b[31m book`,
    "channel in-memory:50051: SHUTDOWN: Channel is closed",
    "connection to in-memory:50051 draining: Channel is closed",
    "connection to in-memory:50051 closed: Channel is closed",
  ]);
});

Deno.test("traceTo() tells of states, connections and calls of a server", async () => {
  await using it = startEcho();
  using trace = new Trace(it.server);
  await it.stub.unary({});
  await it.channel.close();
  await trace.until("CLOSED");
  assertEquals(trace.lines, [
    "connection from in-memory connected",
    "call #1 /grpclib.test.Echo/Unary started for in-memory",
    "call #1 /grpclib.test.Echo/Unary handler started",
    "call #1 /grpclib.test.Echo/Unary ended with OK after 1 ms, 1 sent, 1 received",
    "server in memory: CLOSING",
    "connection from in-memory closed: Connection from in-memory was lost",
    "server in memory: CLOSED",
  ]);
});

Deno.test("traceTo() has where a server listens, and the connections that failed", async () => {
  await using server = new Server([], { config: { maxConnections: 1 } });
  using trace = new Trace(server, ["state", "connection"]);
  await server.start("127.0.0.1");
  const { address } = server;
  await using one = new Channel(address!, {});
  one.connect();
  await trace.until("connected");
  await using other = new Channel(address!, {});
  other.connect();
  await trace.until("there are as many");
  assertEquals(trace.lines[0], `server ${address}: SERVING`);
  assertMatch(
    trace.lines.at(-1)!,
    /^connection from 127\.0\.0\.1:\d+ failed: Cannot accept connection: maxConnections is 1,/,
  );
});

Deno.test("traceTo() tells why a channel does not connect, by subchannel", async () => {
  await using channel = new Channel("ipv4:127.0.0.1:1,127.0.0.1:2", {
    balancing: "round_robin",
    connect() {
      throw new Error("the tunnel is down");
    },
  });
  using trace = new Trace(channel, ["state"]);
  await assertStatus(
    Status.UNAVAILABLE,
    () => createStub(Echo, channel).unary({}),
  );
  const all = "127.0.0.1:1,127.0.0.1:2";
  assertEquals(trace.lines, [
    `channel ${all}: CONNECTING`,
    "subchannel 127.0.0.1:1: CONNECTING",
    "subchannel 127.0.0.1:2: CONNECTING",
    `subchannel 127.0.0.1:1: TRANSIENT_FAILURE: Cannot connect to ${all} at 127.0.0.1:1: the tunnel is down`,
    `subchannel 127.0.0.1:2: TRANSIENT_FAILURE: Cannot connect to ${all} at 127.0.0.1:2: the tunnel is down`,
    `channel ${all}: TRANSIENT_FAILURE: Cannot connect to ${all}: 127.0.0.1:1: the tunnel is down; 127.0.0.1:2: the tunnel is down`,
  ]);
});

Deno.test("traceTo() tells what a resolver says", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:1");
  fleet.serve("b:1");
  const answers: string[][] = [["a:1", "b:1"], ["a:1"]];
  const { channel, call } = fleet.client({
    target: "svc",
    resolver() {
      const endpoints = answers.shift();
      if (endpoints === undefined) throw new Error("no such service");
      return { endpoints };
    },
    balancing: "round_robin",
  });
  using trace = new Trace(channel, ["resolution"]);
  await call();
  await fleet.clock.advance(60_000);
  await trace.until("1 endpoint");
  await fleet.clock.advance(60_000);
  await trace.until("no such service");
  assertEquals(trace.lines.slice(0, 3), [
    "resolution of svc:50051 found 2 endpoints",
    "resolution of svc:50051 found 1 endpoint",
    "resolution of svc:50051 failed: Cannot resolve svc:50051: no such service",
  ]);
});

Deno.test("traceTo() tells why a connection takes no more calls", async () => {
  await using it = startEcho();
  using trace = new Trace(it.channel, ["connection"]);
  await it.stub.unary({});
  it.server.close({ graceMs: 5000 });
  await trace.until("draining: GOAWAY with code 0");
  await it.server.waitClosed();
});

Deno.test("traceTo() tells of the topics that it is asked for alone", async () => {
  await using it = startEcho();
  using states = new Trace(it.channel, ["state"]);
  using connections = new Trace(it.channel, ["connection"]);
  using calls = new Trace(it.channel, ["call"]);
  using nothing = new Trace(it.channel, []);
  await it.stub.unary({});
  const begin = (trace: Trace) =>
    new Set(trace.lines.map((line) => line.split(" ")[0]));
  assertEquals(begin(states), new Set(["channel"]));
  assertEquals(begin(connections), new Set(["connection"]));
  assertEquals(begin(calls), new Set(["call"]));
  assertEquals(nothing.lines, []);
});

Deno.test("traceTo() tells nothing once it is disposed, not of running calls either", async () => {
  const own = new Waiters();
  await using it = startEcho({ handlers: { bidi: own.handlers.bidi } });
  const trace = new Trace(it.channel);
  await using stream = it.stub.bidi.open();
  await stream.sendMessage({});
  await own.started;
  await it.stub.unary({});
  trace[Symbol.dispose]();
  const { length } = trace.lines;
  assertMatch(trace.lines.at(-1)!, /^call #2 .* ended with OK/);
  await it.stub.unary({});
  stream.cancel();
  await own.aborted;
  await it.channel.close();
  trace[Symbol.dispose]();
  assertEquals(trace.lines.length, length);
});

Deno.test("traceTo() writes what has happened before it is disposed", async () => {
  await using channel = new ChannelFor([]);
  const trace = new Trace(channel, ["state"]);
  channel.connect();
  trace[Symbol.dispose]();
  assertEquals(trace.lines, ["channel in-memory:50051: CONNECTING"]);
});

Deno.test("traceTo() lets calls be, whatever write() throws or does", async () => {
  await using it = startEcho();
  const lines: string[] = [];
  using _throws = traceTo(it.channel, () => {
    throw new Error("mine");
  });
  using _rejects = traceTo(it.server, () => Promise.reject(new Error("mine")));
  using _closes = traceTo(it.channel, (line) => {
    lines.push(line);
    if (line.endsWith("READY")) void it.channel.close();
  });
  const failed = await it.stub.unary({}).catch((error) => error);
  await until(() => it.channel.state === "SHUTDOWN", "the channel is closed");
  assert(failed instanceof Error || failed.text === "");
  await until(() => lines.at(-1)!.endsWith("Channel is closed"), "all is told");
});

Deno.test("traceTo() refuses what it cannot trace", () => {
  const server = new Server([]);
  const write = () => {};
  const cases: readonly [unknown, unknown, unknown, string][] = [
    [null, write, undefined, "the target must be a Channel or a Server"],
    [{}, write, undefined, "the target must be a Channel or a Server"],
    [server, "x", undefined, "write must be a function, received string"],
    [server, write, "call", "topics must be an array, received string"],
    [
      server,
      write,
      ["calls"],
      'one of state, resolution, connection, call, received "ca',
    ],
  ];
  for (const [target, write, topics, message] of cases) {
    assertThrows(
      () => traceTo(target as Traced, write as () => void, topics as []),
      TypeError,
      message,
    );
  }
});
