// More connections than file descriptors: what a server does when there are none
// left, and when there are some again.

import { assertEquals } from "@std/assert";
import { Channel, createStub } from "../../client.ts";
import { ChildProcess } from "../../_testdata/child_process.ts";
import type { DescriptorsEvent } from "../../_testdata/descriptors_program.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { ENGINE } from "../../_testdata/on_engine.ts";
import { soon } from "../../_testdata/waiting.ts";

const PROGRAM = import.meta.resolve("../../_testdata/descriptors_program.ts");
const RUN_TOOL = import.meta.resolve("../../_testdata/run_tool.ts");

/** How many file descriptors the server has: some twenty are the runtime's. */
const DESCRIPTORS = 64;

/** Starts the server with few descriptors, where freed memory is overwritten. */
function startLimited(): ChildProcess {
  return new ChildProcess([
    ...["-A", RUN_TOOL, "--input", "/bin/sh", "-c"],
    `ulimit -n ${DESCRIPTORS} && exec "$0" "$@"`,
    ...[Deno.execPath(), "run", "--no-prompt", "--allow-net=127.0.0.1"],
    ...[PROGRAM, ENGINE],
  ], { MALLOC_PERTURB_: "165" });
}

Deno.test({
  name:
    "Server tells when there is no file descriptor, and serves again when there is",
  // Elsewhere nobody tells.
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = startLimited();
    const { port } = await soon(server.event<DescriptorsEvent>());
    const conns: Deno.Conn[] = [];
    for (let i = 0; i < 2 * DESCRIPTORS; i++) {
      conns.push(await Deno.connect({ hostname: "127.0.0.1", port: port! }));
    }
    const told = await soon(server.event<DescriptorsEvent>(), "word of it");
    assertEquals(told, { code: "EMFILE", peer: `127.0.0.1:${port}` });
    for (const conn of conns) conn.close();
    await using channel = new Channel("127.0.0.1", port!);
    const stub = createStub(Echo, channel);
    const reply = await soon(
      stub.unary({ text: "a" }, { waitForReady: true }),
      "the server to serve again",
    );
    assertEquals(reply.text, "a");
  },
});
