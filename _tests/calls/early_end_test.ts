/**
 * Calls that end early: cancelled in the turn they began, or answered before
 * the server took all that was to be sent.
 */

import { create, toBinary } from "@bufbuild/protobuf";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { runningHandlers } from "../../_call/server/call_list.ts";
import { hostOf } from "../../_channel.ts";
import {
  Channel,
  createStub,
  GRPCError,
  listen,
  ProtocolError,
  RecvMessage,
  SendMessage,
  SendRequest,
  Status,
  StreamTerminatedError,
} from "../../client.ts";
import { openConnections } from "../../_http2/open_connections.ts";
import { type EchoPair, startEcho } from "../../_testdata/echo_service.ts";
import { Echo, EchoReplySchema } from "../../_testdata/gen/echo_pb.ts";
import {
  frame,
  FrameType,
  grpcMessage,
  RawServer,
  RESPONSE_HEAD,
  Setting,
  uint32,
  uint32At,
} from "../../_testdata/raw_h2.ts";
import { assertCancelled, assertStatus } from "../../_testdata/waiters.ts";
import { soon, turns, until, whenAborted } from "../../_testdata/waiting.ts";

/** More than any window of the peers of these tests. */
const PAYLOAD = new Uint8Array(200_000);

const CANCEL = 8;

/** Waits until the channel has a connection. */
async function connected(channel: Channel): Promise<void> {
  channel.connect();
  await until(() => channel.state === "READY", "the channel is connected");
}

function* failing(): Generator<object> {
  yield {};
  throw new Error("mine");
}

/** Ways to leave a call in the turn of its request. */
const WAYS: Readonly<Record<string, (echo: EchoPair) => Promise<void>>> = {
  "ClientStream.cancel() right behind sendMessage()": async ({ stub }) => {
    const stream = stub.bidi.open();
    const sent = stream.sendMessage({});
    stream.cancel();
    await sent.catch(() => {});
  },
  "ClientStream.cancel() right behind sendRequest()": async ({ stub }) => {
    const stream = stub.clientStream.open();
    await stream.sendRequest();
    stream.cancel();
  },
  "ClientStream whose block is left at once": async ({ stub }) => {
    await using stream = stub.bidi.open();
    await stream.sendRequest();
  },
  "StreamUnaryMethod() whose source throws": async ({ stub }) => {
    await assertRejects(() => stub.clientStream(failing()), Error, "mine");
  },
  "StreamUnaryMethod() whose listener refuses a message": async (echo) => {
    using _listening = listen(echo.channel, SendMessage, () => {
      throw new GRPCError(Status.PERMISSION_DENIED, "no");
    });
    await assertStatus(
      Status.PERMISSION_DENIED,
      () => echo.stub.clientStream([{}, {}]),
    );
  },
};

for (const [name, leave] of Object.entries(WAYS)) {
  Deno.test(`${name} cancels the call on a connection that is up`, async () => {
    const handle = async ({ signal }: { signal: AbortSignal }) => {
      await whenAborted(signal);
    };
    await using echo = await startEcho({
      handlers: { bidi: handle, clientStream: handle },
      server: { config: { maxConcurrentStreams: 2 } },
    });
    await connected(echo.channel);
    // More often than there is room: what was lost would take it up for good.
    for (let i = 0; i < 5; i++) await soon(leave(echo), "the caller to leave");
    await soon(echo.stub.unary({}), "a call afterwards");
    await until(
      () => [...openConnections].every(({ streamCount }) => streamCount === 0),
      "no stream is left on either side",
    );
    assertEquals(echo.server[runningHandlers], []);
  });
}

Deno.test("ClientStream.cancel() leaves a connection alone whose server answers all the same", async () => {
  const said = Promise.withResolvers<number>();
  await using server = new RawServer(async (connection) => {
    await connection.acceptPreface();
    await connection.settings();
    const { streamId } = await connection.nextOf(FrameType.HEADERS);
    await connection.headers(streamId, RESPONSE_HEAD);
    const { payload } = await connection.nextOf(FrameType.RST_STREAM, streamId);
    said.resolve(uint32At(payload, 0));
    // Each of the two would end the process by the error of a stream that
    // nobody knows.
    await connection.headers(streamId, RESPONSE_HEAD);
    await connection.goaway(0, 2);
    await connection.end();
  });
  await using channel = new Channel("127.0.0.1", server.port);
  await connected(channel);
  const stream = createStub(Echo, channel).bidi.open();
  const sent = stream.sendMessage({});
  stream.cancel();
  await sent;
  assertEquals(await soon(said.promise, "the reset"), CANCEL);
  await soon(server.ended(0));
});

