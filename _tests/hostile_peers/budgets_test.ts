// What peers can make a server or a channel hold, and how much of its time they
// have: on either engine, with limits that a test can reach.

import { create, toBinary } from "@bufbuild/protobuf";
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { CallEnd, listen, RecvMessage } from "../../core/events.ts";
import { Status } from "../../core/status.ts";
import { compressors } from "../../_zlib.ts";
import { Channel, createStub, type GRPCError } from "../../client.ts";
import { PATHS, startEcho } from "../../_testdata/echo_service.ts";
import { Echo, EchoRequestSchema } from "../../_testdata/gen/echo_pb.ts";
import {
  type Frame,
  frame,
  FrameType,
  grpcMessage,
  OK_TRAILERS,
  RawConnection,
  RawServer,
  requestFields,
  RESPONSE_HEAD,
  Setting,
} from "../../_testdata/raw_h2.ts";
import { goOnWell, shakeHands } from "../../_testdata/raw_replies.ts";
import { settled, soon, until } from "../../_testdata/waiting.ts";
import { VirtualClock } from "../../testing/mod.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Limits that a few small messages reach. */
const SMALL = {
  maxReceiveMessageSize: 64 * KIB,
  maxHeldBytesPerConnection: 128 * KIB,
  maxHeldBytes: 256 * KIB,
};

/** A message that inflates to so many bytes, compressed, with its prefix. */
function bomb(encoding: string, bytes: number): Uint8Array {
  const message = toBinary(
    EchoRequestSchema,
    create(EchoRequestSchema, { payload: new Uint8Array(bytes) }),
  );
  const small = compressors.get(encoding)!.compress(message);
  return grpcMessage(small, { flag: 1 });
}

function times(count: number, bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(count * bytes.length);
  for (let i = 0; i < count; i++) all.set(bytes, i * bytes.length);
  return all;
}

/** Half of a message of 64 KiB. */
const HALF = grpcMessage(new Uint8Array(40 * KIB), { length: 64 * KIB });

/** The statuses that come back on a connection, until there are so many. */
async function statusesOf(
  connection: RawConnection,
  count: number,
): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {};
  for (let i = 0; i < count;) {
    const frame: Frame | null = await connection.next();
    assert(frame !== null, "the connection goes on");
    const status = frame.fields.find(([name]) => name === "grpc-status")?.[1];
    if (status === undefined) continue;
    statuses[status] = (statuses[status] ?? 0) + 1;
    i++;
  }
  return statuses;
}

for (const encoding of ["gzip", "deflate", "br"]) {
  Deno.test(`Server decompresses one message at a time when a listener sees messages of ${encoding} that nobody takes`, async () => {
    const end = Promise.withResolvers<void>();
    await using pair = await startEcho({
      handlers: { bidi: () => end.promise },
    });
    let seen = 0;
    listen(pair.server, RecvMessage, () => void seen++);
    using connection = await RawConnection.open(pair.port);
    await connection.headers(
      1,
      requestFields(PATHS.bidi, { "grpc-encoding": encoding }),
    );
    await connection.data(1, times(20, bomb(encoding, MIB)));
    await until(() => seen > 0, "the first message is seen");
    await settled(() => seen);
    assertEquals(seen, 1);
    end.resolve();
    await connection.reply(1);
  });
}

Deno.test("Channel decompresses one message at a time when a listener sees messages that nobody takes", async () => {
  await using pair = await startEcho({ server: { compression: "gzip" } });
  let seen = 0;
  listen(pair.channel, RecvMessage, () => void seen++);
  const payload = new Uint8Array(MIB);
  await using call = pair.stub.serverStream.open();
  await call.sendMessage({ count: 20, payload }, { end: true });
  await until(() => seen > 0, "the first message is seen");
  await settled(() => seen);
  assertEquals(seen, 1);
  let taken = 0;
  for await (const { payload } of call) taken += payload.length;
  assertEquals([taken, seen], [20 * MIB, 20]);
});

for (const isWatched of [false, true]) {
  Deno.test(`Server has others go on between messages that take long to decompress, ${isWatched ? "with" : "without"} a listener`, async () => {
    let taken = 0;
    await using pair = await startEcho({
      handlers: {
        async clientStream(stream) {
          for await (const _ of stream) taken++;
          await stream.sendMessage({});
        },
      },
      server: { config: { maxDecompressionRatio: Infinity } },
    });
    if (isWatched) listen(pair.server, RecvMessage, () => {});
    using connection = await RawConnection.open(pair.port);
    await connection.headers(
      1,
      requestFields(PATHS.clientStream, { "grpc-encoding": "gzip" }),
    );
    const steps = new Set<number>();
    const look = setInterval(() => steps.add(taken), 0);
    const message = bomb("gzip", 4 * MIB - 100);
    await connection.data(1, times(12, message), { end: true });
    const { trailers } = await connection.reply(1);
    clearInterval(look);
    assertEquals([trailers["grpc-status"], taken], ["0", 12]);
    // The loop had its turn between most of them.
    assertGreater(steps.size, 4);
  });
}

