/** What a program needs, and what it is told when it does not have it. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ChildProcess, freePort } from "../../_testdata/child_process.ts";
import { soon } from "../../_testdata/waiting.ts";

/** Runs the program with permissions, and gives what it wrote. */
async function run(permissions: string[], ...args: string[]) {
  await using child = new ChildProcess([
    ...permissions,
    import.meta.resolve("../../_testdata/least_program.ts"),
    ...args,
  ]);
  const lines: string[] = [];
  for (let line; (line = await soon(child.line())) !== null;) lines.push(line);
  const { code } = await soon(child.leave());
  assertEquals(code, 0);
  return lines;
}

Deno.test("Rule 10, least permission: Server and Channel need the permission for their one port, and no other", async () => {
  const port = freePort();
  assertEquals(await run([`--allow-net=127.0.0.1:${port}`], `${port}`), [
    "server: listening",
    "client: hello",
  ]);
});

Deno.test("Rule 11, runs where node:http2 runs: Server and Channel need no Deno global", async () => {
  const port = freePort();
  const lines = await run(
    [`--allow-net=127.0.0.1:${port}`],
    `${port}`,
    "127.0.0.1",
    "without-deno",
  );
  assertEquals(lines, ["server: listening", "client: hello"]);
});

Deno.test("Server.start() and Channel take a name by the permission for it", async () => {
  const port = freePort();
  assertEquals(
    await run([`--allow-net=localhost:${port}`], `${port}`, "localhost"),
    ["server: listening", "client: hello"],
  );
});

Deno.test("Channel looks a name up and connects to its addresses where all are permitted", async () => {
  const port = freePort();
  const hosts = ["localhost", "127.0.0.1", "[::1]"].map((it) =>
    `${it}:${port}`
  );
  assertEquals(
    await run([`--allow-net=${hosts}`], `${port}`, "localhost"),
    ["server: listening", "client: hello"],
  );
});

Deno.test("Server.start() and calls name the flag when there is no permission for a name", async () => {
  const port = freePort();
  const permission = `--allow-net=127.0.0.1:${port}`;
  const needed =
    `Requires net access to "localhost:${port}", run again with the --allow-net flag`;
  const [server, client] = await run([permission], `${port}`, "localhost");
  assertEquals(
    server,
    `server: Error: Cannot listen on localhost, port ${port}: ${needed}`,
  );
  assertStringIncludes(client!, `Cannot connect to localhost:${port}`);
  assertStringIncludes(client!, needed);
});

Deno.test("Server.start() rejects and calls fail with UNAVAILABLE when there is no permission", async () => {
  const port = freePort();
  const [server, client] = await run(["--allow-net=127.0.0.1:1"], `${port}`);
  assertMatch(
    server!,
    /^server: Error: Cannot listen on 127\.0\.0\.1, port \d+: Requires net access/,
  );
  assertMatch(
    client!,
    /^client: StreamTerminatedError \[UNAVAILABLE\]: Cannot connect to 127\.0\.0\.1:\d+: Requires net access/,
  );
});
