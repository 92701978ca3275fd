import net from "node:net";
import { assert, assertEquals, assertFalse } from "@std/assert";
import { after } from "./_testdata/waiting.ts";
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
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    turns,
    log,
    taker,
    pass(ms: number) {
      now += ms;
    },
    /** What was taken in the next turn of the event loop. */
    async turn() {
      await nextTurn();
      return log.splice(0).join(" ");
    },
    /** What is taken until nobody waits any more. */
    async rest() {
      const all: string[] = [];
      for (let idle = 0; idle < 20; idle++) {
        // Timers have a turn as well.
        await after(1);
        if (log.length > 0) idle = 0;
        all.push(...log.splice(0));
      }
      return all.join(" ");
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
  for (const name of ["a1", "a2"]) turns.wait(taker(name, many, 5));
  turns.wait(taker("b1", few, 1));
  assertEquals(await turn(), "a1");
  // Those who do not wait here go first.
  for (let i = 0; i < 4; i++) assertEquals(await turn(), "");
  assertEquals(await turn(), "b1 a2");
  await turn();
});

Deno.test("Turns.wait() has those who want little go ahead of those who want much", async () => {
  const { turns, taker, rest } = setUp();
  for (const name of ["a", "b", "c"]) {
    turns.wait(taker(name, {}, 3), SLICE_WEIGHT);
  }
  turns.wait(taker("small", {}, 0), 1);
  const order = await rest();
  assertEquals(order.slice(0, 6), "small ");
  assertEquals(order.length, "small a b c".length);
});

Deno.test("Turns.wait() gives parties the same time, not as many turns", async () => {
  const { turns, taker, rest } = setUp();
  const [long, short] = [{}, {}];
  for (let i = 0; i < 3; i++) {
    turns.wait(taker("L", long, 3), SLICE_WEIGHT);
  }
  for (let i = 0; i < 9; i++) turns.wait(taker("s", short, 1));
  assertEquals(await rest(), "s s s L s s s L s s s L");
});

Deno.test("Turns.wait() does not forget what somebody had who comes back", async () => {
  const { turns, taker, rest } = setUp();
  const [often, once] = [{}, {}];
  let left = 20;
  const again: Taker = {
    party: often,
    takeTurn() {
      taker("o", often, 1).takeTurn();
      // After its turn, as somebody who waits again.
      if (--left > 0) setImmediate(() => turns.wait(again));
    },
  };
  turns.wait(again);
  for (let i = 0; i < 3; i++) turns.wait(taker("x", once, 1));
  const order = await rest();
  assert(order.lastIndexOf("x") < order.length / 2, order);
});

Deno.test("Turns.leave() has somebody wait no more, and leaves the others their turns", async () => {
  const { turns, taker, rest } = setUp();
  const [one, other] = [{}, {}];
  const gone = [taker("g", one), taker("g", other), taker("g", {})];
  turns.wait(gone[0]!);
  turns.wait(gone[1]!);
  turns.wait(taker("a", one, 5));
  turns.wait(gone[2]!);
  turns.wait(taker("b", other, 5));
  for (const taker of gone) turns.leave(taker);
  turns.leave(taker("x", {}));
  turns.wait(taker("c", {}, 5));
  assertEquals((await rest()).split(" ").sort().join(" "), "a b c");
  turns.wait(gone[2]!);
  assertEquals(await rest(), "g");
});

Deno.test("Turns.leave() may be called during a turn", async () => {
  const { turns, taker, log, rest } = setUp();
  const party = {};
  const gone = [taker("g", {}), taker("g", party)];
  turns.wait({
    party,
    takeTurn() {
      log.push("a");
      for (const taker of gone) turns.leave(taker);
    },
  });
  for (const taker of gone) turns.wait(taker);
  assertEquals(await rest(), "a");
  turns.wait(gone[0]!);
  assertEquals(await rest(), "g");
});

Deno.test("Turns.leave() leaves no timer when nobody waits any more", async () => {
  const { turns, taker, log, pass } = setUp();
  pass(20);
  const gone = taker("g", {});
  const left = Promise.withResolvers<void>();
  turns.wait({
    party: {},
    takeTurn() {
      pass(5);
      // Once the sockets' turn is waited for, with a timer.
      queueMicrotask(() =>
        queueMicrotask(() => {
          turns.leave(gone);
          left.resolve();
        })
      );
    },
  });
  turns.wait(gone);
  await left.promise;
  let ran = false;
  turns.run = () => {
    ran = true;
  };
  await after(5);
  assertFalse(ran);
  assertEquals(log, []);
});

Deno.test("Turns.charge() puts a party behind others", async () => {
  const { turns, taker, rest } = setUp();
  const [charged, other] = [{}, {}];
  turns.charge(charged, 2.5);
  turns.wait(taker("c", charged, 1));
  for (let i = 0; i < 4; i++) turns.wait(taker("o", other, 1));
  assertEquals(await rest(), "o o o c o");
});

Deno.test("Turns.charge() of a party that waits leaves alone who comes later", async () => {
  const { turns, taker, log, rest } = setUp();
  const [charged, busy] = [{}, {}];
  turns.wait({
    party: charged,
    takeTurn() {
      log.push("c");
      turns.wait(taker("late", {}, 1));
    },
  });
  turns.charge(charged, 100);
  for (let i = 0; i < 10; i++) turns.wait(taker("o", busy, 1));
  turns.wait(taker("c", charged, 1));
  assertEquals(await rest(), "c o late o o o o o o o o o c");
});

Deno.test("Turns.charge() counts for a second of others' time at most", async () => {
  const { turns, taker, rest } = setUp();
  const [charged, busy] = [{}, {}];
  for (let i = 0; i < 1000; i++) turns.charge(charged, 5);
  turns.wait(taker("c", charged, 1));
  for (let i = 0; i < 400; i++) turns.wait(taker("o", busy, 3));
  const order = (await rest()).split(" ");
  assertEquals(order.indexOf("c"), 334);
});

Deno.test("Turns.wait() lets sockets be heard while somebody waits all the time", async () => {
  const turns = new Turns();
  let count = 0;
  let isOver = false;
  const last = Promise.withResolvers<void>();
  const busy: Taker = {
    party: {},
    takeTurn() {
      if (isOver) return last.resolve();
      count++;
      const end = performance.now() + 4;
      while (performance.now() < end);
      turns.wait(busy);
    },
  };
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const [client, server] = await Promise.all([
    net.connect(port, "127.0.0.1"),
    listener.accept(),
  ]);
  using _server = server;
  const heard = Promise.withResolvers<void>();
  client.on("data", () => heard.resolve());
  turns.wait(busy);
  await server.write(Uint8Array.of(1));
  await heard.promise;
  isOver = true;
  client.destroy();
  await last.promise; // its timer is no more
  // With immediates alone it takes 61 for each thing that a socket has to tell.
  assert(count < 30, `${count}`);
});
