/** Sending from a client call: order, waiting, and the server that ends early. */

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { FakeChannel } from "../../_testdata/fake_channel.ts";
import { closed, frameOf, textFrame } from "../../_testdata/fake_stream.ts";
import { allTurns, stateOf } from "../../_testdata/states.ts";
import { GRPCError, StreamTerminatedError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";

Deno.test("ClientCall.send() keeps messages back in order when there is no stream yet", async () => {
  const channel = new FakeChannel();
  channel.source.ready = false;
  const stream = channel.streamStream.open();
  const sends = [
    stream.sendMessage({ value: "a" }),
    stream.sendMessage({ value: "b" }),
    stream.end(),
  ];
  for (const send of sends) assertEquals(await stateOf(send), "pending");
  const { log } = channel.source.open();
  await Promise.all(sends);
  assertEquals(log, ["head", "message a", "message b", "nothing end"]);
  stream.cancel();
});

Deno.test("ClientCall.send() fails for all that wait when there will be no stream", async () => {
  const channel = new FakeChannel();
  channel.source.ready = false;
  const stream = channel.streamStream.open();
  const sends = [
    stream.sendMessage({ value: "a" }),
    stream.sendMessage({ value: "b" }),
    stream.end(),
  ];
  channel.source.refuse(closed(Status.UNAVAILABLE, "Cannot connect"));
  for (const send of sends) {
    const error = await assertRejects(() => send, StreamTerminatedError);
    assertEquals(error.status, Status.UNAVAILABLE);
  }
});

Deno.test("ClientCall.send() waits until there is room when the stream is full", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamStream.open();
  await stream.sendMessage({ value: "a" });
  channel.stream.full = true;
  const second = stream.sendMessage({ value: "b" });
  const third = stream.sendMessage({ value: "c" });
  assertEquals(await stateOf(second), "pending");
  assertEquals(await stateOf(third), "pending");
  channel.stream.drain();
  await Promise.all([second, third]);
  await stream.sendMessage({ value: "d" });
  const { log } = channel.stream;
  assertEquals(log, [
    "head",
    "message a",
    "message b",
    "message c",
    "message d",
  ]);
  stream.cancel();
});

Deno.test("ClientCall.send() waits again when the stream is full again", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamStream.open();
  await stream.sendRequest();
  for (let round = 0; round < 3; round++) {
    channel.stream.full = true;
    const send = stream.sendMessage({ value: "a" });
    assertEquals(await stateOf(send), "pending");
    channel.stream.drain();
    await send;
  }
  stream.cancel();
});

const LOSSES = [
  closed(Status.INTERNAL, "Stream was reset"),
  closed(Status.UNAVAILABLE, "Connection lost"),
];
for (const loss of LOSSES) {
  Deno.test(`ClientCall.send() fails while it waits when the end is "${loss.message}"`, async () => {
    const channel = new FakeChannel();
    const stream = channel.streamStream.open();
    await stream.sendRequest();
    channel.stream.full = true;
    const send = stream.sendMessage({ value: "a" });
    channel.stream.close(loss);
    const error = await assertRejects(() => send, StreamTerminatedError);
    assertEquals([error.status, error.message], [loss.status, loss.message]);
  });
}

Deno.test("ClientCall.send() fails with the status while it waits when the server ends early", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamStream.open();
  await stream.sendRequest();
  channel.stream.full = true;
  const send = stream.sendMessage({ value: "a" });
  channel.stream.peerHead();
  channel.stream.peerEnds({ "grpc-status": "8", "grpc-message": "Full" });
  const error = await assertRejects(() => send, GRPCError, "Full");
  assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
  assertEquals(channel.stream.log, ["head", "message a", "reset NO_ERROR"]);
});

Deno.test("ClientCall.send() fails when the server has ended the call with OK", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamStream.open();
  await stream.sendRequest();
  channel.stream.peerAnswers("Hello");
  assertEquals(channel.stream.log, ["head", "reset NO_ERROR"]);
  const error = await assertRejects(
    () => stream.sendMessage({ value: "a" }),
    StreamTerminatedError,
    "Cannot send: the server ended the call with status OK before",
  );
  assertEquals(error.status, Status.CANCELLED);
  // That takes nothing from the reply.
  assertEquals((await stream.recvMessage())?.value, "Hello");
  assertEquals(await stream.recvMessage(), null);
});

Deno.test("ClientCall.send() fails while it waits when the server ends the call with OK", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamStream.open();
  await stream.sendRequest();
  channel.stream.full = true;
  channel.stream.closesOnReset = false;
  const send = stream.sendMessage({ value: "a" });
  channel.stream.peerAnswers("Hello");
  const error = await assertRejects(() => send, StreamTerminatedError);
  assertEquals(error.status, Status.CANCELLED);
});

