// What a server makes of clients that reset their streams, cut the connection,
// or take nothing: handlers learn of it at once and with the right status,
// memory stays bounded, and everybody else is served as before.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
} from "@std/assert";
import { GRPCError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import { PATHS, startEcho } from "../../_testdata/echo_service.ts";
import {
  EchoReplySchema,
  EchoRequestSchema,
} from "../../_testdata/gen/echo_pb.ts";
import {
  FrameType,
  grpcMessage,
  RawConnection,
  requestFields,
  Setting,
  uint32At,
} from "../../_testdata/raw_h2.ts";
import {
  settled,
  soon,
  turns,
  until,
  whenAborted,
} from "../../_testdata/waiting.ts";

const GOOD = grpcMessage(
  toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: "hello" })),
);

const CANCEL = 8;

/** A server whose streaming handlers wait for their signal and tell its reason. */
async function startWaiting() {
  const running = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<unknown>();
  let started = 0;
  const wait = async (stream: { readonly signal: AbortSignal }) => {
    started++;
    running.resolve();
    aborted.resolve(await whenAborted(stream.signal));
  };
  const unary = async (stream: {
    recvMessage(): Promise<{ text: string }>;
    sendMessage(message: { text: string }): Promise<void>;
  }) => {
    started++;
    const { text } = await stream.recvMessage();
    await stream.sendMessage({ text });
  };
  const pair = await startEcho({
    handlers: { unary, serverStream: wait, clientStream: wait, bidi: wait },
  });
  return {
    pair,
    running: running.promise,
    aborted: aborted.promise,
    started: () => started,
    async [Symbol.asyncDispose]() {
      assertEquals((await pair.stub.unary({ text: "hi" })).text, "hi");
      await pair[Symbol.asyncDispose]();
    },
  };
}

async function assertServed(
  connection: RawConnection,
  streamId: number,
): Promise<void> {
  await connection.headers(streamId, requestFields(PATHS.unary));
  await connection.data(streamId, GOOD, { end: true });
  const answer = await connection.reply(streamId);
  assertEquals(answer.trailers["grpc-status"], "0");
}

// Resets

// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors
const STATUS_OF_RESET: readonly (readonly [code: number, status: Status])[] = [
  [0, Status.CANCELLED],
  [1, Status.INTERNAL],
  [2, Status.INTERNAL],
  [3, Status.INTERNAL],
  [4, Status.INTERNAL],
  [5, Status.UNKNOWN],
  [6, Status.INTERNAL],
  [7, Status.UNAVAILABLE],
  [8, Status.CANCELLED],
  [9, Status.INTERNAL],
  [10, Status.INTERNAL],
  [11, Status.RESOURCE_EXHAUSTED],
  [12, Status.PERMISSION_DENIED],
  [13, Status.UNKNOWN],
  [99, Status.UNKNOWN],
];

for (const [code, status] of STATUS_OF_RESET) {
  for (const path of [PATHS.serverStream, PATHS.bidi]) {
    const ended = path === PATHS.serverStream;
    const when = ended ? "the request is complete" : "requests are due";
    Deno.test(`ServerStream.signal aborts when the client resets with ${code} and ${when}`, async () => {
      await using server = await startWaiting();
      using connection = await RawConnection.open(server.pair.port);
      await connection.headers(1, requestFields(path));
      await connection.data(1, GOOD, { end: ended });
      await soon(server.running, "the handler");
      await connection.rstStream(1, code);
      const reason = await soon(server.aborted, "the abort");
      assertInstanceOf(reason, GRPCError);
      assertEquals(reason.status, status);
      await assertServed(connection, 3);
    });
  }
}

Deno.test("Server runs no handler when the client resets in the middle of a message", async () => {
  await using server = await startWaiting();
  using connection = await RawConnection.open(server.pair.port);
  await connection.headers(1, requestFields(PATHS.unary));
  await connection.data(1, GOOD.subarray(0, 7));
  await connection.rstStream(1, CANCEL);
  await assertServed(connection, 3);
  assertEquals(server.started(), 1);
});

