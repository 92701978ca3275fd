/** Many cancelled calls on one connection, which servers on nghttp2 end. */

import { assertEquals } from "@std/assert";
import http2 from "node:http2";
import { Channel, createStub, Status } from "../../client.ts";
import { VirtualClock } from "../../testing/mod.ts";
import { PATHS, startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  frame,
  FrameType,
  grpcMessage,
  OK_TRAILERS,
  RawConnection,
  RawServer,
  requestFields,
  RESPONSE_HEAD,
  uint32At,
} from "../../_testdata/raw_h2.ts";
import { ENGINE } from "../../_testdata/on_engine.ts";
import {
  assertCancelled,
  assertStatus,
  Waiters,
} from "../../_testdata/waiters.ts";
import { soon } from "../../_testdata/waiting.ts";

const CANCEL = 8;

Deno.test("Channel moves to another connection before it has cancelled more calls than servers bear", async () => {
  const opened = Promise.withResolvers<void>();
  await using server = new RawServer(async (connection, index) => {
    await connection.acceptPreface();
    await connection.settings();
    for (let found; (found = await connection.next()) !== null;) {
      const { type, streamId } = found;
      // The first call of all goes on.
      if (type === FrameType.HEADERS && index === 0 && streamId === 1) {
        await connection.headers(1, RESPONSE_HEAD);
        opened.resolve();
      }
      if (type === FrameType.HEADERS) started.resolve();
      if (type === FrameType.GOAWAY && index === 0) {
        await connection.data(1, grpcMessage(new Uint8Array()));
        await connection.headers(1, OK_TRAILERS, { end: true });
      }
    }
  });
  let started = Promise.withResolvers<void>();
  await using channel = new Channel("127.0.0.1", server.port);
  const stub = createStub(Echo, channel);
  const bystander = Array.fromAsync(stub.serverStream({}));
  await soon(opened.promise, "the first call");
  // Servers bear 1000 at once and 33 in each second; 500 are kept.
  for (let i = 0; i < 3000 && server.accepted === 1; i++) {
    started = Promise.withResolvers();
    const controller = new AbortController();
    const call = stub.unary({}, { signal: controller.signal });
    await soon(started.promise, "the call to start");
    controller.abort();
    await assertCancelled(() => call);
  }
  assertEquals((await soon(bystander)).length, 1);
  assertEquals(server.accepted, 2);
});

Deno.test("Channel says how many calls it has cancelled when the server ends the connection", async () => {
  await using server = new RawServer(async (connection) => {
    await connection.acceptPreface();
    await connection.settings();
    await connection.nextOf(FrameType.RST_STREAM);
    await connection.goaway(3, 2);
    await connection.end();
  });
  await using channel = new Channel("127.0.0.1", server.port);
  const stub = createStub(Echo, channel);
  const bystander = assertStatus(
    Status.UNAVAILABLE,
    () => stub.unary({}),
    "GOAWAY INTERNAL_ERROR, after 1 RST_STREAM of this side",
  );
  await using call = stub.bidi.open();
  await call.sendRequest();
  call.cancel();
  await bystander;
});

Deno.test(
  "Channel says that it has ended the connection itself when the server sends too many odd frames",
  {
    ignore: ENGINE !== "node",
  },
  async () => {
    await using server = new RawServer(async (connection) => {
      await connection.acceptPreface();
      await connection.settings();
      await connection.nextOf(FrameType.HEADERS);
      const priority = frame(
        FrameType.PRIORITY,
        { streamId: 1 },
        new Uint8Array([0, 0, 0, 0, 1]),
      );
      for (let i = 0; i < 11_000; i++) await connection.write(priority);
      await connection.end();
    });
    await using channel = new Channel("127.0.0.1", server.port);
    await assertStatus(
      Status.UNAVAILABLE,
      () => createStub(Echo, channel).unary({}),
      "node:http2 ended it",
    );
  },
);

Deno.test(
  "Server shuts a connection down gracefully before a client has reset more streams than nghttp2 bears",
  {
    ignore: ENGINE !== "node",
  },
  async () => {
    const waiters = new Waiters();
    await using echo = await startEcho({
      server: { config: { maxResetStreamsPerSecond: Infinity } },
      handlers: { bidi: waiters.handlers.bidi },
    });
    using client = await RawConnection.open(echo.port);
    await client.headers(1, requestFields(PATHS.unary));
    for (let id = 3; id < 3 + 2 * 600; id += 2) {
      await client.headers(id, requestFields(PATHS.bidi));
      await client.rstStream(id, CANCEL);
    }
    const { payload } = await soon(client.nextOf(FrameType.GOAWAY));
    assertEquals([uint32At(payload, 0), uint32At(payload, 4)], [
      2 ** 31 - 1,
      0,
    ]);
    await client.data(1, grpcMessage(new Uint8Array()), { end: true });
    for (let found; (found = await soon(client.next())) !== null;) {
      const status = Object.fromEntries(found.fields)["grpc-status"];
      if (status === undefined) continue;
      assertEquals([found.streamId, status], [1, "0"]);
      return;
    }
    throw new Error("The bystander was not answered");
  },
);

