import { assertEquals } from "@std/assert";
import { ChildProcess } from "../../_testdata/child_process.ts";
import { soon } from "../../_testdata/waiting.ts";

// From about the hundredth stream of a session on a fault shows by itself;
// before, glibc has to be asked to fill what is freed.
for (const calls of [0, 1, 150]) {
  Deno.test(`harden() keeps the process alive when connections end after ${calls} calls`, async () => {
    await using child = new ChildProcess([
      "--allow-net=127.0.0.1",
      import.meta.resolve("../../_testdata/teardown_program.ts"),
      `${calls}`,
    ], { MALLOC_PERTURB_: "165" });
    assertEquals(await soon(child.line(), "the program"), "alive");
    assertEquals((await soon(child.leave())).code, 0);
  });
}
