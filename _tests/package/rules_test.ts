/**
 * The rules of behaviour, one whole call or more for each. The files beside
 * this one go into the details.
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  Channel,
  createStub,
  GRPCError,
  ProtocolError,
  Status,
  type Stub,
} from "../../client.ts";
import { PATHS, startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  FrameType,
  grpcMessage,
  RawConnection,
  RawServer,
  requestFields,
  RESPONSE_HEAD,
  uint32At,
} from "../../_testdata/raw_h2.ts";
import { assertStatus, Waiters } from "../../_testdata/waiters.ts";
import { settled, soon, turns, whenAborted } from "../../_testdata/waiting.ts";

/** Runs a call of each kind against a server of frames, from its first frame. */
async function againstFrames(
  serve: ConstructorParameters<typeof RawServer>[0],
  check: (stub: Stub<typeof Echo>) => Promise<unknown>,
): Promise<void> {
  await using server = new RawServer(serve);
  await using channel = new Channel("127.0.0.1", server.port, {
    config: { connectTimeoutMs: 100 },
  });
  await check(createStub(Echo, channel));
}

// 1. One kind of failure.

/** What may end a call, and the status that it then has. */
const FAILURES: readonly (readonly [
  string,
  Status,
  ConstructorParameters<typeof RawServer>[0],
])[] = [
  ["a server that says nothing", Status.UNAVAILABLE, () => Promise.resolve()],
  ["a server that hangs up", Status.UNAVAILABLE, (connection) => {
    connection.close();
    return Promise.resolve();
  }],
  [
    "a server that speaks HTTP/1",
    Status.UNAVAILABLE,
    (connection) =>
      connection.write(
        new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"),
      ),
  ],
  [
    "a stream that is reset with REFUSED_STREAM",
    Status.UNAVAILABLE,
    async (connection) => {
      await connection.acceptPreface();
      await connection.settings();
      // Each call is retried transparently five times.
      for (let i = 0; i < 6; i++) {
        const { streamId } = await connection.nextOf(FrameType.HEADERS);
        await connection.rstStream(streamId, 7);
      }
      await connection.end();
    },
  ],
  [
    "a stream that is reset with CANCEL",
    Status.CANCELLED,
    async (connection) => {
      await connection.acceptPreface();
      await connection.settings();
      const { streamId } = await connection.nextOf(FrameType.HEADERS);
      await connection.headers(streamId, RESPONSE_HEAD);
      await connection.rstStream(streamId, 8);
      await connection.end();
    },
  ],
  ["a page of HTTP 404", Status.UNIMPLEMENTED, async (connection) => {
    await connection.acceptPreface();
    await connection.settings();
    const { streamId } = await connection.nextOf(FrameType.HEADERS);
    await connection.headers(streamId, [
      [":status", "404"],
      ["content-type", "text/html"],
    ]);
    await connection.data(streamId, new TextEncoder().encode("<html>"), {
      end: true,
    });
    await connection.end();
  }],
];

for (const [name, status, serve] of FAILURES) {
  Deno.test(`Rule 1, one kind of failure: ${name} is a GRPCError for every kind of call`, async () => {
    for (
      const call of [
        (stub) => stub.unary({}),
        (stub) => Array.fromAsync(stub.serverStream({})),
        (stub) => stub.clientStream([{}]),
        (stub) => Array.fromAsync(stub.bidi([{}])),
      ] as ((stub: Stub<typeof Echo>) => Promise<unknown>)[]
    ) {
      await againstFrames(serve, async (stub) => {
        const error = await assertStatus(status, () => call(stub));
        assertMatch(error.message, /\S/);
      });
    }
  });
}

Deno.test("Rule 1, one kind of failure: misuse is ProtocolError, a bad argument TypeError or RangeError", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.bidi.open();
  await assertRejects(() => stream.recvMessage(), ProtocolError);
  await assertRejects(
    () => echo.stub.unary("no message" as unknown as { text: string }),
    TypeError,
  );
  await assertRejects(
    () => echo.stub.unary({}, { timeoutMs: NaN }),
    RangeError,
  );
});

// 2. Errors surface where the user awaits.

Deno.test("Rule 2, errors surface: a unary reply is there only once the status is OK", async () => {
  const go = Promise.withResolvers<void>();
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        await stream.sendMessage({ text: "so far" });
        await go.promise;
        throw new GRPCError(Status.DATA_LOSS, "after all");
      },
    },
  });
  await using stream = echo.stub.unary.open();
  await stream.sendMessage({});
  await stream.recvInitialMetadata();
  let settledAs = "waits";
  const reply = stream.recvMessage();
  reply.then(() => settledAs = "reply", () => settledAs = "error");
  await turns(10);
  assertEquals(settledAs, "waits");
  go.resolve();
  await assertStatus(Status.DATA_LOSS, () => reply, "after all");
  await assertStatus(Status.DATA_LOSS, () => echo.stub.unary({}), "after all");
});