Deno.test("Server ends a call whose messages inflate to too many times what has come", async () => {
  await using pair = await startEcho({
    handlers: {
      async clientStream(stream) {
        for await (const _ of stream);
      },
    },
  });
  using connection = await RawConnection.open(pair.port);
  await connection.headers(
    1,
    requestFields(PATHS.clientStream, { "grpc-encoding": "br" }),
  );
  await connection.data(1, times(40, bomb("br", 4 * MIB - 100)));
  const { trailers } = await connection.reply(1);
  assertEquals(trailers["grpc-status"], `${Status.RESOURCE_EXHAUSTED}`);
  assert(trailers["grpc-message"]!.includes("maxDecompressionRatio"));
});

Deno.test("Server ends the newest of the calls whose messages are never whole, and serves others", async () => {
  const reasons: string[] = [];
  await using pair = await startEcho({
    server: {
      config: SMALL,
      onRefusedCall: ({ reason }) => void reasons.push(reason),
    },
  });
  using connection = await RawConnection.open(pair.port);
  for (let i = 0; i < 20; i++) {
    await connection.headers(2 * i + 1, requestFields(PATHS.unary));
    await connection.data(2 * i + 1, HALF);
  }
  // There is room for two in a connection, and for four in all.
  const statuses = await statusesOf(connection, 16);
  assertEquals(statuses, { [Status.RESOURCE_EXHAUSTED]: 16 });
  assertEquals([...new Set(reasons)], ["memory"]);
  assertGreater(pair.server.refusedCalls, 15);
  assertEquals((await pair.stub.unary({ text: "hi" })).text, "hi");
});

Deno.test("Server takes all of it when a connection that has to wait is served", async () => {
  await using pair = await startEcho({
    server: {
      // More than the windows of the stream allow, so that nothing has to end.
      config: { ...SMALL, maxHeldBytes: 8 * MIB },
      clock: new VirtualClock(),
    },
  });
  const payload = new Uint8Array(60 * KIB);
  const replies = await Promise.all(
    Array.from({ length: 10 }, () => pair.stub.unary({ payload })),
  );
  assertEquals(replies.length, 10);
  let count = 0;
  const sent = Array.from({ length: 60 }, () => ({ payload, count: 1 }));
  for await (const _ of pair.stub.bidi(sent)) count++;
  assertEquals(count, 60);
});

Deno.test("Server and Channel take messages of which many are not whole yet, and together more than a connection may hold", async () => {
  const config = { ...SMALL, maxHeldBytes: 8 * MIB };
  // No message counts as one that never becomes whole, however slow all is.
  const clock = new VirtualClock();
  await using pair = await startEcho({
    server: { config, clock },
    channel: { config, clock },
  });
  const payload = new Uint8Array(40 * KIB);
  for (let round = 0; round < 3; round++) {
    const replies = await Promise.all(
      Array.from({ length: 40 }, () => pair.stub.unary({ payload })),
    );
    assertEquals(replies.length, 40);
  }
});

for (const what of ["whole", "ended"]) {
  Deno.test(`Server reads on when a connection is over its limit by requests that are not ${what}`, async () => {
    await using pair = await startEcho({
      server: { config: { ...SMALL, maxHeldBytes: 8 * MIB } },
    });
    using connection = await RawConnection.open(pair.port, [
      [Setting.INITIAL_WINDOW_SIZE, 2 ** 30],
    ]);
    await connection.windowUpdate(0, 2 ** 30);
    const message = grpcMessage(toBinary(
      EchoRequestSchema,
      create(EchoRequestSchema, { payload: new Uint8Array(40 * KIB) }),
    ));
    // There is memory for all of a message when some of it has come.
    const cut = what === "whole" ? 6 : message.length;
    const streamIds = Array.from({ length: 10 }, (_, i) => 2 * i + 1);
    for (const streamId of streamIds) {
      await connection.headers(streamId, requestFields(PATHS.unary));
      await connection.data(streamId, message.subarray(0, cut));
    }
    for (const streamId of streamIds) {
      await connection.data(streamId, message.subarray(cut), { end: true });
    }
    assertEquals(await soon(statusesOf(connection, 10)), { [Status.OK]: 10 });
  });
}

