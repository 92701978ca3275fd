/** Calls that the server has certainly not begun to work on are retried transparently. */

import { assertEquals, assertRejects } from "@std/assert";
import { FakeChannel } from "../../_testdata/fake_channel.ts";
import { FakeClock } from "../../_testdata/fake_clock.ts";
import { closed, OK_HEAD } from "../../_testdata/fake_stream.ts";
import { turns } from "../../_testdata/waiting.ts";
import { stateOf } from "../../_testdata/states.ts";
import { listen, SendRequest } from "../../core/events.ts";
import { GRPCError, StreamTerminatedError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import type { CloseReason } from "../byte_stream.ts";

const REFUSED: CloseReason = {
  ...closed(Status.UNAVAILABLE, "Stream was refused"),
  unprocessed: true,
};

/** Nothing of the call has left this side. */
const UNSENT: CloseReason = { ...REFUSED, unsent: true };

Deno.test("ClientCall() is retried transparently when its stream was refused", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({ value: "Ada" }, {
    metadata: { "tag": "red" },
  });
  const first = channel.stream;
  first.close(REFUSED);
  const second = channel.stream;
  assertEquals(channel.source.streams, [first, second]);
  assertEquals(second.log, ["head", "message Ada end"]);
  assertEquals(second.head, first.head);
  second.peerAnswers("Hello");
  assertEquals((await reply).value, "Hello");
});

Deno.test("ClientCall() retries with all its messages when its stream was refused", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamStream.open();
  await stream.sendMessage({ value: "a" });
  await stream.sendMessage({ value: "b" });
  const head = stream.recvInitialMetadata();
  channel.source.ready = false;
  channel.stream.close(REFUSED);
  assertEquals(stream.peer, null);
  const third = stream.sendMessage({ value: "c" }, { end: true });
  assertEquals(await stateOf(third), "pending");
  const { log } = channel.source.open();
  await third;
  assertEquals(log, ["head", "message a", "message b", "message c end"]);
  channel.stream.peerAnswers("x");
  await head;
  assertEquals((await stream.recvMessage())?.value, "x");
  assertEquals(await stream.recvMessage(), null);
});

Deno.test("ClientCall() ends the head of a retry when it has no messages", async () => {
  const channel = new FakeChannel();
  const reply = channel.streamUnary([]);
  channel.stream.close(REFUSED);
  assertEquals(channel.stream.log, ["head end"]);
  channel.stream.peerAnswers("x");
  assertEquals((await reply).value, "x");
});

Deno.test("ClientCall() lets a send go on when its stream was refused while it waits", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamStream.open();
  await stream.sendRequest();
  channel.stream.full = true;
  const send = stream.sendMessage({ value: "a" });
  channel.stream.close(REFUSED);
  await send;
  assertEquals(channel.stream.log, ["head", "message a"]);
  stream.cancel();
  assertEquals(channel.stream.log.at(-1), "reset CANCEL");
});

Deno.test("ClientCall() is retried transparently once when servers refuse it", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({});
  channel.stream.close(REFUSED);
  channel.stream.close(REFUSED);
  const error = await assertRejects(() => reply, StreamTerminatedError);
  assertEquals(error.status, Status.UNAVAILABLE);
  assertEquals(error.message, "Stream was refused");
  assertEquals(channel.source.streams.length, 2);
});

Deno.test("ClientCall() is retried transparently without limit while nothing of it has left", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({ value: "Ada" });
  for (let i = 0; i < 50; i++) channel.stream.close(UNSENT);
  channel.stream.close(REFUSED);
  for (let i = 0; i < 50; i++) channel.stream.close(UNSENT);
  assertEquals(channel.source.streams.length, 102);
  channel.stream.peerAnswers("Hello");
  assertEquals((await reply).value, "Hello");
});

Deno.test("ClientCall() fails when there is no connection to be retried transparently on", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({});
  channel.source.refusal = {
    ...closed(Status.UNAVAILABLE, "Cannot connect"),
    unprocessed: true,
  };
  channel.stream.close(REFUSED);
  await assertRejects(() => reply, StreamTerminatedError, "Cannot connect");
  assertEquals(channel.source.streams.length, 1);
});

Deno.test("ClientCall() is not retried transparently when there never was a stream", async () => {
  const channel = new FakeChannel();
  channel.source.refusal = REFUSED;
  await assertRejects(() => channel.unaryUnary({}), StreamTerminatedError);
  assertEquals(channel.source.waiting, []);
});

Deno.test("ClientCall() is not retried transparently when the server may have begun to work on it", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({});
  channel.stream.close(closed(Status.UNAVAILABLE, "Connection lost"));
  await assertRejects(() => reply, StreamTerminatedError, "Connection lost");
  assertEquals(channel.source.streams.length, 1);
});

Deno.test("ClientCall() is not retried transparently when the head has come", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({});
  channel.stream.peerHead(OK_HEAD);
  channel.stream.close(REFUSED);
  await assertRejects(() => reply, StreamTerminatedError, "Stream was refused");
  assertEquals(channel.source.streams.length, 1);
});

Deno.test("ClientCall() is not retried transparently when it has sent too much to keep", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamUnary.open();
  for (let i = 0; i < 20; i++) {
    await stream.sendMessage({ value: "a".repeat(100_000) });
  }
  channel.stream.close(REFUSED);
  await assertRejects(() => stream.recvMessage(), StreamTerminatedError);
  assertEquals(channel.source.streams.length, 1);
});

Deno.test("ClientCall() is not retried transparently when it was cancelled", async () => {
  const channel = new FakeChannel();
  const stream = channel.unaryUnary.open();
  await stream.sendMessage({});
  channel.stream.closesOnReset = false;
  stream.cancel();
  channel.stream.close(REFUSED);
  assertEquals(channel.source.streams.length, 1);
});

Deno.test("ClientCall() sends the time that is left when it is retried transparently", async () => {
  using clock = new FakeClock();
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({}, { timeoutMs: 100 });
  clock.advance(30);
  channel.stream.close(UNSENT);
  assertEquals(channel.stream.head!["grpc-timeout"], "70m");
  channel.source.ready = false;
  channel.stream.close(REFUSED);
  clock.advance(70);
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals(error.status, Status.DEADLINE_EXCEEDED);
  assertEquals(channel.source.waiting, []);
  assertEquals(clock.delays, []);
});

Deno.test("ClientCall() tells listeners of its request once when it is retried transparently", async () => {
  const channel = new FakeChannel();
  let told = 0;
  using _ = listen(channel, SendRequest, async (event) => {
    told++;
    await Promise.resolve();
    event.metadata.set("tag", `${told}`);
  });
  const reply = channel.unaryUnary({ value: "Ada" });
  // The stream goes while listeners are at work, and then once more.
  channel.stream.close(UNSENT);
  await turns(2);
  const second = channel.stream;
  assertEquals(second.log, ["head", "message Ada end"]);
  second.close(REFUSED);
  const third = channel.stream;
  assertEquals(third.log, ["head", "message Ada end"]);
  assertEquals([third.head!["tag"], told], ["1", 1]);
  third.peerAnswers("Hello");
  assertEquals((await reply).value, "Hello");
});
