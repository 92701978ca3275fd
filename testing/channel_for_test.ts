/** A channel and its server in memory: what they do, and what they leave. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  createService,
  createStub,
  GRPCError,
  listen,
  ProtoJsonCodec,
  RecvRequest,
  Server,
  type ServerStream,
  Status,
  StreamTerminatedError,
} from "@grpclib/grpclib";
import { Greeter } from "@example/greeter";
import {
  GreeterBase,
  GreeterStub,
} from "../examples/helloworld/gen/helloworld_grpc.ts";
import type {
  HelloReply,
  HelloRequest,
} from "../examples/helloworld/gen/helloworld_pb.ts";
import { echo, echoWith } from "../_testdata/echo_service.ts";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import { Waiters } from "../_testdata/waiters.ts";
import { soon, until } from "../_testdata/waiting.ts";
import { openConnections } from "../_http2/open_connections.ts";
import { ChannelFor } from "./mod.ts";

class HelloService extends GreeterBase {
  override async sayHello(
    stream: ServerStream<HelloRequest, HelloReply>,
  ): Promise<void> {
    const { name } = await stream.recvMessage();
    await stream.sendMessage({ message: `Hello, ${name}!` });
  }
}

// The testing page of grpclib's documentation.
Deno.test("ChannelFor() serves a call when it is used as grpclib's documentation shows", async () => {
  const greeter = new HelloService();
  await using channel = new ChannelFor([greeter]);
  const stub = new GreeterStub(channel);
  const response = await stub.sayHello({ name: "Dr. Strange" });
  assertEquals(response.message, "Hello, Dr. Strange!");
});

// grpclib's tests/test_testing.py: test_failure.
Deno.test("ChannelFor() carries a failure when the handler throws a status", async () => {
  const greeter = createService(Greeter, {
    sayHello: () => {
      throw new GRPCError(Status.UNAUTHENTICATED, "who are you?");
    },
  });
  await using channel = new ChannelFor([greeter]);
  const error = await assertRejects(
    () => createStub(Greeter, channel).sayHello({}),
    GRPCError,
    "who are you?",
  );
  assertEquals(error.status, Status.UNAUTHENTICATED);
});

// grpclib's tests/test_testing.py: test_timeout.
Deno.test("ChannelFor() tells nobody of a call when its time was over before", async () => {
  const told: unknown[] = [];
  let calls = 0;
  const greeter = createService(Greeter, {
    sayHello: () => ({ message: `${calls++}` }),
  });
  await using channel = new ChannelFor([greeter], {
    onError: (error) => told.push(error),
  });
  const error = await assertRejects(
    () => createStub(Greeter, channel).sayHello({}, { timeoutMs: -1 }),
    GRPCError,
  );
  assertEquals(error.status, Status.DEADLINE_EXCEEDED);
  assertEquals([told, calls], [[], 0]);
});

Deno.test("ChannelFor() makes all kinds of calls over one connection", async () => {
  await using channel = new ChannelFor([echo]);
  const stub = createStub(Echo, channel);
  const [unary, many, joined, both] = await Promise.all([
    stub.unary({ text: "a" }),
    Array.fromAsync(stub.serverStream({ text: "b", count: 3 })),
    stub.clientStream([{ text: "c" }, { text: "d" }]),
    Array.fromAsync(stub.bidi([{ text: "e", count: 2 }])),
  ]);
  assertEquals(unary.text, "a");
  assertEquals(many.length, 3);
  assertEquals(joined.text, "cd");
  assertEquals(both.length, 2);
});

Deno.test("ChannelFor() carries megabytes when messages are large, both ways", async () => {
  const payload = new Uint8Array(3 * 1024 * 1024).map((_, i) => i);
  await using channel = new ChannelFor([echo]);
  const stub = createStub(Echo, channel);
  let count = 0;
  for await (const reply of stub.serverStream({ count: 5, payload })) {
    assertEquals(reply.payload, payload);
    count++;
  }
  assertEquals(count, 5);
});

Deno.test('ChannelFor() has peers that print "in-memory" and no address', async () => {
  const peers: string[] = [];
  const service = echoWith({
    async unary(stream) {
      assertEquals([stream.peer.addr, stream.peer.cert], [null, null]);
      peers.push(`${stream.peer}`);
      await stream.sendMessage({});
    },
  });
  await using channel = new ChannelFor([service]);
  await using stream = createStub(Echo, channel).unary.open();
  await stream.sendMessage({});
  await stream.recvMessage();
  peers.push(`${stream.peer}`);
  assertEquals(peers, ["in-memory", "in-memory"]);
});

Deno.test("ChannelFor.server tells its events when it is listened to", async () => {
  const paths: string[] = [];
  await using channel = new ChannelFor([echo]);
  assertInstanceOf(channel.server, Server);
  using _ = listen(channel.server, RecvRequest, ({ methodName }) => {
    paths.push(methodName);
  });
  await createStub(Echo, channel).unary({});
  assertEquals(paths, ["/grpclib.test.Echo/Unary"]);
});

Deno.test("ChannelFor() gives its options to both sides, or to one", async () => {
  const told: unknown[] = [];
  await using channel = new ChannelFor([echo], {
    codec: new ProtoJsonCodec(),
    config: { maxReceiveMessageSize: 100 },
    server: { config: { maxReceiveMessageSize: 1000 } },
    onError: (error) => told.push(error),
  });
  const { unary } = createStub(Echo, channel);
  const payload = new Uint8Array(200);
  const error = await assertRejects(() => unary({ payload }), GRPCError);
  // The server took it, and the channel did not.
  assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
  assertEquals((await unary({ text: "a" })).text, "a");
  assertEquals(told, []);
});

Deno.test("ChannelFor() tells onError what a handler throws", async () => {
  const told: unknown[] = [];
  const bug = new TypeError("a bug");
  const service = echoWith({
    unary: () => {
      throw bug;
    },
  });
  await using channel = new ChannelFor([service], {
    onError: (error, { methodName }) => told.push(error, methodName),
  });
  const error = await assertRejects(
    () => createStub(Echo, channel).unary({}),
    GRPCError,
  );
  assertEquals(error.status, Status.UNKNOWN);
  assertStrictEquals(told[0], bug);
  assertEquals(told[1], "/grpclib.test.Echo/Unary");
});

Deno.test("ChannelFor() ends calls and handlers when it is closed, and leaves nothing", async () => {
  const waiters = new Waiters();
  const channel = new ChannelFor([echoWith(waiters.handlers)]);
  const stream = createStub(Echo, channel).unary.open();
  await stream.sendMessage({});
  await waiters.started;
  assertEquals(openConnections.size, 2);
  const reply = assertRejects(() => stream.recvMessage(), GRPCError);
  await soon(channel.close(), "the close");
  assertInstanceOf(await waiters.aborted, GRPCError);
  assertEquals((await reply).status, Status.CANCELLED);
  assertEquals([...openConnections], []);
  await channel.close();
  const error = await assertRejects(
    () => createStub(Echo, channel).unary({}),
    GRPCError,
  );
  assertEquals(error.status, Status.CANCELLED);
});

Deno.test("ChannelFor() closes without a word when there was no call", async () => {
  await using _channel = new ChannelFor([]);
});

Deno.test("ChannelFor() reconnects when the connection has ended", async () => {
  await using channel = new ChannelFor([echo], {
    config: { maxConnectionIdleMs: 50 },
  });
  const { unary } = createStub(Echo, channel);
  for (let i = 0; i < 3; i++) {
    assertEquals((await unary({ text: `${i}` })).text, `${i}`);
    await until(() => openConnections.size === 0, "the connection has ended");
  }
});

Deno.test("ChannelFor() fails with UNAVAILABLE when its server was closed", async () => {
  await using channel = new ChannelFor([echo]);
  const { unary } = createStub(Echo, channel);
  await unary({});
  channel.server.close();
  await soon(channel.server.waitClosed(), "the server to close");
  const error = await assertRejects(() => unary({}), StreamTerminatedError);
  assertEquals(error.status, Status.UNAVAILABLE);
  assert(error.message.includes("Server is closed"), error.message);
});

Deno.test("ChannelFor() refuses what is no service, and wrong options", () => {
  let error: unknown;
  try {
    new ChannelFor([{} as never]);
  } catch (thrown) {
    error = thrown;
  }
  assertInstanceOf(error, TypeError);
});