Deno.test("UnaryUnaryMethod() gives its stream back when the server answers before it took the request", async () => {
  const LIMIT = 3;
  const resets: number[] = [];
  await using server = new RawServer(async (connection) => {
    await connection.acceptPreface();
    await connection.settings([Setting.MAX_CONCURRENT_STREAMS, LIMIT]);
    for (let answered = 0;;) {
      const frame = await connection.next();
      if (frame === null) return;
      const { type, streamId } = frame;
      if (type === FrameType.RST_STREAM) resets.push(streamId);
      if (type !== FrameType.HEADERS) continue;
      // It neither takes more than its window nor resets the stream.
      answered++;
      await connection.headers(streamId, [
        ...RESPONSE_HEAD,
        ["grpc-status", "8"],
        ["grpc-message", `${answered}`],
      ], { end: true });
    }
  });
  await using channel = new Channel("127.0.0.1", server.port);
  const { unary } = createStub(Echo, channel);
  for (let i = 1; i <= 2 * LIMIT; i++) {
    await assertStatus(
      Status.RESOURCE_EXHAUSTED,
      () => unary({ payload: PAYLOAD }),
      `${i}`,
    );
  }
  await until(() => resets.length === 2 * LIMIT, "all streams are reset");
});

for (const hasHead of [true, false]) {
  Deno.test(
    `UnaryUnaryMethod() gives its stream back when the server resets it with NO_ERROR ${
      hasHead ? "behind the head" : "at once"
    }`,
    async () => {
      await using server = new RawServer(async (connection) => {
        await connection.acceptPreface();
        await connection.settings();
        for (;;) {
          const { streamId } = await connection.nextOf(FrameType.HEADERS);
          if (hasHead) await connection.headers(streamId, RESPONSE_HEAD);
          await connection.rstStream(streamId, 0);
        }
      });
      await using channel = new Channel("127.0.0.1", server.port);
      const { unary } = createStub(Echo, channel);
      await assertStatus(
        Status.INTERNAL,
        () => unary({ payload: PAYLOAD }),
        "The server ended the stream without a status",
      );
      const { source } = hostOf(channel);
      await until(() => source.counts.streams === 0, "the stream is gone");
    },
  );
}

/** Sends replies that fill every buffer, and ends the call with no request read. */
const HASTY = {
  async bidi(stream: { sendMessage(message: object): Promise<void> }) {
    for (let i = 0; i < 4; i++) await stream.sendMessage({ payload: PAYLOAD });
  },
};

Deno.test("ClientStream.sendMessage() rejects when the server ended the call and its replies are unread", async () => {
  let ended = false;
  await using echo = await startEcho({
    handlers: {
      async bidi(stream) {
        await HASTY.bidi(stream);
        ended = true;
      },
    },
  });
  await using stream = echo.stub.bidi.open();
  await stream.sendRequest();
  await until(() => ended, "the handler has run");
  await until(
    () => echo.server[runningHandlers].length === 0,
    "the call has ended",
  );
  await turns(5);
  const error = await assertRejects(async () => {
    // With an end, for nothing else would run if it went on for ever.
    for (let i = 0; i < 100_000; i++) await stream.sendMessage({});
  }, StreamTerminatedError);
  assertEquals(error.status, Status.CANCELLED);
  assert(error.message.startsWith("Cannot send: the server ended the call"));
  // What it said is still there.
  let replies = 0;
  for await (const { payload } of stream) {
    assertEquals(payload.length, PAYLOAD.length);
    replies++;
  }
  assertEquals(replies, 4);
});

Deno.test("ClientStream.sendMessage() rejects when it waits for room and the server ends the call", async () => {
  await using echo = await startEcho({ handlers: HASTY });
  await using stream = echo.stub.bidi.open();
  await assertRejects(async () => {
    for (;;) await soon(stream.sendMessage({ payload: PAYLOAD }));
  }, StreamTerminatedError);
  assertEquals((await Array.fromAsync(stream)).length, 4);
});

