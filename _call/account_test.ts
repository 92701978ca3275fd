import { assert, assertEquals, assertFalse } from "@std/assert";
import { allTurns } from "../_testdata/states.ts";
import {
  Account,
  budgetLimitsOf,
  type Holder,
  MemoryBudget,
} from "./account.ts";

const MIB = 1024 * 1024;

/** A call that holds bytes until it is evicted. */
class Call implements Holder {
  heldBytes = 0;
  readonly unfinishedBytes = 0;
  readonly arrivedBytes = 0;
  isEvicted = false;
  readonly #account: Account;

  constructor(account: Account, bytes: number) {
    this.#account = account;
    this.heldBytes = bytes;
    account.hold(bytes);
    account.holders.add(this);
  }

  evict(): void {
    this.isEvicted = true;
    this.#account.release(this.heldBytes);
    this.heldBytes = 0;
  }
}

function setUp(limits = { perConnection: 10 * MIB, all: 40 * MIB }) {
  const budget = new MemoryBudget({
    maxHeldBytes: limits.all,
    maxHeldBytesPerConnection: limits.perConnection,
  });
  const log: string[] = [];
  return {
    budget,
    log,
    account: (name: string) =>
      new Account(budget, {
        onFull: (isFull) => log.push(`${name} ${isFull ? "full" : "free"}`),
        onExcess: () => log.push(`${name} ended`) > 0,
      }),
  };
}

Deno.test("Account.hold() makes a connection wait when it holds more than it may, until it holds much less", async () => {
  const { budget, log, account } = setUp();
  let rooms = 0;
  budget.onRoom = () => rooms++;
  const a = account("a");
  const b = account("b");
  a.hold(10 * MIB);
  await allTurns();
  assertFalse(a.isFull);
  a.hold(1);
  assert(a.isFull);
  await allTurns();
  assertEquals([a.isFull, b.isFull, log.splice(0)], [true, false, ["a full"]]);
  a.release(1 * MIB);
  await allTurns();
  assert(a.isFull);
  a.release(2 * MIB);
  await allTurns();
  assertEquals([a.isFull, log.at(-1), rooms > 0], [false, "a free", true]);
  assertEquals(budget.heldBytes, 7 * MIB + 1);
});

Deno.test("Account.hold() makes those wait that hold more than their share when all together hold much", async () => {
  const { account } = setUp({ perConnection: 30 * MIB, all: 40 * MIB });
  const large = account("large");
  const small = account("small");
  small.hold(1 * MIB);
  large.hold(28 * MIB);
  await allTurns();
  assertEquals([large.isFull, small.isFull], [false, false]);
  small.hold(2 * MIB);
  await allTurns();
  assertEquals([large.isFull, small.isFull], [true, false]);
  large.release(20 * MIB);
  await allTurns();
  assertEquals([large.isFull, small.isFull], [false, false]);
});

Deno.test("Account.release() has others go on that waited for it", async () => {
  const { account } = setUp({ perConnection: 30 * MIB, all: 40 * MIB });
  const waiting = account("waiting");
  const other = account("other");
  waiting.hold(21 * MIB);
  other.hold(10 * MIB);
  await allTurns();
  assertEquals([waiting.isFull, other.isFull], [true, false]);
  other.release(9 * MIB);
  await allTurns();
  assertFalse(waiting.isFull);
});

Deno.test("MemoryBudget.onRoom() is told when what a full connection holds is what waits itself", async () => {
  const { budget, account } = setUp({ perConnection: 10 * MIB, all: 40 * MIB });
  let rooms = 0;
  budget.onRoom = () => rooms++;
  const one = account("one");
  one.hold(6 * MIB);
  one.setUnsent(8 * MIB);
  await allTurns();
  assertEquals([one.isFull, one.mustWait, rooms], [true, true, 0]);
  one.setUnsent(2 * MIB);
  await allTurns();
  // Full still, of requests: their calls have to start.
  assertEquals([one.isFull, one.mustWait], [true, false]);
  assert(rooms > 0);
});

