import { assertEquals } from "@std/assert";
import { VirtualClock } from "../../testing/virtual_clock.ts";
import { type LifetimeOptions, ServerLifetime } from "./lifetime.ts";

const NEVER: LifetimeOptions = {
  connectTimeoutMs: 2 ** 31 - 1,
  maxConnectionIdleMs: Infinity,
  maxConnectionAgeMs: Infinity,
  maxConnectionAgeGraceMs: Infinity,
};

/** A lifetime on a clock of its own, with what it told its owner. */
function makeLifetime(
  options: Partial<LifetimeOptions>,
  random: () => number = () => 0.5,
) {
  const clock = new VirtualClock();
  const told: string[] = [];
  const lifetime = new ServerLifetime(
    {
      onSilent: () => told.push("silent"),
      onExpired: () => told.push("expired"),
      onOverdue: () => told.push("overdue"),
    },
    { ...NEVER, ...options },
    clock,
    random,
  );
  return { lifetime, told, clock };
}

Deno.test("ServerLifetime tells of the end of the handshake's time, unless it is ready", async () => {
  const late = makeLifetime({ connectTimeoutMs: 30 });
  const ready = makeLifetime({ connectTimeoutMs: 30 });
  ready.lifetime.onReady();
  for (const { clock } of [late, ready]) await clock.advance(29);
  assertEquals([late.told, ready.told], [[], []]);
  for (const { clock } of [late, ready]) await clock.advance(1);
  assertEquals([late.told, ready.told], [["silent"], []]);
});

Deno.test("ServerLifetime tells of its age once, and then of the end of the grace", async () => {
  const { lifetime, told, clock } = makeLifetime({
    maxConnectionAgeMs: 40,
    maxConnectionAgeGraceMs: 30,
    maxConnectionIdleMs: 20,
  });
  lifetime.onReady();
  lifetime.onUsed();
  await clock.advance(39);
  assertEquals(told, []);
  await clock.advance(1);
  assertEquals(told, ["expired"]);
  await clock.advance(29);
  assertEquals(told, ["expired"]);
  await clock.advance(1);
  assertEquals(told, ["expired", "overdue"]);
  await clock.advance(1000);
  assertEquals(told, ["expired", "overdue"]);
});

for (const [random, factor] of [[0, 0.9], [0.5, 1], [1, 1.1]] as const) {
  Deno.test(`ServerLifetime varies its age: ${factor} of it when chance says ${random}`, async () => {
    const { lifetime, told, clock } = makeLifetime(
      { maxConnectionAgeMs: 100 },
      () => random,
    );
    lifetime.onReady();
    await clock.advance(100 * factor - 1);
    assertEquals(told, []);
    await clock.advance(2);
    assertEquals(told, ["expired"]);
  });
}

Deno.test("ServerLifetime tells of idleness, counted from the end of the last call", async () => {
  const { lifetime, told, clock } = makeLifetime({ maxConnectionIdleMs: 40 });
  lifetime.onReady();
  lifetime.onUsed();
  await clock.advance(60);
  lifetime.onUnused();
  await clock.advance(20);
  lifetime.onUsed();
  await clock.advance(30);
  assertEquals(told, []);
  lifetime.onUnused();
  await clock.advance(39);
  assertEquals(told, []);
  // It looks now and then: a little late is soon enough, and never too early.
  await clock.advance(41);
  assertEquals(told, ["expired"]);
});

Deno.test("ServerLifetime tells nothing when its times are the longest there are", async () => {
  const longest = makeLifetime({
    maxConnectionIdleMs: 2 ** 31 - 1,
    // A tenth more is longer than a timer takes.
    maxConnectionAgeMs: 2 ** 31 - 1,
    maxConnectionAgeGraceMs: 2 ** 31 - 1,
  }, () => 1);
  const infinite = makeLifetime({});
  for (const { lifetime, told, clock } of [longest, infinite]) {
    lifetime.onReady();
    await clock.advance(2 ** 31 - 2);
    assertEquals(told, []);
  }
});

Deno.test("ServerLifetime.stop() stops it for good", async () => {
  const { lifetime, told, clock } = makeLifetime({
    connectTimeoutMs: 10,
    maxConnectionAgeMs: 10,
  });
  lifetime.stop();
  lifetime.onReady();
  lifetime.onUnused();
  await clock.advance(30);
  assertEquals(told, []);
  assertEquals(clock.timers, 0);
});
