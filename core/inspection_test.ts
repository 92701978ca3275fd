import { assertEquals } from "@std/assert";
import { lastReason } from "./inspection.ts";

/** A history of changes: when they were, and why. */
function history(...changes: readonly (readonly [number, string | null])[]) {
  return {
    changes: changes.map(([at, reason]) => ({ at, state: "IDLE", reason })),
  };
}

Deno.test("lastReason() gives the latest reason, in whichever history it is", () => {
  const early = history([1, "a"], [5, "b"], [9, null]);
  const late = history([2, "c"], [7, "d"]);
  assertEquals(lastReason([early, late]), "d");
  assertEquals(lastReason([late, early]), "d");
  assertEquals(lastReason([history([1, "a"]), history([1, "b"])]), "b");
  assertEquals(lastReason([history(), history([3, null])]), null);
  assertEquals(lastReason([]), null);
});
