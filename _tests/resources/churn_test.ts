// After five hundred channels in memory, torn down with their calls in any
// state, nothing is left: no connection, no deadline, no resource of the
// process, and no more memory than before.

import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { ChildProcess } from "../../_testdata/child_process.ts";
import type { ChurnReport } from "../../_testdata/churn_program.ts";
import { soon } from "../../_testdata/waiting.ts";

const ROUNDS = 500;
const CALLS_PER_ROUND = 5;

/** What the heap may grow by, in KiB: less than two for each channel. */
const MOST_GROWTH_KIB = 900;

Deno.test("ChannelFor() leaves nothing behind when it is set up and torn down five hundred times", async () => {
  const program = import.meta.resolve("../../_testdata/churn_program.ts");
  // Without any permission, and where freed memory is not what it was.
  await using process = new ChildProcess([
    "--v8-flags=--expose-gc",
    program,
    `${ROUNDS}`,
  ], { MALLOC_PERTURB_: "165" });
  const { before, after, ends } = await process.event<ChurnReport>();
  assertEquals((await soon(process.leave(), "the end")).code, 0);

  assertEquals(ends["well"]! + ends["badly"]!, ROUNDS * CALLS_PER_ROUND);
  assertGreater(ends["badly"]!, ROUNDS);
  const { "KiB of heap": heapBefore, "KiB in all": _, ...countsBefore } =
    before;
  const { "KiB of heap": heapAfter, "KiB in all": _all, ...countsAfter } =
    after;
  assertEquals(countsAfter, countsBefore);
  assertEquals(countsAfter["connections"], 0);
  assertLess(heapAfter! - heapBefore!, MOST_GROWTH_KIB);
});
