/** Limits on the size of messages, both ways and on both sides. */

import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { GRPCError, Status } from "../../client.ts";
import { startEcho } from "../../_testdata/echo_in_memory.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { soon } from "../../_testdata/waiting.ts";

const MIB = 1024 * 1024;

/** What the field and its length take of an EchoRequest or EchoReply. */
const OVERHEAD = 5;

/** A message that is so large when it is encoded. */
function messageOf(bytes: number): { payload: Uint8Array } {
  return { payload: new Uint8Array(bytes - OVERHEAD) };
}

const EXACT = messageOf(4 * MIB);
const TOO_LARGE = messageOf(4 * MIB + 1);

const TOO_LARGE_RECEIVED =
  "Received message is too large: 4194305 bytes are more than the 4194304 of maxReceiveMessageSize";

Deno.test("UnaryUnaryMethod() carries 4 MiB both ways when nothing else is configured", async () => {
  await using echo = await startEcho();
  const reply = await soon(echo.stub.unary(EXACT));
  assertEquals(reply.payload.length, EXACT.payload.length);
});

Deno.test("Server refuses a request with RESOURCE_EXHAUSTED when it is larger than 4 MiB", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { unary: () => void calls++ },
  });
  await assertStatus(
    Status.RESOURCE_EXHAUSTED,
    () => echo.stub.unary(TOO_LARGE),
    TOO_LARGE_RECEIVED,
  );
  assertEquals(calls, 0);
  // The connection lives on.
  assertEquals((await echo.stub.clientStream([{ text: "a" }])).text, "a");
});

Deno.test("ServerStream.recvMessage() rejects when a streamed request is larger than 4 MiB", async () => {
  const errors: unknown[] = [];
  const begun = Promise.withResolvers<void>();
  await using echo = await startEcho({
    handlers: {
      async clientStream(stream) {
        const { signal } = stream;
        await stream.recvMessage();
        begun.resolve();
        const error = await assertRejects(
          () => stream.recvMessage(),
          GRPCError,
        );
        errors.push(error.status, error === signal.reason);
        throw error;
      },
    },
  });
  await assertStatus(
    Status.RESOURCE_EXHAUSTED,
    () =>
      echo.stub.clientStream(async function* () {
        yield {};
        await begun.promise;
        yield TOO_LARGE;
      }()),
    TOO_LARGE_RECEIVED,
  );
  assertEquals(errors, [Status.RESOURCE_EXHAUSTED, true]);
});

Deno.test("UnaryUnaryMethod() fails with RESOURCE_EXHAUSTED when the reply is larger than 4 MiB", async () => {
  await using echo = await startEcho({
    handlers: { unary: (stream) => stream.sendMessage(TOO_LARGE) },
  });
  await assertStatus(
    Status.RESOURCE_EXHAUSTED,
    () => echo.stub.unary({}),
    TOO_LARGE_RECEIVED,
  );
  assertEquals((await echo.stub.clientStream([{ text: "a" }])).text, "a");
});

Deno.test("UnaryStreamMethod() fails after the replies before when one is larger than 4 MiB", async () => {
  const aborted = Promise.withResolvers<unknown>();
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        const { signal } = stream;
        signal.addEventListener("abort", () => aborted.resolve(signal.reason));
        await stream.sendMessage({ text: "good" });
        await stream.sendMessage(TOO_LARGE);
        await aborted.promise;
      },
    },
  });
  const texts: string[] = [];
  await assertStatus(Status.RESOURCE_EXHAUSTED, async () => {
    for await (const { text } of echo.stub.serverStream({})) texts.push(text);
  });
  assertEquals(texts, ["good"]);
  // And the handler is told that nobody reads it any more.
  await soon(aborted.promise);
});

Deno.test("Configuration.maxReceiveMessageSize counts on each side for itself", async () => {
  await using echo = await startEcho({
    server: { config: { maxReceiveMessageSize: 100 } },
    channel: { config: { maxReceiveMessageSize: 200 } },
    handlers: {
      async unary(stream) {
        const { count } = await stream.recvMessage();
        await stream.sendMessage({ payload: new Uint8Array(count) });
      },
    },
  });
  const request = (bytes: number, count: number) =>
    echo.stub.unary({ payload: new Uint8Array(bytes), count });
  assertEquals((await request(90, 190)).payload.length, 190);
  await assertStatus(Status.RESOURCE_EXHAUSTED, () => request(120, 1), "100");
  await assertStatus(Status.RESOURCE_EXHAUSTED, () => request(1, 220), "200");
});

Deno.test("Configuration.maxReceiveMessageSize lets larger messages through when it is raised", async () => {
  const config = { maxReceiveMessageSize: 20 * MIB };
  await using echo = await startEcho({
    server: { config },
    channel: { config },
  });
  const reply = await soon(echo.stub.unary(messageOf(16 * MIB)));
  assertGreater(reply.payload.length, 15 * MIB);
});

Deno.test("Configuration.maxReceiveMessageSize allows empty messages alone when it is 0", async () => {
  await using echo = await startEcho({
    server: { config: { maxReceiveMessageSize: 0 } },
  });
  assertEquals((await echo.stub.unary({})).text, "");
  await assertStatus(
    Status.RESOURCE_EXHAUSTED,
    () => echo.stub.unary({ text: "a" }),
  );
});

Deno.test("UnaryUnaryMethod() sends nothing when the request is larger than maxSendMessageSize", async () => {
  let calls = 0;
  await using echo = await startEcho({
    channel: { config: { maxSendMessageSize: 10 } },
    handlers: { unary: () => void calls++, bidi: () => void calls++ },
  });
  for (
    const call of [
      () => echo.stub.unary({ text: "123456789" }),
      () => echo.stub.unary.open().sendMessage({ text: "123456789" }),
      () => Array.fromAsync(echo.stub.bidi([{ text: "123456789" }])),
    ]
  ) {
    await assertStatus(
      Status.RESOURCE_EXHAUSTED,
      call,
      "Cannot send message: 11 bytes are more than the 10 of maxSendMessageSize",
    );
  }
  await echo.stub.clientStream([]);
  assertEquals(calls, 0);
});

Deno.test("ClientStream.sendMessage() can send another message when one was too large", async () => {
  await using echo = await startEcho({
    channel: { config: { maxSendMessageSize: 10 } },
  });
  await using stream = echo.stub.clientStream.open();
  await stream.sendMessage({ text: "a" });
  await assertStatus(
    Status.RESOURCE_EXHAUSTED,
    () => stream.sendMessage({ text: "123456789" }),
  );
  await stream.sendMessage({ text: "b" }, { end: true });
  assertEquals((await stream.recvMessage()).text, "ab");
});

Deno.test("ServerStream.sendMessage() rejects when the reply is larger than maxSendMessageSize", async () => {
  await using echo = await startEcho({
    server: { config: { maxSendMessageSize: 10 } },
  });
  await assertStatus(
    Status.RESOURCE_EXHAUSTED,
    () => echo.stub.unary({ text: "123456789" }),
    "Cannot send message: 11 bytes are more than the 10 of maxSendMessageSize",
  );
});
