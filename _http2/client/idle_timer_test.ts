/** When something counts as not used. */

import { assertEquals } from "@std/assert";
import { VirtualClock } from "../../testing/virtual_clock.ts";
import { IdleTimer } from "./idle_timer.ts";

Deno.test("IdleTimer tells once, when it was not used for its time", async () => {
  const clock = new VirtualClock();
  let told = 0;
  const timer = new IdleTimer(30, () => told++, clock);
  timer.onUnused();
  await clock.advance(29);
  assertEquals(told, 0);
  await clock.advance(1);
  assertEquals(told, 1);
  await clock.advance(1_000);
  assertEquals(told, 1);
});

Deno.test("IdleTimer tells nothing while it is used, however long, or now and then", async () => {
  const clock = new VirtualClock();
  const told: string[] = [];
  const used = new IdleTimer(20, () => told.push("used"), clock);
  used.onUnused();
  used.onUsed();
  const now = new IdleTimer(60, () => told.push("now and then"), clock);
  for (let i = 0; i < 8; i++) {
    now.onUsed();
    now.onUnused();
    await clock.advance(59);
  }
  assertEquals(told, []);
  used.onUnused();
  await clock.advance(1);
  assertEquals(told, ["now and then"]);
  await clock.advance(19);
  assertEquals(told, ["now and then", "used"]);
});

Deno.test("IdleTimer tells nothing before it was used, after stop(), or when its time is Infinity", async () => {
  const clock = new VirtualClock();
  let told = 0;
  const tell = () => void told++;
  const unused = new IdleTimer(1, tell, clock);
  const stopped = new IdleTimer(1, tell, clock);
  stopped.onUnused();
  stopped.stop();
  const never = new IdleTimer(Infinity, tell, clock);
  never.onUnused();
  await clock.advance(1_000);
  assertEquals(told, 0);
  unused.stop();
  assertEquals(clock.timers, 0);
});
