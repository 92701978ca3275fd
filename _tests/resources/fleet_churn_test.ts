// Whatever becomes of servers, connections and what resolvers say: each call
// ends, and nothing is left of a balanced channel. Freed memory is filled.

import { assertEquals, assertGreater } from "@std/assert";
import { ChildProcess } from "../../_testdata/child_process.ts";
import type { FleetChurnReport } from "../../_testdata/fleet_churn_program.ts";
import { soon } from "../../_testdata/waiting.ts";

const SEEDS = 12;

Deno.test("Channel ends each call and leaves nothing behind while servers come and go at random", async () => {
  const program = import.meta.resolve(
    "../../_testdata/fleet_churn_program.ts",
  );
  await using process = new ChildProcess([program, "1", `${SEEDS}`], {
    MALLOC_PERTURB_: "165",
  });
  const { calls, ended, outcomes, left } = await process.event<
    FleetChurnReport
  >();
  assertEquals((await soon(process.leave(), "the end")).code, 0);
  assertEquals(left, []);
  assertEquals(ended, calls);
  // There is some of everything, and nothing else.
  assertEquals(Object.keys(outcomes).sort(), [
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "OK",
    "UNAVAILABLE",
  ]);
  for (const count of Object.values(outcomes)) assertGreater(count, 20);
});
