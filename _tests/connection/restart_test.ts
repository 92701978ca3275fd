// A server that restarts, or dies, under a running client. Freed memory is filled
// (MALLOC_PERTURB_), so that who touches it dies of it.

import {
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
} from "@std/assert";
import { ChildProcess } from "../../_testdata/child_process.ts";
import type {
  ClientEvent,
  ServerEvent,
} from "../../_testdata/restart_program.ts";
import { soon } from "../../_testdata/waiting.ts";

const RESTARTS = 10;

function start(role: "server" | "client", port: number): ChildProcess {
  const program = import.meta.resolve("../../_testdata/restart_program.ts");
  return new ChildProcess(
    ["--allow-net=127.0.0.1", program, role, `${port}`],
    { MALLOC_PERTURB_: "165" },
  );
}

Deno.test("Channel loses none of 1000 calls in flight, and has none run twice, while its server restarts ten times", async () => {
  await using server = start("server", 0);
  const { port } = await soon(server.event<ServerEvent>(), "the server");
  await using client = start("client", port!);
  const { inFlight } = await soon(client.event<ClientEvent>(), "the client");
  assertEquals(inFlight, 1000);
  for (let i = 0; i < RESTARTS; i++) {
    await server.send("restart");
    await soon(server.event<ServerEvent>(), "the restart");
  }
  await client.send("count");
  assertEquals((await soon(client.event<ClientEvent>())).inFlight, 1000);
  await client.send("end");
  const { good, failures } = await soon(client.event<ClientEvent>());
  assertEquals(failures, []);
  assertGreater(good!, 1300 * RESTARTS);
  assertEquals((await soon(client.leave())).code, 0);
  await server.send("end");
  const { ran, twice } = await soon(server.event<ServerEvent>());
  assertEquals(twice, []);
  assertEquals(ran, good);
  assertEquals((await soon(server.leave())).code, 0);
});

Deno.test("Server goes on when a client is killed in the midst of 1000 calls", async () => {
  await using server = start("server", 0);
  const { port } = await soon(server.event<ServerEvent>(), "the server");
  for (const end of ["SIGKILL", null] as const) {
    await using client = start("client", port!);
    await soon(client.event<ClientEvent>(), "the client");
    await server.send("restart");
    await soon(server.event<ServerEvent>(), "calls");
    if (end !== null) {
      client.kill(end);
      assertEquals((await soon(client.leave())).signal, end);
      continue;
    }
    await client.send("end");
    const { failures } = await soon(client.event<ClientEvent>());
    assertEquals(failures, []);
  }
  assertEquals((await soon(server.leave())).code, 0);
});

Deno.test("Channel goes on when its server is killed and restarted", async () => {
  await using first = start("server", 0);
  const { port } = await soon(first.event<ServerEvent>(), "the server");
  await using client = start("client", port!);
  await soon(client.event<ClientEvent>(), "the client");
  await first.send("restart");
  await soon(first.event<ServerEvent>(), "calls");
  first.kill("SIGKILL");
  assertEquals((await soon(first.leave())).signal, "SIGKILL");
  await using second = start("server", port!);
  await soon(second.event<ServerEvent>(), "the server");
  // It takes calls before it restarts.
  await second.send("restart");
  await soon(second.event<ServerEvent>(), "calls");
  await client.send("end");
  const { failures } = await soon(client.event<ClientEvent>());
  // Those that the server had begun with, which nobody else may run.
  assertLess(failures!.length, 1001);
  for (const failure of failures!) {
    assertMatch(failure, /\[UNAVAILABLE\]: Connection to .* was lost/);
  }
  assertEquals((await soon(client.leave())).code, 0);
  assertEquals((await soon(second.leave())).code, 0);
});
