/** Flow control: the reader sets the pace, and nobody else has to wait for it. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertRejects,
} from "@std/assert";
import { GRPCError, Status, unaryUnary } from "../../client.ts";
import { hostOf } from "../../_channel.ts";
import { startEcho } from "../../_testdata/echo_service.ts";
import {
  EchoReplySchema,
  EchoRequestSchema,
} from "../../_testdata/gen/echo_pb.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { settled, soon, turns, until } from "../../_testdata/waiting.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** The smallest windows there are. */
const SMALL = {
  config: { http2ConnectionWindowSize: 65_535, http2StreamWindowSize: 65_535 },
};

/** What lies between two sides beside the window: queues with marks of their own. */
const QUEUES = 640 * KIB;

const SIZES = {
  "the smallest": [SMALL, 64 * KIB],
  "the default": [{}, 4 * MIB],
} as const;

/** Messages with 16 KiB each, whose count is kept. */
class Producer {
  made = 0;
  readonly #payload = new Uint8Array(16 * KIB);

  get bytes(): number {
    return this.made * this.#payload.length;
  }

  next(): { payload: Uint8Array; text: string } {
    return { payload: this.#payload, text: `${this.made++}` };
  }
}

for (const [name, [options, window]] of Object.entries(SIZES)) {
  Deno.test(`ServerStream.sendMessage() waits when the client does not read, with ${name} windows`, async () => {
    const producer = new Producer();
    const count = 1000;
    await using echo = await startEcho({
      handlers: {
        async serverStream(stream) {
          while (producer.made < count) {
            await stream.sendMessage(producer.next());
          }
        },
      },
      channel: options,
    });
    await using stream = echo.stub.serverStream.open();
    await stream.sendMessage({});
    const stuckAt = await settled(() => producer.bytes);
    assertGreater(stuckAt, window / 2);
    assertLess(stuckAt, window + QUEUES);
    // Reading is what lets it go on, and all comes in order.
    for (let i = 0; i < count; i++) {
      const reply = await soon(stream.recvMessage());
      assertEquals(reply?.text, `${i}`);
      // Never further ahead than the window allows.
      assertLess(producer.bytes - i * 16 * KIB, window + QUEUES);
    }
    assertEquals(await stream.recvMessage(), null);
    assertEquals(producer.made, count);
  });

  Deno.test(`ClientStream.sendMessage() waits when the handler does not read, with ${name} windows`, async () => {
    const producer = new Producer();
    const count = 1000;
    const go = Promise.withResolvers<void>();
    const texts: string[] = [];
    await using echo = await startEcho({
      handlers: {
        async clientStream(stream) {
          await go.promise;
          for await (const { text } of stream) texts.push(text);
          await stream.sendMessage({ index: texts.length });
        },
      },
      server: options,
    });
    await using stream = echo.stub.clientStream.open();
    await stream.sendRequest();
    const sent = (async () => {
      while (producer.made < count) await stream.sendMessage(producer.next());
      await stream.end();
    })();
    const stuckAt = await settled(() => producer.bytes);
    assertGreater(stuckAt, window / 2);
    assertLess(stuckAt, window + QUEUES);
    go.resolve();
    await soon(sent);
    assertEquals((await soon(stream.recvMessage())).index, count);
    assertEquals(texts, Array.from({ length: count }, (_, i) => `${i}`));
  });
}

Deno.test("StreamStreamMethod() takes no more from its source than the handler reads", async () => {
  const producer = new Producer();
  await using echo = await startEcho({
    handlers: {
      bidi: () => new Promise((resolve) => go.promise.then(resolve)),
    },
    server: SMALL,
  });
  const go = Promise.withResolvers<void>();
  function* source() {
    while (producer.made < 5_000) yield producer.next();
  }
  const replies = echo.stub.bidi(source())[Symbol.asyncIterator]();
  const ended = replies.next();
  const stuckAt = await settled(() => producer.bytes);
  assertGreater(stuckAt, 0);
  assertLess(stuckAt, 64 * KIB + QUEUES);
  go.resolve();
  assertEquals((await soon(ended)).done, true);
});

Deno.test("ServerStream.sendMessage() waits when a flood of empty messages is not read", async () => {
  let sent = 0;
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        for (; sent < 200_000; sent++) await stream.sendMessage({});
      },
    },
    channel: SMALL,
  });
  const stream = echo.stub.serverStream.open();
  await stream.sendMessage({});
  const stuckAt = await settled(() => sent);
  assertLess(stuckAt, 150_000);
  await stream[Symbol.asyncDispose]();
});