Deno.test("Rule 2, errors surface: the end of the replies has checked the status", async () => {
  await using echo = await startEcho();
  const request = { count: 2, status: Status.DATA_LOSS };
  let count = 0;
  await assertStatus(Status.DATA_LOSS, async () => {
    for await (const _ of echo.stub.serverStream(request)) count++;
  });
  assertEquals(count, 2);
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage(request);
  await stream.recvMessage();
  await stream.recvMessage();
  await assertStatus(Status.DATA_LOSS, () => stream.recvMessage());
  await assertStatus(Status.DATA_LOSS, () => stream.recvMessage());
});

Deno.test("Rule 2, errors surface: recvInitialMetadata() rejects when there are only trailers", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({ status: Status.NOT_FOUND });
  await assertStatus(Status.NOT_FOUND, () => stream.recvInitialMetadata());
});

Deno.test("Rule 2, errors surface: leaving the block resets the stream with CANCEL and waits for nothing", async () => {
  const code = Promise.withResolvers<number>();
  const began = Promise.withResolvers<void>();
  await againstFrames(async (connection) => {
    await connection.acceptPreface();
    await connection.settings();
    await connection.nextOf(FrameType.HEADERS);
    began.resolve();
    for (let frame; (frame = await connection.next()) !== null;) {
      if (frame.streamId === 0) continue;
      // A call that broke off must not look like one that is complete.
      assertEquals(frame.type, FrameType.RST_STREAM);
      code.resolve(uint32At(frame.payload, 0));
    }
  }, async (stub) => {
    const stream = stub.bidi.open();
    await stream.sendRequest();
    await began.promise;
    let left = false;
    stream[Symbol.asyncDispose]().then(() => left = true);
    await Promise.resolve();
    await Promise.resolve();
    assertEquals(left, true);
    assertEquals(await soon(code.promise), 8);
  });
});

// 3. Cancellation is immediate on both sides.

Deno.test("Rule 3, cancellation: both sides' pending operations reject, and the handler's signal aborts", async () => {
  const received = Promise.withResolvers<unknown>();
  const reason = Promise.withResolvers<unknown>();
  await using echo = await startEcho({
    handlers: {
      async bidi(stream) {
        await stream.sendInitialMetadata();
        stream.signal.addEventListener(
          "abort",
          () => reason.resolve(stream.signal.reason),
        );
        received.resolve(await stream.recvMessage().catch((error) => error));
      },
    },
  });
  await using stream = echo.stub.bidi.open();
  await stream.sendRequest();
  await stream.recvInitialMetadata();
  const pending = stream.recvMessage();
  stream.cancel();
  await assertStatus(Status.CANCELLED, () => pending);
  const error = await soon(received.promise);
  assertInstanceOf(error, GRPCError);
  assertEquals(error.status, Status.CANCELLED);
  assertStrictEquals(await soon(reason.promise), error);
});

// 4. Deadlines.

Deno.test("Rule 4, deadlines: both sides keep to it, and what is left is sent", async () => {
  const left = Promise.withResolvers<number>();
  const reason = Promise.withResolvers<unknown>();
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        left.resolve(stream.deadline!.timeRemainingMs());
        reason.resolve(await whenAborted(stream.signal));
      },
    },
  });
  await echo.stub.clientStream([]);
  await assertStatus(
    Status.DEADLINE_EXCEEDED,
    () => echo.stub.unary({}, { timeoutMs: 1_000 }),
  );
  assertLess(await soon(left.promise), 1_000);
  assertInstanceOf(await soon(reason.promise), GRPCError);
});

// 5. Unary requests are unary: see also calls_errors_test.ts.

Deno.test("Rule 5, unary is unary: a handler gets exactly one message, and then null", async () => {
  const seen: unknown[] = [];
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        // Typed as never null.
        const { text } = await stream.recvMessage();
        seen.push(text, await stream.recvMessage());
      },
    },
  });
  await Array.fromAsync(echo.stub.serverStream({ text: "one" }));
  assertEquals(seen, ["one", null]);
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.serverStream), { end: true });
  const { trailers } = await client.reply(1);
  assertEquals(trailers["grpc-status"], `${Status.UNIMPLEMENTED}`);
});

// 6. Flow control is the user's reading.

