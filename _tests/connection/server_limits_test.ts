/** What a server asks of the connections of its clients, and what it bears. */

import {
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertMatch,
} from "@std/assert";
import { Channel, createStub, Status } from "../../client.ts";
import { Server } from "../../server.ts";
import { echoWith, PATHS, startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  FrameType,
  grpcMessage,
  PREFACE,
  RawConnection,
  requestFields,
  Setting,
  uint32At,
} from "../../_testdata/raw_h2.ts";
import { assertStatus, startWith, Waiters } from "../../_testdata/waiters.ts";
import { soon, turns, until } from "../../_testdata/waiting.ts";

const ENHANCE_YOUR_CALM = 11;

/** Opens a call that waits for its end, and waits until its handler runs. */
async function openCall(client: RawConnection, streamId = 1): Promise<void> {
  await client.headers(streamId, requestFields(PATHS.bidi));
  await client.nextOf(FrameType.DATA, streamId);
}

/** The settings that a server sends, by identifier. */
async function settingsOf(client: RawConnection): Promise<Map<number, number>> {
  const { payload } = await client.nextOf(FrameType.SETTINGS);
  const view = new DataView(payload.buffer, payload.byteOffset);
  const settings = new Map<number, number>();
  for (let at = 0; at < payload.length; at += 6) {
    settings.set(view.getUint16(at), view.getUint32(at + 2));
  }
  return settings;
}

// Streams and headers

Deno.test("Server tells its limits in SETTINGS", async () => {
  await using first = await startWith({});
  using client = await RawConnection.open(first.port);
  const defaults = await settingsOf(client);
  assertEquals(defaults.get(Setting.MAX_CONCURRENT_STREAMS), 1000);
  assertEquals(defaults.get(Setting.MAX_HEADER_LIST_SIZE), 65_536);
  await using second = await startWith({
    maxConcurrentStreams: 7,
    maxHeaderListSize: 4096,
    http2StreamWindowSize: 100_000,
  });
  using other = await RawConnection.open(second.port);
  const settings = await settingsOf(other);
  assertEquals(settings.get(Setting.MAX_CONCURRENT_STREAMS), 7);
  assertEquals(settings.get(Setting.MAX_HEADER_LIST_SIZE), 4096);
  assertEquals(settings.get(Setting.INITIAL_WINDOW_SIZE), 100_000);
});

Deno.test("Server runs no more calls at once than maxConcurrentStreams, and a channel lets the others wait", async () => {
  let running = 0;
  let most = 0;
  await using echo = await startEcho({
    server: { config: { maxConcurrentStreams: 3 } },
    handlers: {
      async unary(stream) {
        most = Math.max(most, ++running);
        await turns(2);
        running--;
        await stream.sendMessage({});
      },
    },
  });
  await Promise.all(Array.from({ length: 20 }, () => echo.stub.unary({})));
  assertEquals(most, 3);
});

Deno.test("Server refuses a stream over maxConcurrentStreams when the client does not know of it yet", async () => {
  await using echo = await startWith({ maxConcurrentStreams: 2 });
  using client = await RawConnection.open(echo.port);
  for (const streamId of [1, 3, 5]) {
    await client.headers(streamId, requestFields(PATHS.bidi));
  }
  const { payload } = await client.nextOf(FrameType.RST_STREAM, 5);
  assertEquals(uint32At(payload, 0), 7);
});

Deno.test("Server answers no call with headers over maxHeaderListSize", async () => {
  await using echo = await startWith({ maxHeaderListSize: 4096 });
  using client = await RawConnection.open(echo.port);
  await client.nextOf(FrameType.SETTINGS);
  await client.headers(1, [
    ...requestFields(PATHS.unary),
    ["x", "y".repeat(5000)],
  ], { end: true });
  const { code, ended } = await client.reply(1);
  assertEquals([code, ended], [ENHANCE_YOUR_CALM, false]);
  // Others go on.
  await client.headers(3, requestFields(PATHS.clientStream), { end: true });
  assertEquals((await client.reply(3)).trailers["grpc-status"], "0");
});

// Connections

Deno.test("Server closes connections over maxConnections at once, and serves those there are", async () => {
  await using echo = await startWith({ maxConnections: 2 });
  using first = await RawConnection.open(echo.port);
  await first.nextOf(FrameType.SETTINGS);
  await echo.stub.unary({});
  using third = await RawConnection.connect(echo.port);
  await soon(third.end(), "the server to hang up");
  await using channel = new Channel("127.0.0.1", echo.port);
  await assertStatus(
    Status.UNAVAILABLE,
    () => createStub(Echo, channel).unary({}),
  );
  assertEquals((await echo.stub.unary({ text: "a" })).text, "a");
  // When one is gone there is room for another.
  first.close();
  for (let tries = 0; !await isServed(echo.port); tries++) {
    assertLess(tries, 100);
    await turns(1);
  }
});

