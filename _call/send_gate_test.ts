import { assertEquals } from "@std/assert";
import { stateOf } from "../_testdata/states.ts";
import { SendGate } from "./send_gate.ts";

Deno.test("SendGate.wait() waits until there is room", async () => {
  const gate = new SendGate();
  const room = Promise.withResolvers<void>();
  const waits = [gate.wait(room.promise), gate.wait(room.promise)];
  for (const wait of waits) assertEquals(await stateOf(wait), "pending");
  room.resolve();
  await Promise.all(waits);
});

Deno.test("SendGate.wait() waits again when there was room before", async () => {
  const gate = new SendGate();
  await gate.wait(Promise.resolve());
  const room = Promise.withResolvers<void>();
  const wait = gate.wait(room.promise);
  assertEquals(await stateOf(wait), "pending");
  room.resolve();
  await wait;
});

Deno.test("SendGate.open() lets all go on when there is no room", async () => {
  const gate = new SendGate();
  const room = Promise.withResolvers<void>();
  const waits = [gate.wait(room.promise), gate.wait(room.promise)];
  gate.open();
  await Promise.all(waits);
  room.resolve();
});

Deno.test("SendGate.open() does nothing when nobody waits", async () => {
  const gate = new SendGate();
  gate.open();
  const wait = gate.wait(new Promise(() => {}));
  assertEquals(await stateOf(wait), "pending");
});

Deno.test("SendGate.wait() is not ended by an earlier room when it waits for a later one", async () => {
  const gate = new SendGate();
  const early = Promise.withResolvers<void>();
  const first = gate.wait(early.promise);
  gate.open();
  const second = gate.wait(new Promise(() => {}));
  early.resolve();
  await first;
  assertEquals(await stateOf(second), "pending");
});
