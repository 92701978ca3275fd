// A server that restarts, or dies, under a running client. Freed memory is filled
// (MALLOC_PERTURB_), so that who touches it dies of it.

import { assertEquals, assertGreater } from "@std/assert";
import { ChildProcess } from "../_testdata/child_process.ts";
import type { ClientEvent, ServerEvent } from "../_testdata/restart_program.ts";
import { soon } from "../_testdata/waiting.ts";

const RESTARTS = 10;

function start(role: "server" | "client", port: number): ChildProcess {
  const program = import.meta.resolve("../_testdata/restart_program.ts");
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