for (const [name, [options]] of Object.entries(SIZES)) {
  Deno.test(`Channel lets calls through when other replies are not read, with ${name} windows`, async () => {
    const producer = new Producer();
    await using echo = await startEcho({
      handlers: {
        async serverStream(stream) {
          while (producer.made < 5_000) {
            await stream.sendMessage(producer.next());
          }
        },
      },
      channel: options,
      server: options,
    });
    const unread = Array.from(
      { length: 4 },
      () => echo.stub.serverStream.open(),
    );
    for (const stream of unread) await stream.sendMessage({});
    await settled(() => producer.bytes);
    const payload = new Uint8Array(MIB).fill(7);
    for (let i = 0; i < 4; i++) {
      const reply = await soon(echo.stub.unary({ payload }));
      assertEquals(reply.payload.length, MIB);
    }
    for (const stream of unread) await stream[Symbol.asyncDispose]();
  });

  Deno.test(`Server lets calls through when other requests are not read, with ${name} windows`, async () => {
    const producer = new Producer();
    const go = Promise.withResolvers<void>();
    await using echo = await startEcho({
      handlers: {
        async clientStream(stream) {
          await go.promise;
          await stream.sendMessage({});
        },
      },
      channel: options,
      server: options,
    });
    function* source() {
      while (producer.made < 5_000) yield producer.next();
    }
    const unread = Array.from(
      { length: 4 },
      () => echo.stub.clientStream(source()),
    );
    await settled(() => producer.bytes);
    const payload = new Uint8Array(MIB).fill(7);
    for (let i = 0; i < 4; i++) {
      const reply = await soon(echo.stub.unary({ payload }));
      assertEquals(reply.payload.length, MIB);
    }
    go.resolve();
    await soon(Promise.all(unread));
  });
}

Deno.test("UnaryUnaryMethod() carries a message when it is much larger than the windows", async () => {
  await using echo = await startEcho({ channel: SMALL, server: SMALL });
  const payload = new Uint8Array(4 * MIB - 100);
  crypto.getRandomValues(payload.subarray(0, 65_536));
  payload[payload.length - 1] = 9;
  const reply = await soon(echo.stub.unary({ payload }));
  assert(reply.payload.every((byte, i) => byte === payload[i]));
});

Deno.test("ClientStream gets every reply when both sides were blocked by each other", async () => {
  await using echo = await startEcho({ channel: SMALL, server: SMALL });
  await using stream = echo.stub.bidi.open();
  await stream.sendRequest();
  const count = 400;
  let sent = 0;
  const sending = (async () => {
    const payload = new Uint8Array(16 * KIB);
    for (; sent < count; sent++) {
      await stream.sendMessage({ payload, count: 1 });
    }
    await stream.end();
  })();
  // The echo cannot send and so does not read, and so this side cannot send.
  assertLess(await settled(() => sent), count);
  let received = 0;
  for await (const _ of stream) received++;
  assertEquals(received, count);
  await sending;
});

