/** Addresses and ports that `deno task test` has no permission for. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Channel, createStub, Status } from "../../client.ts";
import { Server } from "../../server.ts";
import { echo } from "../echo_service.ts";
import { Echo } from "../gen/echo_pb.ts";
import { assertStatus } from "../waiters.ts";
import { soon } from "../waiting.ts";

/** Calls a host and port. */
async function callAt(host: string, port: number): Promise<string> {
  await using channel = new Channel(host, port);
  const reply = await soon(createStub(Echo, channel).unary({ text: "hello" }));
  return reply.text;
}

Deno.test("Server.start() listens on IPv6, with and without brackets", async () => {
  for (const host of ["::1", "[::1]"]) {
    await using server = new Server([echo]);
    await server.start(host);
    assertEquals(server.address, `[::1]:${server.port}`);
    assertEquals(await callAt("::1", server.port!), "hello");
  }
});

Deno.test("Server.start() listens on IPv6 and IPv4 when it is given no host", async () => {
  await using server = new Server([echo]);
  await server.start();
  assertEquals(server.address, `[::]:${server.port}`);
  assertEquals(await callAt("::1", server.port!), "hello");
  assertEquals(await callAt("127.0.0.1", server.port!), "hello");
});

Deno.test("Server.start() listens on IPv6 alone when ipv6Only says so", async () => {
  await using server = new Server([echo]);
  await server.start("::", 0, { ipv6Only: true });
  assertEquals(await callAt("::1", server.port!), "hello");
  await assertStatus(
    Status.UNAVAILABLE,
    () => callAt("127.0.0.1", server.port!),
  );
});

Deno.test("Server.start() shares a port when all that listen on it have reusePort", async () => {
  await using first = new Server([echo]);
  await first.start("127.0.0.1", 0, { reusePort: true });
  const port = first.port!;
  await using second = new Server([echo]);
  await second.start("127.0.0.1", port, { reusePort: true });
  assertEquals(second.port, port);
  await using third = new Server([echo]);
  await assertRejects(() => third.start("127.0.0.1", port));
  for (let i = 0; i < 10; i++) {
    assertEquals(await callAt("127.0.0.1", port), "hello");
  }
  // When one is gone the other has all.
  first.close();
  await soon(first.waitClosed());
  for (let i = 0; i < 10; i++) {
    assertEquals(await callAt("127.0.0.1", port), "hello");
  }
});

Deno.test("Server.start() rejects when a name cannot be resolved", async () => {
  await using server = new Server([echo]);
  const error = await assertRejects(
    () => server.start("no.such.host.invalid"),
    Error,
    "Cannot listen on no.such.host.invalid, port 0: ",
  );
  assert(error.cause instanceof Error);
});

Deno.test({
  name:
    "Server.start() listens in the abstract namespace, where nothing is left",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const name = `grpclib-${crypto.randomUUID()}`;
    const path = `\0${name}`;
    for (let i = 0; i < 2; i++) {
      await using server = new Server([echo]);
      await server.start({ path });
      assertEquals(server.address, `unix-abstract:${name}`);
      await using channel = new Channel(undefined, undefined, { path });
      const { text } = await createStub(Echo, channel).unary({ text: "hello" });
      assertEquals(text, "hello");
      await using second = new Server([echo]);
      await assertRejects(
        () => second.start({ path }),
        Error,
        `Cannot listen on unix-abstract:${name}: `,
      );
    }
  },
});

/** Starts a program with a listening socket as file descriptor 3. */
const WITH_SOCKET = `
import os, socket, sys
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen()
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.execv(sys.argv[1], sys.argv[1:])
`;

const { success: hasPython } = await new Deno.Command("python3", {
  args: ["--version"],
}).output().catch(() => ({ success: false }));

Deno.test({
  name: hasPython
    ? "Server.start() takes a socket that listens already"
    : "Server.start() takes a socket that listens already (skipped: no python3)",
  ignore: !hasPython,
  async fn() {
    const child = new Deno.Command("python3", {
      args: [
        "-c",
        WITH_SOCKET,
        Deno.execPath(),
        "run",
        "--no-prompt",
        "--no-check",
        "--allow-net=127.0.0.1",
        import.meta.resolve("../fd_program.ts"),
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    const { value = "" } = await soon(reader.read());
    const [, port] = /^127\.0\.0\.1:(\d+)\n$/.exec(value) ?? [];
    assertEquals(await callAt("127.0.0.1", Number(port)), "hello");
    await child.stdin.close();
    await reader.cancel();
    assertEquals((await soon(child.status)).code, 0);
  },
});
