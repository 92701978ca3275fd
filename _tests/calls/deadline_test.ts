/** Deadlines, on both sides and in every phase of a call. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertLess,
  assertLessOrEqual,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  Channel,
  createStub,
  Deadline,
  GRPCError,
  Status,
  StreamTerminatedError,
} from "../../client.ts";
import { deadlines, deadlinesOn } from "../../_call/cancellation.ts";
import { PATHS, startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  grpcMessage,
  RawConnection,
  RawServer,
  requestFields,
} from "../../_testdata/raw_h2.ts";
import { assertStatus, Waiters } from "../../_testdata/waiters.ts";
import { soon, turns, until, whenAborted } from "../../_testdata/waiting.ts";
import { VirtualClock } from "../../testing/mod.ts";

function assertExpired(call: () => PromiseLike<unknown>): Promise<GRPCError> {
  return assertStatus(Status.DEADLINE_EXCEEDED, call, "Deadline exceeded");
}

Deno.test("UnaryUnaryMethod() fails with DEADLINE_EXCEEDED when the server takes too long", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho(waiters.options);
  let isOver = false;
  const late = assertExpired(() =>
    echo.stub.unary({}, { timeoutMs: 100 }).finally(() => isOver = true)
  );
  await waiters.pass(99);
  assertEquals(isOver, false);
  await waiters.pass(1);
  await late;
  const reason = await waiters.aborted;
  assertInstanceOf(reason, GRPCError);
  // Whichever side's clock rang first.
  assert(
    reason.status === Status.DEADLINE_EXCEEDED ||
      reason.status === Status.CANCELLED,
  );
});

Deno.test("UnaryUnaryMethod() gives the reply when it comes before the deadline", async () => {
  await using echo = await startEcho();
  const reply = await echo.stub.unary({ text: "a" }, { timeoutMs: 60_000 });
  assertEquals(reply.text, "a");
  // Nothing is left of the deadline, on either side.
  assertEquals(deadlines.size, 0);
});

Deno.test("UnaryStreamMethod() fails with DEADLINE_EXCEEDED when the replies go on too long", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho(waiters.options);
  const texts: string[] = [];
  const late = assertExpired(async () => {
    for await (
      const { text } of echo.stub.serverStream({}, { timeoutMs: 100 })
    ) {
      texts.push(text);
    }
  });
  await until(() => texts.length > 0, "there is a reply");
  await waiters.pass(100);
  await late;
  assertEquals(texts, ["first"]);
  await waiters.aborted;
});

Deno.test("StreamUnaryMethod() fails with DEADLINE_EXCEEDED when its source takes too long", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho(waiters.options);
  const late = assertExpired(() =>
    echo.stub.clientStream(new ReadableStream(), { timeoutMs: 100 })
  );
  await waiters.pass(100);
  await late;
  await waiters.aborted;
});

/** Each thing that can wait when the deadline comes. */
const OPERATIONS = {
  recvInitialMetadata: (stream) => stream.recvInitialMetadata(),
  recvMessage: (stream) => stream.recvMessage(),
  recvTrailingMetadata: async (stream) => {
    await stream.end();
    await stream.recvTrailingMetadata();
  },
  sendMessage: async (stream) => {
    const payload = new Uint8Array(1024 * 1024);
    for (;;) await stream.sendMessage({ payload });
  },
} satisfies Record<string, (stream: BidiStream) => Promise<unknown>>;

type BidiStream = ReturnType<
  ReturnType<typeof createStub<typeof Echo>>["bidi"]["open"]
>;

for (const [name, operate] of Object.entries(OPERATIONS)) {
  Deno.test(`ClientStream.${name}() rejects with DEADLINE_EXCEEDED when it waits`, async () => {
    const clock = new VirtualClock();
    await using echo = await startEcho({
      server: { clock },
      channel: { clock },
      handlers: { bidi: (stream) => whenAborted(stream.signal) },
    });
    await using stream = echo.stub.bidi.open({ timeoutMs: 60 });
    await stream.sendRequest();
    const late = assertExpired(() => operate(stream));
    await clock.advance(60);
    const error = await late;
    // What comes after fails with the same.
    assertStrictEquals(
      await assertRejects(() => stream.sendMessage({})),
      error,
    );
    assertStrictEquals(await assertRejects(() => stream.recvMessage()), error);
    // The server has so long to end the stream by itself.
    await clock.advance(500);
    assertEquals(deadlinesOn(clock).size, 0);
  });
}