Deno.test("ClientCall.send() fails with the status when the server has ended the call", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamUnary.open();
  await stream.sendMessage({ value: "a" });
  channel.stream.peerHead();
  channel.stream.peerEnds({ "grpc-status": "5" });
  for (
    const wait of [() => stream.sendMessage({}), () => stream.recvMessage()]
  ) {
    const error = await assertRejects(wait, GRPCError);
    assertEquals(error.status, Status.NOT_FOUND);
  }
});

Deno.test("ClientCall.endRequests() does nothing when the server has ended the call", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamUnary.open();
  await stream.sendMessage({ value: "a" });
  channel.stream.peerAnswers("Hello");
  await stream.end();
  assertEquals((await stream.recvMessage()).value, "Hello");
  assertEquals(channel.stream.log, ["head", "message a", "reset NO_ERROR"]);
});

Deno.test("ClientCall() resets nothing when the server ends after the requests", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamUnary.open();
  await stream.sendMessage({ value: "a" }, { end: true });
  channel.stream.peerAnswers("Hello");
  assertEquals((await stream.recvMessage()).value, "Hello");
  assertEquals(channel.stream.log, ["head", "message a end"]);
});

// --- receiving at the reader's pace

const LARGE = "a".repeat(50_000);

Deno.test("ClientCall() pauses the stream when nobody takes the replies", async () => {
  const channel = new FakeChannel();
  const stream = channel.unaryStream.open();
  await stream.sendMessage({});
  channel.stream.peerHead();
  channel.stream.peerSends(LARGE, LARGE, LARGE, LARGE, LARGE);
  channel.stream.peerEnds({ "grpc-status": "0" });
  assertEquals(channel.stream.log.slice(2), ["pause"]);
  const lengths: number[] = [];
  for await (const { value } of stream) lengths.push(value.length);
  assertEquals(lengths, [50_000, 50_000, 50_000, 50_000, 50_000]);
  assertEquals(channel.stream.log.slice(2), [
    "pause",
    "resume",
    "pause",
    "resume",
  ]);
});

Deno.test("ClientCall() does not pause the stream when replies are taken as they come", async () => {
  const channel = new FakeChannel();
  const stream = channel.unaryStream.open();
  await stream.sendMessage({});
  channel.stream.peerHead();
  for (let i = 0; i < 10; i++) {
    const message = stream.recvMessage();
    await allTurns();
    channel.stream.peerSends(LARGE);
    assertEquals((await message)?.value.length, 50_000);
  }
  assertEquals(channel.stream.log, ["head", "message end"]);
  stream.cancel();
});

Deno.test("ClientCall() ends at a message that cannot be decoded when others follow", async () => {
  for (const early of [true, false]) {
    const channel = new FakeChannel();
    const stream = channel.streamStream.open();
    await stream.sendRequest();
    channel.stream.peerHead();
    const bad = early ? stream.recvMessage() : null;
    // All in one chunk, so that nothing but the call can drop the last.
    const frames = [frameOf(new Uint8Array([0xff])), textFrame("b")];
    channel.stream.peerBytes(new Uint8Array(frames.flatMap((f) => [...f])));
    const error = await assertRejects(
      () => bad ?? stream.recvMessage(),
      GRPCError,
      "Cannot decode the reply",
    );
    assertEquals(error.status, Status.INTERNAL);
    assertEquals(channel.stream.log, ["head", "reset CANCEL"]);
    for (
      const act of [() => stream.recvMessage(), () => stream.sendMessage({})]
    ) {
      assertStrictEquals(await assertRejects(act), error);
    }
  }
});

Deno.test("ClientCall() gives the replies before the error when the status is none to like", async () => {
  const channel = new FakeChannel();
  const stream = channel.unaryStream.open();
  await stream.sendMessage({});
  channel.stream.peerHead();
  channel.stream.peerSends("a", "b");
  channel.stream.peerEnds({ "grpc-status": "10" });
  assertEquals((await stream.recvMessage())?.value, "a");
  assertEquals((await stream.recvMessage())?.value, "b");
  for (let i = 0; i < 2; i++) {
    const error = await assertRejects(() => stream.recvMessage(), GRPCError);
    assertEquals(error.status, Status.ABORTED);
  }
});

Deno.test("ClientCall() gives the replies before the error when the connection is lost", async () => {
  const channel = new FakeChannel();
  const replies = channel.unaryStream({})[Symbol.asyncIterator]();
  const first = replies.next();
  channel.stream.peerHead();
  channel.stream.peerSends("a", "b");
  channel.stream.close(closed(Status.UNAVAILABLE, "Connection lost"));
  assertEquals((await first).value?.value, "a");
  assertEquals((await replies.next()).value?.value, "b");
  const error = await assertRejects(() => replies.next(), GRPCError);
  assertEquals(error.status, Status.UNAVAILABLE);
});
