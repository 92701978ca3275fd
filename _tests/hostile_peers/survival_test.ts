// Our server and our client as processes, with peers that end their connections
// in every way there is. On Deno 2.9.6 an ordinary GOAWAY is the death of a
// process that uses node:http2 without precautions; MALLOC_PERTURB_ has memory
// filled as it is freed, so that it dies of it for certain.

import { assert, assertEquals } from "@std/assert";
import { Channel, createStub } from "../../client.ts";
import {
  ChildProcess,
  hasNode,
  startPeer,
} from "../../_testdata/child_process.ts";
import type { ClientCommand } from "../../_testdata/echo_program.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { soon } from "../../_testdata/waiting.ts";

const isNodeThere = await hasNode();

const CALLS = 300;
const OPEN = 5;

const ENDS = [
  "close",
  "destroy",
  "destroy with an error",
  "GOAWAY 0",
  "GOAWAY 11",
  "RST_STREAM",
  "cut",
];

/** Starts our server or client where freed memory is not what it was. */
function startOurs(role: "server" | "client"): ChildProcess {
  const program = import.meta.resolve("../../_testdata/echo_program.ts");
  return new ChildProcess(["--allow-net=127.0.0.1", program, role], {
    MALLOC_PERTURB_: "165",
  });
}

async function portOf(program: ChildProcess): Promise<number> {
  return (await soon(program.event<{ port: number }>(), "a port")).port;
}

async function make(ours: ChildProcess, command: ClientCommand): Promise<void> {
  await ours.send(JSON.stringify(command));
  const { made } = await soon(ours.event<{ made: number }>(), "the calls");
  assertEquals(made, command.calls);
}

Deno.test({
  name:
    "Server survives when clients of node:http2 end in any way (needs Node)",
  ignore: !isNodeThere,
  async fn(t) {
    await using ours = startOurs("server");
    const port = await portOf(ours);
    const startClient = () =>
      startPeer("--only-node", "bare_peer.mjs", "client", `${port}`);
    await using peer = startClient();
    for (const open of [0, OPEN]) {
      for (const end of ENDS) {
        await t.step(`${end}, with ${open} calls under way`, async () => {
          await peer.send(JSON.stringify({ calls: CALLS, open, end }));
          const ended = await soon(peer.event(), "the client's end");
          assertEquals(ended, { ended: end, good: CALLS });
        });
      }
      await t.step(`SIGKILL, with ${open} calls under way`, async () => {
        await using victim = startClient();
        const command = { calls: CALLS, open, end: "SIGKILL" };
        await victim.send(JSON.stringify(command));
        assertEquals(await soon(victim.line(), "the client's end"), null);
      });
    }
    await t.step("and serves the next", async () => {
      await using channel = new Channel("127.0.0.1", port);
      const { text } = await soon(
        createStub(Echo, channel).unary({ text: "a" }),
      );
      assertEquals(text, "a");
    });
    assertEquals((await soon(ours.leave(), "the server's end")).code, 0);
  },
});

Deno.test({
  name:
    "Channel survives when servers of node:http2 end in any way (needs Node)",
  ignore: !isNodeThere,
  async fn(t) {
    await using ours = startOurs("client");
    const startServer = () =>
      startPeer("--only-node", "bare_peer.mjs", "server");
    await using peer = startServer();
    const port = await portOf(peer);
    for (const open of [0, OPEN]) {
      for (const end of ENDS) {
        await t.step(`${end}, with ${open} calls under way`, async () => {
          await make(ours, { port, calls: CALLS, open, patient: true });
          await peer.send(JSON.stringify({ end }));
          assertEquals(await soon(peer.event(), "the end"), { ended: end });
        });
      }
      await t.step(`SIGKILL, with ${open} calls under way`, async () => {
        await using victim = startServer();
        const port = await portOf(victim);
        await make(ours, { port, calls: CALLS, open });
        await victim.send(JSON.stringify({ end: "SIGKILL" }));
        assertEquals(await soon(victim.line(), "the server's end"), null);
      });
    }
    await t.step("and calls the next", async () => {
      await make(ours, { port, calls: 30, patient: true });
    });
    assertEquals((await soon(ours.leave(), "the client's end")).code, 0);
  },
});

Deno.test("Server and Channel survive each other's end", async () => {
  await using client = startOurs("client");
  const finish = async (server: ChildProcess): Promise<void> => {
    assertEquals((await soon(server.leave(), "the server's end")).code, 0);
  };
  {
    await using server = startOurs("server");
    const port = await portOf(server);
    for (const open of [0, OPEN]) {
      await make(client, { port, calls: CALLS, open, close: true });
    }
    await make(client, { port, calls: CALLS, open: OPEN });
    await finish(server);
  }
  await using server = startOurs("server");
  await make(client, { port: await portOf(server), calls: CALLS });
  await finish(server);
  const { code } = await soon(client.leave(), "the client's end");
  assert(code === 0);
});
