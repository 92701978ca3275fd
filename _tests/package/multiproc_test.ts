/** `examples/multiproc`: one port, and a process for each core. */

import { assertEquals, assertMatch } from "@std/assert";
import { ChildProcess, freePort } from "../../_testdata/child_process.ts";
import { soon } from "../../_testdata/waiting.ts";

/** Where the programs are. */
function program(name: string): string {
  return import.meta.resolve(`../../examples/multiproc/${name}.ts`);
}

/** Ends a program, unless it has. */
function endOf(program: ChildProcess): void {
  try {
    program.kill("SIGTERM");
  } catch {
    // It has.
  }
}

Deno.test({
  name: "Server.start() with reusePort lets several processes serve one port",
  // Elsewhere all connections go to one of them.
  ignore: Deno.build.os !== "linux",
  async fn() {
    const port = `${freePort()}`;
    await using server = new ChildProcess([
      "--allow-net=127.0.0.1",
      "--allow-run=deno",
      program("server"),
      port,
      "2",
    ]);
    // It does not read its input: without the signal a failure would wait.
    using _ = { [Symbol.dispose]: () => endOf(server) };
    for (let i = 0; i < 2; i++) {
      assertMatch(
        await soon(server.line()) ?? "",
        new RegExp(`^Process \\d+ serves on 127\\.0\\.0\\.1:${port}$`),
      );
    }
    await using client = new ChildProcess([
      "--allow-net=127.0.0.1",
      program("client"),
      port,
    ]);
    assertEquals(
      await soon(client.line()),
      "49 primes, found by 2 processes",
    );
    assertEquals((await soon(client.leave())).code, 0);
    server.kill("SIGTERM");
    assertEquals((await soon(server.leave())).code, 0);
  },
});