for (const kind of ["sync", "async"] as const) {
  Deno.test(`StreamStreamMethod() leaves its ${kind} source when the server ends the call before`, async () => {
    await using echo = await startEcho({ handlers: HASTY });
    const left = Promise.withResolvers<void>();
    let sent = 0;
    function* sync(): Generator<object> {
      try {
        // Large ones: it pauses now and then, for there is no room.
        for (; sent < 10_000; sent++) yield { payload: PAYLOAD };
      } finally {
        left.resolve();
      }
    }
    async function* async(): AsyncGenerator<object> {
      yield* sync();
    }
    const requests = kind === "sync" ? sync() : async();
    const replies = echo.stub.bidi(requests)[Symbol.asyncIterator]();
    let count = 0;
    assertEquals((await replies.next()).done, false);
    await soon(left.promise, "the source to be left");
    assert(sent < 10_000);
    for (; !(await replies.next()).done; count++);
    assertEquals(count, 3);
  });
}

Deno.test("ClientStream.writable ends a pipe into it when the call ends with OK", async () => {
  await using echo = await startEcho({
    handlers: { bidi: (stream) => stream.sendMessage({ text: "done" }) },
  });
  await using stream = echo.stub.bidi.open();
  await stream.sendRequest();
  let reason: unknown;
  const source = new ReadableStream<object>({
    cancel(cancelReason) {
      reason = cancelReason;
    },
  });
  const piped = source.pipeTo(stream.writable);
  piped.catch(() => {});
  assertEquals((await stream.recvMessage())?.text, "done");
  assertEquals(await stream.recvMessage(), null);
  const error = await assertRejects(
    () => soon(piped, "the pipe"),
    StreamTerminatedError,
    "Cannot send: the server ended the call",
  );
  assertEquals(reason, error);
});

Deno.test("ClientStream is a stretch of a pipe", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.bidi.open();
  const texts: string[] = [];
  await soon(
    ReadableStream.from([{ count: 1, text: "a" }, { count: 1, text: "b" }])
      .pipeThrough(stream)
      .pipeTo(
        new WritableStream({
          write({ text }) {
            texts.push(text);
          },
        }),
      ),
    "the pipe",
  );
  assertEquals(texts, ["a", "b"]);
});

Deno.test("ClientStream.readable fails when the signal aborts before the request", async () => {
  await using echo = await startEcho();
  const controller = new AbortController();
  const { signal } = controller;
  await using stream = echo.stub.bidi.open({ signal });
  const read = stream.readable.getReader().read();
  controller.abort();
  await assertCancelled(() => read);
});

Deno.test("Channel.close() ends a call whose listener of SendRequest takes its time", async () => {
  await using echo = await startEcho();
  await connected(echo.channel);
  const asked = Promise.withResolvers<void>();
  const never = Promise.withResolvers<void>();
  using _listening = listen(echo.channel, SendRequest, () => {
    asked.resolve();
    return never.promise;
  });
  const call = echo.stub.unary({});
  call.catch(() => {});
  await soon(asked.promise, "the listener");
  await soon(echo.channel.close(), "the channel to close");
  await assertStatus(Status.CANCELLED, () => call, "Channel is closed");
  assertEquals(hostOf(echo.channel).source.counts.streams, 0);
});

Deno.test("ClientStream that waits for a listener goes on when its connection is lost", async () => {
  const gates = [
    Promise.withResolvers<void>(),
    Promise.withResolvers<void>(),
  ];
  const connections: { close(): void }[] = [];
  await using server = new RawServer(async (connection, index) => {
    connections.push(connection);
    await connection.acceptPreface();
    await connection.settings();
    if (index === 0) return await connection.end();
    const { streamId } = await connection.request();
    await connection.headers(streamId, [
      ...RESPONSE_HEAD,
      ["grpc-status", "5"],
    ], { end: true });
    await connection.end();
  });
  await using channel = new Channel("127.0.0.1", server.port);
  await connected(channel);
  using _listening = listen(channel, SendRequest, () => {
    gates[0]!.resolve();
    return gates[1]!.promise;
  });
  const call = createStub(Echo, channel).unary({});
  call.catch(() => {});
  await soon(gates[0]!.promise, "the listener");
  connections[0]!.close();
  await until(() => server.accepted === 2, "there is another connection");
  gates[1]!.resolve();
  await assertStatus(Status.NOT_FOUND, () => call);
});

Deno.test("UnaryStreamMethod() sends nothing when its iteration goes on after it was left", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { serverStream: () => void calls++ },
  });
  const replies = echo.stub.serverStream({})[Symbol.asyncIterator]();
  await replies.return?.();
  assertEquals(await replies.next(), { done: true, value: undefined });
  await turns(5);
  assertEquals(calls, 0);
});