Deno.test("Server closes connections over maxConnectionsPerAddress, and tells of them", async () => {
  const told = Promise.withResolvers<readonly [string, string]>();
  await using echo = await startEcho({
    server: {
      config: { maxConnectionsPerAddress: 2 },
      onConnectionError: (error, peer) =>
        told.resolve([error.message, `${peer}`]),
    },
  });
  using first = await RawConnection.open(echo.port);
  await first.nextOf(FrameType.SETTINGS);
  await echo.stub.unary({});
  using third = await RawConnection.connect(echo.port);
  await soon(third.end(), "the server to hang up");
  const [message, peer] = await soon(told.promise, "the server's hook");
  assertEquals(
    message,
    "Cannot accept connection: maxConnectionsPerAddress is 2, and there are as many of its address",
  );
  assertMatch(peer, /^127\.0\.0\.1:\d+$/);
  assertEquals((await echo.stub.unary({ text: "a" })).text, "a");
  // When one is gone there is room for another.
  first.close();
  for (let tries = 0; !await isServed(echo.port); tries++) {
    assertLess(tries, 100);
    await turns(1);
  }
});

Deno.test("Server tells of connections over maxConnections", async () => {
  const told = Promise.withResolvers<string>();
  await using echo = await startEcho({
    server: {
      config: { maxConnections: 1 },
      onConnectionError: (error) => told.resolve(error.message),
    },
  });
  await echo.stub.unary({});
  using second = await RawConnection.connect(echo.port);
  await soon(second.end(), "the server to hang up");
  assertEquals(
    await soon(told.promise, "the server's hook"),
    "Cannot accept connection: maxConnections is 1, and there are as many",
  );
});

/** Whether a new connection is kept. */
async function isServed(port: number): Promise<boolean> {
  try {
    using client = await RawConnection.connect(port);
    await client.write(PREFACE);
    await client.settings();
    return await client.next() !== null;
  } catch {
    // It was closed while it was written to.
    return false;
  }
}

Deno.test("Server drops a client when its SETTINGS do not come within connectTimeoutMs", async () => {
  await using echo = await startWith({ connectTimeoutMs: 60 });
  using good = await RawConnection.open(echo.port);
  await openCall(good);
  for (const said of ["", "PRI * HTTP/2.0\r\n", PREFACE]) {
    const start = performance.now();
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: echo.port });
    await conn.write(
      typeof said === "string" ? new TextEncoder().encode(said) : said,
    );
    const bytes = new Uint8Array(1024);
    while ((await soon(conn.read(bytes)).catch(() => null)) !== null);
    assertGreaterOrEqual(performance.now() - start, 50);
  }
  // In the meantime the time of this one was up as well.
  await good.rstStream(1, 8);
  await openCall(good, 3);
});

Deno.test("Server ends a connection with GOAWAY when there was no call for maxConnectionIdleMs", async () => {
  const waiters = new Waiters();
  await using echo = await startWith({ maxConnectionIdleMs: 60 }, waiters);
  using client = await RawConnection.open(echo.port);
  using busy = await RawConnection.open(echo.port);
  await openCall(busy);
  assertEquals(await soon(client.nextGoaway()), { code: 0, text: "" });
  await soon(client.end());
  // Not while there is one; after it, the time begins again.
  await turns(5);
  const start = performance.now();
  await busy.rstStream(1, 8);
  assertEquals((await soon(busy.nextGoaway())).code, 0);
  assertGreaterOrEqual(performance.now() - start, 55);
  await soon(busy.end());
});

Deno.test("Server ends a connection with GOAWAY when it is maxConnectionAgeMs old, and its calls go on", async () => {
  const go = Promise.withResolvers<void>();
  await using echo = await startEcho({
    server: { config: { maxConnectionAgeMs: 60 } },
    handlers: {
      async unary(stream) {
        await go.promise;
        await stream.sendMessage({ text: "finished" });
      },
    },
  });
  const start = performance.now();
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.unary));
  await client.data(1, grpcMessage(new Uint8Array()), { end: true });
  assertEquals(await soon(client.nextGoaway()), { code: 0, text: "" });
  const age = performance.now() - start;
  assertGreaterOrEqual(age, 50);
  await turns(10);
  go.resolve();
  const { trailers } = await client.reply(1);
  assertEquals(trailers["grpc-status"], "0");
  await soon(client.end());
});

Deno.test("Server ends the calls of an old connection when maxConnectionAgeGraceMs is over", async () => {
  const waiters = new Waiters();
  await using echo = await startWith({
    maxConnectionAgeMs: 40,
    maxConnectionAgeGraceMs: 40,
  }, waiters);
  using client = await RawConnection.open(echo.port);
  await openCall(client);
  assertEquals((await soon(client.nextGoaway())).code, 0);
  await waiters.assertAborted(Status.UNAVAILABLE);
  await soon(client.end());
});

