/** A `ServerStream` as an iterable and a pair of Web Streams. */

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { type FakeHandlers, FakeServer } from "../../_testdata/fake_server.ts";
import { closed } from "../../_testdata/fake_stream.ts";
import { allTurns, stateOf } from "../../_testdata/states.ts";
import { GRPCError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";

function open(handle: FakeHandlers["STREAM_STREAM"]) {
  const server = new FakeServer({ STREAM_STREAM: handle });
  return { server, stream: server.open("STREAM_STREAM") };
}

Deno.test("ServerStream[Symbol.asyncIterator]() gives the requests when iterated", async () => {
  const values: string[] = [];
  const { stream } = open(async (call) => {
    for await (const { value } of call) values.push(value);
  });
  stream.peerSends("a", "b");
  await allTurns();
  assertEquals(values, ["a", "b"]);
  assertEquals(stream.log, []);
  stream.peerEnds();
  await allTurns();
  assertEquals(stream.log, ["head end"]);
});

Deno.test("ServerStream[Symbol.asyncIterator]() leaves the other requests unread when it is left", async () => {
  const values: (string | undefined)[] = [];
  const { stream } = open(async (call) => {
    for await (const { value } of call) {
      values.push(value);
      break;
    }
    values.push((await call.recvMessage())?.value);
  });
  stream.peerSends("a", "b");
  await allTurns();
  assertEquals(values, ["a", "b"]);
  assertEquals(stream.log, ["head end"]);
});

Deno.test("ServerStream[Symbol.asyncIterator]() gives the one request when it is unary", async () => {
  const values: string[] = [];
  const server = new FakeServer({
    async UNARY_STREAM(call) {
      for await (const { value } of call) values.push(value);
    },
  });
  server.request("UNARY_STREAM", ["a"]);
  await allTurns();
  assertEquals(values, ["a"]);
});

Deno.test("ServerStream.readable gives the requests when it is read", async () => {
  const values: string[] = [];
  const { stream } = open(async (call) => {
    assertStrictEquals(call.readable, call.readable);
    for await (const { value } of call.readable) values.push(value);
  });
  stream.peerSends("a", "b");
  stream.peerEnds();
  await allTurns();
  assertEquals(values, ["a", "b"]);
});

Deno.test("ServerStream.readable fails with the reason when the call ends", async () => {
  let thrown: unknown;
  const { stream } = open(async (call) => {
    await Array.fromAsync(call.readable).catch((error) => thrown = error);
    assertStrictEquals(thrown, call.signal.reason);
  });
  await allTurns();
  stream.close(closed(Status.CANCELLED, "Stream was reset"));
  await allTurns();
  assertEquals((thrown as GRPCError).status, Status.CANCELLED);
});

Deno.test("ServerStream.readable leaves the call alone when its reader has had enough", async () => {
  const { stream } = open(async (call) => {
    await call.readable.cancel();
    await call.sendMessage({ value: "x" });
  });
  await allTurns();
  assertEquals(stream.log, ["head", "message x", "trailers"]);
});

Deno.test("ServerStream.writable sends what is written, and closing it does not end the call", async () => {
  const { stream } = open(async (call) => {
    assertStrictEquals(call.writable, call.writable);
    await ReadableStream.from([{ value: "x" }, { value: "y" }])
      .pipeTo(call.writable);
    await call.sendMessage({ value: "z" });
  });
  await allTurns();
  assertEquals(stream.log, [
    "head",
    "message x",
    "message y",
    "message z",
    "trailers",
  ]);
});

Deno.test("ServerStream.writable waits when the stream is full", async () => {
  const gate = Promise.withResolvers<void>();
  const { stream } = open(async (call) => {
    await gate.promise;
    const writer = call.writable.getWriter();
    const write = writer.write({ value: "x" });
    assertEquals(await stateOf(write), "pending");
    stream.drain();
    await write;
  });
  stream.full = true;
  gate.resolve();
  await allTurns();
  await allTurns();
  assertEquals(stream.log, ["head", "message x", "trailers"]);
});

Deno.test("ServerStream.writable fails with the reason when the call ends", async () => {
  let thrown: unknown;
  const { server, stream } = open(async (call) => {
    const writer = call.writable.getWriter();
    writer.closed.catch(() => {});
    await call.recvMessage().catch(() => {});
    thrown = await assertRejects(() => writer.write({}), GRPCError);
    assertStrictEquals(thrown, call.signal.reason);
  });
  await allTurns();
  stream.close(closed(Status.UNAVAILABLE, "Connection lost"));
  await allTurns();
  assertEquals((thrown as GRPCError).status, Status.UNAVAILABLE);
  assertEquals(server.errors, []);
});

Deno.test("ServerStream.writable cancels the call when it is aborted", async () => {
  const { server, stream } = open(async (call) => {
    await call.writable.abort("Enough");
    assertEquals(call.signal.reason.status, Status.CANCELLED);
  });
  await allTurns();
  assertEquals(stream.log, ["reset CANCEL"]);
  assertEquals(server.errors, []);
});

Deno.test("ServerStream.writable leaves a cancelled call alone when it is aborted", async () => {
  const { server, stream } = open(async (call) => {
    call.cancel();
    await call.writable.abort("Enough");
  });
  await allTurns();
  assertEquals(stream.log, ["reset CANCEL"]);
  assertEquals(server.errors, []);
});

Deno.test("ServerStream.readable and writable echo when they are piped", async () => {
  const { stream } = open((call) => call.readable.pipeTo(call.writable));
  stream.peerSends("a", "b");
  stream.peerEnds();
  await allTurns();
  await allTurns();
  assertEquals(stream.log, ["head", "message a", "message b", "trailers"]);
});