Deno.test("UnaryUnaryMethod() sends nothing when the deadline is past", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { unary: () => void calls++, bidi: () => void calls++ },
  });
  for (
    const options of [
      { timeoutMs: 0 },
      { timeoutMs: -1 },
      { deadline: Deadline.fromTimeout(-5) },
      { deadline: Deadline.fromTimeout(-5), timeoutMs: 60_000 },
    ]
  ) {
    await assertExpired(() => echo.stub.unary({}, options));
    await assertExpired(() => Array.fromAsync(echo.stub.bidi([{}], options)));
    await using stream = echo.stub.unary.open(options);
    await assertExpired(() => stream.sendMessage({}));
    await assertExpired(() => stream.recvMessage());
  }
  await echo.stub.clientStream([]);
  assertEquals(calls, 0);
});

Deno.test("UnaryUnaryMethod() takes no connection when the deadline is past", async () => {
  await using server = new RawServer(() => Promise.resolve());
  await using channel = new Channel("127.0.0.1", server.port);
  const { unary } = createStub(Echo, channel);
  await assertExpired(() => unary({}, { timeoutMs: 0 }));
  await turns(5);
  assertEquals(server.accepted, 0);
});

Deno.test("UnaryUnaryMethod() fails with DEADLINE_EXCEEDED when connecting takes too long", async () => {
  await using server = new RawServer(() => Promise.resolve());
  await using channel = new Channel("127.0.0.1", server.port);
  const { unary } = createStub(Echo, channel);
  await assertExpired(() => unary({}, { timeoutMs: 30 }));
});

Deno.test("UnaryUnaryMethod() rejects when its timeout is no number", async () => {
  await using echo = await startEcho();
  for (const timeoutMs of [NaN, Infinity, -Infinity]) {
    await assertRejects(() => echo.stub.unary({}, { timeoutMs }), RangeError);
  }
  const timeoutMs = "5" as unknown as number;
  await assertRejects(() => echo.stub.unary({}, { timeoutMs }), TypeError);
});

Deno.test("UnaryUnaryMethod() sends what is left of the time, of two limits the earlier", async () => {
  const limits: number[] = [];
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        limits.push(stream.deadline?.timeRemainingMs() ?? Infinity);
        await stream.sendMessage({});
      },
    },
  });
  const soonest = Deadline.fromTimeout(30_000);
  await echo.stub.unary({});
  await echo.stub.unary({}, { deadline: null });
  await echo.stub.unary({}, { timeoutMs: 60_000 });
  await echo.stub.unary({}, { deadline: soonest });
  await echo.stub.unary({}, { deadline: soonest, timeoutMs: 60_000 });
  await echo.stub.unary({}, { deadline: soonest, timeoutMs: 10_000 });
  const most = [Infinity, Infinity, 60_000, 30_000, 30_000, 10_000];
  limits.forEach((limit, i) => {
    assertLessOrEqual(limit, most[i]!);
    if (limit !== Infinity) assertGreater(limit, most[i]! - 5_000);
  });
  assertEquals(limits.length, most.length);
});

Deno.test("ServerStream.deadline passes on when a handler calls another server with it", async () => {
  const left: number[] = [];
  await using inner = await startEcho({
    handlers: {
      async unary(stream) {
        left.push(stream.deadline!.timeRemainingMs());
        await stream.sendMessage({});
      },
    },
  });
  await using outer = await startEcho({
    handlers: {
      async unary(stream) {
        const { deadline, signal } = stream;
        left.push(deadline!.timeRemainingMs());
        await stream.sendMessage(
          await inner.stub.unary({}, { deadline, signal }),
        );
      },
    },
  });
  await outer.stub.unary({}, { timeoutMs: 20_000 });
  assertEquals(left.length, 2);
  assertLessOrEqual(left[0]!, 20_000);
  // What is left is rounded up to whole milliseconds on the wire.
  assertLess(left[1]!, left[0]! + 1);
  assertGreater(left[1]!, 15_000);
});

Deno.test("Server answers DEADLINE_EXCEEDED when the deadline comes, and aborts the handler's signal", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  using client = await RawConnection.open(echo.port);
  // A client that does not look at its own clock.
  await client.headers(
    1,
    requestFields(PATHS.unary, { "grpc-timeout": "40m" }),
  );
  await client.data(1, grpcMessage(new Uint8Array()), { end: true });
  const { head, trailers } = await client.reply(1);
  assertEquals(head[":status"], "200");
  assertEquals(trailers["grpc-status"], `${Status.DEADLINE_EXCEEDED}`);
  const reason = await waiters.aborted;
  assertInstanceOf(reason, GRPCError);
  assertEquals(reason instanceof StreamTerminatedError, false);
  assertEquals(reason.status, Status.DEADLINE_EXCEEDED);
  assertEquals(deadlines.size, 0);
});

