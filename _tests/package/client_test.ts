/** The channel and the methods on it. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  Channel,
  type ChannelOptions,
  type Codec,
  Configuration,
  createStub,
  GRPCError,
  ProtoCodec,
  ProtoJsonCodec,
  Status,
  streamStream,
  StreamTerminatedError,
  streamUnary,
  unaryStream,
  unaryUnary,
} from "../../client.ts";
import { hostOf } from "../../_channel.ts";
import {
  Cardinality,
  mapping,
  Server,
  type ServerStream,
} from "../../server.ts";
import { PATHS, startEcho } from "../../_testdata/echo_service.ts";
import {
  Echo,
  EchoReplySchema,
  EchoRequestSchema,
} from "../../_testdata/gen/echo_pb.ts";
import { RawServer } from "../../_testdata/raw_h2.ts";
import {
  assertCancelled,
  assertStatus,
  Waiters,
} from "../../_testdata/waiters.ts";
import { soon, turns, until } from "../../_testdata/waiting.ts";

type Target = [string?, (number | ChannelOptions)?, ChannelOptions?];

/** What a channel may be created with, and what it then connects to. */
const TARGETS: readonly (readonly [Target, string])[] = [
  [[], "127.0.0.1:50051"],
  [["example.com"], "example.com:50051"],
  [["example.com", 80], "example.com:80"],
  [["127.0.0.1", 443, {}], "127.0.0.1:443"],
  [["::1", 7], "[::1]:7"],
  [["[::1]", 7], "[::1]:7"],
  [["example.com:80"], "example.com:80"],
  [["example.com:80", {}], "example.com:80"],
  [["[::1]:80"], "[::1]:80"],
  [["dns:///example.com:80", {}], "example.com:80"],
  [["dns:example.com"], "example.com:50051"],
];

for (const [args, target] of TARGETS) {
  Deno.test(`Channel() connects to ${target} when created with ${JSON.stringify(args)}`, async () => {
    await using channel = new Channel(...args as [string, number]);
    assertEquals(channel.target, target);
  });
}

/** What no channel can be created with. */
const BAD_TARGETS: readonly (readonly [Target, new () => Error])[] = [
  [[""], TypeError],
  [["", 80], TypeError],
  [["a b", 80], TypeError],
  [["http://example.com"], TypeError],
  [["example.com/path:80"], TypeError],
  [["example.com", 0], RangeError],
  [["example.com", 65536], RangeError],
  [["example.com", 1.5], RangeError],
  [["example.com:99999"], RangeError],
  [["example.com", NaN], RangeError],
];

for (const [args, ErrorClass] of BAD_TARGETS) {
  Deno.test(`Channel() throws ${ErrorClass.name} when created with ${JSON.stringify(args)}`, () => {
    assertThrows(
      () => new Channel(...args as [string, number]),
      ErrorClass,
      "Cannot create channel: ",
    );
  });
}

Deno.test("Channel() throws when an option is wrong", () => {
  assertThrows(
    () => new Channel("a", 1, { config: { http2StreamWindowSize: 1 } }),
    RangeError,
    "http2StreamWindowSize",
  );
  const config = { noSuch: 1 } as ChannelOptions["config"] & object;
  assertThrows(() => new Channel("a", 1, { config }), TypeError, "noSuch");
});

Deno.test("Channel() takes a Configuration as it takes its options", async () => {
  const config = new Configuration({ maxSendMessageSize: 3 });
  await using echo = await startEcho({ channel: { config } });
  await assertStatus(
    Status.RESOURCE_EXHAUSTED,
    () => echo.stub.unary({ text: "abc" }),
  );
});

Deno.test("Channel does nothing on the network when it is created and closed", async () => {
  await using server = new RawServer(() => Promise.resolve());
  const channel = new Channel("127.0.0.1", server.port);
  createStub(Echo, channel).unary.open();
  await turns(5);
  await channel.close();
  assertEquals(server.accepted, 0);
});

Deno.test("Channel.close() ends the calls in flight with CANCELLED", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  const stream = echo.stub.bidi.open();
  await stream.sendRequest();
  const calls = [
    echo.stub.unary({}),
    echo.stub.clientStream(new ReadableStream()),
    Array.fromAsync(echo.stub.serverStream({})),
    stream.recvMessage().then(() => stream.recvMessage()),
  ];
  for (const call of calls) call.catch(() => {});
  await waiters.started;
  await turns(5);
  const closed = echo.channel.close();
  for (const call of calls) {
    const error = await assertCancelled(() => call);
    assertInstanceOf(error, StreamTerminatedError);
    assertEquals(error.message, "Channel is closed");
  }
  await soon(closed, "the channel to close");
  assertEquals(hostOf(echo.channel).source.counts, {
    connections: 0,
    streams: 0,
    waiting: 0,
  });
  // The handlers are told, of the call or of the connection.
  const reason = await waiters.aborted;
  assertInstanceOf(reason, StreamTerminatedError);
});

