/** What channels and servers tell of themselves, above all when they fail. */

import net from "node:net";
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  Channel,
  createStub,
  type ResolverAnswer,
  Server,
  Status,
} from "../../mod.ts";
import { echo, PATHS, startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { MemoryFleet } from "../../_testdata/memory_fleet.ts";
import {
  grpcMessage,
  RawConnection,
  requestFields,
} from "../../_testdata/raw_h2.ts";
import { Waiters } from "../../_testdata/waiters.ts";
import { soon, turns, until } from "../../_testdata/waiting.ts";

Deno.test("Server tells its hook of clients that do not speak HTTP/2", async () => {
  const told: string[] = [];
  await using server = new Server([echo], {
    onConnectionError: (error, peer) => {
      assertEquals(peer.addr !== null, true);
      told.push(error.message);
    },
  });
  await server.start("127.0.0.1");
  const socket = net.connect(server.port!, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  await until(() => told.length > 0, "the hook is told");
  socket.destroy();
  assertMatch(told[0]!, /^Connection was ended: /);
  assertEquals(server.inspect().failedConnections[0]!.reason, told[0]);
});

Deno.test("Server tells its hook once of a client that breaks the rules of HTTP/2 while it is served", async () => {
  const told: string[] = [];
  await using it = await startEcho({
    server: { onConnectionError: (error) => told.push(error.message) },
  });
  using client = await RawConnection.open(it.port);
  await client.headers(1, requestFields(PATHS.unary));
  await client.data(1, grpcMessage(new Uint8Array()), { end: true });
  await client.reply(1);
  assertEquals(told, []);
  // On no stream.
  await client.data(0, new Uint8Array(1));
  await until(() => told.length > 0, "the hook is told");
  await until(() => it.server.inspect().connections === 0, "it has ended");
  assertEquals(told.length, 1);
  assertMatch(told[0]!, /^Connection was ended: .*(HTTP\/2|rotocol)/);
  assertEquals(
    it.server.inspect().failedConnections.map(({ reason }) => reason),
    told,
  );
});

Deno.test("Server tells its hook of no client that leaves while it is served, in order or not", async () => {
  const told: string[] = [];
  await using it = await startEcho({
    server: { onConnectionError: (error) => told.push(error.message) },
  });
  for (const code of [0, 2, null]) {
    using client = await RawConnection.open(it.port);
    await client.headers(1, requestFields(PATHS.unary));
    await client.data(1, grpcMessage(new Uint8Array()), { end: true });
    await client.reply(1);
    if (code !== null) await client.goaway(0, code);
    client.close();
    await until(() => it.server.inspect().connections === 0, "it has ended");
  }
  assertEquals(told, []);
});

Deno.test("Channel.inspect() tells what the channel does from its beginning to its end", async () => {
  const own = new Waiters();
  await using it = await startEcho({ handlers: { bidi: own.handlers.bidi } });
  const { channel, server, stub } = it;
  assertEquals(channel.inspect().history, []);
  await stub.unary({});
  await stub.unary({ status: Status.NOT_FOUND }).catch(() => {});
  await using stream = stub.bidi.open();
  await stream.sendMessage({});
  await own.started;
  const seen = channel.inspect();
  assertEquals(seen.state, "READY");
  assertEquals(seen.target, channel.target);
  assertEquals([seen.connections, seen.streams, seen.waitingCalls], [1, 1, 0]);
  assertEquals(seen.calls, { started: 3, succeeded: 1, failed: 1 });
  assertEquals(
    seen.history.map(({ state, reason }) => [state, reason]),
    [["CONNECTING", null], ["READY", null]],
  );
  assertEquals(seen.since, seen.history[1]!.at);
  const there = server.inspect();
  assertEquals(there.state, "SERVING");
  assertEquals(there.address, server.address);
  assertEquals([there.connections, there.streams], [1, 1]);
  assertEquals(there.runningCalls, ["/grpclib.test.Echo/Bidi"]);
  assertEquals(there.calls, { started: 3, succeeded: 1, failed: 1 });
  await soon(channel.close());
  assertEquals(channel.inspect().state, "SHUTDOWN");
  await own.aborted;
  await until(() => server.inspect().calls.failed === 2, "the call is over");
  server.close();
  assertEquals(server.inspect().state, "CLOSING");
});

Deno.test("Channel.inspect() tells when a resolver answered and failed last, and why", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:1");
  let answer: ResolverAnswer | null = { endpoints: ["a:1"] };
  let asked = 0;
  const { channel, call } = fleet.client({
    target: "svc",
    resolver() {
      asked++;
      if (answer === null) throw new Error("no such service");
      return answer;
    },
    balancing: "round_robin",
  });
  const inspect = () => channel.inspect().resolution!;
  const never = { lastAnswer: null, lastFailure: null, lastError: null };
  assertEquals(inspect(), never);
  const begin = Date.now();
  await call();
  const { lastAnswer } = inspect();
  assert(lastAnswer !== null && lastAnswer.getTime() >= begin);
  assertEquals(inspect(), { ...never, lastAnswer });
  // The endpoints count on, and nothing else tells of it.
  answer = null;
  await fleet.clock.advance(60_000);
  await until(() => inspect().lastError !== null, "it has failed");
  const { lastFailure } = inspect();
  assert(lastFailure !== null && lastFailure >= lastAnswer);
  const lastError = "Cannot resolve svc:50051: no such service";
  assertEquals(inspect(), { lastAnswer, lastFailure, lastError });
  assertEquals(channel.state, "READY");
  // It is seen by the times that this is over.
  answer = { endpoints: ["a:1"] };
  await fleet.clock.advance(1_200);
  await until(() => asked === 3, "it is asked again");
  await turns(1);
  assert(inspect().lastAnswer! >= lastFailure);
  assertEquals(inspect().lastError, lastError);
  // A wrong service config is a failure, whose endpoints count.
  answer = { endpoints: ["a:1"], serviceConfig: "{" };
  await fleet.clock.advance(60_000);
  await until(() => inspect().lastError !== lastError, "it has failed");
  assertMatch(inspect().lastError!, /its answer is wrong: serviceConfig /);
});

Deno.test("Channel.inspect() has no resolution where nothing is looked up apart from connecting", async () => {
  await using one = new Channel("127.0.0.1", 50051);
  await using name = new Channel("localhost", 50051);
  await using list = new Channel({
    target: ["127.0.0.1:50051", "127.0.0.1:50052"],
    balancing: "round_robin",
  });
  for (const channel of [one, name, list]) {
    assertEquals(channel.inspect().resolution, null);
  }
});

Deno.test("Channel.inspect() keeps the last 32 changes", async () => {
  await using channel = new Channel({
    connect() {
      throw new Error("the tunnel is down");
    },
    config: { initialReconnectBackoffMs: 1, maxReconnectBackoffMs: 1 },
  });
  const stub = createStub(Echo, channel);
  for (let i = 0; i < 15; i++) {
    await stub.unary({}).catch(() => {});
    await until(() => channel.state === "IDLE", "it may connect again");
  }
  const { history, since } = channel.inspect();
  assertEquals(history.length, 32);
  assertEquals(history.at(-1)!.state, "IDLE");
  assertEquals(history.at(-1)!.at, since);
  assertEquals(history.at(-2)!.state, "TRANSIENT_FAILURE");
});

Deno.test("Server.inspect() keeps the last 32 connections that failed", async () => {
  const told: string[] = [];
  await using server = new Server([echo], {
    config: { maxConnections: 1 },
    onConnectionError: (_error, peer) => told.push(`${peer}`),
  });
  await server.start("127.0.0.1");
  await using first = new Channel("127.0.0.1", server.port!);
  await createStub(Echo, first).unary({});
  for (let i = 1; i <= 34; i++) {
    const socket = net.connect(server.port!, "127.0.0.1");
    socket.on("error", () => {});
    await until(() => told.length === i, "the hook is told");
    socket.destroy();
  }
  const { failedConnections, refusedConnections } = server.inspect();
  assertEquals(refusedConnections, 34);
  assertEquals(failedConnections.map(({ peer }) => `${peer}`), told.slice(-32));
});