Deno.test("Server starts no more handlers for a client that takes no replies, and all when it does", async () => {
  let started = 0;
  await using pair = await startEcho({
    handlers: {
      async unary(stream) {
        started++;
        await stream.sendMessage({ payload: new Uint8Array(50 * KIB) });
      },
    },
    server: { config: SMALL },
  });
  using connection = await RawConnection.open(pair.port, [
    [Setting.INITIAL_WINDOW_SIZE, 0],
  ]);
  for (let i = 0; i < 40; i++) {
    await connection.headers(2 * i + 1, requestFields(PATHS.unary));
    await connection.data(2 * i + 1, grpcMessage(new Uint8Array()), {
      end: true,
    });
  }
  await until(() => started > 0, "the first handler starts");
  await settled(() => started);
  assertLess(started, 6);
  await connection.settings([Setting.INITIAL_WINDOW_SIZE, 2 ** 30]);
  await connection.windowUpdate(0, 2 ** 30);
  assertEquals(await statusesOf(connection, 40), { [Status.OK]: 40 });
  assertEquals(started, 40);
});

Deno.test("Server ends the connection of a client that takes no replies for too long", async () => {
  await using pair = await startEcho({
    handlers: {
      unary: (stream) =>
        stream.sendMessage({ payload: new Uint8Array(50 * KIB) }),
    },
    server: { config: { ...SMALL, requestTimeoutMs: 40 } },
  });
  using connection = await RawConnection.open(pair.port, [
    [Setting.INITIAL_WINDOW_SIZE, 0],
  ]);
  for (let i = 0; i < 10; i++) {
    await connection.headers(2 * i + 1, requestFields(PATHS.unary));
    await connection.data(2 * i + 1, grpcMessage(new Uint8Array()), {
      end: true,
    });
  }
  await connection.end();
  assertEquals((await pair.stub.clientStream([{ text: "hi" }])).text, "hi");
});

Deno.test("Server ends the connection of a client that does not even read within keepaliveTimeoutMs", async () => {
  await using pair = await startEcho({
    handlers: {
      // More than the system takes for a client that does not read.
      unary: (stream) =>
        stream.sendMessage({ payload: new Uint8Array(32 * MIB) }),
    },
    server: {
      config: {
        ...SMALL,
        maxHeldBytes: 128 * MIB,
        keepaliveTimeoutMs: 100,
        // So that it is looked every 25 ms.
        maxQueueTimeMs: 50,
      },
    },
  });
  using connection = await RawConnection.open(pair.port, [
    [Setting.INITIAL_WINDOW_SIZE, 2 ** 30],
  ]);
  await connection.windowUpdate(0, 2 ** 30);
  await connection.headers(1, requestFields(PATHS.unary));
  await connection.data(1, grpcMessage(new Uint8Array()), { end: true });
  const { server } = pair;
  await until(() => server.inspect().calls.started === 1, "the call is there");
  await until(() => server.inspect().connections === 0, "it is ended");
  assertEquals((await pair.stub.clientStream([{ text: "hi" }])).text, "hi");
});

Deno.test("Server ends the connection whose replies hold all there is, and no call of others", async () => {
  const go = Promise.withResolvers<void>();
  let started = 0;
  let through = 0;
  await using pair = await startEcho({
    handlers: {
      async unary(stream) {
        started++;
        await go.promise;
        try {
          await stream.sendMessage({ payload: new Uint8Array(50 * KIB) });
        } finally {
          through++;
        }
      },
    },
    server: { config: SMALL },
  });
  using connection = await RawConnection.open(pair.port, [
    [Setting.INITIAL_WINDOW_SIZE, 0],
  ]);
  for (let i = 0; i < 40; i++) {
    await connection.headers(2 * i + 1, requestFields(PATHS.unary));
    await connection.data(2 * i + 1, grpcMessage(new Uint8Array()), {
      end: true,
    });
  }
  await until(() => started === 40, "all handlers run");
  go.resolve();
  await until(() => through === 40, "all have replied");
  const payload = new Uint8Array(40 * KIB);
  for await (const reply of pair.stub.bidi([{ payload }])) {
    assertEquals(reply.payload.length, payload.length);
  }
  await connection.end();
});

Deno.test("Channel ends the calls that hold most when a server sends too many halves of messages", async () => {
  await using server = new RawServer(async (connection) => {
    await connection.acceptPreface();
    await connection.settings();
    for (let i = 0; i < 8; i++) {
      const { streamId } = await connection.nextOf(FrameType.HEADERS);
      await connection.headers(streamId, RESPONSE_HEAD);
      await connection.data(streamId, HALF);
    }
    await connection.end();
  });
  await using channel = new Channel("127.0.0.1", server.port, {
    config: SMALL,
  });
  const stub = createStub(Echo, channel);
  const errors: unknown[] = [];
  const abort = new AbortController();
  const calls = Array.from(
    { length: 8 },
    () =>
      stub.unary({}, { signal: abort.signal }).catch((error) =>
        errors.push((error as GRPCError).status)
      ),
  );
  // There is room for two in a connection, and for four in all.
  await until(() => errors.length >= 4, "four calls end");
  await settled(() => errors.length);
  const most = errors.splice(0);
  assertEquals(most, most.map(() => Status.RESOURCE_EXHAUSTED));
  assertLess(most.length, 8);
  abort.abort();
  await soon(Promise.all(calls));
  assertEquals(errors, errors.map(() => Status.CANCELLED));
});