Deno.test("Channel.close() refuses later calls with CANCELLED", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { unary: () => void calls++ },
  });
  await echo.channel.close();
  const error = await assertCancelled(() => echo.stub.unary({}));
  assertEquals(error.message, "Channel is closed");
  await assertCancelled(() => Array.fromAsync(echo.stub.bidi([{}])));
  await using stream = echo.stub.unary.open();
  await assertCancelled(() => stream.sendMessage({}));
  assertEquals(calls, 0);
});

Deno.test("Channel.close() resolves each time when it is called again", async () => {
  await using echo = await startEcho();
  await echo.stub.unary({});
  await soon(Promise.all([echo.channel.close(), echo.channel.close()]));
  await soon(echo.channel.close());
  await echo.channel[Symbol.asyncDispose]();
});

Deno.test("Channel.close() ends the calls that wait for a connection", async () => {
  await using server = new RawServer(() => Promise.resolve());
  const channel = new Channel("127.0.0.1", server.port);
  const call = createStub(Echo, channel).unary({});
  await until(() => server.accepted === 1, "the connection is accepted");
  const closed = channel.close();
  await assertCancelled(() => call);
  await soon(closed, "the channel to close");
});

Deno.test("Channel can be used by many stubs", async () => {
  await using echo = await startEcho();
  const other = createStub(Echo, echo.channel);
  const [a, b] = await Promise.all([
    echo.stub.unary({ text: "a" }),
    other.unary({ text: "b" }),
  ]);
  assertEquals([a.text, b.text], ["a", "b"]);
  assertEquals(hostOf(echo.channel).source.counts.connections, 1);
});

Deno.test("unaryUnary() and its kin make the methods of createStub() one by one", async () => {
  await using echo = await startEcho();
  const types = [EchoRequestSchema, EchoReplySchema] as const;
  const { channel } = echo;
  const unary = unaryUnary(channel, PATHS.unary, ...types);
  const serverStream = unaryStream(channel, PATHS.serverStream, ...types);
  const clientStream = streamUnary(channel, PATHS.clientStream, ...types);
  const bidi = streamStream(channel, PATHS.bidi, ...types);
  assertEquals((await unary({ text: "a" })).text, "a");
  assertEquals(
    (await Array.fromAsync(serverStream({ text: "b", count: 2 }))).length,
    2,
  );
  assertEquals((await clientStream([{ text: "c" }, { text: "d" }])).text, "cd");
  assertEquals((await Array.fromAsync(bidi([{ count: 3 }]))).length, 3);
  assertEquals(
    [unary, serverStream, clientStream, bidi].map(({ cardinality }) =>
      cardinality
    ),
    Object.values(Cardinality),
  );
});

Deno.test("unaryUnary() throws when the path is none", async () => {
  await using channel = new Channel();
  for (
    const path of [
      "",
      "/",
      "/a",
      "a/b",
      "/a/",
      "//b",
      "/a b/c",
      "/a/b\n",
      "/ä/b",
    ]
  ) {
    assertThrows(
      () => unaryUnary(channel, path, EchoRequestSchema, EchoReplySchema),
      TypeError,
      "Cannot create method: the path must be",
    );
  }
});

Deno.test("UnaryUnaryMethod() rejects when the message is of another type, and sends nothing", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { unary: () => void calls++ },
  });
  const bad = [
    undefined,
    null,
    "text",
    { $typeName: "grpclib.test.EchoReply", text: "" },
  ] as unknown as { text: string }[];
  for (const message of bad) {
    const error = await assertRejects(
      () => echo.stub.unary(message),
      TypeError,
    );
    assertStringIncludes(error.message, "grpclib.test.EchoRequest");
    await using stream = echo.stub.unary.open();
    await assertRejects(() => stream.sendMessage(message), TypeError);
  }
  await echo.stub.clientStream([]);
  assertEquals(calls, 0);
});

/** Messages as JSON, of any type. */
const JSON_CODEC: Codec = {
  contentSubtype: "json",
  encode: (message) => new TextEncoder().encode(JSON.stringify(message)),
  decode: (bytes) => JSON.parse(new TextDecoder().decode(bytes)),
};

