import { assert, assertEquals } from "@std/assert";
import { FakeClock } from "../_testdata/fake_clock.ts";
import { microtasks } from "../_testdata/waiting.ts";
import { seededRandom } from "../_testdata/seeded_random.ts";
import { type DeadlineEntry, DeadlineQueue } from "./deadline_queue.ts";

/** An entry that says when it was told. */
class Entry implements DeadlineEntry {
  slot = -1;
  constructor(
    readonly expiresAt: number,
    readonly told: (entry: Entry) => void,
  ) {}

  onDeadline(): void {
    assertEquals(this.slot, -1);
    this.told(this);
  }
}

/** A clock, a queue, and the deadlines that were told, with the time of each. */
function setUp(): {
  clock: FakeClock;
  queue: DeadlineQueue;
  told: [number, number][];
  add: (inMs: number, then?: () => void) => Entry;
} & Disposable {
  const clock = new FakeClock();
  const queue = new DeadlineQueue();
  const told: [number, number][] = [];
  const start = clock.now;
  return {
    clock,
    queue,
    told,
    add(inMs, then) {
      const entry = new Entry(clock.now + inMs, ({ expiresAt }) => {
        told.push([expiresAt - start, clock.now - start]);
        then?.();
      });
      queue.add(entry);
      return entry;
    },
    [Symbol.dispose]: () => clock[Symbol.dispose](),
  };
}

Deno.test("DeadlineQueue.add() tells each entry at its time when they come in any order", () => {
  using test = setUp();
  for (const inMs of [50, 10, 40, 20, 30]) test.add(inMs);
  assertEquals(test.queue.size, 5);
  test.clock.advance(25);
  assertEquals(test.told, [[10, 10], [20, 20]]);
  test.clock.advance(100);
  assertEquals(test.told.slice(2), [[30, 30], [40, 40], [50, 50]]);
  assertEquals(test.queue.size, 0);
});

Deno.test("DeadlineQueue.add() keeps a single timer when there are many entries", () => {
  using test = setUp();
  for (const inMs of [50, 10, 40, 5, 30]) {
    test.add(inMs);
    assertEquals(test.clock.delays.length, 1);
  }
  assertEquals(test.clock.delays, [5]);
  test.clock.advance(5);
  assertEquals(test.clock.delays, [5]); // for the one at 10
});

Deno.test("DeadlineQueue.add() sets the timer late rather than early when time has a fraction", () => {
  using test = setUp();
  test.add(2.25);
  assertEquals(test.clock.delays, [3]);
  test.clock.advance(2.5);
  assertEquals(test.told, []);
  test.clock.advance(0.5);
  assertEquals(test.told, [[2.25, 3]]);
});

Deno.test("DeadlineQueue.add() fires in the next turn when the deadline is past", () => {
  using test = setUp();
  test.add(-5);
  assertEquals(test.clock.delays, [0]);
  assertEquals(test.told, []);
  test.clock.advance(0);
  assertEquals(test.told, [[-5, 0]]);
});

Deno.test("DeadlineQueue.add() waits in steps when the delay is longer than a timer takes", () => {
  using test = setUp();
  const month = 30 * 24 * 3600 * 1000;
  test.add(month);
  assertEquals(test.clock.delays, [2 ** 31 - 1]);
  test.clock.advance(2 ** 31 - 1);
  assertEquals(test.told, []);
  assertEquals(test.clock.delays, [month - (2 ** 31 - 1)]);
  test.clock.advance(month);
  assertEquals(test.told, [[month, month]]);
  assertEquals(test.clock.delays, []);
});

Deno.test("DeadlineQueue.remove() leaves no timer when the queue is empty", async () => {
  using test = setUp();
  const entries = [test.add(10), test.add(20)];
  test.queue.remove(entries[0]!);
  assertEquals(test.clock.delays.length, 1);
  test.queue.remove(entries[1]!);
  await microtasks();
  assertEquals(test.clock.delays, []);
  assertEquals(test.queue.size, 0);
});

Deno.test("DeadlineQueue() keeps its timer when the next entry comes in a moment", async () => {
  using test = setUp();
  let set = 0;
  const { setTimeout } = globalThis;
  globalThis.setTimeout = ((callback: () => void, delayMs: number) => {
    set++;
    return setTimeout(callback, delayMs);
  }) as typeof setTimeout;
  for (let i = 0; i < 100; i++) {
    const entries = [test.add(10), test.add(20)];
    for (const entry of entries) test.queue.remove(entry);
    if (i % 2 === 0) await null;
  }
  assertEquals(set, 1);
  await microtasks();
  assertEquals(test.clock.delays, []);
  // It can be used again, and tells in time.
  test.add(5);
  test.clock.advance(5);
  assertEquals([set, test.told], [2, [[5, 5]]]);
});

