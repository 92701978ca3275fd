import process from "node:process";
import { assertEquals } from "@std/assert";
import { inNextTurn } from "./next_turn.ts";

const immediate = () => new Promise((resolve) => setImmediate(resolve));

Deno.test("inNextTurn() calls all in one immediate, in order", async () => {
  const log: string[] = [];
  const say = (what: string) => {
    log.push(what);
    // Between two immediates there would be a tick.
    process.nextTick(() => log.push("tick"));
  };
  for (const what of ["a", "b", "c"]) inNextTurn(say, what);
  assertEquals(log, []);
  await immediate();
  assertEquals(log, ["a", "b", "c", "tick", "tick", "tick"]);
});

Deno.test("inNextTurn() leaves what is asked for meanwhile to the turn after", async () => {
  const log: string[] = [];
  inNextTurn(() => {
    log.push("first");
    inNextTurn(() => log.push("second"), null);
  }, null);
  await immediate();
  assertEquals(log, ["first"]);
  await immediate();
  assertEquals(log, ["first", "second"]);
});
