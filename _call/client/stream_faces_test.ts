/** A `ClientStream` as metadata, an iterable, a pair of Web Streams, a resource. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { FakeChannel } from "../../_testdata/fake_channel.ts";
import { closed, OK_HEAD } from "../../_testdata/fake_stream.ts";
import { allTurns, stateOf } from "../../_testdata/states.ts";
import { GRPCError, ProtocolError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";

// --- metadata and peer

Deno.test("ClientStream.initialMetadata and trailingMetadata are null when they have not come", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryUnary.open();
  assertEquals([stream.initialMetadata, stream.trailingMetadata], [null, null]);
  await stream.sendMessage({});
  assertEquals([stream.initialMetadata, stream.trailingMetadata], [null, null]);
  channel.stream.peerHead({ ...OK_HEAD, "tag": ["red", "blue"] });
  assertEquals(stream.initialMetadata!.getAll("tag"), ["red", "blue"]);
  assertEquals(stream.trailingMetadata, null);
  channel.stream.peerSends("Hello");
  channel.stream.peerEnds({
    "grpc-status": "0",
    "cost-bin": "AQID,BA==",
    "note": "done",
  });
  assertEquals([...stream.trailingMetadata!], [
    ["cost-bin", new Uint8Array([1, 2, 3])],
    ["cost-bin", new Uint8Array([4])],
    ["note", "done"],
  ]);
  assertStrictEquals(stream.initialMetadata, stream.initialMetadata);
  assertStrictEquals(stream.trailingMetadata, stream.trailingMetadata);
  assertEquals((await stream.recvMessage()).value, "Hello");
});

Deno.test("ClientStream.initialMetadata is empty when the reply is only trailers", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryUnary.open();
  await stream.sendMessage({});
  channel.stream.peerHead({
    ...OK_HEAD,
    "grpc-status": "5",
    "note": "gone",
  }, true);
  await assertRejects(() => stream.recvMessage(), GRPCError);
  assertEquals([...stream.initialMetadata!], []);
  assertEquals([...stream.trailingMetadata!], [["note", "gone"]]);
});

Deno.test("GRPCError.metadata holds the trailing metadata when a call failed", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({});
  channel.stream.peerHead({ ...OK_HEAD, "early": "yes" });
  channel.stream.peerEnds({ "grpc-status": "5", "note": "gone" });
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals([...error.metadata], [["note", "gone"]]);
});

Deno.test("ClientStream.peer is the server when the request is sent", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryUnary.open();
  channel.source.ready = false;
  const sent = stream.sendRequest();
  assertEquals(stream.peer, null);
  channel.source.open();
  await sent;
  assertStrictEquals(stream.peer, channel.source.peer);
});

// --- iteration

Deno.test("ClientStream[Symbol.asyncIterator]() gives the replies and checks the status when iterated", async () => {
  for (const status of ["0", "10"]) {
    const channel = new FakeChannel();
    await using stream = channel.unaryStream.open();
    await stream.sendMessage({});
    channel.stream.peerHead();
    channel.stream.peerSends("a", "b");
    channel.stream.peerEnds({ "grpc-status": status });
    const values: string[] = [];
    const loop = async () => {
      for await (const { value } of stream) values.push(value);
    };
    if (status === "0") await loop();
    else await assertRejects(loop, GRPCError);
    assertEquals(values, ["a", "b"]);
  }
});

Deno.test("ClientStream[Symbol.asyncIterator]() gives the one reply when it is unary", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryUnary.open();
  await stream.sendMessage({});
  channel.stream.peerAnswers("a");
  const messages = await Array.fromAsync(stream);
  assertEquals(messages.map(({ value }) => value), ["a"]);
});

Deno.test("ClientStream[Symbol.asyncIterator]() cancels the call when the loop is left", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryStream.open();
  await stream.sendMessage({});
  channel.stream.peerHead();
  channel.stream.peerSends("a", "b");
  for await (const { value } of stream) {
    assertEquals(value, "a");
    break;
  }
  assertEquals(channel.stream.log.at(-1), "reset CANCEL");
  const error = await assertRejects(() => stream.recvMessage(), GRPCError);
  assertEquals(error.status, Status.CANCELLED);
  assertEquals(error.message, "Call was cancelled: its iteration was left");
});

// --- Web Streams

Deno.test("ClientStream.readable gives the replies when it is read", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryStream.open();
  assertStrictEquals(stream.readable, stream.readable);
  await stream.sendMessage({});
  channel.stream.peerAnswers("a", "b");
  const messages = await Array.fromAsync(stream.readable);
  assertEquals(messages.map(({ value }) => value), ["a", "b"]);
});

Deno.test("ClientStream.readable fails with the status when the call fails", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryStream.open();
  await stream.sendMessage({});
  const reader = stream.readable.getReader();
  const read = reader.read();
  const { closed } = reader;
  channel.stream.peerHead({ ":status": "401" });
  for (const promise of [read, closed]) {
    const error = await assertRejects(() => promise, GRPCError);
    assertEquals(error.status, Status.UNAUTHENTICATED);
  }
});

Deno.test("ClientStream.readable waits when it is read before the request", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryStream.open();
  const read = stream.readable.getReader().read();
  await stream.sendMessage({});
  channel.stream.peerAnswers("a");
  assertEquals((await read).value?.value, "a");
});

Deno.test("ClientStream.readable fails when it is read and the block is left before the request", async () => {
  const channel = new FakeChannel();
  const stream = channel.unaryStream.open();
  const reader = stream.readable.getReader();
  const { closed } = reader;
  const read = reader.read();
  await stream[Symbol.asyncDispose]();
  for (const promise of [read, closed]) {
    const error = await assertRejects(() => promise, GRPCError);
    assertEquals(error.status, Status.CANCELLED);
  }
  assertEquals(channel.source.streams, []);
});

Deno.test("ClientStream.readable cancels the call when its reader has had enough", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryStream.open();
  await stream.sendMessage({});
  await stream.readable.cancel();
  assertEquals(channel.stream.log.at(-1), "reset CANCEL");
  const error = await assertRejects(() => stream.recvMessage(), GRPCError);
  assertEquals(error.message, "Call was cancelled by its reader");
});

Deno.test("ClientStream.writable sends what is written and ends when it is closed", async () => {
  const channel = new FakeChannel();
  await using stream = channel.streamUnary.open();
  assertStrictEquals(stream.writable, stream.writable);
  const writer = stream.writable.getWriter();
  await writer.write({ value: "a" });
  await writer.write({ value: "b" });
  await writer.close();
  const { log } = channel.stream;
  assertEquals(log, ["head", "message a", "message b", "nothing end"]);
  channel.stream.peerAnswers("Hello");
  assertEquals((await stream.recvMessage()).value, "Hello");
});

Deno.test("ClientStream.writable sends a unary request when one message is written", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryUnary.open();
  const writer = stream.writable.getWriter();
  await writer.write({ value: "a" });
  await writer.close();
  assertEquals(channel.stream.log, ["head", "message a end"]);
});

Deno.test("ClientStream.writable makes a call without requests when it is closed at once", async () => {
  const channel = new FakeChannel();
  await using stream = channel.streamUnary.open();
  await stream.writable.close();
  assertEquals(channel.stream.log, ["head end"]);
});

Deno.test("ClientStream.writable cannot be closed when a unary request has no message", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryUnary.open();
  const error = await assertRejects(
    () => stream.writable.close(),
    ProtocolError,
  );
  assertEquals(error.message, "Request was not sent");
});

Deno.test("ClientStream.writable waits when the stream is full", async () => {
  const channel = new FakeChannel();
  await using stream = channel.streamUnary.open();
  const writer = stream.writable.getWriter();
  await writer.write({ value: "a" });
  channel.stream.full = true;
  const write = writer.write({ value: "b" });
  assertEquals(await stateOf(write), "pending");
  assertEquals(await stateOf(writer.ready), "pending");
  channel.stream.drain();
  await write;
});

Deno.test("ClientStream.writable fails when the call fails", async () => {
  const channel = new FakeChannel();
  await using stream = channel.streamUnary.open();
  const writer = stream.writable.getWriter();
  await writer.write({ value: "a" });
  const ended = assertRejects(() => writer.closed, GRPCError);
  channel.stream.close(closed(Status.UNAVAILABLE, "Connection lost"));
  const error = await assertRejects(() => writer.write({}), GRPCError);
  assertEquals(error.status, Status.UNAVAILABLE);
  assertStrictEquals(await ended, error);
});

Deno.test("ClientStream.writable cancels the call when it is aborted", async () => {
  const channel = new FakeChannel();
  await using stream = channel.streamUnary.open();
  await stream.sendRequest();
  await stream.writable.abort("Enough");
  assertEquals(channel.stream.log, ["head", "reset CANCEL"]);
  const error = await assertRejects(() => stream.recvMessage(), GRPCError);
  assertEquals(error.message, "Call was cancelled by its writer");
});

Deno.test("ClientStream.readable and writable work at once when piped through", async () => {
  const channel = new FakeChannel();
  await using stream = channel.streamStream.open();
  const replies = ReadableStream.from([{ value: "a" }, { value: "b" }])
    .pipeThrough(stream);
  await allTurns();
  assert(channel.stream.log.includes("message b"));
  channel.stream.peerAnswers("x", "y");
  const messages = await Array.fromAsync(replies);
  assertEquals(messages.map(({ value }) => value), ["x", "y"]);
});

// --- leaving the block

Deno.test("ClientStream[Symbol.asyncDispose]() cancels the call when it is not complete", async () => {
  const channel = new FakeChannel();
  const waits = await (async () => {
    await using stream = channel.streamStream.open();
    await stream.sendMessage({ value: "a" });
    const promise = stream.recvMessage();
    return { promise: promise.catch((error) => error as GRPCError) };
  })();
  const error = await waits.promise;
  assertInstanceOf(error, GRPCError);
  assertEquals(error.message, "Call was cancelled: its block was left");
  assertEquals(channel.stream.log, ["head", "message a", "reset CANCEL"]);
});

for (const lost of [true, false]) {
  Deno.test(`ClientStream[Symbol.asyncDispose]() lets the block's error out when the stream is ${lost ? "lost" : "open"}`, async () => {
    const channel = new FakeChannel();
    const own = new Error("My own");
    const error = await assertRejects(async () => {
      await using stream = channel.streamStream.open();
      await stream.sendMessage({});
      if (lost) channel.stream.peerHead({ ":status": "503" });
      throw own;
    });
    assertStrictEquals(error, own);
  });
}
