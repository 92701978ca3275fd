/** Unix sockets in a folder, their argument, which is made and removed. */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { Channel, createStub, Status } from "../../client.ts";
import { Server } from "../../server.ts";
import { Authority } from "../certificates.ts";
import { echoWith } from "../echo_service.ts";
import { Echo } from "../gen/echo_pb.ts";
import { assertStatus } from "../waiters.ts";
import { soon } from "../waiting.ts";

const FOLDER = Deno.args[0]!;
const PATH = `${FOLDER}/x.sock`;

const service = echoWith({
  unary: (stream) => stream.sendMessage({ text: `${stream.peer}` }),
});

/** Calls at a path; gives whom the server took the client for. */
async function callAt(path: string): Promise<string> {
  await using channel = new Channel(undefined, undefined, { path });
  return (await soon(createStub(Echo, channel).unary({}))).text;
}

Deno.test.beforeAll(() => Deno.mkdir(FOLDER, { recursive: true }));
Deno.test.afterAll(() => Deno.remove(FOLDER, { recursive: true }));

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("Server.start() listens on a unix socket, and Server.close() removes its file", async () => {
  {
    await using server = new Server([service]);
    await server.start({ path: PATH });
    assertEquals([server.address, server.port], [`unix:${PATH}`, null]);
    assert(exists(PATH));
    assertEquals(await callAt(PATH), `unix:${PATH}`);
  }
  assert(!exists(PATH));
});

Deno.test("Server.start() lets the owner alone connect to a unix socket, or whom mode says", async () => {
  for (const mode of [undefined, 0o660, 0o777]) {
    await using server = new Server([service]);
    await server.start({ path: PATH, ...mode === undefined ? {} : { mode } });
    const { mode: found } = await Deno.lstat(PATH);
    assertEquals(found! & 0o777, mode ?? 0o600);
    assertEquals(await callAt(PATH), `unix:${PATH}`);
  }
});

Deno.test("Server.start() takes the path after a host and port that say nothing", async () => {
  await using server = new Server([service]);
  await server.start(undefined, 0, { path: PATH });
  assertEquals(await callAt(PATH), `unix:${PATH}`);
});

Deno.test("Server.start() rejects when a server listens on the path, which does not mind", async () => {
  await using first = new Server([service]);
  await first.start({ path: PATH });
  await using second = new Server([service]);
  const error = await assertRejects(
    () => second.start({ path: PATH }),
    Error,
    `Cannot listen on unix:${PATH}: another server listens on it`,
  );
  assert(error.cause instanceof Error);
  assertEquals(await callAt(PATH), `unix:${PATH}`);
  // It may try elsewhere, and its end is not that of the first.
  await second.start({ path: `${PATH}2` });
  second.close();
  await second.waitClosed();
  assertEquals(await callAt(PATH), `unix:${PATH}`);
});

Deno.test("Server.start() replaces the socket of a server that was killed", async () => {
  const code = `
    const { default: net } = await import("node:net");
    net.createServer().listen(${JSON.stringify(PATH)}, () => {
      Deno.kill(Deno.pid, "SIGKILL");
    });`;
  const { signal } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `data:text/javascript,${encodeURIComponent(code)}`],
  }).output();
  assertEquals(signal, "SIGKILL");
  assert(exists(PATH));
  await using server = new Server([service]);
  await server.start({ path: PATH });
  assertEquals(await callAt(PATH), `unix:${PATH}`);
});

Deno.test("Server.start() rejects when there is a file of that name that is no socket, and leaves it alone", async () => {
  const path = `${FOLDER}/precious`;
  await Deno.writeTextFile(path, "precious");
  await using server = new Server([service]);
  await assertRejects(
    () => server.start({ path }),
    Error,
    `Cannot listen on unix:${path}: there is a file of this name that is no socket`,
  );
  assertEquals(await Deno.readTextFile(path), "precious");
  await Deno.remove(path);
});

Deno.test("Server.start() rejects when the folder is missing", async () => {
  await using server = new Server([service]);
  const error = await assertRejects(
    () => server.start({ path: `${FOLDER}/none/x.sock` }),
    Error,
    `Cannot listen on unix:${FOLDER}/none/x.sock: `,
  );
  assertStringIncludes(error.message, "ENOENT");
});

Deno.test("Server.close() is enough when it is called while a stale socket is looked at", async () => {
  await using first = new Server([service]);
  await first.start({ path: PATH });
  const second = new Server([service]);
  const starting = second.start({ path: PATH });
  starting.catch(() => {});
  second.close();
  await soon(second.waitClosed());
  await assertRejects(() => starting);
  assertEquals(await callAt(PATH), `unix:${PATH}`);
});

Deno.test("Server.start() encrypts connections of a unix socket as well", async () => {
  const authority = new Authority();
  await using server = new Server([service]);
  await server.start({
    path: PATH,
    tls: authority.issue({ commonName: "server" }),
  });
  await using channel = new Channel(undefined, undefined, {
    path: PATH,
    tls: { ca: authority.cert, serverName: "localhost" },
  });
  const { text } = await soon(createStub(Echo, channel).unary({}));
  assertEquals(text, `unix:${PATH}`);
  await assertStatus(Status.UNAVAILABLE, () => callAt(PATH));
});
