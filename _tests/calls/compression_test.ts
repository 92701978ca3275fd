/** Compressed messages, over real calls. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  Channel,
  type ChannelOptions,
  type Compression,
  GRPCError,
  listen,
  RecvMessage,
  RecvRequest,
  Server,
  type ServerOptions,
  Status,
} from "../../mod.ts";
import { startEcho } from "../../_testdata/echo_in_memory.ts";

const ALL: readonly Compression[] = [
  "identity",
  "gzip",
  "deflate",
  "zstd",
  "br",
];
const TEXT = "many words, ".repeat(1000);

/** An echo service that says which messages came compressed. */
async function startWatched(
  options: { channel?: ChannelOptions; server?: ServerOptions },
  listening = true,
) {
  const echo = await startEcho(options);
  const requests: boolean[] = [];
  const replies: boolean[] = [];
  if (listening) {
    listen(echo.server, RecvMessage, (event) => {
      requests.push(event.compressed);
    });
    listen(echo.channel, RecvMessage, (event) => {
      replies.push(event.compressed);
    });
  }
  return {
    ...echo,
    requests,
    replies,
    [Symbol.asyncDispose]: () => echo[Symbol.asyncDispose](),
  };
}

for (const compression of ALL) {
  Deno.test(`Channel and Server carry messages when their compression is ${compression}`, async () => {
    for (const listening of [true, false]) {
      const options = { channel: { compression }, server: { compression } };
      await using echo = await startWatched(options, listening);
      assertEquals((await echo.stub.unary({ text: TEXT })).text, TEXT);
      const sent = [{ text: TEXT, count: 1 }, { text: TEXT, count: 1 }];
      const replies = await Array.fromAsync(echo.stub.bidi(sent));
      assertEquals(replies.map(({ text }) => text), [TEXT, TEXT]);
      const expected = Array(listening ? 3 : 0).fill(
        compression !== "identity",
      );
      assertEquals(echo.requests, expected);
      assertEquals(echo.replies, expected);
    }
  });
}

Deno.test("CallOptions.compression takes the place of the channel's", async () => {
  await using echo = await startWatched({ channel: { compression: "gzip" } });
  const encodings: unknown[] = [];
  using _ = listen(echo.server, RecvRequest, (event) => {
    encodings.push(event.contentType);
  });
  await echo.stub.unary({ text: TEXT }, { compression: "identity" });
  await echo.stub.unary({ text: TEXT }, { compression: "zstd" });
  await echo.stub.unary({ text: TEXT }, { timeoutMs: 60_000 });
  assertEquals(echo.requests, [false, true, true]);
  assertEquals(echo.replies, [false, false, false]);
  assertEquals(encodings.length, 3);
});

Deno.test("sendMessage() leaves a message uncompressed when it is told to", async () => {
  const options = { compression: "gzip" } as const;
  const echo = await startEcho({
    channel: options,
    server: options,
    handlers: {
      async bidi(stream) {
        for await (const { text } of stream) {
          await stream.sendMessage({ text }, { compress: text[0] !== "-" });
        }
      },
    },
  });
  await using _echo = echo;
  const requests: boolean[] = [];
  const replies: boolean[] = [];
  listen(
    echo.server,
    RecvMessage,
    (event) => void requests.push(event.compressed),
  );
  listen(
    echo.channel,
    RecvMessage,
    (event) => void replies.push(event.compressed),
  );
  await using stream = echo.stub.bidi.open();
  await stream.sendMessage({ text: `-${TEXT}` }, { compress: false });
  await stream.sendMessage({ text: TEXT });
  await stream.sendMessage({ text: TEXT }, { compress: true });
  await stream.end();
  await Array.fromAsync(stream);
  assertEquals(requests, [false, true, true]);
  assertEquals(replies, [false, true, true]);
});

Deno.test("sendInitialMetadata() chooses the compression of the replies", async () => {
  for (
    const [server, call, expected] of [
      ["identity", "gzip", true],
      ["gzip", "identity", false],
      ["gzip", undefined, true],
    ] as const
  ) {
    const echo = await startEcho({
      server: { compression: server },
      handlers: {
        async unary(stream) {
          await stream.sendInitialMetadata(
            call === undefined ? {} : { compression: call },
          );
          await stream.sendMessage({ text: TEXT });
        },
      },
    });
    await using _echo = echo;
    const replies: boolean[] = [];
    listen(
      echo.channel,
      RecvMessage,
      (event) => void replies.push(event.compressed),
    );
    assertEquals((await echo.stub.unary({})).text, TEXT);
    assertEquals(replies, [expected]);
  }
});

Deno.test("small messages, and such as do not become smaller, stay as they are", async () => {
  const config = { minCompressMessageSize: 50 };
  await using echo = await startWatched({
    channel: { compression: "gzip", config },
  });
  await echo.stub.unary({ text: "a".repeat(40) });
  await echo.stub.unary({ text: "a".repeat(60) });
  const payload = crypto.getRandomValues(new Uint8Array(5000));
  assertEquals((await echo.stub.unary({ payload })).payload, payload);
  assertEquals(echo.requests, [false, true, false]);
});

Deno.test("a compressed message is measured as it was before, and as it is after", async () => {
  const payload = new Uint8Array(5000);
  const config = { maxReceiveMessageSize: 4000 };
  await using echo = await startEcho({
    channel: { compression: "gzip" },
    server: { config },
  });
  const error = await assertRejects(
    () => echo.stub.unary({ payload }),
    GRPCError,
    "Received message is too large: it inflates to more than the 4000 of maxReceiveMessageSize",
  );
  assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
  const tooLarge = await assertRejects(
    () => echo.stub.unary({ payload }, { maxSendMessageSize: 4000 }),
    GRPCError,
    "bytes are more than the 4000 of maxSendMessageSize",
  );
  assertEquals(tooLarge.status, Status.RESOURCE_EXHAUSTED);
});

Deno.test("CallOptions have limits of their own", async () => {
  await using echo = await startEcho({
    channel: { config: { maxReceiveMessageSize: 1000 } },
  });
  const payload = new Uint8Array(2000);
  const error = await assertRejects(
    () => echo.stub.unary({ payload }),
    GRPCError,
  );
  assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
  const options = { maxReceiveMessageSize: 3000 };
  assertEquals((await echo.stub.unary({ payload }, options)).payload, payload);
  await assertRejects(
    () => echo.stub.unary({}, { maxReceiveMessageSize: -1 }),
    RangeError,
    "Cannot call: maxReceiveMessageSize must be an integer from 0 to 4294967295, received -1",
  );
  await assertRejects(
    () => echo.stub.unary({}, { maxSendMessageSize: "1" as unknown as number }),
    TypeError,
    "maxSendMessageSize must be a number, received string",
  );
});

Deno.test("an unknown compression is refused at the door", async () => {
  const compression = "snappy" as Compression;
  const message =
    'compression must be one of identity, gzip, deflate, zstd, br, received "snappy"';
  for (
    const make of [
      () => new Channel("127.0.0.1", 1, { compression }),
      () => new Server([], { compression }),
    ]
  ) {
    let error: unknown;
    try {
      make();
    } catch (thrown) {
      error = thrown;
    }
    assert(error instanceof TypeError && error.message.endsWith(message));
  }
  await using echo = await startEcho();
  await assertRejects(
    () => echo.stub.unary({}, { compression }),
    TypeError,
    `Cannot call: ${message}`,
  );
});
