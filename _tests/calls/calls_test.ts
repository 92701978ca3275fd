/** The four kinds of call, in the simple and in the open() form. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Cardinality, ClientStream, ProtocolError } from "../../client.ts";
import { PATHS, startEcho } from "../../_testdata/echo_service.ts";
import type { EchoReply } from "../../_testdata/gen/echo_pb.ts";

const textsOf = (replies: readonly EchoReply[]) =>
  replies.map(({ text, index }) => `${text}${index}`);

Deno.test("Channel() and Server() open and close when there are no calls", async () => {
  await using echo = await startEcho();
  await echo.channel.close();
});

Deno.test("UnaryUnaryMethod() gives the reply when called with a message", async () => {
  const payload = new Uint8Array([0, 1, 254, 255]);
  await using echo = await startEcho();
  const reply = await echo.stub.unary({ text: "Größe ☺", payload });
  assertEquals(reply.$typeName, "grpclib.test.EchoReply");
  assertEquals(reply.text, "Größe ☺");
  assertEquals(reply.payload, payload);
});

Deno.test("UnaryUnaryMethod() takes many calls at once when one channel has them all", async () => {
  await using echo = await startEcho();
  const replies = await Promise.all(
    Array.from({ length: 200 }, (_, i) => echo.stub.unary({ text: `${i}` })),
  );
  assertEquals(
    replies.map(({ text }) => text),
    Array.from({ length: 200 }, (_, i) => `${i}`),
  );
});

Deno.test("UnaryUnaryMethod() carries an empty message when there is nothing in it", async () => {
  await using echo = await startEcho();
  const reply = await echo.stub.unary({});
  assertEquals(reply.text, "");
  assertEquals(reply.payload, new Uint8Array());
});

Deno.test("UnaryUnaryMethod.open() makes the call step by step when asked to", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.unary.open();
  await stream.sendRequest();
  await stream.sendMessage({ text: "hello" });
  await stream.end();
  await stream.recvInitialMetadata();
  const reply = await stream.recvMessage();
  await stream.recvTrailingMetadata();
  assertEquals(reply.text, "hello");
  assertEquals(stream.peer?.addr, { hostname: "127.0.0.1", port: echo.port });
});

Deno.test("UnaryStreamMethod() gives every reply when it is iterated", async () => {
  await using echo = await startEcho();
  const replies = await Array.fromAsync(
    echo.stub.serverStream({ text: "n", count: 3 }),
  );
  assertEquals(textsOf(replies), ["n0", "n1", "n2"]);
});

Deno.test("UnaryStreamMethod() ends at once when there are no replies", async () => {
  await using echo = await startEcho();
  const replies = await Array.fromAsync(echo.stub.serverStream({ count: 0 }));
  assertEquals(replies, []);
});

Deno.test("UnaryStreamMethod() calls nothing when it is never iterated", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { serverStream: () => void calls++ },
  });
  echo.stub.serverStream({ count: 1 });
  await echo.stub.unary({});
  assertEquals(calls, 0);
});

Deno.test("UnaryStreamMethod() refuses when it is iterated twice", async () => {
  await using echo = await startEcho();
  const replies = echo.stub.serverStream({ count: 1 });
  await Array.fromAsync(replies);
  assertThrows(
    () => replies[Symbol.asyncIterator](),
    ProtocolError,
    "The replies of a call can be iterated only once",
  );
});

Deno.test("UnaryStreamMethod.open() receives until null when asked to", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({ text: "n", count: 2 }, { end: true });
  assertEquals((await stream.recvMessage())?.index, 0);
  assertEquals((await stream.recvMessage())?.index, 1);
  assertEquals(await stream.recvMessage(), null);
  assertEquals(await stream.recvMessage(), null);
  await stream.recvTrailingMetadata();
});

Deno.test("UnaryStreamMethod.open() iterates when the stream is used so", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({ text: "n", count: 3 });
  const replies: EchoReply[] = [];
  for await (const reply of stream) replies.push(reply);
  assertEquals(textsOf(replies), ["n0", "n1", "n2"]);
});

const MESSAGES = [{ text: "a" }, { text: "b" }, { text: "c" }];

/** The same messages in all that messages may come in. */
const SOURCES = {
  "an array": () => MESSAGES,
  "a set": () => new Set(MESSAGES),
  "a generator": function* () {
    yield* MESSAGES;
  },
  "an async generator": async function* () {
    for (const message of MESSAGES) {
      await Promise.resolve();
      yield message;
    }
  },
  "a ReadableStream": () => ReadableStream.from(MESSAGES),
};

for (const [name, source] of Object.entries(SOURCES)) {
  Deno.test(`StreamUnaryMethod() sends every message when called with ${name}`, async () => {
    await using echo = await startEcho();
    const reply = await echo.stub.clientStream(source());
    assertEquals([reply.text, reply.index], ["abc", 3]);
  });

  Deno.test(`StreamStreamMethod() sends every message when called with ${name}`, async () => {
    await using echo = await startEcho();
    const replies = await Array.fromAsync(echo.stub.bidi(
      ReadableStream.from(source())
        .pipeThrough(mapped((message) => ({ ...message, count: 1 }))),
    ));
    assertEquals(replies.map(({ text }) => text), ["a", "b", "c"]);
  });
}

function mapped<A, B>(fn: (value: A) => B): TransformStream<A, B> {
  return new TransformStream({
    transform: (value, controller) => controller.enqueue(fn(value)),
  });
}

