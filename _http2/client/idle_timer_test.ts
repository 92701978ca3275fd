/** When something counts as not used. */

import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { after, until } from "../../_testdata/waiting.ts";
import { IdleTimer } from "./idle_timer.ts";

Deno.test("IdleTimer tells once, when it was not used for its time", async () => {
  let told = 0;
  const start = performance.now();
  const timer = new IdleTimer(30, () => told++);
  timer.onUnused();
  await until(() => told > 0, "it is idle");
  assertGreaterOrEqual(performance.now() - start, 29);
  await after(50);
  assertEquals(told, 1);
});

Deno.test("IdleTimer tells nothing while it is used, however long, or now and then", async () => {
  let told = 0;
  const used = new IdleTimer(20, () => told++);
  used.onUnused();
  used.onUsed();
  const now = new IdleTimer(60, () => told++);
  for (let i = 0; i < 8; i++) {
    now.onUsed();
    now.onUnused();
    await after(15);
  }
  assertEquals(told, 0);
  used.onUnused();
  await until(() => told === 2, "both are idle");
});

Deno.test("IdleTimer tells nothing before it was used, after stop(), or when its time is Infinity", async () => {
  let told = 0;
  const unused = new IdleTimer(1, () => told++);
  const stopped = new IdleTimer(1, () => told++);
  stopped.onUnused();
  stopped.stop();
  const never = new IdleTimer(Infinity, () => told++);
  never.onUnused();
  await after(20);
  assertEquals(told, 0);
  unused.stop();
});