Deno.test("DeadlineQueue.remove() does nothing when the entry is not in the queue", () => {
  using test = setUp();
  const entry = test.add(10);
  test.queue.remove(new Entry(5, () => {}));
  test.queue.remove(entry);
  test.queue.remove(entry);
  const second = test.add(20);
  test.queue.remove(entry);
  assertEquals([test.queue.size, entry.slot, second.slot], [1, -1, 0]);
});

Deno.test("DeadlineQueue.remove() silences an entry when its time comes", () => {
  using test = setUp();
  const first = test.add(10);
  test.add(20);
  test.queue.remove(first);
  test.clock.advance(15);
  assertEquals(test.told, []);
  test.clock.advance(5);
  assertEquals(test.told, [[20, 20]]);
});

Deno.test("DeadlineQueue() can be used again when it was empty", () => {
  using test = setUp();
  test.add(10);
  test.clock.advance(10);
  assertEquals(test.clock.delays, []);
  test.add(10);
  test.clock.advance(10);
  assertEquals(test.told, [[10, 10], [20, 20]]);
});

Deno.test("DeadlineEntry.onDeadline() may add an earlier entry when it is called", () => {
  using test = setUp();
  test.add(10, () => test.add(5));
  test.add(50);
  test.clock.advance(60);
  assertEquals(test.told, [[10, 10], [15, 15], [50, 50]]);
});

Deno.test("DeadlineEntry.onDeadline() may add a later entry when others wait", () => {
  using test = setUp();
  test.add(10, () => test.add(90));
  test.add(50);
  test.clock.advance(10);
  assertEquals(test.clock.delays, [40]);
  test.clock.advance(90);
  assertEquals(test.told, [[10, 10], [50, 50], [100, 100]]);
});

Deno.test("DeadlineEntry.onDeadline() may add a past entry when it is called", () => {
  using test = setUp();
  test.add(10, () => test.add(-5));
  test.clock.advance(10);
  assertEquals(test.told, [[10, 10], [5, 10]]);
  assertEquals(test.clock.delays, []);
});

Deno.test("DeadlineEntry.onDeadline() may remove others when they are due too", () => {
  using test = setUp();
  const others: Entry[] = [];
  test.add(10, () => others.forEach((entry) => test.queue.remove(entry)));
  others.push(test.add(11), test.add(12));
  test.clock.advance(9);
  test.clock.advance(100);
  assertEquals(test.told, [[10, 10]]);
  assertEquals(test.queue.size, 0);
  assertEquals(test.clock.delays, []);
});

Deno.test("DeadlineEntry.onDeadline() lets the others be told when it throws", () => {
  using test = setUp();
  test.add(10, () => {
    throw new Error("Broken");
  });
  test.add(10);
  test.add(20);
  let thrown: unknown;
  try {
    test.clock.advance(10);
  } catch (error) {
    thrown = error;
  }
  assertEquals(`${thrown}`, "Error: Broken");
  test.clock.advance(20);
  assertEquals(test.told, [[10, 10], [10, 10], [20, 20]]);
  assertEquals(test.clock.delays, []);
});

Deno.test("DeadlineQueue() agrees with a sorted list when entries come and go at random", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    using test = setUp();
    const random = seededRandom(seed);
    const expected: [number, number][] = [];
    let waiting: Entry[] = [];
    const begin = test.clock.now;

    for (let step = 0; step < 300; step++) {
      const dice = random();
      if (dice < 0.6) {
        waiting.push(test.add(Math.floor(random() * 100)));
      } else if (dice < 0.85 && waiting.length > 0) {
        const at = Math.floor(random() * waiting.length);
        test.queue.remove(waiting.splice(at, 1)[0]!);
      } else {
        const end = test.clock.now + Math.floor(random() * 10);
        waiting.sort((a, b) => a.expiresAt - b.expiresAt);
        // What is past already is told in the turn after it was added.
        const due = waiting.filter(({ expiresAt }) => expiresAt <= end);
        waiting = waiting.filter(({ expiresAt }) => expiresAt > end);
        for (const { expiresAt } of due) {
          expected.push([expiresAt - begin, expiresAt - begin]);
        }
        test.clock.advance(end - test.clock.now);
        assertEquals(test.told, expected, `seed ${seed}, step ${step}`);
      }
      assertEquals(test.queue.size, waiting.length);
      if (waiting.length === 0) await microtasks();
      assertEquals(test.clock.delays.length, waiting.length === 0 ? 0 : 1);
      const slots = waiting.map(({ slot }) => slot).sort((a, b) => a - b);
      assert(slots.every((slot, i) => slot === i), `slots ${slots}`);
    }
  }
});