Deno.test("ClientStream gives what came before when the call ended well while nobody read", async () => {
  const ended = Promise.withResolvers<void>();
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        for (let i = 0; i < 60; i++) {
          await stream.sendMessage({
            index: i,
            payload: new Uint8Array(16_384),
          });
        }
        ended.resolve();
      },
    },
  });
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({});
  await ended.promise;
  await turns(10);
  const replies = await soon(Array.fromAsync(stream));
  assertEquals(replies.map(({ index }) => index), replies.map((_, i) => i));
  assertEquals(replies.length, 60);
});

/** How a server can end a call whose replies are waiting unread. */
const ENDS = {
  "a status": [Status.DATA_LOSS, (end) => {
    throw new GRPCError(Status.DATA_LOSS, end);
  }],
  "a reset": [Status.CANCELLED, (_, stream) => stream.cancel()],
} satisfies Record<
  string,
  [Status, (message: string, stream: { cancel(): void }) => void]
>;

for (const [name, [status, end]] of Object.entries(ENDS)) {
  Deno.test(`ClientStream fails in the end when nobody read and the call ended with ${name}`, async () => {
    const ended = Promise.withResolvers<void>();
    await using echo = await startEcho({
      handlers: {
        async serverStream(stream) {
          for (let i = 0; i < 60; i++) {
            await stream.sendMessage({ payload: new Uint8Array(16_384) });
          }
          await turns(5);
          ended.resolve();
          end("gone", stream);
        },
      },
    });
    await using stream = echo.stub.serverStream.open();
    await stream.sendMessage({});
    await ended.promise;
    await turns(10);
    let received = 0;
    await assertStatus(status, async () => {
      for await (const _ of stream) received++;
    });
    assertGreater(received, 0);
    const { source } = hostOf(echo.channel);
    await until(() => source.counts.streams === 0, "the stream is gone");
  });
}

Deno.test("ClientStream gives its stream back when it is left with replies unread", async () => {
  const producer = new Producer();
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        while (producer.made < 5_000) {
          await stream.sendMessage(producer.next());
        }
      },
    },
    // The late frames of one connection may not be too many: nghttp2 takes
    // those of a reset stream for an attack from about the thousandth on.
    channel: SMALL,
  });
  const { source } = hostOf(echo.channel);
  for (let i = 0; i < 10; i++) {
    await using stream = echo.stub.serverStream.open();
    await stream.sendMessage({});
    await stream.recvMessage();
    await turns(5);
  }
  await until(() => source.counts.streams === 0, "no stream is left");
  assertEquals(source.counts, { connections: 1, streams: 0, waiting: 0 });
});

Deno.test("Server gives the stream back when a handler leaves requests unread", async () => {
  const producer = new Producer();
  await using echo = await startEcho({
    handlers: {
      async clientStream(stream) {
        await until(() => producer.bytes > MIB, "requests are waiting");
        await stream.sendMessage({ text: "enough" });
      },
      async bidi(stream) {
        await until(() => producer.bytes > MIB, "requests are waiting");
        throw new GRPCError(Status.ABORTED, `${stream.methodName.length}`);
      },
    },
  });
  const { source } = hostOf(echo.channel);
  function* messages() {
    while (producer.made < 5_000) yield producer.next();
  }
  assertEquals((await soon(echo.stub.clientStream(messages()))).text, "enough");
  producer.made = 0;
  await assertRejects(
    () => soon(Array.fromAsync(echo.stub.bidi(messages()))),
    GRPCError,
  );
  await until(() => source.counts.streams === 0, "no stream is left");
});

Deno.test("Channel gives the stream back when the server refuses before it has taken the request", async () => {
  await using echo = await startEcho({ server: SMALL });
  const missing = unaryUnary(
    echo.channel,
    "/grpclib.test.Echo/Missing",
    EchoRequestSchema,
    EchoReplySchema,
  );
  const payload = new Uint8Array(MIB);
  await assertStatus(Status.UNIMPLEMENTED, () => missing({ payload }));
  const { source } = hostOf(echo.channel);
  await until(() => source.counts.streams === 0, "no stream is left");
});
