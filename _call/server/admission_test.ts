import { assert, assertEquals } from "@std/assert";
import { Account, MemoryBudget } from "../account.ts";
import {
  Admission,
  type AdmissionLimits,
  type Admitted,
  Place,
} from "./admission.ts";
import type { GRPCError } from "../../core/errors.ts";
import type { Route } from "./route.ts";
import { seededRandom } from "../../_testdata/seeded_random.ts";

const ROUTE = {} as Route;

const LIMITS: AdmissionLimits = {
  maxRunningCalls: 100,
  maxRunningCallsPerMethod: Infinity,
  maxConcurrentStreams: 1000,
  maxQueuedCalls: 10,
  maxQueueTimeMs: 1000,
};

/** A call, and what became of it. */
class FakeCall implements Admitted {
  readonly start = { request: { route: ROUTE } };
  readonly weight = 1;
  place: Place = Place.NONE;
  queuedAt = 0;
  became = "waits";
  readonly account: Account;
  readonly #admission: Admission;

  constructor(account: Account, admission: Admission) {
    this.account = account;
    this.#admission = admission;
  }

  admit(): void {
    this.became = "runs";
  }

  fail(error: GRPCError): void {
    this.became = error.message;
    this.#admission.leave(this);
  }
}

function setUp(limits: Partial<AdmissionLimits> = {}) {
  const refused: string[] = [];
  const admission: Admission = new Admission({
    isLate: false,
    now: () => 0,
    onRefused: (reason) => refused.push(reason),
  }, { ...LIMITS, ...limits });
  const budget = new MemoryBudget({
    maxHeldBytes: 2 ** 20,
    maxHeldBytesPerConnection: 2 ** 20,
  });
  const enter = (account: Account, count: number): FakeCall[] =>
    Array.from({ length: count }, () => {
      const call = new FakeCall(account, admission);
      admission.enter(call);
      return call;
    });
  return {
    admission,
    refused,
    enter,
    connect: () => new Account(budget, { onFull() {}, onExcess: () => false }),
  };
}

/** How many calls became what. */
function countOf(calls: readonly FakeCall[], became: string): number {
  return calls.filter((call) => call.became === became).length;
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

Deno.test("Admission.enter() leaves places for connections with few calls", () => {
  const { enter, connect } = setUp();
  const many = enter(connect(), 200);
  assertEquals(countOf(many, "runs"), 75);
  const [one] = enter(connect(), 1);
  assertEquals(one!.became, "runs");
});

Deno.test("Admission.enter() refuses the newest call of who has most when there is no place to wait", () => {
  const { enter, connect, refused } = setUp({ maxRunningCalls: 1 });
  const [runs, ...many] = enter(connect(), 200);
  assertEquals(runs!.became, "runs");
  const waiting = many.filter(({ became }) => became === "waits");
  // Those with few calls may have twice as many waiting.
  assertEquals(waiting.length, 20);
  refused.length = 0;
  const few = enter(connect(), 5);
  assertEquals(countOf(few, "waits"), 5);
  assertEquals(refused, Array(5).fill("calls"));
  assertEquals(countOf(waiting.slice(0, 15), "waits"), 15);
  for (const { became } of waiting.slice(15)) {
    assert(became.includes("others of its connection wait"), became);
  }
});

Deno.test("Admission.enter() lets nobody have more waiting than those it takes the places from", () => {
  const { enter, connect } = setUp({ maxRunningCalls: 1 });
  const all = [enter(connect(), 200), enter(connect(), 200)];
  const [before, after] = all.map((calls) => countOf(calls, "waits"));
  assertEquals([before, after], [10, 10]);
});

Deno.test("Admission.enter() has nobody wait if nobody may", () => {
  const { enter, connect } = setUp({ maxRunningCalls: 8, maxQueuedCalls: 0 });
  const [many, few] = [enter(connect(), 20), enter(connect(), 2)];
  assertEquals([countOf(many, "runs"), countOf(few, "waits")], [6, 0]);
  const refused = [...many, ...few].filter(({ became }) => became !== "runs");
  for (const { became } of refused) {
    assert(became.includes("others wait"), became);
  }
});

Deno.test("Admission.enter() makes a place for who has fewer that run or wait, though as many wait of others", () => {
  const { enter, connect } = setUp({ maxRunningCalls: 80 });
  const many = enter(connect(), 200);
  assertEquals(countOf(many, "runs"), 60);
  const few = enter(connect(), 12);
  assertEquals(countOf(few, "waits") + countOf(few, "runs"), 12);
});

Deno.test("Admission.enter() takes the place from who has most that run and wait", () => {
  const { enter, connect } = setUp({ maxRunningCalls: 80, maxQueuedCalls: 6 });
  // 60 of them run.
  const many = enter(connect(), 64);
  assertEquals(countOf(many, "waits"), 4);
  const few = enter(connect(), 8);
  const waits = countOf(few, "waits");
  assert(waits > 4, `${waits}`);
  enter(connect(), 4);
  assertEquals(countOf(few, "waits"), waits);
  assert(countOf(many, "waits") < 4);
});

Deno.test("Admission.enter() takes no place from who has as few", () => {
  const { enter, connect, admission } = setUp({
    maxRunningCalls: 80,
    maxQueuedCalls: 4,
  });
  // Those who have all that may run have none that wait.
  const busy = enter(connect(), 60);
  for (let i = 0; i < 20; i++) busy.push(...enter(connect(), 1));
  assertEquals(countOf(busy, "runs"), 80);
  const accounts = Array.from({ length: 8 }, connect);
  const waiting = accounts.map((it) => enter(it, 1)[0]!);
  assertEquals(countOf(waiting, "waits"), 8);
  const more = accounts.map((it) => enter(it, 1)[0]!);
  assertEquals(countOf(more, "waits"), 0);
  assertEquals(countOf(waiting, "waits"), 8);
  for (const call of waiting) admission.leave(call);
  assertEquals(admission.queuedCalls, 0);
});

Deno.test("Admission counts right whatever calls come, end and are refused", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const below = (count: number): number => Math.floor(random() * count);
    const { enter, connect, admission } = setUp({
      maxRunningCalls: 1 + below(40),
      maxConcurrentStreams: 1 + below(30),
      maxQueuedCalls: below(12),
    });
    const accounts = Array.from({ length: 1 + below(20) }, connect);
    let calls: FakeCall[] = [];
    const check = (): void => {
      calls = calls.filter(({ place }) => place !== Place.NONE);
      const running = calls.filter(({ place }) => place === Place.RUNNING);
      assertEquals(
        [admission.runningCalls, admission.queuedCalls],
        [running.length, calls.length - running.length],
        `seed ${seed}`,
      );
    };
    for (let step = 0; step < 200; step++) {
      if (random() < 0.6) {
        calls.push(...enter(accounts[below(accounts.length)]!, 1 + below(8)));
      } else {
        for (const call of calls.filter(() => random() < 0.2)) {
          admission.leave(call);
        }
      }
      check();
      if (step % 20 === 0) await nextTurn();
      check();
    }
    for (const call of calls) admission.leave(call);
    check();
    assertEquals(calls.length, 0);
  }
});

Deno.test("Admission.leave() has those begin who wait, some at once", async () => {
  const { enter, connect, admission } = setUp({ maxConcurrentStreams: 4 });
  const calls = enter(connect(), 12);
  assertEquals(countOf(calls, "runs"), 4);
  for (const call of calls.slice(0, 4)) admission.leave(call);
  await nextTurn();
  assertEquals(countOf(calls, "runs"), 8);
  assertEquals([admission.runningCalls, admission.queuedCalls], [4, 4]);
});
