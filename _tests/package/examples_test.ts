/** The examples that have a server and a client: run as their users run them. */

import { assertEquals, assertMatch } from "@std/assert";
import { ChildProcess } from "../../_testdata/child_process.ts";

/** All that a program still says. */
async function restOf(program: ChildProcess): Promise<string[]> {
  const lines: string[] = [];
  for (
    let line = await program.line();
    line !== null;
    line = await program.line()
  ) lines.push(line);
  return lines;
}

/** Runs an example, and gives what its client and then its server said. */
async function runExample(name: string): Promise<[string[], string[]]> {
  const path = (file: string): string =>
    new URL(`../../examples/${name}/${file}.ts`, import.meta.url).pathname;
  const net = "--allow-net=127.0.0.1";
  const server = new ChildProcess([net, path("server"), "0"]);
  try {
    const [, port] = /^Serving on .*:(\d+)$/.exec((await server.line())!)!;
    await using client = new ChildProcess([net, path("client"), port!]);
    const said = await restOf(client);
    assertEquals((await client.status).code, 0);
    server.kill("SIGTERM");
    return [said, await restOf(server)];
  } catch (error) {
    server.kill("SIGKILL");
    throw error;
  } finally {
    await server.leave();
  }
}

Deno.test("examples/auth lets in who has a token", async () => {
  const [said] = await runExample("auth");
  assertEquals(said, [
    "Hello, you! You are Ada.",
    "UNAUTHENTICATED: A valid token is needed",
    "UNAUTHENTICATED: A valid token is needed",
  ]);
});

Deno.test("examples/tracing has one id on both sides of a call", async () => {
  const [said, heard] = await runExample("tracing");
  assertEquals(said.length, 2);
  assertMatch(
    said[1]!,
    /^\[call-2\] \/helloworld\.Greeter\/SayHello OK [\d.]+ ms$/,
  );
  assertEquals(heard, [
    "[call-1] greeting Ada",
    "[call-1] /helloworld.Greeter/SayHello ended with OK",
    "[call-2] greeting Grace",
    "[call-2] /helloworld.Greeter/SayHello ended with OK",
  ]);
});

Deno.test("examples/json_codec carries messages without Protocol Buffers", async () => {
  const [said] = await runExample("json_codec");
  assertEquals(said, ["ping? pong!"]);
});

Deno.test("examples/health tells each change to who watches", async () => {
  const [said] = await runExample("health");
  assertEquals(said, ["SERVING", "NOT_SERVING", "SERVING"]);
});
