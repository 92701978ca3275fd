import {
  assertEquals,
  assertGreaterOrEqual,
  assertLessOrEqual,
} from "@std/assert";
import { after, until } from "../_testdata/waiting.ts";
import { VirtualClock } from "../testing/virtual_clock.ts";
import { type LifetimeOptions, ServerLifetime } from "./server_lifetime.ts";

const NEVER: LifetimeOptions = {
  connectTimeoutMs: 2 ** 31 - 1,
  maxConnectionIdleMs: Infinity,
  maxConnectionAgeMs: Infinity,
  maxConnectionAgeGraceMs: Infinity,
};

/** A lifetime with what it told its owner. */
function makeLifetime(
  options: Partial<LifetimeOptions>,
  { clock, random }: { clock?: VirtualClock; random?: () => number } = {},
) {
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
  return { lifetime, told, [Symbol.dispose]: () => lifetime.stop() };
}

/** Waits for the next thing that is told; gives how long it took. */
async function timeToTell(told: readonly string[]): Promise<number> {
  const start = performance.now();
  const { length } = told;
  await until(() => told.length > length, "the owner was told");
  return performance.now() - start;
}

Deno.test("ServerLifetime tells of the end of the handshake's time, unless it is ready", async () => {
  using late = makeLifetime({ connectTimeoutMs: 30 });
  using ready = makeLifetime({ connectTimeoutMs: 30 });
  ready.lifetime.onReady();
  assertGreaterOrEqual(await timeToTell(late.told), 28);
  await after(20);
  assertEquals([late.told, ready.told], [["silent"], []]);
});

Deno.test("ServerLifetime tells of its age once, and then of the end of the grace", async () => {
  using made = makeLifetime({
    maxConnectionAgeMs: 40,
    maxConnectionAgeGraceMs: 30,
    maxConnectionIdleMs: 20,
  });
  made.lifetime.onReady();
  made.lifetime.onUsed();
  const age = await timeToTell(made.told);
  assertGreaterOrEqual(age, 34);
  assertGreaterOrEqual(await timeToTell(made.told), 25);
  await after(60);
  assertEquals(made.told, ["expired", "overdue"]);
});

for (const [random, factor] of [[0, 0.9], [0.5, 1], [1, 1.1]] as const) {
  Deno.test(`ServerLifetime varies its age: ${factor} of it when chance says ${random}`, async () => {
    const clock = new VirtualClock();
    using made = makeLifetime(
      { maxConnectionAgeMs: 100 },
      { clock, random: () => random },
    );
    made.lifetime.onReady();
    await clock.advance(100 * factor - 1);
    assertEquals(made.told, []);
    await clock.advance(2);
    assertEquals(made.told, ["expired"]);
  });
}

Deno.test("ServerLifetime tells of idleness, counted from the end of the last call", async () => {
  using made = makeLifetime({ maxConnectionIdleMs: 40 });
  const { lifetime, told } = made;
  lifetime.onReady();
  lifetime.onUsed();
  await after(60);
  lifetime.onUnused();
  await after(20);
  lifetime.onUsed();
  await after(30);
  assertEquals(told, []);
  lifetime.onUnused();
  const idle = await timeToTell(told);
  assertGreaterOrEqual(idle, 38);
  assertLessOrEqual(idle, 150);
  assertEquals(told, ["expired"]);
});

Deno.test("ServerLifetime tells nothing when its times are the longest there are", async () => {
  using longest = makeLifetime({
    maxConnectionIdleMs: 2 ** 31 - 1,
    // A tenth more is longer than a timer takes.
    maxConnectionAgeMs: 2 ** 31 - 1,
    maxConnectionAgeGraceMs: 2 ** 31 - 1,
  }, { random: () => 1 });
  using infinite = makeLifetime({});
  for (const { lifetime } of [longest, infinite]) lifetime.onReady();
  await after(30);
  assertEquals([longest.told, infinite.told], [[], []]);
});

Deno.test("ServerLifetime.stop() stops it for good", async () => {
  using made = makeLifetime({ connectTimeoutMs: 10, maxConnectionAgeMs: 10 });
  made.lifetime.stop();
  made.lifetime.onReady();
  made.lifetime.onUnused();
  await after(30);
  assertEquals(made.told, []);
});
