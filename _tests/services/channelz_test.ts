/**
 * Channelz as foreign tools see it: grpcurl, a reader in Go that goes the way of
 * grpcdebug, and the stubs of grpcio-channelz, by which it is compared with that
 * of C-core.
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { Channelz } from "../../admin/mod.ts";
import { Channel, createStub, Server, Status } from "../../mod.ts";
import { ServerReflection } from "../../reflection/mod.ts";
import { ChannelFor } from "../../testing/mod.ts";
import { ChildProcess } from "../../_testdata/child_process.ts";
import { echo } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { soon } from "../../_testdata/waiting.ts";
import {
  named,
  python as findPython,
  runTool,
  tool,
  versionOf,
} from "../../_testdata/tools.ts";

const grpcurl = tool("grpcurl");
const channelzReader = tool("channelz-reader");
const hasStubs = versionOf("python")?.includes("grpcio-channelz") ?? false;
const grpcioChannelz = hasStubs ? findPython() : null;

const READER =
  new URL("../../_testdata/channelz_reader.py", import.meta.url).pathname;

/** A server that shows itself and a channel to it, which was called on. */
async function startShown() {
  const channelz = new Channelz();
  const services = ServerReflection.extend([echo, channelz]);
  const server = new Server(services);
  await server.start("127.0.0.1");
  const channel = new Channel("127.0.0.1", server.port!);
  channelz.add(channel);
  for (let i = 0; i < 3; i++) await createStub(Echo, channel).unary({});
  return {
    channelz,
    address: `127.0.0.1:${server.port}`,
    async [Symbol.asyncDispose]() {
      await channel.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

Deno.test({
  name: named("Channelz answers grpcurl", { grpcurl }),
  ignore: grpcurl === null,
  async fn() {
    await using shown = await startShown();
    const ask = async (method: string, request: unknown) => {
      const { code, stdout, stderr } = await runTool(grpcurl!, [
        ...["-plaintext", "-d", JSON.stringify(request), shown.address],
        `grpc.channelz.v1.Channelz/${method}`,
      ]);
      assertEquals(code, 0, stderr);
      return JSON.parse(stdout);
    };
    const { channel: [channel], end } = await ask("GetTopChannels", {});
    assertEquals(end, true);
    assertEquals(channel.data.state, { state: "READY" });
    assertEquals(channel.data.target, shown.address);
    assertEquals(channel.data.callsSucceeded, "3");
    const [{ subchannelId }] = channel.subchannelRef;
    const { subchannel } = await ask("GetSubchannel", { subchannelId });
    const [{ socketId }] = subchannel.socketRef;
    const { socket } = await ask("GetSocket", { socketId });
    assertEquals(socket.data.streamsSucceeded, "3");
    assertEquals(socket.data.messagesSent, "3");
    assertMatch(socket.data.lastMessageSentTimestamp, /^\d{4}-/);
    const { server: [server] } = await ask("GetServers", {});
    const { serverId } = server.ref;
    const { socketRef } = await ask("GetServerSockets", { serverId });
    assert(socketRef.length >= 1);
  },
});

/** What C-core sets and this library does not, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "data.keep_alives_sent": "C-core counts PINGs that measure the bandwidth",
};

Deno.test({
  name: named(
    "Channelz sets the fields that C-core sets, and is read by the stubs of grpcio-channelz",
    { grpcioChannelz },
  ),
  ignore: grpcioChannelz === null,
  async fn() {
    await using shown = await startShown();
    const read = async (...args: string[]) => {
      const { code, stdout, stderr } = await runTool(grpcioChannelz!, [
        READER,
        ...args,
      ]);
      assertEquals(code, 0, stderr);
      return JSON.parse(stdout) as Record<string, string[]>;
    };
    const [ours, core] = await Promise.all([read(shown.address), read()]);
    const kinds = Object.keys(core);
    assertEquals(Object.keys(ours), kinds);
    assert(kinds.length === 7, `${kinds}`);
    assertEquals(ours["missing"], core["missing"]);
    for (const kind of kinds.filter((it) => it !== "missing")) {
      const missing = core[kind]!.filter((field) =>
        !ours[kind]!.includes(field) && !(field in LEFT_OUT)
      );
      assertEquals(missing, [], kind);
    }
  },
});

Deno.test({
  name: named("Channelz shows nothing that would have grpcdebug end itself", {
    channelzReader,
  }),
  ignore: channelzReader === null,
  async fn() {
    await using shown = await startShown();
    // Neither has an address.
    await using inMemory = new ChannelFor([echo]);
    await createStub(Echo, inMemory).unary({});
    shown.channelz.add(inMemory);
    shown.channelz.add(inMemory.server);
    // The state is looked at before the next attempt.
    await using unreachable = new Channel("127.0.0.1", 1, {
      config: { initialReconnectBackoffMs: 60_000 },
    });
    await assertStatus(
      Status.UNAVAILABLE,
      () => createStub(Echo, unreachable).unary({}),
    );
    shown.channelz.add(unreachable);
    const { code, stdout, stderr } = await runTool(channelzReader!, [
      shown.address,
    ]);
    assertEquals(code, 0, stderr);
    const { address } = shown;
    for (
      const line of [
        `channel ${address} READY 3/3/0`,
        `subchannel ${address} READY 3/3/0`,
        `->${address} 3/3/0 3/3`,
        "event CT_INFO Channel state change to READY",
        `socket ${address}->0.0.0.0:0 0/0/0 0/0`,
        `channel 127.0.0.1:1 TRANSIENT_FAILURE 1/0/1`,
        "event CT_WARNING Channel state change to TRANSIENT_FAILURE: Cannot connect",
        "socket 0.0.0.0:0->0.0.0.0:0 1/1/0 1/1",
        "server 1/1/0",
      ]
    ) assertStringIncludes(stdout, line);
  },
});

Deno.test("Channelz has no channel or server live longer that it shows", async () => {
  await using process = new ChildProcess([
    "--allow-net=127.0.0.1",
    "--v8-flags=--expose-gc",
    import.meta.resolve("../../_testdata/forgotten_program.ts"),
  ]);
  const lines: (string | null)[] = [];
  for (let i = 0; i < 3; i++) lines.push(await soon(process.line()));
  assertEquals((await soon(process.leave())).code, 0);
  assertEquals(lines, [
    // That of the program itself is there before and after.
    "2 channels, 2 servers",
    "0 channels, 1 servers",
    "0",
  ]);
});
