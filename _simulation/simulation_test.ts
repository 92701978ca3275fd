/** The simulation, small, and what it has to show. */

import { assert, assertEquals, assertLess } from "@std/assert";
import { SimulatedClock } from "./clock.ts";
import { newServers, overload, slowServer, spread } from "./scenarios.ts";

const SMALL = { clients: 40, backends: 10 };

Deno.test("SimulatedClock fires what is due, in the order of time, then of planning", async () => {
  const clock = new SimulatedClock();
  const fired: (readonly [string, number])[] = [];
  const plan = (name: string, delayMs: number) =>
    clock.setTimeout(() => fired.push([name, clock.now()]), delayMs);
  plan("c", 30);
  plan("a", 10);
  clock.clearTimeout(plan("never", 15));
  plan("b", 10);
  clock.setTimeout(() => plan("d", 5), 30);
  plan("late", 50);
  await clock.runUntil(40);
  assertEquals(fired, [["a", 10], ["b", 10], ["c", 30], ["d", 35]]);
  assertEquals(clock.now(), 40);
});

Deno.test("SimulatedClock waits for promises that were settled", async () => {
  const clock = new SimulatedClock();
  const { promise, resolve } = Promise.withResolvers<void>();
  const order: string[] = [];
  void (async () => {
    await promise;
    order.push("promise");
  })();
  clock.setTimeout(() => {
    resolve();
    clock.settle();
  }, 1);
  clock.setTimeout(() => order.push("event"), 1);
  await clock.runUntil(1);
  assertEquals(order, ["promise", "event"]);
});

Deno.test("round_robin spreads calls evenly, pick_first does not", async () => {
  const even = await spread(SMALL, "round_robin");
  const uneven = await spread(SMALL, "pick_first");
  assertLess(even.deviation, 0.02);
  assert(uneven.deviation > 0.2);
});

Deno.test("round_robin spreads the calls of many clients that have few each", async () => {
  const { deviation } = await spread(
    { clients: 1_000, backends: 20 },
    "round_robin",
  );
  assertLess(deviation, 0.1);
});

Deno.test("least_request sends fewer calls to a slow server than round_robin", async () => {
  // Of few clients each has calls enough to see the difference.
  const size = { clients: 2, backends: 10 };
  const blind = await slowServer(size, "round_robin");
  const seeing = await slowServer(size, "least_request");
  assert(blind.share > 0.95);
  assertLess(seeing.share, 0.6);
  assertLess(seeing.failed, blind.failed);
});

Deno.test("new servers have their share within one refresh, and no call fails", async () => {
  const [added, restarted] = await newServers(SMALL);
  assertLess(added!.all, 63);
  assertLess(restarted!.all, 20);
  assertEquals([added!.failed, restarted!.failed], [0, 0]);
});

Deno.test("retries with throttling offer an overload at most a tenth more", async () => {
  const [none, unbounded, throttled] = await overload(SMALL);
  assertEquals(none!.offered, 1);
  assert(unbounded!.offered > 1.5);
  assertLess(throttled!.offered, 1.1);
});