Deno.test("Channel notices nothing when the server's connections become old", async () => {
  const peers = new Set<string>();
  await using server = new Server([
    echoWith({
      unary(stream) {
        peers.add(`${stream.peer}`);
        return stream.sendMessage({});
      },
    }),
  ], { config: { maxConnectionAgeMs: 20, maxConnectionAgeGraceMs: 1000 } });
  await server.start("127.0.0.1");
  await using channel = new Channel("127.0.0.1", server.port!);
  const stub = createStub(Echo, channel);
  await soon(
    (async () => {
      while (peers.size < 3) {
        await Promise.all([stub.unary({}), stub.unary({}), stub.unary({})]);
      }
    })(),
    "the third connection",
  );
});

// Rapid reset

Deno.test("Server ends the connection of a client when it cancels more than maxResetStreamsPerSecond calls at once", async () => {
  await using echo = await startWith({ maxResetStreamsPerSecond: 20 });
  await echo.stub.unary({});
  using client = await RawConnection.open(echo.port);
  const reading = client.nextGoaway();
  for (let i = 0; i < 40; i++) {
    const streamId = 2 * i + 1;
    await client.headers(streamId, requestFields(PATHS.bidi))
      // The server may have hung up.
      .then(() => client.rstStream(streamId, i % 2 === 0 ? 8 : 0))
      .catch(() => {});
  }
  assertEquals(await reading, {
    code: ENHANCE_YOUR_CALM,
    text: "too_many_resets",
  });
  await soon(client.end());
  // The others are not to blame.
  assertEquals((await echo.stub.unary({ text: "a" })).text, "a");
});

Deno.test("Server survives a rapid reset when all of it comes in one piece", async () => {
  await using echo = await startWith({});
  using client = await RawConnection.open(echo.port);
  await client.nextOf(FrameType.SETTINGS);
  const ending = client.end();
  for (let i = 0; i < 1500; i += 100) {
    const frames: Promise<void>[] = [];
    for (let j = i; j < i + 100; j++) {
      const streamId = 2 * j + 1;
      frames.push(client.headers(streamId, requestFields(PATHS.bidi)));
      frames.push(client.rstStream(streamId, 8));
    }
    await Promise.allSettled(frames);
  }
  await soon(ending, "the server to hang up");
  assertEquals((await echo.stub.unary({ text: "a" })).text, "a");
});

Deno.test("Server bears calls that it answers, and those that it ends itself, whatever their number", async () => {
  await using echo = await startEcho({
    server: { config: { maxResetStreamsPerSecond: 1 } },
    handlers: {
      clientStream: (stream) => stream.cancel(),
    },
  });
  for (let i = 0; i < 10; i++) {
    await echo.stub.unary({});
    await assertStatus(Status.CANCELLED, () => echo.stub.clientStream([{}]));
    // A client that has all it wants may reset as well.
    await using stream = echo.stub.serverStream.open();
    await stream.sendMessage({ count: 1 });
    await stream.recvMessage();
    await stream.recvMessage();
  }
});

for (const isEarly of [true, false]) {
  Deno.test(`Server ends the connection of a client whose headers are too large again and again, ${isEarly ? "before" : "after"} it acknowledges SETTINGS`, async () => {
    await using pair = await startWith({
      maxHeaderListSize: 1024,
      // However slow the machine is.
      maxResetStreamsPerSecond: 1,
    });
    const { server } = pair;
    using client = await RawConnection.open(pair.port);
    await until(() => server.inspect().connections === 1, "it is there");
    // That acknowledges them, too.
    if (!isEarly) await client.nextOf(FrameType.SETTINGS);
    const fields = [
      ...requestFields(PATHS.unary),
      ["x-long", "a".repeat(isEarly ? 5000 : 2000)],
    ] as const;
    let isOver = false;
    const attack = async () => {
      for (let i = 0; !isOver && i < 5000; i++) {
        await client.headers(2 * i + 1, fields, { end: true });
      }
    };
    const attacked = attack().catch(() => {});
    await until(() => server.inspect().connections === 0, "it is ended");
    isOver = true;
    client.close();
    await attacked;
    assertEquals((await pair.stub.unary({ text: "hi" })).text, "hi");
  });
}

Deno.test("Server serves a client whose headers are too large at times", async () => {
  await using pair = await startWith({ maxHeaderListSize: 1024 });
  using client = await RawConnection.open(pair.port);
  // That acknowledges them, too.
  await client.nextOf(FrameType.SETTINGS);
  for (let i = 0; i < 20; i++) {
    await client.headers(2 * i + 1, [
      ...requestFields(PATHS.unary),
      ["x-long", "a".repeat(2000)],
    ], { end: true });
    const { payload } = await client.nextOf(FrameType.RST_STREAM, 2 * i + 1);
    assertEquals(uint32At(payload, 0), ENHANCE_YOUR_CALM);
  }
  await client.headers(41, requestFields(PATHS.unary));
  await client.data(41, grpcMessage(new Uint8Array()), { end: true });
  assertEquals((await client.reply(41)).trailers["grpc-status"], "0");
});
