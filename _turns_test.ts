import { assert, assertEquals, assertFalse } from "@std/assert";
import { SLICE_WEIGHT, type Taker, Turns } from "./_turns.ts";

/** A time that is what a test says, and turns that go by it. */
function setUp() {
  let now = 0;
  const log: string[] = [];
  const turns = new Turns(() => now);
  const taker = (name: string, party: object, costMs = 0): Taker => ({
    party,
    takeTurn() {
      log.push(name);
      now += costMs;
    },
  });
  return {
    turns,
    log,
    taker,
    pass(ms: number) {
      now += ms;
    },
    /** What was taken in the next turn of the event loop. */
    async turn() {
      await new Promise((resolve) => setImmediate(resolve));
      return log.splice(0).join(" ");
    },
  };
}

Deno.test("Turns.mayTake() says yes for as long as a turn lasts, and yes again in the next", async () => {
  const { turns, pass, turn } = setUp();
  // It is not known yet how long the turn has lasted.
  pass(9);
  assert(turns.mayTake(SLICE_WEIGHT));
  pass(1);
  assert(turns.mayTake(SLICE_WEIGHT));
  pass(9);
  assertFalse(turns.mayTake(SLICE_WEIGHT));
  await turn();
  assert(turns.mayTake(SLICE_WEIGHT));
  await turn();
});

Deno.test("Turns.mayTake() does not look at the clock for each small message", async () => {
  let looks = 0;
  const turns = new Turns(() => ++looks);
  for (let i = 0; i < 10 * SLICE_WEIGHT; i++) turns.mayTake(1);
  assert(looks <= 11, `${looks}`);
  await new Promise((resolve) => setImmediate(resolve));
});

Deno.test("Turns.mayTake() says no while others wait", async () => {
  const { turns, taker, turn } = setUp();
  turns.wait(taker("a", {}));
  assertFalse(turns.mayTake(1));
  assertEquals(await turn(), "a");
  await turn();
  assert(turns.mayTake(1));
});

Deno.test("Turns.wait() gives turns to parties one after another", async () => {
  const { turns, taker, turn } = setUp();
  const [many, few] = [{}, {}];
  for (const name of ["a1", "a2", "a3"]) turns.wait(taker(name, many));
  turns.wait(taker("b1", few));
  assertEquals(await turn(), "a1 b1 a2 a3");
  await turn();
});

Deno.test("Turns.wait() leaves the rest to the next turn of the event loop when this one was long", async () => {
  const { turns, taker, turn } = setUp();
  const [many, few] = [{}, {}];
  for (const name of ["a1", "a2"]) turns.wait(taker(name, many, 10));
  turns.wait(taker("b1", few, 1));
  assertEquals(await turn(), "a1");
  // Those who do not wait here go first.
  for (let i = 0; i < 4; i++) assertEquals(await turn(), "");
  assertEquals(await turn(), "b1 a2");
  await turn();
});