Deno.test("Server answers DEADLINE_EXCEEDED after what was sent when the deadline comes", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.bidi, { "grpc-timeout": "40m" }));
  const { data, trailers, code, ended } = await client.reply(1);
  assertGreater(data.length, 5);
  assertEquals(trailers["grpc-status"], `${Status.DEADLINE_EXCEEDED}`);
  assertEquals([ended, code], [true, null]);
  await waiters.aborted;
});

Deno.test("Server calls no handler when the deadline is past on arrival", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { unary: () => void calls++, bidi: () => void calls++ },
  });
  using client = await RawConnection.open(echo.port);
  let streamId = 1;
  for (const timeout of ["0n", "0S", "1n"]) {
    for (const path of [PATHS.unary, PATHS.bidi]) {
      await client.headers(
        streamId,
        requestFields(path, { "grpc-timeout": timeout }),
      );
      await client.data(streamId, grpcMessage(new Uint8Array()), { end: true });
      const { trailers } = await client.reply(streamId);
      assertEquals(trailers["grpc-status"], `${Status.DEADLINE_EXCEEDED}`);
      streamId += 2;
    }
  }
  assertEquals(calls, 0);
});

Deno.test("Server answers DEADLINE_EXCEEDED when the request does not arrive in time", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { unary: () => void calls++ },
  });
  using client = await RawConnection.open(echo.port);
  await client.headers(
    1,
    requestFields(PATHS.unary, { "grpc-timeout": "30m" }),
  );
  const { trailers } = await client.reply(1);
  assertEquals(trailers["grpc-status"], `${Status.DEADLINE_EXCEEDED}`);
  assertEquals(calls, 0);
});

for (const kind of ["recvMessage", "sendMessage"] as const) {
  Deno.test(`ServerStream.${kind}() rejects with the signal's reason when the deadline comes`, async () => {
    const ended = Promise.withResolvers<[unknown, unknown]>();
    const payload = new Uint8Array(1024 * 1024);
    await using echo = await startEcho({
      handlers: {
        async bidi(stream) {
          const { signal } = stream;
          try {
            if (kind === "recvMessage") await stream.recvMessage();
            else for (;;) await stream.sendMessage({ payload });
          } catch (error) {
            ended.resolve([error, signal.reason]);
            throw error;
          }
        },
      },
    });
    using client = await RawConnection.open(echo.port);
    await client.headers(
      1,
      requestFields(PATHS.bidi, { "grpc-timeout": "50m" }),
    );
    const [error, reason] = await soon(ended.promise);
    assertInstanceOf(error, GRPCError);
    assertEquals(error.status, Status.DEADLINE_EXCEEDED);
    assertStrictEquals(error, reason);
  });
}

Deno.test("Server answers with the handler's own status when it threw one after the deadline", async () => {
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        await whenAborted(stream.signal);
        throw new GRPCError(Status.ABORTED, "too late to be heard");
      },
    },
  });
  await assertExpired(() => echo.stub.unary({}, { timeoutMs: 30 }));
});

Deno.test("Server tells onError what a handler threw after the deadline when it is no status", async () => {
  const waiters = new Waiters();
  const done = Promise.withResolvers<void>();
  await using echo = await startEcho({
    ...waiters.options,
    handlers: {
      async unary(stream) {
        await waiters.handlers.unary(stream);
        setTimeout(done.resolve, 0);
        throw new TypeError("cleaning up failed");
      },
      async bidi(stream) {
        // The reason itself, bare or as a cause, is no news.
        await waiters.handlers.bidi(stream);
        throw new Error("query failed", { cause: stream.signal.reason });
      },
    },
  });
  const late = assertExpired(() => echo.stub.unary({}, { timeoutMs: 100 }));
  await waiters.pass(100);
  await late;
  await soon(done.promise);
  const failures = echo.takeFailures();
  assertEquals(failures.map(({ error }) => `${error}`), [
    "TypeError: cleaning up failed",
  ]);
  const replies: unknown[] = [];
  const second = assertExpired(async () => {
    for await (const reply of echo.stub.bidi([], { timeoutMs: 100 })) {
      replies.push(reply);
    }
  });
  await until(() => replies.length > 0, "the handler runs");
  await waiters.pass(100);
  await second;
  await turns(3);
  assertEquals(echo.takeFailures(), []);
});
