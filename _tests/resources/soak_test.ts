// What a server bears, in short; `deno task soak` has the same for long.

import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { ChildProcess } from "../../_testdata/child_process.ts";
import { ENGINE } from "../../_testdata/on_engine.ts";
import {
  measureCalls,
  measureChannels,
  measureConnections,
  storm,
} from "../../_testdata/soak.ts";

Deno.test("Server keeps at most 32 KiB for a connection that does nothing", async () => {
  const { bytes } = await measureConnections(300);
  assertLess(bytes, 32 * 1024);
});

Deno.test("Channel and Server keep at most 24 KiB for a connection that does nothing after a call", async () => {
  // What is compiled meanwhile is counted as well: the least of some is theirs.
  const least = { client: Infinity, server: Infinity };
  for (let i = 0; i < 3; i++) {
    const { client, server } = await measureChannels(300);
    least.client = Math.min(least.client, client);
    least.server = Math.min(least.server, server);
  }
  assertLess(least.client, 24 * 1024);
  assertLess(least.server, 24 * 1024);
});

Deno.test({
  name: "Server keeps at most 4 KiB for a call that waits",
  // node:http2 keeps more.
  ignore: ENGINE === "node",
  async fn() {
    assertLess(await measureCalls(2_000), 4 * 1024);
  },
});

Deno.test("NativeStream takes at most 2 KiB when it waits, on both sides together", async () => {
  // What is compiled meanwhile is counted as well: the least of some is theirs.
  const sizes: number[] = [];
  for (let i = 0; i < 3; i++) {
    await using child = new ChildProcess([
      "--v8-flags=--expose-gc",
      import.meta.resolve("../../_testdata/stream_memory_program.ts"),
    ]);
    sizes.push(await child.event<number>());
  }
  assertLess(Math.min(...sizes), 2 * 1024);
});

Deno.test("Channel cancels 200 calls a second, and hurts none of the others", async () => {
  const { cancelled, served, messages, hurt } = await storm(200, 2);
  assertEquals(hurt, []);
  assertEquals(cancelled, 400);
  assertGreater(served, 0);
  assertGreater(messages, 0);
});