Deno.test("StreamUnaryMethod() works when called with no messages", async () => {
  await using echo = await startEcho();
  const reply = await echo.stub.clientStream([]);
  assertEquals([reply.text, reply.index], ["", 0]);
});

Deno.test("StreamStreamMethod() works when called with no messages", async () => {
  await using echo = await startEcho();
  assertEquals(await Array.fromAsync(echo.stub.bidi([])), []);
});

Deno.test("StreamUnaryMethod.open() sends step by step when the last message ends", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.clientStream.open();
  await stream.sendMessage({ text: "a" });
  await stream.sendMessage({ text: "b" });
  await stream.sendMessage({ text: "c" }, { end: true });
  assertEquals((await stream.recvMessage()).text, "abc");
});

Deno.test("StreamUnaryMethod.open() sends nothing when the request ends at once", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.clientStream.open();
  await stream.sendRequest({ end: true });
  assertEquals((await stream.recvMessage()).index, 0);
});

Deno.test("StreamStreamMethod() sends while replies are read", async () => {
  await using echo = await startEcho();
  const heard: string[] = [];
  const turn = { next: Promise.withResolvers<void>() };
  // The second message is there only once the first one's reply was read.
  async function* requests() {
    yield { text: "first", count: 1 };
    await turn.next.promise;
    yield { text: "second", count: 1 };
  }
  for await (const reply of echo.stub.bidi(requests())) {
    heard.push(reply.text);
    turn.next.resolve();
  }
  assertEquals(heard, ["first", "second"]);
});

Deno.test("StreamStreamMethod.open() sends and receives in turns when asked to", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.bidi.open();
  for (const text of ["a", "b", "c"]) {
    await stream.sendMessage({ text, count: 2 });
    assertEquals((await stream.recvMessage())?.index, 0);
    assertEquals((await stream.recvMessage())?.text, text);
  }
  await stream.end();
  assertEquals(await stream.recvMessage(), null);
  await stream.recvTrailingMetadata();
});

Deno.test("StreamStreamMethod.open() receives before it sends when two loops share it", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.bidi.open();
  await stream.sendRequest();
  const received = Array.fromAsync(stream);
  for (const text of ["a", "b"]) await stream.sendMessage({ text, count: 1 });
  await stream.end();
  assertEquals((await received).map(({ text }) => text), ["a", "b"]);
});

Deno.test("ClientStream does nothing when its block is left without a request", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { unary: () => void calls++ },
  });
  {
    await using stream = echo.stub.unary.open();
    assertInstanceOf(stream, ClientStream);
    assertEquals(stream.peer, null);
    assertEquals(stream.initialMetadata, null);
    assertEquals(stream.trailingMetadata, null);
  }
  await echo.stub.clientStream([]);
  assertEquals(calls, 0);
});

Deno.test("createStub() makes methods that know their path and kind", async () => {
  await using echo = await startEcho();
  const { unary, serverStream, clientStream, bidi } = echo.stub;
  assertEquals(
    [unary, serverStream, clientStream, bidi].map(({ path, cardinality }) => [
      path,
      cardinality,
    ]),
    [
      [PATHS.unary, Cardinality.UNARY_UNARY],
      [PATHS.serverStream, Cardinality.UNARY_STREAM],
      [PATHS.clientStream, Cardinality.STREAM_UNARY],
      [PATHS.bidi, Cardinality.STREAM_STREAM],
    ],
  );
});

Deno.test("ServerStream tells of the call when a handler looks at it", async () => {
  const seen = Promise.withResolvers<unknown[]>();
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        const { methodName, deadline, userAgent, signal } = stream;
        assertStrictEquals(stream.signal, signal);
        const hostname = stream.peer.addr !== null &&
          "hostname" in stream.peer.addr && stream.peer.addr.hostname;
        seen.resolve([
          methodName,
          deadline,
          userAgent?.replace(/\(.*\)/, "(…)").replace(/\d+\.\d+\.\d+/, "1.2.3"),
          hostname,
          signal.aborted,
        ]);
        await stream.sendMessage({});
      },
    },
  });
  await echo.stub.unary({});
  assertEquals(await seen.promise, [
    PATHS.unary,
    null,
    "grpc-deno-grpclib/1.2.3 (…)",
    "127.0.0.1",
    false,
  ]);
});

Deno.test("StreamUnaryMethod() resolves when the server answers before all is sent", async () => {
  await using echo = await startEcho({
    handlers: {
      async clientStream(stream) {
        await stream.recvMessage();
        await stream.sendMessage({ text: "enough" });
      },
    },
  });
  const returned = Promise.withResolvers<void>();
  async function* endless() {
    try {
      for (let i = 0;; i++) {
        yield { text: `${i}` };
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    } finally {
      returned.resolve();
    }
  }
  const reply = await echo.stub.clientStream(endless());
  assertEquals(reply.text, "enough");
  // The source is told that no more is wanted.
  await returned.promise;
});

Deno.test("ClientStream.sendMessage() rejects when the server has ended the call with OK", async () => {
  await using echo = await startEcho({
    handlers: {
      async clientStream(stream) {
        await stream.sendMessage({ text: "enough" });
      },
    },
  });
  await using stream = echo.stub.clientStream.open();
  await stream.sendMessage({ text: "a" });
  assertEquals((await stream.recvMessage()).text, "enough");
  await assertRejects(
    () => stream.sendMessage({ text: "b" }),
    Error,
    "Cannot send: the server ended the call with status OK before",
  );
  assert(stream.trailingMetadata !== null);
});
