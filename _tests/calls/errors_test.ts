/** What goes wrong in handlers and in the use of the API, in whole calls. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
} from "@std/assert";
import {
  Channel,
  createStub,
  GRPCError,
  ProtocolError,
  Status,
} from "../../client.ts";
import { createService, mapping, Server } from "../../server.ts";
import {
  type EchoHandlers,
  type EchoPair,
  echoWith,
  PATHS,
  startEcho,
} from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  grpcMessage,
  OK_TRAILERS,
  RawConnection,
  RawServer,
  requestFields,
  RESPONSE_HEAD,
} from "../../_testdata/raw_h2.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { soon, turns } from "../../_testdata/waiting.ts";

/** What a handler may throw that is no status. */
const THROWN: Readonly<Record<string, unknown>> = {
  "an Error": new Error("secret 4711"),
  "a TypeError with a cause": new TypeError("secret 4711", { cause: "4711" }),
  "a ProtocolError": new ProtocolError("secret 4711"),
  "a string": "secret 4711",
  "an object": { status: 5, message: "secret 4711" },
  "undefined": undefined,
  "null": null,
};

for (const [name, thrown] of Object.entries(THROWN)) {
  Deno.test(`ServerOptions.onError gets what a handler threw, and the client not a word, when it is ${name}`, async () => {
    const fail = () => {
      throw thrown;
    };
    await using echo = await startEcho({
      handlers: {
        unary: fail,
        serverStream: () => Promise.reject(thrown),
        async clientStream(stream) {
          await stream.sendInitialMetadata();
          fail();
        },
        async bidi(stream) {
          await stream.sendMessage({ text: "first" });
          fail();
        },
      },
    });
    using client = await RawConnection.open(echo.port);
    let streamId = 1;
    for (const path of Object.values(PATHS)) {
      await client.headers(streamId, requestFields(path));
      await client.data(streamId, grpcMessage(new Uint8Array()), { end: true });
      const { head, data, trailers } = await client.reply(streamId);
      assertEquals(trailers["grpc-status"], `${Status.UNKNOWN}`);
      assertEquals(trailers["grpc-message"], "Internal Server Error");
      const words = JSON.stringify([head, trailers, [...data]]);
      assertEquals(/secret|4711/.test(words), false, words);
      const [failure, ...more] = echo.takeFailures();
      assertEquals(more, []);
      assert(failure !== undefined);
      assert(failure.error === thrown);
      assertEquals(failure.info.methodName, path);
      assertMatch(`${failure.info.peer}`, /^127\.0\.0\.1:\d+$/);
      streamId += 2;
    }
  });
}

Deno.test("ServerOptions.onError hears nothing when a handler threw a GRPCError", async () => {
  await using echo = await startEcho();
  await assertStatus(Status.NOT_FOUND, () => echo.stub.unary({ status: 5 }));
  assertEquals(echo.takeFailures(), []);
});

Deno.test("ServerOptions.onError gets a ProtocolError when a handler gave no reply", async () => {
  await using echo = await startEcho({
    handlers: { unary: () => {}, clientStream: () => Promise.resolve(7) },
  });
  for (
    const call of [
      () => echo.stub.unary({}),
      () => echo.stub.clientStream([]),
    ]
  ) {
    await assertStatus(Status.UNKNOWN, call, "Internal Server Error");
    const [failure] = echo.takeFailures();
    assertInstanceOf(failure?.error, ProtocolError);
  }
});

Deno.test("ServerOptions.onError gets what a handler threw after its reply", async () => {
  const thrown = new Error("afterwards");
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        await stream.sendMessage({ text: "done" });
        await stream.sendTrailingMetadata();
        throw thrown;
      },
    },
  });
  assertEquals((await echo.stub.unary({})).text, "done");
  const [failure] = echo.takeFailures();
  assert(failure?.error === thrown);
});

