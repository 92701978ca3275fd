import { assertEquals } from "@std/assert";
import { Account, type Holder, MemoryBudget } from "../_call/account.ts";
import { VirtualClock } from "../testing/virtual_clock.ts";
import { FullAccount } from "./full_account.ts";

const PERIOD_MS = 1000;

/** An account of 100 bytes, which is full of what calls hold. */
async function setUp(calls: Record<string, Partial<Holder>>) {
  const clock = new VirtualClock();
  const budget = new MemoryBudget({
    maxHeldBytes: 150,
    maxHeldBytesPerConnection: 100,
  });
  const evicted: string[] = [];
  const account: Account = new Account(budget, {
    onFull: (isFull) => full.onFull(isFull),
    onExcess: () => false,
  });
  const full = new FullAccount(account, clock);
  const holders = new Map<string, { arrivedBytes: number }>();
  for (
    const [name, { heldBytes = 0, unfinishedBytes = 0 }] of Object.entries(
      calls,
    )
  ) {
    const holder = {
      heldBytes,
      unfinishedBytes,
      arrivedBytes: unfinishedBytes,
      evict() {
        evicted.push(name);
        account.release(heldBytes);
      },
    };
    holders.set(name, holder);
    account.holders.add(holder);
    account.hold(heldBytes);
  }
  // It is told when the stack is empty.
  await null;
  return { clock, account, evicted, holders };
}

Deno.test("FullAccount ends the newest calls whose messages do not grow, until there is room", async () => {
  const { clock, evicted } = await setUp({
    first: { heldBytes: 40, unfinishedBytes: 40 },
    second: { heldBytes: 40, unfinishedBytes: 40 },
    third: { heldBytes: 40, unfinishedBytes: 40 },
  });
  await clock.advance(PERIOD_MS - 1);
  assertEquals(evicted, []);
  await clock.advance(1);
  assertEquals(evicted, ["third", "second"]);
  await clock.advance(10 * PERIOD_MS);
  assertEquals(evicted, ["third", "second"]);
});

Deno.test("FullAccount leaves calls alone whose messages grow", async () => {
  const { clock, evicted, holders } = await setUp({
    slow: { heldBytes: 40, unfinishedBytes: 40 },
    stuck: { heldBytes: 80, unfinishedBytes: 80 },
  });
  holders.get("slow")!.arrivedBytes++;
  await clock.advance(PERIOD_MS);
  assertEquals(evicted, ["stuck"]);
});

Deno.test("FullAccount leaves all calls alone while most is whole, and the application's to take", async () => {
  const { clock, evicted } = await setUp({
    whole: { heldBytes: 70 },
    half: { heldBytes: 40, unfinishedBytes: 40 },
  });
  await clock.advance(10 * PERIOD_MS);
  assertEquals(evicted, []);
});