Deno.test("MemoryBudget ends the largest call of the fullest account, the newest of several, until the limit is kept", async () => {
  const { budget, account } = setUp({ perConnection: 40 * MIB, all: 40 * MIB });
  const victim = account("victim");
  const attacker = account("attacker");
  const good = new Call(victim, 12 * MIB);
  const calls = Array.from({ length: 5 }, () => new Call(attacker, 6 * MIB));
  await allTurns();
  assertFalse(good.isEvicted);
  assertEquals(calls.map(({ isEvicted }) => isEvicted), [
    ...[false, false, false, false],
    true,
  ]);
  assertEquals([budget.heldBytes, budget.evictedCalls], [36 * MIB, 1]);
});

Deno.test("MemoryBudget ends a connection whose replies are not taken, and no call of others", async () => {
  const { budget, log, account } = setUp({
    perConnection: 40 * MIB,
    all: 40 * MIB,
  });
  const attacker = account("attacker");
  const victim = account("victim");
  attacker.setUnsent(35 * MIB);
  const good = new Call(victim, 6 * MIB);
  await allTurns();
  assertFalse(good.isEvicted);
  assert(log.includes("attacker ended"));
  assertEquals([budget.heldBytes, budget.evictedCalls], [6 * MIB, 0]);
});

Deno.test("MemoryBudget ends no connection that holds no more than its share", async () => {
  const { log, account } = setUp({ perConnection: 40 * MIB, all: 40 * MIB });
  account("fullest").setUnsent(0.9 * MIB);
  const calls = Array.from(
    { length: 50 },
    (_, i) => new Call(account(`other ${i}`), 0.8 * MIB),
  );
  await allTurns();
  assertEquals(log.filter((line) => line.endsWith("ended")), []);
  assertEquals(calls.filter(({ isEvicted }) => isEvicted).length, 2);
});

Deno.test("MemoryBudget goes on when there is nobody to end", async () => {
  const { budget, account } = setUp();
  account("a").hold(50 * MIB);
  await allTurns();
  assertEquals([budget.heldBytes, budget.evictedCalls], [50 * MIB, 0]);
});

Deno.test("Account.setUnsent() counts what waits to be written, and close() no longer", async () => {
  const { budget, account } = setUp();
  const a = account("a");
  a.setUnsent(5 * MIB);
  a.setUnsent(3 * MIB);
  assertEquals([a.heldBytes, a.unsentBytes], [3 * MIB, 3 * MIB]);
  a.hold(10);
  a.close();
  assertEquals(budget.heldBytes, 10);
  assertEquals(budget.accounts.size, 1);
  a.release(10);
  await allTurns();
  assertEquals([budget.heldBytes, budget.accounts.size], [0, 0]);
});

Deno.test("Account.isClogged says whether to read less would help", () => {
  const { account } = setUp();
  const replies = account("replies");
  replies.setUnsent(11 * MIB);
  assertEquals([replies.isFull, replies.isClogged], [true, false]);
  const requests = account("requests");
  requests.hold(11 * MIB);
  assertEquals([requests.isFull, requests.isClogged], [true, true]);
  requests.workBytes = 10 * MIB;
  assertFalse(requests.isClogged);
});

Deno.test("Account.mustRefuse is true for who has too much to be written when there is nearly too much in all", () => {
  const { account } = setUp();
  const a = account("a");
  const b = account("b");
  a.setUnsent(29 * MIB);
  assertFalse(a.mustRefuse);
  b.setUnsent(2 * MIB);
  assertEquals([a.mustRefuse, b.mustRefuse], [true, false]);
});

Deno.test("Account.allow() makes room for messages that are larger than the configuration says", async () => {
  const { account } = setUp();
  const a = account("a");
  a.allow(100 * MIB);
  a.hold(150 * MIB);
  await allTurns();
  assertFalse(a.isFull);
});

Deno.test("budgetLimitsOf() has room for two messages in a connection, and for two connections", () => {
  const limits = {
    maxHeldBytes: 96 * MIB,
    maxHeldBytesPerConnection: 32 * MIB,
  };
  assertEquals(
    budgetLimitsOf({ ...limits, maxReceiveMessageSize: 4 * MIB }),
    limits,
  );
  assertEquals(budgetLimitsOf({ ...limits, maxReceiveMessageSize: 64 * MIB }), {
    maxHeldBytes: 256 * MIB,
    maxHeldBytesPerConnection: 128 * MIB,
  });
});
