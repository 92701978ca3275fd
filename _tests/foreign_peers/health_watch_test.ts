// A balancer that asks servers of grpc-js, grpcio and grpc-go for their health,
// as gRFC A17 has it.

import { assertEquals } from "@std/assert";
import { Channel, unaryUnary } from "../../mod.ts";
import {
  EchoReplySchema,
  EchoRequestSchema,
} from "../../_testdata/gen/echo_pb.ts";
import { type ChildProcess, startPeer } from "../../_testdata/child_process.ts";
import { named, python, talkTo, tool } from "../../_testdata/tools.ts";
import { soon, until } from "../../_testdata/waiting.ts";

const PYTHON = python();
const GO = tool("health-server");
const PY_SERVER =
  new URL("../../_testdata/health_server.py", import.meta.url).pathname;

const PEERS: readonly {
  readonly name: string;
  readonly isThere: boolean;
  start(...args: string[]): ChildProcess;
}[] = [
  {
    name: "grpc-js",
    isThere: true,
    start: (...args) => startPeer("health_server.mjs", ...args),
  },
  {
    name: named("grpcio", { python: PYTHON }),
    isThere: PYTHON !== null,
    start: (...args) => talkTo(PYTHON!, PY_SERVER, ...args),
  },
  {
    name: named("grpc-go", { "health-server": GO }),
    isThere: GO !== null,
    start: (...args) => talkTo(GO!, ...args),
  },
];

/** Calls some times, and tells which servers have replied. */
async function repliers(channel: Channel): Promise<string> {
  const call = unaryUnary(
    channel,
    "/grpclib.test.Echo/Unary",
    EchoRequestSchema,
    EchoReplySchema,
  );
  const names = new Set<string>();
  for (let i = 0; i < 8; i++) {
    await using stream = call.open();
    await stream.sendMessage({});
    await stream.recvMessage();
    await stream.recvTrailingMetadata();
    names.add(`${stream.trailingMetadata?.get("x-server")}`);
  }
  return [...names].sort().join();
}

/** Waits until the endpoints are in these states. */
function untilStates(channel: Channel, states: readonly string[]) {
  return until(
    () => channel.endpoints.map(({ state }) => state).join() === states.join(),
    `the endpoints are ${states.join()}`,
  );
}

for (const { name, isThere, start } of PEERS) {
  Deno.test({
    name: `Channel leaves out a server that is NOT_SERVING, of ${name}`,
    ignore: !isThere,
    async fn() {
      await using a = start("a");
      await using b = start("b");
      await using c = start("c", "--without-health");
      const ports = [];
      for (const server of [a, b, c]) {
        ports.push(await soon(server.line(), "the server's port"));
      }
      await using channel = new Channel({
        target: ports.map((port) => `127.0.0.1:${port}`),
        balancing: { policy: "round_robin", healthCheck: "grpclib.test.Echo" },
      });
      channel.connect();
      // A server that has no health service is taken for well.
      await untilStates(channel, ["READY", "READY", "READY"]);
      assertEquals(await repliers(channel), "a,b,c");

      await a.send("NOT_SERVING");
      await soon(a.line(), "the status");
      await untilStates(channel, ["TRANSIENT_FAILURE", "READY", "READY"]);
      assertEquals(await repliers(channel), "b,c");

      await b.send("NOT_SERVING");
      await a.send("SERVING");
      await untilStates(channel, ["READY", "TRANSIENT_FAILURE", "READY"]);
      assertEquals(await repliers(channel), "a,c");
    },
  });
}