Deno.test("Rule 6, flow control: bytes are credited when the application takes them", async () => {
  let sent = 0;
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        const payload = new Uint8Array(64 * 1024);
        for (;; sent++) await stream.sendMessage({ payload });
      },
    },
  });
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({});
  const atFirst = await settled(() => sent);
  // 4 MiB are under way, and the marks of the queues.
  assertLess(atFirst, 80);
  for (let i = 0; i < 100; i++) await stream.recvMessage();
  const later = await settled(() => sent);
  assert(later >= atFirst + 60 && later <= atFirst + 140, `${later}`);
  assertEquals((await soon(echo.stub.unary({ text: "other" }))).text, "other");
});

// 7. The wire is exact.

Deno.test("Rule 7, the wire is exact: the head of a request, field by field", async () => {
  const seen = Promise.withResolvers<readonly (readonly [string, string])[]>();
  await againstFrames(async (connection) => {
    await connection.acceptPreface();
    await connection.settings();
    const { fields } = await connection.nextOf(FrameType.HEADERS);
    seen.resolve(fields);
    await connection.end();
  }, async (stub) => {
    const metadata = { "a": "1", "b-bin": new Uint8Array([255]) };
    const call = stub.unary({}, { metadata, timeoutMs: 20_000 });
    call.catch(() => {});
    const fields = await soon(seen.promise);
    assertEquals(fields.map(([name]) => name), [
      ":method",
      ":scheme",
      ":path",
      ":authority",
      "grpc-timeout",
      "te",
      "content-type",
      "grpc-accept-encoding",
      "user-agent",
      "a",
      "b-bin",
    ]);
    const values = Object.fromEntries(fields);
    assertEquals(values[":method"], "POST");
    assertEquals(values[":path"], PATHS.unary);
    assertMatch(values[":authority"]!, /^127\.0\.0\.1:\d+$/);
    assertMatch(values["grpc-timeout"]!, /^\d{1,8}[Smu]$/);
    assertEquals(values["te"], "trailers");
    assertEquals(values["content-type"], "application/grpc");
    assertMatch(values["user-agent"]!, /^grpc-deno-grpclib\/\d\S* \(.+\)$/);
    assertEquals(values["b-bin"], "/w");
  });
});

Deno.test("Rule 7, the wire is exact: the reply, field by field", async () => {
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        await stream.sendMessage({ text: "a" });
        stream.trailingMetadata.append("t-bin", new Uint8Array([255]));
        throw new GRPCError(Status.ABORTED, "100 % ☺");
      },
    },
  });
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.unary));
  await client.data(1, grpcMessage(new Uint8Array()), { end: true });
  const { head, data, trailers } = await client.reply(1);
  assertEquals(head, {
    ":status": "200",
    "content-type": "application/grpc+proto",
  });
  assertEquals([...data], [0, 0, 0, 0, 3, 10, 1, 97]);
  assertEquals(trailers, {
    "grpc-status": "10",
    "grpc-message": "100 %25 %E2%98%BA",
    "t-bin": "/w",
  });
});

// 8. A message on the wire is hostile until checked: see also
// calls_limits_test.ts and calls_errors_test.ts.

Deno.test("Rule 8, hostile until checked: a declared length over the limit is refused before any byte of it", async () => {
  await using echo = await startEcho();
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.unary));
  await client.data(1, grpcMessage(new Uint8Array(), { length: 2 ** 32 - 1 }));
  const { trailers } = await client.reply(1);
  assertEquals(trailers["grpc-status"], `${Status.RESOURCE_EXHAUSTED}`);
});

Deno.test("Rule 8, hostile until checked: what a handler throws is for onError alone", async () => {
  await using echo = await startEcho({
    handlers: { unary: () => Promise.reject(new Error("secret")) },
  });
  const error = await assertStatus(Status.UNKNOWN, () => echo.stub.unary({}));
  assertEquals(error.message, "Internal Server Error");
  assertEquals(`${echo.takeFailures()[0]?.error}`, "Error: secret");
});

// 9. Shutdown ends: see also server_close_test.ts.

Deno.test("Rule 9, shutdown ends: after the grace the signals abort and peers see UNAVAILABLE", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  const call = echo.stub.unary({});
  await waiters.started;
  echo.server.close({ graceMs: 30 });
  await assertStatus(Status.UNAVAILABLE, () => call);
  const reason = await waiters.aborted;
  assertInstanceOf(reason, GRPCError);
  assertEquals(reason.status, Status.UNAVAILABLE);
  await soon(echo.server.waitClosed(), "the server to close");
});

// 10. Least permission, and 11. Runs where node:http2 runs: permissions_test.ts.
