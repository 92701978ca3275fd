import { assertEquals } from "@std/assert";
import { after } from "../../_testdata/waiting.ts";
import { countRefusal } from "./reclaim.ts";

/** How many refused calls have V8 collect. */
const CALLS = 4_000;

/** Tells whether there is a full collection, within some seconds. */
async function collects(refuse: () => void): Promise<boolean> {
  let isGone = false;
  const registry = new FinalizationRegistry(() => isGone = true);
  registry.register({}, undefined);
  for (let i = 0; i < 250 && !isGone; i++) {
    refuse();
    await after(20);
  }
  return isGone;
}

Deno.test("countRefusal() has V8 collect when many calls were refused", async () => {
  assertEquals(
    await collects(() => {
      for (let i = 0; i < CALLS; i++) countRefusal();
    }),
    true,
  );
});