Deno.test("Server runs no handler when the client resets before the message", async () => {
  await using server = await startWaiting();
  using connection = await RawConnection.open(server.pair.port);
  for (let streamId = 1; streamId < 100; streamId += 2) {
    await connection.headers(streamId, requestFields(PATHS.unary));
    await connection.rstStream(streamId, CANCEL);
  }
  await assertServed(connection, 101);
  assertEquals(server.started(), 1);
});

// Cuts

Deno.test("Server runs no handler when the connection is cut in the middle of a request", async () => {
  await using server = await startWaiting();
  const cuts: ((connection: RawConnection) => Promise<void>)[] = [
    (connection) => connection.write(new Uint8Array(4)),
    (connection) => connection.headers(1, requestFields(PATHS.unary)),
    async (connection) => {
      await connection.headers(1, requestFields(PATHS.unary));
      await connection.data(1, GOOD.subarray(0, 3));
    },
  ];
  for (const cut of cuts) {
    using connection = await RawConnection.open(server.pair.port);
    await connection.nextOf(FrameType.SETTINGS);
    await cut(connection);
  }
  assertEquals(server.started(), 0);
});

Deno.test("ServerStream.signal aborts with UNAVAILABLE when the connection is cut", async () => {
  await using server = await startWaiting();
  using connection = await RawConnection.open(server.pair.port);
  await connection.headers(1, requestFields(PATHS.bidi));
  await connection.data(1, GOOD);
  await soon(server.running, "the handler");
  connection.close();
  const reason = await soon(server.aborted, "the abort");
  assertInstanceOf(reason, GRPCError);
  assertEquals(reason.status, Status.UNAVAILABLE);
});

for (const code of [0, 11]) {
  Deno.test(`Server ends the connection when the client sends GOAWAY ${code} and its calls are over`, async () => {
    await using server = await startWaiting();
    using connection = await RawConnection.open(server.pair.port);
    await assertServed(connection, 1);
    await connection.goaway(0, code);
    await soon(connection.end(), "the end");
  });
}

Deno.test("Server finishes the calls there are when the client sends GOAWAY 0", async () => {
  const finish = Promise.withResolvers<void>();
  await using pair = await startEcho({
    handlers: {
      serverStream: async (stream) => {
        await stream.sendMessage({ text: "before" });
        await finish.promise;
        await stream.sendMessage({ text: "after" });
      },
    },
  });
  using connection = await RawConnection.open(pair.port);
  await connection.headers(1, requestFields(PATHS.serverStream));
  await connection.data(1, GOOD, { end: true });
  await connection.nextOf(FrameType.DATA, 1);
  await connection.goaway(0, 0);
  await connection.write(new Uint8Array());
  finish.resolve();
  const answer = await connection.reply(1);
  assertEquals(
    fromBinary(EchoReplySchema, answer.data.subarray(5)).text,
    "after",
  );
  assertEquals(answer.trailers["grpc-status"], "0");
  await soon(connection.end(), "the end");
});

// Windows

/** A server that sends without end, and counts what it is rid of. */
async function startSource() {
  const payload = new Uint8Array(32 * 1024);
  let sent = 0;
  const ended = Promise.withResolvers<unknown>();
  const pair = await startEcho({
    handlers: {
      serverStream: async (stream) => {
        try {
          for (;;) {
            await stream.sendMessage({ payload });
            sent += payload.length;
          }
        } catch (error) {
          ended.resolve(error);
        }
      },
    },
  });
  return {
    pair,
    sent: () => sent,
    ended: ended.promise,
    [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose](),
  };
}

/** What a stream may hold beyond its window: in node:http2, in the socket. */
const MOST_HELD_BYTES = 8 * 1024 * 1024;

