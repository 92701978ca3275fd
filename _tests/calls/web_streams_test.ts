/** The messages of a call as Web Streams, on both sides. */

import {
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { GRPCError, ProtocolError, Status } from "../../client.ts";
import { startEcho } from "../../_testdata/echo_in_memory.ts";
import {
  assertCancelled,
  assertStatus,
  Waiters,
} from "../../_testdata/waiters.ts";
import { settled, soon, turns, until } from "../../_testdata/waiting.ts";

const KIB = 1024;

const SMALL = {
  config: { http2ConnectionWindowSize: 65_535, http2StreamWindowSize: 65_535 },
};

Deno.test("ClientStream.readable gives the replies when it is read", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({ text: "n", count: 3 });
  const { readable } = stream;
  assertStrictEquals(stream.readable, readable);
  const replies = await Array.fromAsync(readable);
  assertEquals(replies.map(({ index }) => index), [0, 1, 2]);
});

Deno.test("ClientStream.readable gives the one reply when the method has one", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.unary.open();
  await stream.sendMessage({ text: "one" });
  const replies = await Array.fromAsync(stream.readable);
  assertEquals(replies.map(({ text }) => text), ["one"]);
});

Deno.test("ClientStream.writable sends the requests, and closing it ends them", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.clientStream.open();
  const { writable } = stream;
  assertStrictEquals(stream.writable, writable);
  await ReadableStream.from([{ text: "a" }, { text: "b" }]).pipeTo(writable);
  const reply = await stream.recvMessage();
  assertEquals([reply.text, reply.index], ["ab", 2]);
});

Deno.test("ClientStream.writable ends the requests when it is closed without any", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.clientStream.open();
  await stream.writable.close();
  assertEquals((await stream.recvMessage()).index, 0);
});

Deno.test("ClientStream.writable sends the one request when the method takes one", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.unary.open();
  const writer = stream.writable.getWriter();
  await writer.write({ text: "one" });
  await writer.close();
  assertEquals((await stream.recvMessage()).text, "one");
});

Deno.test("ClientStream.writable is a misuse when a unary request is closed without a message, or has two", async () => {
  await using echo = await startEcho();
  await using empty = echo.stub.unary.open();
  await assertRejects(() => empty.writable.close(), ProtocolError);
  await using twice = echo.stub.unary.open();
  const writer = twice.writable.getWriter();
  await writer.write({});
  await assertRejects(
    () => writer.write({}),
    ProtocolError,
    "Message was already sent",
  );
  await assertRejects(() => writer.closed, ProtocolError);
});

Deno.test("ClientStream.readable and writable carry a conversation when they are piped", async () => {
  await using echo = await startEcho({
    handlers: {
      async bidi(stream) {
        await stream.readable
          .pipeThrough(
            new TransformStream({
              transform({ text }, controller) {
                controller.enqueue({ text: text.toUpperCase() });
              },
            }),
          )
          .pipeTo(stream.writable);
      },
    },
  });
  await using stream = echo.stub.bidi.open();
  const sent = ReadableStream.from(["a", "b", "c"])
    .pipeThrough(
      new TransformStream({
        transform: (text, controller) => controller.enqueue({ text }),
      }),
    )
    .pipeTo(stream.writable);
  await stream.sendRequest();
  const replies = await Array.fromAsync(stream.readable);
  assertEquals(replies.map(({ text }) => text), ["A", "B", "C"]);
  await sent;
  assertEquals(stream.trailingMetadata?.size, 0);
});

Deno.test("ClientStream.readable errors with the status when the call fails", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({ count: 2, status: Status.DATA_LOSS });
  let received = 0;
  await assertStatus(Status.DATA_LOSS, async () => {
    for await (const _ of stream.readable) received++;
  });
  assertEquals(received, 2);
});

Deno.test("ClientStream.writable errors with the status when the call fails", async () => {
  await using echo = await startEcho({
    handlers: {
      clientStream() {
        throw new GRPCError(Status.ABORTED, "No more");
      },
    },
  });
  await using stream = echo.stub.clientStream.open();
  const writer = stream.writable.getWriter();
  writer.closed.catch(() => {});
  await assertStatus(Status.ABORTED, async () => {
    for (;;) {
      await writer.write({});
      await turns(1);
    }
  });
  await assertStatus(Status.ABORTED, () => writer.closed);
});

Deno.test("ClientStream.readable pulls no more than is read", async () => {
  let sent = 0;
  const payload = new Uint8Array(16 * KIB);
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        for (; sent < 400; sent++) await stream.sendMessage({ payload });
      },
    },
    channel: SMALL,
  });
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({});
  const reader = stream.readable.getReader();
  await reader.read();
  const stuckAt = await settled(() => sent);
  assertLess(stuckAt, 50);
  for (let i = 0; i < 20; i++) await reader.read();
  const later = await settled(() => sent);
  assertGreater(later, stuckAt);
  assertLess(later - stuckAt, 40);
  await reader.cancel();
});

