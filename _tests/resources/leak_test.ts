// After twenty thousand calls nothing is left: no stream, no session, no timer,
// no deadline, no listener, and no more memory than before.

import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { Status } from "../../core/status.ts";
import { ChildProcess } from "../../_testdata/child_process.ts";
import type { LeakReport } from "../../_testdata/leak_program.ts";

const CALLS = 20_000;

/** What the heap may grow by, in KiB: a tenth of a KiB for each call. */
const MOST_GROWTH_KIB = CALLS / 10;

Deno.test("Channel and Server leave nothing behind when calls of all kinds end in all ways", async () => {
  const program = import.meta.resolve("../../_testdata/leak_program.ts");
  await using process = new ChildProcess([
    "--allow-net=127.0.0.1",
    "--v8-flags=--expose-gc",
    program,
    `${CALLS}`,
  ]);
  const { before, busy, after, outcomes } = await process.event<LeakReport>();

  assertEquals(outcomes, {
    [Status.OK]: CALLS * 0.8,
    [Status.CANCELLED]: CALLS * 0.095,
    [Status.DEADLINE_EXCEEDED]: CALLS * 0.005,
    [Status.NOT_FOUND]: CALLS * 0.1,
  });
  // The counters count.
  for (
    const name of [
      "streams of the client",
      "streams of the server",
      "deadlines",
      "timers",
      "listeners on the caller's signal",
    ]
  ) {
    assertEquals(before[name], 0, name);
    assertGreater(busy[name]!, 0, name);
  }
  const { "KiB of heap": heapBefore, ...countsBefore } = before;
  const { "KiB of heap": heapAfter, ...countsAfter } = after;
  assertEquals(countsAfter, countsBefore);
  assertLess(heapAfter! - heapBefore!, MOST_GROWTH_KIB);
});
