/** Targets of a channel, with sockets in a folder, the argument. */

import { assertEquals } from "@std/assert";
import dns from "node:dns";
import net from "node:net";
import { Channel, createStub, Status } from "../../client.ts";
import { Server } from "../../server.ts";
import { echoWith } from "../echo_service.ts";
import { Echo } from "../gen/echo_pb.ts";
import { assertTold } from "../connection_failures.ts";
import { assertStatus } from "../waiters.ts";
import { soon } from "../waiting.ts";

const FOLDER = Deno.args[0]!;

const service = echoWith({
  unary: (stream) =>
    stream.sendMessage({ text: `${stream.metadata.get("tag")}` }),
});

Deno.test.beforeAll(() => Deno.mkdir(FOLDER, { recursive: true }));
Deno.test.afterAll(() => Deno.remove(FOLDER, { recursive: true }));

/** Calls a target; gives whom the client took the server for. */
async function call(target: string): Promise<string> {
  await using channel = new Channel(target);
  await using stream = createStub(Echo, channel).unary.open({
    metadata: { tag: "red" },
  });
  await stream.sendMessage({}, { end: true });
  assertEquals((await soon(stream.recvMessage())).text, "red");
  return `${stream.peer}`;
}

Deno.test("Channel calls a server at a unix socket", async () => {
  await using server = new Server([service]);
  const path = `${FOLDER}/t.sock`;
  await server.start({ path });
  for (const target of [`unix:${path}`, `unix://${path}`]) {
    assertEquals(await call(target), `unix:${path}`);
  }
});

Deno.test("Channel tells the caller and inspect() why when there is no unix socket", () =>
  assertTold({
    target: `unix:${FOLDER}/none.sock`,
    reason: /Cannot connect to unix:.*\/none\.sock: .*ENOENT/,
  }));

Deno.test({
  name: "Channel calls a server at an abstract socket",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const name = `grpclib-${crypto.randomUUID()}`;
    await using server = new Server([service]);
    await server.start({ path: `\0${name}` });
    await call(`unix-abstract:${name}`);
  },
});

Deno.test("Channel calls a server by name, whichever of its addresses it listens on", async () => {
  const addresses = await dns.promises.lookup("localhost", { all: true });
  for (const { address: host } of addresses) {
    await using server = new Server([service]);
    await server.start(host);
    const { port } = server;
    const peer = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const targets = [
      `localhost:${port}`,
      `dns:localhost:${port}`,
      `dns:///localhost:${port}`,
      peer,
    ];
    for (const target of targets) assertEquals(await call(target), peer);
  }
});

Deno.test("Channel tells of all addresses when none can be connected to", async () => {
  const probe = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as net.AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  await assertStatus(
    Status.UNAVAILABLE,
    () => call(`localhost:${port}`),
    "ECONNREFUSED",
  );
});

Deno.test("Channel tells the caller and inspect() why when there is no such name", () =>
  assertTold({
    // Too long for a name: nobody is asked.
    target: `${"x".repeat(64)}.invalid:80`,
    reason: /Cannot connect to x+\.invalid:80: .*ENOTFOUND/,
  }));