Deno.test("Server writes what handlers throw to the console when there is no onError", async () => {
  await using server = new Server([
    echoWith({ unary: () => Promise.reject(thrown) }),
  ]);
  const thrown = new Error("mine");
  // deno-lint-ignore no-console
  const { error } = console;
  const lines: unknown[][] = [];
  console.error = (...line: unknown[]) => void lines.push(line);
  try {
    await server.start("127.0.0.1");
    await using channel = new Channel("127.0.0.1", server.port!);
    await assertStatus(
      Status.UNKNOWN,
      () => createStub(Echo, channel).unary({}),
    );
  } finally {
    console.error = error;
  }
  assertEquals(lines.length, 1);
  assertMatch(
    `${lines[0]![0]}`,
    /^Handler of \/grpclib\.test\.Echo\/Unary failed for 127\.0\.0\.1:\d+:$/,
  );
  assert(lines[0]![1] === thrown);
});

Deno.test("createService() closes a generator when the client leaves", async () => {
  const closed = Promise.withResolvers<void>();
  const service = createService(Echo, {
    unary: () => ({}),
    clientStream: () => ({}),
    async *serverStream() {
      try {
        for (;;) {
          yield { text: "more" };
          await turns(1);
        }
      } finally {
        closed.resolve();
      }
    },
    *bidi() {},
  });
  await using server = new Server([service]);
  await server.start("127.0.0.1");
  await using channel = new Channel("127.0.0.1", server.port!);
  for await (const _ of createStub(Echo, channel).serverStream({})) break;
  await soon(closed.promise);
});

type Misuse = (echo: EchoPair) => Promise<unknown>;

/** What a caller may not do, and what it is told. */
const CLIENT_MISUSE: Readonly<Record<string, Misuse>> = {
  "Request is already sent": async ({ stub }) => {
    await using stream = stub.bidi.open();
    await stream.sendRequest();
    await stream.sendRequest();
  },
  "Unary request requires a message to be sent before ending": async (
    { stub },
  ) => {
    await using stream = stub.unary.open();
    await stream.sendRequest({ end: true });
  },
  "Message was already sent": async ({ stub }) => {
    await using stream = stub.unary.open();
    await stream.sendMessage({});
    await stream.sendMessage({});
  },
  "Stream is ended": async ({ stub }) => {
    await using stream = stub.bidi.open();
    await stream.sendMessage({}, { end: true });
    await stream.sendMessage({});
  },
  "Request was not sent": async ({ stub }) => {
    await using stream = stub.bidi.open();
    await stream.end();
  },
  "Stream was already ended": async ({ stub }) => {
    await using stream = stub.bidi.open();
    await stream.sendRequest();
    await stream.end();
    await stream.end();
  },
  "Unary request requires a single message": async ({ stub }) => {
    await using stream = stub.unary.open();
    await stream.sendRequest();
    await stream.end();
  },
  "Request was not sent yet": async ({ stub }) => {
    await using stream = stub.bidi.open();
    await stream.recvMessage();
  },
  "Initial metadata was already received": async ({ stub }) => {
    await using stream = stub.bidi.open();
    await stream.sendRequest({ end: true });
    await stream.recvInitialMetadata();
    await stream.recvInitialMetadata();
  },
  "Outgoing stream was not ended": async ({ stub }) => {
    await using stream = stub.clientStream.open();
    await stream.sendRequest();
    await stream.recvTrailingMetadata();
  },
  "Trailing metadata was already received": async ({ stub }) => {
    await using stream = stub.bidi.open();
    await stream.sendRequest({ end: true });
    await stream.recvTrailingMetadata();
    await stream.recvTrailingMetadata();
  },
};

for (const [message, misuse] of Object.entries(CLIENT_MISUSE)) {
  Deno.test(`ClientStream throws ProtocolError "${message}" when it is misused so`, async () => {
    await using echo = await startEcho();
    await assertRejects(() => soon(misuse(echo)), ProtocolError, message);
    // Neither the channel nor the server minds.
    assertEquals((await echo.stub.unary({ text: "a" })).text, "a");
  });
}

