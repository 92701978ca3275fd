import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { microtasks } from "../_testdata/waiting.ts";
import { StepQueue } from "./step_queue.ts";

class Broken extends Error {}

/** A queue, and what its steps did. */
function setUp() {
  const queue = new StepQueue();
  const log: string[] = [];
  return {
    queue,
    log,
    run: (name: string) => queue.run(() => void log.push(name)),
    /** Runs a step that waits. */
    wait(name: string) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const end = queue.run(() => {
        log.push(name);
        return promise;
      }) as Promise<void>;
      end.then(() => log.push(`${name} ends`), () => log.push(`${name} fails`));
      return { end, resolve, reject };
    },
  };
}

Deno.test("StepQueue.run() runs a step at once when none is before it", () => {
  const { queue, log, run } = setUp();
  assertEquals(run("a"), undefined);
  assertEquals(log, ["a"]);
  assertEquals(queue.tail, null);
  assertThrows(() =>
    queue.run(() => {
      throw new Broken();
    }), Broken);
  assertEquals(run("b"), undefined);
});

Deno.test("StepQueue.run() keeps the order when steps take their time", async () => {
  const { queue, log, run, wait } = setUp();
  const first = wait("a");
  const second = wait("b");
  const third = run("c");
  assertEquals(log, ["a"]);
  first.resolve();
  await first.end;
  await microtasks();
  assertEquals(log, ["a", "a ends", "b"]);
  second.resolve();
  await third;
  assertEquals(log, ["a", "a ends", "b", "b ends", "c"]);
  await microtasks();
  assertEquals(queue.tail, null);
  assertEquals(run("d"), undefined);
});

Deno.test("StepQueue.run() goes on when a step fails", async () => {
  const { queue, log, run, wait } = setUp();
  const first = wait("a");
  const second = run("b");
  first.reject(new Broken());
  await assertRejects(() => first.end, Broken);
  await second;
  assertEquals(log, ["a", "a fails", "b"]);
  await microtasks();
  assertEquals(queue.tail, null);
});

Deno.test("StepQueue.run() is through for who has waited for it", async () => {
  const { queue, wait } = setUp();
  const step = wait("a");
  step.resolve();
  await step.end;
  assertEquals(queue.tail, null);
});

Deno.test("StepQueue.abort() ends the waiting of all, and of those to come", async () => {
  const { queue, log, run, wait } = setUp();
  const first = wait("a");
  const second = wait("b");
  let made = 0;
  queue.abort(() => {
    made++;
    return new Broken();
  });
  await assertRejects(() => first.end, Broken);
  await assertRejects(() => second.end, Broken);
  assertEquals(made, 2);
  const third = wait("c");
  await assertRejects(() => third.end, Broken);
  for (const step of [first, second, third]) step.resolve();
  await microtasks();
  assertEquals(log.filter((line) => line.endsWith("ends")), []);
  assertEquals(queue.tail, null);
  // Who does not wait is told nothing.
  assertEquals(run("d"), undefined);
  assertEquals(made, 3);
});

Deno.test("StepQueue.abort() makes no error when nobody waits", async () => {
  const { queue, run, wait } = setUp();
  run("a");
  const step = wait("b");
  step.resolve();
  await step.end;
  queue.abort(() => {
    throw new Error("An error was made");
  });
});
