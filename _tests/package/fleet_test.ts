/** `examples/fleet`: a supervisor, its servers on one port, and a client. */

import { assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { Channel, createStub } from "../../client.ts";
import { Greeter } from "../../examples/helloworld/gen/helloworld_pb.ts";
import { ChildProcess, freePort } from "../../_testdata/child_process.ts";
import { runTool } from "../../_testdata/tools.ts";
import { soon } from "../../_testdata/waiting.ts";

/** Where the programs are. */
function program(name: string): string {
  return import.meta.resolve(`../../examples/fleet/${name}.ts`);
}

/** Starts the supervisor of so many servers. */
async function supervise(port: number, count: number) {
  const supervisor = new ChildProcess([
    "--allow-run=deno",
    program("supervisor"),
    ...[`${count}`, `--port=${port}`, "--drain-ms=300", "--grace-ms=5000"],
  ]);
  assertEquals(
    await soon(supervisor.line(), "the servers to start"),
    `${count} servers are there`,
  );
  return {
    supervisor,
    async [Symbol.asyncDispose]() {
      // It does not read its input, and may have ended.
      try {
        supervisor.kill("SIGTERM");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
      await supervisor.leave();
    },
  };
}

/** Starts a client that calls until it gets SIGINT. */
async function call(port: number) {
  const client = new ChildProcess([
    "--allow-net=127.0.0.1",
    program("client"),
    `127.0.0.1:${port}`,
  ]);
  assertMatch(await soon(client.line(), "a first call") ?? "", /^Calling /);
  return client;
}

const TOOK_PLACE = /^Process (\d+) took the place of (\d+)$/;

Deno.test({
  name: "examples/fleet restarts servers one by one and loses no call",
  // Elsewhere all connections go to one of them.
  ignore: Deno.build.os !== "linux",
  async fn() {
    const port = freePort();
    await using fleet = await supervise(port, 2);
    const { supervisor } = fleet;
    await using client = await call(port);
    const processes = new Set<string>();
    for (let round = 0; round < 2; round++) {
      supervisor.kill("SIGHUP");
      for (let i = 0; i < 2; i++) {
        const line = await soon(supervisor.line(), "a restart") ?? "";
        assertMatch(line, TOOK_PLACE);
        for (const pid of TOOK_PLACE.exec(line)!.slice(1)) processes.add(pid);
      }
      assertEquals(await soon(supervisor.line()), "All servers are restarted");
    }
    client.kill("SIGINT");
    assertMatch(
      await soon(client.line()) ?? "",
      /^0 of [1-9]\d* calls failed; [2-6] servers answered$/,
    );
    assertEquals((await soon(client.leave())).code, 0);
    // Two at the start, and two for each of the rounds.
    assertEquals(processes.size, 6);
    supervisor.kill("SIGTERM");
    assertEquals((await soon(supervisor.leave())).code, 0);
  },
});

Deno.test({
  name: "examples/fleet starts a server again that has ended by itself",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const port = freePort();
    await using fleet = await supervise(port, 1);
    const { supervisor } = fleet;
    // Says who is there.
    supervisor.kill("SIGHUP");
    const line = await soon(supervisor.line(), "a restart") ?? "";
    assertMatch(line, TOOK_PLACE);
    assertEquals(await soon(supervisor.line()), "All servers are restarted");
    const [, pid] = TOOK_PLACE.exec(line)!;
    // Who may run Deno alone may not send signals.
    await runTool(Deno.execPath(), ["eval", `Deno.kill(${pid}, "SIGKILL")`]);
    assertEquals(
      await soon(supervisor.line()),
      `Process ${pid} has ended by itself, with 137`,
    );
    await using channel = new Channel("127.0.0.1", port, {
      waitForReady: true,
    });
    const greeter = createStub(Greeter, channel);
    const { message } = await soon(greeter.sayHello({ name: "Ada" }));
    assertMatch(message, /^Hello, Ada, from process \d+!$/);
    assertNotMatch(message, new RegExp(`process ${pid}!`));
  },
});