Deno.test("ServerStream.sendMessage() waits when the client's window is 0, and goes on when it opens", async () => {
  const texts = Array.from({ length: 5 }, (_, i) => `${i}`.repeat(40_000));
  await using pair = await startEcho({
    handlers: {
      serverStream: async (stream) => {
        for (const text of texts) await stream.sendMessage({ text });
      },
    },
  });
  using connection = await RawConnection.open(pair.port, [
    [Setting.INITIAL_WINDOW_SIZE, 0],
  ]);
  await connection.headers(1, requestFields(PATHS.serverStream));
  await connection.data(1, GOOD, { end: true });
  await connection.nextOf(FrameType.HEADERS, 1);

  // A Trailers-Only reply needs no window.
  await connection.headers(3, requestFields("/no.Such/Method"), { end: true });
  const refusal = await connection.reply(3);
  assertEquals(refusal.trailers["grpc-status"], `${Status.UNIMPLEMENTED}`);

  await connection.windowUpdate(0, 1_000_000);
  await connection.windowUpdate(1, 1_000_000);
  const { data, trailers } = await connection.reply(1);
  const got: string[] = [];
  for (let at = 0; at < data.length;) {
    const length = uint32At(data, at + 1);
    const message = data.subarray(at + 5, at += 5 + length);
    got.push(fromBinary(EchoReplySchema, message).text);
  }
  assertEquals(got, texts);
  assertEquals(trailers["grpc-status"], "0");
});

Deno.test("ServerStream.sendMessage() holds a bounded number of bytes when the client's window is 0", async () => {
  await using server = await startSource();
  using connection = await RawConnection.open(server.pair.port, [
    [Setting.INITIAL_WINDOW_SIZE, 0],
  ]);
  await connection.headers(1, requestFields(PATHS.serverStream));
  await connection.data(1, GOOD, { end: true });
  await connection.nextOf(FrameType.HEADERS, 1);
  assertLess(await settled(server.sent), MOST_HELD_BYTES);

  await connection.rstStream(1, CANCEL);
  const error = await soon(server.ended, "the handler's end");
  assertInstanceOf(error, GRPCError);
  assertEquals(error.status, Status.CANCELLED);
});

Deno.test("ServerStream.sendMessage() holds a bounded number of bytes when the client grants everything and reads nothing", async () => {
  await using server = await startSource();
  using connection = await RawConnection.open(server.pair.port, [
    [Setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1],
  ]);
  await connection.windowUpdate(0, 2 ** 31 - 1 - 65_535);
  await connection.headers(1, requestFields(PATHS.serverStream));
  await connection.data(1, GOOD, { end: true });
  await until(() => server.sent() > 0, "something is sent");
  // What the system's socket buffers take comes on top.
  assertLess(await settled(server.sent), 2 * MOST_HELD_BYTES);

  // Others are served, and what waits here ends with its connection.
  assertEquals((await server.pair.stub.unary({ text: "a" })).text, "a");
  connection.close();
  const error = await soon(server.ended, "the handler's end");
  assertInstanceOf(error, GRPCError);
  assertEquals(error.status, Status.UNAVAILABLE);
});

Deno.test("ServerStream.sendMessage() ends with the call when it waits for a client that reads nothing", async () => {
  await using server = await startSource();
  using connection = await RawConnection.open(server.pair.port, [
    [Setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1],
  ]);
  await connection.windowUpdate(0, 2 ** 31 - 1 - 65_535);
  const fields = requestFields(PATHS.serverStream, { "grpc-timeout": "150m" });
  await connection.headers(1, fields);
  await connection.data(1, GOOD, { end: true });
  const error = await soon(server.ended, "the handler's end");
  assertInstanceOf(error, GRPCError);
  assertEquals(error.status, Status.DEADLINE_EXCEEDED);
  assert(server.sent() > 0);
});

// Too much of it

Deno.test("Channel reconnects when it has cancelled more calls than a connection of node:http2 bears", async () => {
  // nghttp2 ends a connection after some 1000 resets in a row. What is under way
  // then is lost, and nothing else.
  await using pair = await startEcho();
  const { stub } = pair;
  for (let round = 0; round < 4; round++) {
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from(
      { length: 400 },
      () => stub.unary({ delayMs: 60_000 }, { signal }),
    );
    await turns(1);
    controller.abort();
    for (
      const { reason } of await Promise.allSettled(
        calls,
      ) as PromiseRejectedResult[]
    ) {
      assertInstanceOf(reason, GRPCError);
      assert(
        reason.status === Status.CANCELLED ||
          reason.status === Status.UNAVAILABLE,
      );
    }
  }
  // A call may still be lost with the connection. The next waits for another.
  await stub.unary({ text: "a" }).catch(() => {});
  const { text } = await soon(
    stub.unary({ text: "a" }, { waitForReady: true }),
  );
  assertEquals(text, "a");
});
