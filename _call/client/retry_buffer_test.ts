/** What a call keeps of its requests: how much, and for how long. */

import { assertEquals } from "@std/assert";
import { FakeStream } from "../../_testdata/fake_stream.ts";
import { RetryBudget, RetryBuffer } from "./retry_buffer.ts";

const bytes = (count: number) => new Uint8Array(count);

Deno.test("RetryBuffer has room for as much as its call and its channel may keep, and no byte more", () => {
  const budget = new RetryBudget(150);
  const one = new RetryBuffer(budget, 100);
  const other = new RetryBuffer(budget, 100);
  assertEquals([one.hasRoom(100), one.hasRoom(101)], [true, false]);
  one.keep(bytes(60), false);
  assertEquals([one.hasRoom(40), one.hasRoom(41)], [true, false]);
  assertEquals([other.hasRoom(90), other.hasRoom(91)], [true, false]);
  one.release();
  assertEquals([budget.used, other.hasRoom(100)], [0, true]);
});

Deno.test("RetryBuffer keeps nothing once it is released", () => {
  const budget = new RetryBudget(150);
  const buffer = new RetryBuffer(budget, 100);
  buffer.keep(bytes(10), false);
  buffer.release();
  buffer.keep(bytes(10), true);
  assertEquals([budget.used, buffer.isEmpty], [0, true]);
  buffer.release();
  assertEquals(budget.used, 0);
  const stream = new FakeStream();
  buffer.sendOn(stream);
  assertEquals(stream.log, []);
});
