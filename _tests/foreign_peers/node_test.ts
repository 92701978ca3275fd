// The library on Node, in one file with all that it needs, as an application
// would have it.

import { assertEquals } from "@std/assert";
import { ChildProcess } from "../../_testdata/child_process.ts";
import { ENGINE } from "../../_testdata/on_engine.ts";
import { named, tool } from "../../_testdata/tools.ts";
import { soon } from "../../_testdata/waiting.ts";

const node = tool("node");

Deno.test({
  name: named("Channel, Server and ChannelFor serve all calls on Node 22", {
    node,
  }),
  ignore: node === null,
  async fn() {
    await using child = new ChildProcess([
      "-A",
      import.meta.resolve("../../_testdata/run_on_node.ts"),
      ...[node!, "_testdata/node_program.ts", ENGINE],
    ]);
    const lines: string[] = [];
    for (let line; (line = await soon(child.line())) !== null;) {
      lines.push(line);
    }
    assertEquals((await soon(child.status)).code, 0, lines.join("\n"));
    assertEquals(lines.at(-1), `done on ${ENGINE}`);
    // Eleven over TCP and as many in memory.
    assertEquals(lines.filter((line) => line.startsWith("ok ")).length, 22);
  },
});
