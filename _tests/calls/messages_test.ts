/** What is a message, and how often it can be received. */

import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  Cardinality,
  Channel,
  type Codec,
  GRPCError,
  listen,
  mapping,
  ProtocolError,
  RecvMessage,
  SendMessage,
  Server,
  type ServerStream,
  Status,
  unaryStream,
  unaryUnary,
} from "../../mod.ts";
import { startEcho } from "../../_testdata/echo_service.ts";
import { assertStatus } from "../../_testdata/waiters.ts";

/** JSON as it is, in which null is a value. */
const json: Codec = {
  contentSubtype: "json",
  encode: (message) => new TextEncoder().encode(JSON.stringify(message)),
  decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)),
};

/** The same, but for one text that is null on the wire. */
const withNull: Codec = {
  ...json,
  encode: (message, type) =>
    json.encode(message === "null" ? null : message, type),
};

async function startJSON() {
  const errors: unknown[] = [];
  const handler = { requestType: null, replyType: null };
  const server = new Server([{
    [mapping]: () => ({
      "/test.Any/Same": {
        ...handler,
        cardinality: Cardinality.UNARY_UNARY,
        async handle(stream: ServerStream<unknown, unknown>) {
          await stream.sendMessage(await stream.recvMessage());
        },
      },
      "/test.Any/Nulls": {
        ...handler,
        cardinality: Cardinality.UNARY_STREAM,
        async handle(stream: ServerStream<unknown, unknown>) {
          await stream.recvMessage();
          for (const reply of ["a", "null", "b"]) {
            await stream.sendMessage(reply);
          }
        },
      },
    }),
  }], { codec: withNull, onError: (error) => errors.push(error) });
  await server.start("127.0.0.1");
  const channel = new Channel("127.0.0.1", server.port!, { codec: withNull });
  return {
    errors,
    same: unaryUnary<unknown, unknown>(channel, "/test.Any/Same", null, null),
    nulls: unaryStream<unknown, unknown>(
      channel,
      "/test.Any/Nulls",
      null,
      null,
    ),
    async [Symbol.asyncDispose]() {
      await channel.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a codec that makes null of a message ends the call, and not the messages alone", async () => {
  await using any = await startJSON();
  const replies: unknown[] = [];
  const error = await assertRejects(async () => {
    for await (const reply of any.nulls("go")) replies.push(reply);
  }, GRPCError);
  assertEquals(error.status, Status.INTERNAL);
  assertStringIncludes(error.message, "the codec made null of it");
  assertEquals(replies, ["a"]);
  await assertStatus(Status.INTERNAL, () => any.same("null"));
});

Deno.test("null and undefined are no messages to send", async () => {
  await using any = await startJSON();
  for (const none of [null, undefined]) {
    await assertRejects(
      () => any.same(none),
      TypeError,
      `Cannot send message: a message is needed, received ${none}`,
    );
  }
});

Deno.test("ClientStream.recvMessage() throws when the reply of a unary call was received", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.unary.open();
  await stream.sendMessage({ text: "a" });
  assertEquals((await stream.recvMessage()).text, "a");
  await assertRejects(
    () => stream.recvMessage(),
    ProtocolError,
    "Message was already received",
  );
  // To iterate is to come to the end.
  await using other = echo.stub.unary.open();
  await other.sendMessage({ text: "b" });
  const texts = [];
  for await (const { text } of other) texts.push(text);
  assertEquals(texts, ["b"]);
});

for (const none of [null, undefined]) {
  Deno.test(`a listener of RecvMessage that makes ${none} of a message ends the call`, async () => {
    await using echo = await startEcho();
    {
      using _ = listen(echo.channel, RecvMessage, (event) => {
        event.message = none;
      });
      for (
        const call of [
          () => echo.stub.unary({}),
          () => Array.fromAsync(echo.stub.serverStream({ count: 2 })),
        ]
      ) {
        const error = await assertRejects(call, GRPCError);
        assertEquals(error.status, Status.UNKNOWN);
        assertEquals(error.message, "A listener of RecvMessage failed");
        assertInstanceOf(error.cause, TypeError);
        assertStringIncludes(error.cause.message, `replaced it by ${none}`);
      }
    }
    using _ = listen(echo.server, RecvMessage, (event) => {
      event.message = none;
    });
    await assertStatus(Status.UNKNOWN, () => echo.stub.unary({}));
    await assertStatus(Status.UNKNOWN, () => echo.stub.clientStream([{}]));
    const failures = echo.takeFailures();
    assertEquals(failures.length, 2);
    assertStringIncludes(`${failures[0]!.error}`, `replaced it by ${none}`);
  });

  Deno.test(`a listener of SendMessage that makes ${none} of a message ends the call`, async () => {
    await using echo = await startEcho();
    using _ = listen(echo.channel, SendMessage, (event) => {
      event.message = none;
    });
    await assertRejects(() => echo.stub.unary({}), TypeError);
  });
}

/** Types, which `deno check` looks at; nobody calls it. */
export async function awaited(
  echo: Awaited<ReturnType<typeof startEcho>>,
): Promise<void> {
  // @ts-expect-error: the replies are to be iterated
  await echo.stub.serverStream({});
  // @ts-expect-error: likewise
  await echo.stub.bidi([]);
  const replies: AsyncIterable<unknown> = echo.stub.serverStream({});
  for await (const _ of replies) { /* that is how */ }
  for await (const _ of echo.stub.bidi([])) { /* likewise */ }
  await Array.fromAsync(echo.stub.serverStream({}));
}
