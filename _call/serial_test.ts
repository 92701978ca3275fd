import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { microtasks } from "../_testdata/waiting.ts";
import { Serial } from "./serial.ts";

class Broken extends Error {}

/** A serial, and what its steps did. */
function setUp() {
  const serial = new Serial();
  const log: string[] = [];
  return {
    serial,
    log,
    run: (name: string) => serial.run(() => void log.push(name)),
    /** Runs a step that waits. */
    wait(name: string) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const end = serial.run(() => {
        log.push(name);
        return promise;
      }) as Promise<void>;
      end.then(() => log.push(`${name} ends`), () => log.push(`${name} fails`));
      return { end, resolve, reject };
    },
  };
}

Deno.test("Serial.run() runs a step at once when none is before it", () => {
  const { serial, log, run } = setUp();
  assertEquals(run("a"), undefined);
  assertEquals(log, ["a"]);
  assertEquals(serial.tail, null);
  assertThrows(() =>
    serial.run(() => {
      throw new Broken();
    }), Broken);
  assertEquals(run("b"), undefined);
});

Deno.test("Serial.run() keeps the order when steps take their time", async () => {
  const { serial, log, run, wait } = setUp();
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
  assertEquals(serial.tail, null);
  assertEquals(run("d"), undefined);
});

Deno.test("Serial.run() goes on when a step fails", async () => {
  const { serial, log, run, wait } = setUp();
  const first = wait("a");
  const second = run("b");
  first.reject(new Broken());
  await assertRejects(() => first.end, Broken);
  await second;
  assertEquals(log, ["a", "a fails", "b"]);
  await microtasks();
  assertEquals(serial.tail, null);
});

Deno.test("Serial.run() is through for who has waited for it", async () => {
  const { serial, wait } = setUp();
  const step = wait("a");
  step.resolve();
  await step.end;
  assertEquals(serial.tail, null);
});

Deno.test("Serial.abort() ends the waiting of all, and of those to come", async () => {
  const { serial, log, run, wait } = setUp();
  const first = wait("a");
  const second = wait("b");
  let made = 0;
  serial.abort(() => {
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
  assertEquals(serial.tail, null);
  // Who does not wait is told nothing.
  assertEquals(run("d"), undefined);
  assertEquals(made, 3);
});

Deno.test("Serial.abort() makes no error when nobody waits", async () => {
  const { serial, run, wait } = setUp();
  run("a");
  const step = wait("b");
  step.resolve();
  await step.end;
  serial.abort(() => {
    throw new Error("An error was made");
  });
});
