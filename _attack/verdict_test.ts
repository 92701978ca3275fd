import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Attack } from "./attack.ts";
import type { Result } from "./play.ts";
import { broken, lineOf, tableOf } from "./verdict.ts";

const MIB = 1024 * 1024;

const ATTACK: Attack = {
  name: "nothing",
  what: "does nothing",
  seconds: 1,
  run: () => Promise.resolve(),
};

const WELL: Result = {
  attack: ATTACK,
  engine: "native",
  rss: { before: 70 * MIB, peak: 90 * MIB, after: 80 * MIB },
  heap: { before: 10 * MIB, after: 11 * MIB },
  heldBytes: null,
  late: 5,
  good: { calls: 100, p50: 1, p99: 10, max: 20, failures: [] },
  mostHandlers: 1,
  got: "served",
  ended: false,
  status: "alive",
  errors: "",
};

const CASES: readonly (readonly [
  name: string,
  change: Partial<Result>,
  found: readonly string[],
])[] = [
  ["all is well", {}, []],
  ["the memory grows", {
    rss: { ...WELL.rss, peak: 371 * MIB },
  }, ["grew by 301 MiB"]],
  ["memory is left", {
    heap: { before: 10 * MIB, after: 43 * MIB },
  }, ["33 MiB left"]],
  ["others wait", { good: { ...WELL.good, p99: 1000 } }, ["p99 1000 ms"]],
  ["others fail", {
    good: { ...WELL.good, failures: ["a"] },
  }, ["1 good calls failed"]],
  ["the victim dies", { status: "died: SIGSEGV" }, ["victim died: SIGSEGV"]],
  ["an error is unhandled", {
    errors: "error: Uncaught (in promise) Error",
  }, ["unhandled error"]],
  ["the attacker is not ended", {
    attack: { ...ATTACK, ends: true },
  }, ["attacker not ended"]],
  ["the attacker is not ended by the engine that can", {
    attack: { ...ATTACK, ends: "native" },
  }, ["attacker not ended"]],
  ["the attacker is not ended by the engine that cannot", {
    attack: { ...ATTACK, ends: "node" },
  }, []],
  ["handlers are too many", {
    attack: { ...ATTACK, maxHandlers: 10 },
    mostHandlers: 11,
  }, ["11 handlers at once"]],
  ["memory is held", {
    attack: { ...ATTACK, maxHeldMiB: 5 },
    heldBytes: 16 * MIB,
  }, ["6.0 MiB held"]],
  ["the attack itself fails", {
    got: "attacker failed: a",
  }, ["attacker failed: a"]],
];

for (const [name, change, found] of CASES) {
  Deno.test(`broken() says what is wrong when ${name}`, () => {
    assertEquals(broken({ ...WELL, ...change }), found);
  });
}

Deno.test("broken() takes its bounds several times", () => {
  const result = {
    ...WELL,
    rss: { ...WELL.rss, peak: 371 * MIB },
    good: { ...WELL.good, p99: 1500 },
  };
  assertEquals(broken(result, { memory: 2, time: 2 }), []);
  assertEquals(broken(result, { memory: 1, time: 2 }), ["grew by 301 MiB"]);
  assertEquals(broken(result, { memory: 2, time: 1 }), ["p99 1500 ms"]);
});

Deno.test("tableOf() has a line for each attack, with both engines", () => {
  const table = tableOf([
    WELL,
    { ...WELL, engine: "node", status: "died: SIGSEGV" },
    { ...WELL, attack: { ...ATTACK, name: "other" } },
  ]);
  const [, , first, second, ...more] = table.split("\n")
    .map((line) => line.replace(/ +/g, " "));
  assertEquals(
    first,
    "| `nothing` | does nothing | dead | dead | served | +20 MiB, 10 ms | +10 MiB, heap +1 | served | node: victim died: SIGSEGV |",
  );
  assertEquals(
    second,
    "| `other` | does nothing | – | – | – | +20 MiB, 10 ms | +10 MiB, heap +1 | served | |",
  );
  assertEquals(more, []);
});

Deno.test("lineOf() has the memory at its most, and after", () => {
  const line = lineOf(WELL);
  assertStringIncludes(
    line,
    "rss 70 MiB, most +20, after +10, heap 10 MiB, after +1,",
  );
});
