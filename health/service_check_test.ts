import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import type { CheckStatus } from "./check.ts";
import { ServiceCheck } from "./service_check.ts";
import { ServiceStatus } from "./service_status.ts";

const after = (ms: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A listener that counts. */
function counting() {
  const heard = { changes: 0, errors: [] as unknown[] };
  return {
    heard,
    onChange: () => void heard.changes++,
    onError: (error: unknown) => void heard.errors.push(error),
  };
}

Deno.test("ServiceCheck.check() keeps the result as long as it holds", async () => {
  let made = 0;
  const check = new ServiceCheck(() => {
    made++;
    return true;
  });
  assertEquals(check.status, null);
  assertEquals(await check.check(), true);
  assertEquals(await check.check(), true);
  assertEquals(made, 1);
  assertEquals(check.status, true);

  const brief = new ServiceCheck(() => ++made > 2, { checkTtlMs: 1 });
  assertEquals(await brief.check(), false);
  await after(5);
  assertEquals(await brief.check(), true);
});

Deno.test("ServiceCheck.check() makes one check for all who ask at once", async () => {
  let made = 0;
  const check = new ServiceCheck(async () => {
    made++;
    await after(5);
    return made === 1;
  });
  const results = await Promise.all([check.check(), check.check()]);
  assertEquals(results, [true, true]);
  assertEquals(made, 1);
});

Deno.test("ServiceCheck.check() rejects when the check fails, which counts as false", async () => {
  const boom = new Error("boom");
  const functions: [() => CheckStatus | Promise<CheckStatus>, string][] = [
    [() => {
      throw boom;
    }, "boom"],
    [() => Promise.reject(boom), "boom"],
    [() => 1 as unknown as boolean, "received number"],
    [() => undefined as unknown as boolean, "received undefined"],
    [() => ({}) as boolean, "received an object"],
  ];
  for (const [fn, message] of functions) {
    const check = new ServiceCheck(fn);
    await assertRejects(() => check.check(), Error, message);
    assertEquals(check.status, false);
    // The failure holds as a result does.
    assertEquals(await check.check(), false);
  }
});

Deno.test("ServiceCheck ends a check that takes too long", async () => {
  let reason: unknown;
  const check = new ServiceCheck((signal) => {
    signal.addEventListener("abort", () => reason = signal.reason);
    return new Promise(() => {});
  }, { checkTimeoutMs: 5, name: "slow" });
  const error = await assertRejects(
    () => check.check(),
    Error,
    "Check slow took longer than 5 ms",
  );
  assertStrictEquals(reason, error);
  assertEquals(check.status, false);
});

Deno.test("ServiceCheck makes checks as long as somebody listens", async () => {
  let made = 0;
  const check = new ServiceCheck(() => ++made % 2 === 1, { checkTtlMs: 2 });
  const [first, second] = [counting(), counting()];
  const a = check.subscribe(first);
  const b = check.subscribe(second);
  while (made < 4) await after(1);
  assert(first.heard.changes >= 3);
  assertEquals(first.heard.changes, second.heard.changes);
  a[Symbol.dispose]();
  const before = made;
  while (made < before + 2) await after(1);
  b[Symbol.dispose]();
  b[Symbol.dispose]();
  const last = made;
  await after(20);
  assert(made <= last + 1);
});

Deno.test("ServiceCheck goes on when somebody comes back while a check is made", async () => {
  let made = 0;
  const check = new ServiceCheck(async () => {
    made++;
    await after(3);
    return true;
  }, { checkTtlMs: 1 });
  check.subscribe(counting())[Symbol.dispose]();
  const subscription = check.subscribe(counting());
  while (made < 3) await after(1);
  subscription[Symbol.dispose]();
  await after(20); // for the last check
});

Deno.test("ServiceCheck tells listeners what a check failed with", async () => {
  const boom = new Error("boom");
  const check = new ServiceCheck(() => Promise.reject(boom));
  const listener = counting();
  using _ = check.subscribe(listener);
  while (listener.heard.errors.length === 0) await after(1);
  assertEquals(listener.heard.errors, [boom]);
  assertEquals(listener.heard.changes, 1);
});

Deno.test("ServiceCheck() throws when an argument is wrong", () => {
  const ok = () => true;
  assertThrows(() => new ServiceCheck("x" as never), TypeError, "a function");
  for (const value of [0, -1, NaN, Infinity, 2 ** 31]) {
    assertThrows(
      () => new ServiceCheck(ok, { checkTtlMs: value }),
      RangeError,
      `checkTtlMs must be more than 0 and at most 2147483647, received ${value}`,
    );
  }
  assertThrows(
    () => new ServiceCheck(ok, { checkTimeoutMs: "1" as unknown as number }),
    TypeError,
    "checkTimeoutMs must be a number, received string",
  );
  assertEquals(new ServiceCheck(ok).name, "ok");
  assertEquals(new ServiceCheck(() => true).name, "ServiceCheck");
});

Deno.test("ServiceStatus tells changes, and nothing else", async () => {
  const status = new ServiceStatus({ name: "redis" });
  assertEquals([status.name, status.status], ["redis", null]);
  const listener = counting();
  const subscription = status.subscribe(listener);
  status.set(null);
  status.set(true);
  status.set(true);
  status.set(false);
  assertEquals(listener.heard.changes, 2);
  assertEquals(await status.check(), false);
  subscription[Symbol.dispose]();
  status.set(true);
  assertEquals(listener.heard.changes, 2);
  assertThrows(
    () => status.set(1 as unknown as boolean),
    TypeError,
    "Cannot set status: the status must be true, false or null, received number",
  );
});