Deno.test("UnaryStreamMethod() gives no reply when its iteration goes on after it was left", async () => {
  await using echo = await startEcho();
  const replies = echo.stub.serverStream({ count: 3 })[Symbol.asyncIterator]();
  assertEquals((await replies.next()).value?.index, 0);
  const { source } = hostOf(echo.channel);
  await until(() => source.counts.streams === 0, "all replies are there");
  await replies.return?.();
  assertEquals(await replies.next(), { done: true, value: undefined });
});

Deno.test("ClientStream.cancel() does nothing when its block was left", async () => {
  await using echo = await startEcho();
  const begun = echo.stub.bidi.open();
  await begun.sendRequest();
  await begun[Symbol.asyncDispose]();
  begun.cancel();
  assertThrows(() => begun.cancel(), ProtocolError, "already cancelled");
  const idle = echo.stub.bidi.open();
  await idle[Symbol.asyncDispose]();
  idle.cancel();
});

Deno.test("ClientStream sends nothing when its block was left before the request", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { bidi: () => void calls++ },
  });
  const stream = echo.stub.bidi.open();
  await stream[Symbol.asyncDispose]();
  const error = await assertCancelled(() => stream.sendMessage({}));
  assertInstanceOf(error, GRPCError);
  await assertCancelled(() => stream.recvMessage());
  await turns(5);
  assertEquals(calls, 0);
});

/** What a server says right behind RST_STREAM, in the same packet. */
const GOAWAYS = {
  "GOAWAY with an error": frame(FrameType.GOAWAY, {}, uint32(2 ** 31 - 1, 2)),
  "GOAWAY": frame(FrameType.GOAWAY, {}, uint32(2 ** 31 - 1, 0)),
  "FIN": new Uint8Array(),
};

for (const [what, goaway] of Object.entries(GOAWAYS)) {
  for (
    const [code, status] of [
      [8, Status.CANCELLED],
      [11, Status.RESOURCE_EXHAUSTED],
    ] as const
  ) {
    Deno.test(`UnaryUnaryMethod() fails with the status of the reset, ${code}, when ${what} comes with it`, async () => {
      await using server = new RawServer(async (connection) => {
        await connection.acceptPreface();
        await connection.settings();
        const { streamId } = await connection.request();
        await connection.write(
          frame(FrameType.RST_STREAM, { streamId }, uint32(code)),
          goaway,
        );
        if (what === "FIN") connection.close();
        else await connection.end();
      });
      await using channel = new Channel("127.0.0.1", server.port);
      const { unary, bidi } = createStub(Echo, channel);
      await assertStatus(status, () => unary({}));
      // And a call that has not ended its requests.
      await using stream = bidi.open();
      await stream.sendMessage({}, { end: true });
      await assertStatus(status, () => stream.recvMessage());
    });
  }
}

const REPLIES = 5;

for (const size of [1, 100_000]) {
  for (const isSlow of [false, true]) {
    Deno.test(
      `UnaryStreamMethod() gives the replies of ${size} bytes that came before the connection was lost${
        isSlow ? ", to slow listeners" : ""
      }`,
      async () => {
        const body = toBinary(
          EchoReplySchema,
          create(EchoReplySchema, { payload: new Uint8Array(size) }),
        );
        const asked = Promise.withResolvers<void>();
        await using server = new RawServer(async (connection) => {
          await connection.acceptPreface();
          await connection.settings();
          const { streamId } = await connection.request();
          await connection.headers(streamId, RESPONSE_HEAD);
          for (let i = 0; i < REPLIES; i++) {
            await connection.data(streamId, grpcMessage(body));
          }
          asked.resolve();
          connection.close();
        });
        await using channel = new Channel("127.0.0.1", server.port);
        using _listening = isSlow
          ? listen(channel, RecvMessage, () => turns(3))
          : null;
        const replies = createStub(Echo, channel)
          .serverStream({})[Symbol.asyncIterator]();
        const first = replies.next();
        await soon(asked.promise, "the request");
        const { source } = hostOf(channel);
        if (!isSlow) {
          await until(
            () => source.counts.connections === 0,
            "the connection is lost",
          );
        }
        let count = (await first).done ? 0 : 1;
        await assertStatus(Status.UNAVAILABLE, async () => {
          for (; !(await replies.next()).done; count++);
        });
        assertEquals(count, REPLIES);
      },
    );
  }
}