Deno.test("Codec of the user's own carries the messages when both sides have it", async () => {
  type Ping = { readonly value: string };
  const service = {
    [mapping]: () => ({
      "/ping.PingService/UnaryUnary": {
        async handle(stream: ServerStream<Ping, Ping>) {
          const { value } = await stream.recvMessage();
          await stream.sendMessage({ value: `${value}: pong` });
        },
        cardinality: Cardinality.UNARY_UNARY,
        requestType: null,
        replyType: null,
      },
    }),
  };
  await using server = new Server([service], { codec: JSON_CODEC });
  await server.start("127.0.0.1");
  await using channel = new Channel("127.0.0.1", server.port!, {
    codec: JSON_CODEC,
  });
  const method = unaryUnary<Ping, Ping>(
    channel,
    "/ping.PingService/UnaryUnary",
    null,
    null,
  );
  assertEquals(await method({ value: "ping" }), { value: "ping: pong" });
});

Deno.test("ProtoJsonCodec carries the messages when both sides have it", async () => {
  const codec = new ProtoJsonCodec();
  await using echo = await startEcho({ channel: { codec }, server: { codec } });
  const payload = new Uint8Array([0, 255]);
  const reply = await echo.stub.unary({ text: "grün", payload });
  assertEquals([reply.text, reply.payload], ["grün", payload]);
  const replies = await Array.fromAsync(
    echo.stub.bidi([{ text: "a", count: 2 }]),
  );
  assertEquals(replies.map(({ index }) => index), [0, 1]);
  await assertStatus(
    Status.NOT_FOUND,
    () => echo.stub.unary({ status: 5, statusMessage: "no" }),
    "no",
  );
});

Deno.test("Server with several codecs has each client choose its own", async () => {
  const server = { codec: [new ProtoCodec(), new ProtoJsonCodec()] };
  for (const codec of server.codec) {
    await using echo = await startEcho({ channel: { codec }, server });
    assertEquals((await echo.stub.unary({ text: "a" })).text, "a");
    await assertStatus(
      Status.NOT_FOUND,
      () => echo.stub.unary({ status: 5, statusMessage: "no" }),
      "no",
    );
  }
  const other = { ...JSON_CODEC, contentSubtype: "other" };
  await using echo = await startEcho({ channel: { codec: other }, server });
  const error = await assertRejects(() => echo.stub.unary({}), GRPCError);
  assertStringIncludes(error.message, "content-type");
  for (
    const [codec, message] of [
      [[], "a codec is needed"],
      [[new ProtoCodec(), new ProtoCodec()], 'the content subtype "proto"'],
      [null, "a codec needs a contentSubtype, received null"],
    ] as const
  ) {
    assertThrows(
      () => new Server([], { codec: codec as unknown as Codec }),
      TypeError,
      message,
    );
  }
});

Deno.test("Codec that gives no bytes makes the call fail before anything is sent", async () => {
  const codec: Codec = {
    ...JSON_CODEC,
    contentSubtype: "proto",
    encode: () => Promise.resolve(new Uint8Array()) as unknown as Uint8Array,
  };
  await using echo = await startEcho({ channel: { codec } });
  await assertRejects(
    () => echo.stub.unary({}),
    TypeError,
    "the codec must encode it to a Uint8Array",
  );
  await assertRejects(
    () => Array.fromAsync(echo.stub.bidi([{}])),
    TypeError,
    "the codec must encode it to a Uint8Array",
  );
});

Deno.test("Codec of one side alone makes calls fail", async () => {
  await using echo = await startEcho({ channel: { codec: JSON_CODEC } });
  const error = await assertRejects(() => echo.stub.unary({}), GRPCError);
  assertEquals(error.status, Status.UNKNOWN);
  assertStringIncludes(error.message, "content-type");
});

Deno.test("Codec that fails to decode ends the call with INTERNAL", async () => {
  const failing: Codec = {
    ...JSON_CODEC,
    contentSubtype: "proto",
    encode: () => new Uint8Array([1, 2, 3]),
  };
  await using echo = await startEcho({ server: { codec: failing } });
  await assertStatus(
    Status.INTERNAL,
    () => echo.stub.unary({}),
    "Cannot decode the request",
  );
  await using other = await startEcho({
    server: { codec: { ...failing, decode: () => ({}) } },
    handlers: { unary: (stream) => stream.sendMessage({}) },
  });
  const error = await assertStatus(
    Status.INTERNAL,
    () => other.stub.unary({}),
    "Cannot decode the reply",
  );
  assert(error.cause instanceof Error);
});