Deno.test("Server does not take calls for abuse that are reset at their deadline", async () => {
  const clock = new VirtualClock();
  const waiters = new Waiters();
  await using echo = await startEcho({
    server: { config: { maxResetStreamsPerSecond: 1 }, clock },
    handlers: { bidi: waiters.handlers.bidi },
  });
  using client = await RawConnection.open(echo.port);
  for (let id = 1; id < 20; id += 2) {
    await client.headers(
      id,
      requestFields(PATHS.bidi, { "grpc-timeout": "100m" }),
    );
    // The reply tells that the call runs.
    await client.nextOf(FrameType.DATA, id);
    await clock.advance(99);
    await client.rstStream(id, CANCEL);
  }
  await client.headers(21, requestFields(PATHS.unary));
  await client.data(21, grpcMessage(new Uint8Array()), { end: true });
  const { trailers, code } = await soon(client.reply(21));
  assertEquals([trailers["grpc-status"], code], ["0", null]);
});

/** A server that knows which frames came, and answers when it is asked to. */
class LateServer implements AsyncDisposable {
  /** The types of the frames that came, by their stream. */
  readonly frames: Record<number, number[]> = {};
  readonly #connection = Promise.withResolvers<RawConnection>();
  readonly #server: RawServer;
  #onFrame = () => {};

  constructor() {
    this.#server = new RawServer(async (connection) => {
      await connection.acceptPreface();
      await connection.settings();
      this.#connection.resolve(connection);
      for (let found; (found = await connection.next()) !== null;) {
        (this.frames[found.streamId] ??= []).push(found.type);
        this.#onFrame();
      }
    });
  }

  get port(): number {
    return this.#server.port;
  }

  /** Waits for a frame of a stream. */
  async has(streamId: number, type: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onFrame = () => {
      if (this.frames[streamId]?.includes(type)) resolve();
    };
    this.#onFrame();
    await soon(promise, `a frame of stream ${streamId}`);
  }

  async reply(streamId: number, status: Status): Promise<void> {
    const connection = await this.#connection.promise;
    await connection.headers(
      streamId,
      [...RESPONSE_HEAD, ["grpc-status", `${status}`]],
      { end: true },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

Deno.test("UnaryUnaryMethod() sends no reset at its deadline when the server ends the stream", async () => {
  const clock = new VirtualClock();
  await using server = new LateServer();
  await using channel = new Channel("127.0.0.1", server.port, { clock });
  const stub = createStub(Echo, channel);
  const call = stub.unary({}, { timeoutMs: 50 });
  const failed = assertStatus(Status.DEADLINE_EXCEEDED, () => call);
  await server.has(1, FrameType.DATA);
  await clock.advance(50);
  await failed;
  await server.reply(1, Status.DEADLINE_EXCEEDED);
  const next = stub.unary({});
  await server.has(3, FrameType.DATA);
  await server.reply(3, Status.NOT_FOUND);
  await assertStatus(Status.NOT_FOUND, () => next);
  await clock.advance(10_000);
  const last = stub.unary({});
  await server.has(5, FrameType.DATA);
  assertEquals(server.frames[1], [FrameType.HEADERS, FrameType.DATA]);
  const ended = assertCancelled(() => last);
  await channel.close();
  await ended;
});

Deno.test("UnaryUnaryMethod() resets the stream after its deadline when the server does not end it", async () => {
  const clock = new VirtualClock();
  await using server = new LateServer();
  await using channel = new Channel("127.0.0.1", server.port, { clock });
  const stub = createStub(Echo, channel);
  const call = stub.unary({}, { timeoutMs: 50 });
  const failed = assertStatus(Status.DEADLINE_EXCEEDED, () => call);
  await server.has(1, FrameType.DATA);
  await clock.advance(50);
  await failed;
  const next = stub.unary({});
  await server.has(3, FrameType.DATA);
  assertEquals(server.frames[1], [FrameType.HEADERS, FrameType.DATA]);
  await clock.advance(500);
  await server.has(1, FrameType.RST_STREAM);
  const ended = assertCancelled(() => next);
  await channel.close();
  await ended;
});

Deno.test("ClientStream resets the stream at its deadline when requests were still to come", async () => {
  const clock = new VirtualClock();
  await using server = new LateServer();
  await using channel = new Channel("127.0.0.1", server.port, { clock });
  await using call = createStub(Echo, channel).bidi.open({ timeoutMs: 50 });
  await call.sendRequest();
  await server.has(1, FrameType.HEADERS);
  await clock.advance(50);
  await server.has(1, FrameType.RST_STREAM);
});

Deno.test(
  "Channel moves to another connection before the ids of streams run out",
  {
    ignore: ENGINE !== "node",
  },
  async () => {
    await using echo = await startEcho();
    const { connect } = http2;
    let connections = 0;
    http2.connect = ((...args: Parameters<typeof connect>) => {
      const session = connect(...args);
      if (connections++ === 0) {
        const ids = session as unknown as { setNextStreamID(id: number): void };
        session.once("connect", () => {
          ids.setNextStreamID(2 ** 31 - 2 ** 16 - 3);
        });
      }
      return session;
    }) as typeof connect;
    try {
      for (let i = 0; i < 5; i++) {
        const calls = ["a", "b"].map((text) => echo.stub.unary({ text }));
        const texts = (await soon(Promise.all(calls))).map(({ text }) => text);
        assertEquals(texts, ["a", "b"]);
      }
    } finally {
      http2.connect = connect;
    }
    assertEquals(connections, 2);
  },
);