Deno.test("a server takes nothing more from a client that has left than what its handler had room for", async () => {
  const over = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<CallEnd>();
  await using echo = await startEcho({
    handlers: { bidi: () => over.promise },
  });
  let heard = 0;
  listen(echo.server, RecvMessage, () => void heard++);
  listen(echo.server, CallEnd, (event) => ended.resolve(event));
  const some = times(3000, grpcMessage(new Uint8Array()));
  {
    using client = await RawConnection.open(echo.port);
    const exchangePing = async (): Promise<void> => {
      await client.write(frame(FrameType.PING, {}, new Uint8Array(8)));
      await soon(client.nextOf(FrameType.PING));
    };
    // The windows are as large as the server wants them from here on.
    await exchangePing();
    await client.headers(1, requestFields(PATHS.bidi));
    for (let i = 0; i < 200; i++) await client.data(1, some);
    // All of it has come.
    await exchangePing();
    await until(() => heard > 4000, "the inbox is full");
  }
  const { receivedMessages } = await soon(ended.promise);
  over.resolve();
  assertLess(receivedMessages, 50_000);
});

/** How many messages a server sends at once to a caller that does not read. */
const FLOOD = 600_000;

/** Begins a reply of many empty messages, and waits until all of it has come. */
async function flood(connection: RawConnection): Promise<number> {
  await shakeHands(connection);
  const { streamId } = await connection.nextOf(FrameType.HEADERS);
  await connection.headers(streamId, RESPONSE_HEAD);
  const some = times(3000, grpcMessage(new Uint8Array()));
  for (let i = 0; i < FLOOD / 3000; i++) await connection.data(streamId, some);
  return streamId;
}

/** Waits until the client has seen all that was sent to it. */
async function exchangePing(connection: RawConnection): Promise<void> {
  await connection.write(frame(FrameType.PING, {}, new Uint8Array(8)));
  await connection.nextOf(FrameType.PING);
}

for (const how of ["is reset", "is lost"]) {
  for (const listens of [false, true]) {
    Deno.test(`a client takes nothing more from a stream that ${how} than what its caller had room for, ${listens ? "with" : "without"} a listener`, async () => {
      const isFull = Promise.withResolvers<void>();
      const isOver = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<CallEnd>();
      await using server = new RawServer(async (connection) => {
        const streamId = await flood(connection);
        await exchangePing(connection);
        await isFull.promise;
        if (how === "is lost") return connection.close();
        await connection.rstStream(streamId, 8);
        await exchangePing(connection);
        isOver.resolve();
        await connection.end();
      });
      await using channel = new Channel("127.0.0.1", server.port);
      let heard = 0;
      if (listens) listen(channel, RecvMessage, () => void heard++);
      listen(channel, CallEnd, (event) => ended.resolve(event));
      const stream = createStub(Echo, channel).serverStream.open();
      await stream.sendMessage({});
      if (listens) await until(() => heard > 4000, "the inbox is full");
      isFull.resolve();
      if (how === "is reset") await soon(isOver.promise);
      else await until(() => channel.state !== "READY", "it is lost");
      // It would wait until it is read.
      stream.cancel();
      const { receivedMessages } = await soon(ended.promise);
      assertLess(receivedMessages, 50_000);
    });
  }
}

Deno.test("a client gives all of a whole reply to a caller that reads it when the connection is lost, and not before", async () => {
  await using server = new RawServer(async (connection, index) => {
    if (index > 0) {
      await shakeHands(connection);
      return await goOnWell(connection);
    }
    const streamId = await flood(connection);
    await connection.headers(streamId, OK_TRAILERS, { end: true });
    await exchangePing(connection);
    connection.close();
  });
  await using channel = new Channel("127.0.0.1", server.port);
  const ends: CallEnd[] = [];
  listen(channel, CallEnd, (event) => void ends.push(event));
  const stub = createStub(Echo, channel);
  const stream = stub.serverStream.open();
  await stream.sendMessage({});
  await soon(server.ended(0));
  // The loss is known when the next connection serves.
  await until(() => channel.state !== "READY", "the connection is lost");
  await stub.unary({});
  assertEquals(ends.length, 1);
  let taken = 0;
  for await (const _ of stream) taken++;
  assertEquals(taken, FLOOD);
  assertEquals(ends[1]?.receivedMessages, FLOOD);
});