/** What a handler may not do, and what it is told. */
const SERVER_MISUSE: Readonly<Record<string, EchoHandlers["unary"]>> = {
  "Initial metadata was already sent": async (stream) => {
    await stream.sendMessage({});
    await stream.sendInitialMetadata();
  },
  "Message was already sent": async (stream) => {
    await stream.sendMessage({});
    await stream.sendMessage({});
  },
  "Trailing metadata was already sent": async (stream) => {
    await stream.sendMessage({});
    await stream.sendTrailingMetadata();
    await stream.sendTrailingMetadata();
  },
  "Unary response with OK status requires a single message": async (stream) => {
    await stream.sendTrailingMetadata();
  },
};

for (const [message, misuse] of Object.entries(SERVER_MISUSE)) {
  Deno.test(`ServerStream throws ProtocolError "${message}" when it is misused so`, async () => {
    const caught = Promise.withResolvers<unknown>();
    await using echo = await startEcho({
      handlers: {
        async unary(stream) {
          caught.resolve(
            await assertRejects(
              () => Promise.resolve(misuse!(stream)),
              ProtocolError,
              message,
            ),
          );
          throw new GRPCError(Status.ABORTED, "told");
        },
      },
    });
    await echo.stub.unary({}).catch(() => {});
    await soon(caught.promise);
  });
}

/** What a peer may send where exactly one message belongs. */
const COUNTS = { "no message": 0, "two messages": 2 };

for (const [name, count] of Object.entries(COUNTS)) {
  const messages = Array.from(
    { length: count },
    () => grpcMessage(new Uint8Array()),
  );

  Deno.test(`Server answers UNIMPLEMENTED when a unary request has ${name}`, async () => {
    let calls = 0;
    await using echo = await startEcho({
      handlers: { unary: () => void calls++, serverStream: () => void calls++ },
    });
    using client = await RawConnection.open(echo.port);
    let streamId = 1;
    for (const path of [PATHS.unary, PATHS.serverStream]) {
      await client.headers(streamId, requestFields(path));
      for (const message of messages) await client.data(streamId, message);
      await client.data(streamId, new Uint8Array(), { end: true });
      const { trailers } = await client.reply(streamId);
      assertEquals(trailers["grpc-status"], `${Status.UNIMPLEMENTED}`);
      streamId += 2;
    }
    assertEquals(calls, 0);
  });

  Deno.test(`UnaryUnaryMethod() fails with UNIMPLEMENTED when the reply has ${name}`, async () => {
    await using server = new RawServer(async (connection) => {
      await connection.acceptPreface();
      await connection.settings();
      for (;;) {
        const { streamId } = await connection.request();
        await connection.headers(streamId, RESPONSE_HEAD);
        for (const message of messages) {
          await connection.data(streamId, message);
        }
        await connection.headers(streamId, OK_TRAILERS, { end: true });
      }
    });
    await using channel = new Channel("127.0.0.1", server.port);
    const { unary, clientStream } = createStub(Echo, channel);
    await assertStatus(Status.UNIMPLEMENTED, () => unary({}));
    await assertStatus(Status.UNIMPLEMENTED, () => clientStream([]));
  });
}

Deno.test("Server answers UNIMPLEMENTED when there is no such method", async () => {
  await using server = new Server([{ [mapping]: () => ({}) }]);
  await server.start("127.0.0.1");
  await using channel = new Channel("127.0.0.1", server.port!);
  const stub = createStub(Echo, channel);
  for (
    const call of [
      () => stub.unary({}),
      () => Array.fromAsync(stub.serverStream({})),
      () => stub.clientStream([{}]),
      () => Array.fromAsync(stub.bidi([{}])),
      () => soon(stub.clientStream(new ReadableStream())),
    ]
  ) {
    await assertStatus(
      Status.UNIMPLEMENTED,
      call,
      "Method not found: /grpclib.test.Echo/",
    );
  }
});
