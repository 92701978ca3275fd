// Calls of every shape end in every way, once, for whoever observes them, and
// leave nothing behind. `deno task ends` does it with 100 000 calls.

import { assertEquals, assertGreater } from "@std/assert";
import { ChildProcess } from "../../_testdata/child_process.ts";
import type { EndsReport } from "../../_testdata/ends_program.ts";
import { soon } from "../../_testdata/waiting.ts";

const CALLS = 1_500;

const WAYS = ["observers", "events", "middleware", "spans", "all"];

/** How callers see their calls end, all of it in each round. */
const OUTCOMES = [
  "CANCELLED",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "OK",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "The source is broken",
  "UNAVAILABLE",
  "UNIMPLEMENTED",
  "UNKNOWN",
];

for (const http2 of ["node", "native"]) {
  Deno.test(`as many calls end as begin, for all who observe them, and no context is kept, on the engine "${http2}"`, async () => {
    await using process = new ChildProcess([
      "--allow-net=127.0.0.1",
      "--v8-flags=--expose-gc",
      import.meta.resolve("../../_testdata/ends_program.ts"),
      ...[`${CALLS}`, http2],
    ], { MALLOC_PERTURB_: "165" });
    for (const expected of WAYS) {
      const report: EndsReport = JSON.parse((await process.line())!);
      const { way, counts, outcomes, lookedAt, problems } = report;
      assertEquals(problems, [], way);
      assertEquals(way, expected);
      // Something was counted.
      for (const side of ["client", "server"]) {
        const [began, ended] = counts[`inspect() of the ${side}`]!;
        assertEquals(began, ended);
        assertGreater(began, CALLS / WAYS.length / 2);
      }
      assertEquals(Object.keys(outcomes).sort(), OUTCOMES);
      assertGreater(lookedAt, 10);
    }
    assertEquals((await soon(process.leave())).code, 0);
  });
}