Deno.test("ClientStream.writable makes its writer wait when the handler does not read", async () => {
  const go = Promise.withResolvers<void>();
  await using echo = await startEcho({
    handlers: {
      async clientStream(stream) {
        await go.promise;
        let count = 0;
        for await (const _ of stream) count++;
        await stream.sendMessage({ index: count });
      },
    },
    server: SMALL,
  });
  await using stream = echo.stub.clientStream.open();
  const payload = new Uint8Array(16 * KIB);
  let made = 0;
  const source = new ReadableStream({
    pull(controller) {
      if (made++ === 400) controller.close();
      else controller.enqueue({ payload });
    },
  }, { highWaterMark: 0 });
  const sent = source.pipeTo(stream.writable);
  assertLess(await settled(() => made), 60);
  go.resolve();
  await soon(sent);
  assertEquals((await soon(stream.recvMessage())).index, 400);
});

Deno.test("ServerStream.writable makes its writer wait when the client does not read", async () => {
  let made = 0;
  const payload = new Uint8Array(16 * KIB);
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        await new ReadableStream({
          pull(controller) {
            if (made++ === 400) controller.close();
            else controller.enqueue({ payload });
          },
        }, { highWaterMark: 0 }).pipeTo(stream.writable);
      },
    },
    channel: SMALL,
  });
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({});
  assertLess(await settled(() => made), 60);
  const replies = await soon(Array.fromAsync(stream));
  assertEquals(replies.length, 400);
});

Deno.test("ServerStream.readable makes the client wait when it is not read", async () => {
  const go = Promise.withResolvers<void>();
  await using echo = await startEcho({
    handlers: {
      async clientStream(stream) {
        const reader = stream.readable.getReader();
        await go.promise;
        let count = 0;
        while (!(await reader.read()).done) count++;
        await stream.sendMessage({ index: count });
      },
    },
    server: SMALL,
  });
  let made = 0;
  const payload = new Uint8Array(16 * KIB);
  function* source() {
    for (; made < 400; made++) yield { payload };
  }
  const call = echo.stub.clientStream(source());
  assertLess(await settled(() => made), 60);
  go.resolve();
  assertEquals((await soon(call)).index, 400);
});

Deno.test("ServerStream.writable cancels the call when it is aborted", async () => {
  await using echo = await startEcho({
    handlers: {
      async bidi(stream) {
        const writer = stream.writable.getWriter();
        await writer.write({ text: "first" });
        await stream.recvMessage();
        await writer.abort(new Error("mine"));
      },
    },
  });
  await using stream = echo.stub.bidi.open();
  await stream.sendRequest();
  assertEquals((await stream.recvMessage())?.text, "first");
  await stream.sendMessage({});
  await assertCancelled(() => stream.recvMessage());
});

Deno.test("ServerStream.writable leaves the call open when it is closed", async () => {
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        await ReadableStream.from([{ text: "a" }]).pipeTo(stream.writable);
        stream.trailingMetadata.set("after", "yes");
      },
    },
  });
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({});
  assertEquals((await Array.fromAsync(stream)).length, 1);
  assertEquals(stream.trailingMetadata?.get("after"), "yes");
});

Deno.test("ServerStream.readable errors with the signal's reason when the client cancels", async () => {
  const ended = Promise.withResolvers<[unknown, unknown]>();
  await using echo = await startEcho({
    handlers: {
      async bidi(stream) {
        const { signal } = stream;
        await stream.sendInitialMetadata();
        const reader = stream.readable.getReader();
        const error = await reader.read().catch((error) => error);
        ended.resolve([error, signal.reason]);
      },
    },
  });
  await using stream = echo.stub.bidi.open();
  await stream.sendRequest();
  await stream.recvInitialMetadata();
  stream.cancel();
  const [error, reason] = await soon(ended.promise);
  assertInstanceOf(error, GRPCError);
  assertStrictEquals(error, reason);
});

Deno.test("ServerStream.readable leaves the call alone when it is cancelled", async () => {
  await using echo = await startEcho({
    handlers: {
      async clientStream(stream) {
        const { readable } = stream;
        const reader = readable.getReader();
        await reader.read();
        await reader.cancel();
        await stream.sendMessage({ text: "enough" });
      },
    },
  });
  const reply = await echo.stub.clientStream([{}, {}, {}]);
  assertEquals(reply.text, "enough");
});

Deno.test("StreamUnaryMethod() cancels its ReadableStream when the call ends before it", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  let cancelled = false;
  const source = new ReadableStream({
    cancel() {
      cancelled = true;
    },
  });
  const controller = new AbortController();
  const { signal } = controller;
  const call = echo.stub.clientStream(source, { signal });
  await waiters.started;
  controller.abort();
  await assertCancelled(() => call);
  await until(() => cancelled, "the source is cancelled");
});
