// What a client makes of servers that reset its streams, say farewell, cut the
// connection or say nothing at all: the call fails with the status that the
// documents give it, on time, and the next one goes well where it can.

import { create, toBinary } from "@bufbuild/protobuf";
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertLess,
  assertMatch,
  assertRejects,
} from "@std/assert";
import { Channel, createStub, type Stub } from "../client.ts";
import type { ConfigurationOptions } from "../core/config.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import { deadlines } from "../_call/scope.ts";
import { Echo, EchoReplySchema } from "../_testdata/gen/echo_pb.ts";
import {
  frame,
  FrameType,
  grpcMessage,
  OK_TRAILERS,
  type RawConnection,
  RawServer,
  RESPONSE_HEAD,
  Setting,
  uint32,
  uint32At,
} from "../_testdata/raw_h2.ts";
import { soon } from "../_testdata/waiting.ts";

type EchoStub = Stub<typeof Echo>;

const GOOD = grpcMessage(
  toBinary(EchoReplySchema, create(EchoReplySchema, { text: "hello" })),
);

const NO_ERROR = 0;
const REFUSED_STREAM = 7;
const CANCEL = 8;
const ENHANCE_YOUR_CALM = 11;

async function answerWell(
  connection: RawConnection,
  streamId: number,
): Promise<void> {
  await connection.headers(streamId, RESPONSE_HEAD);
  await connection.data(streamId, GOOD);
  await connection.headers(streamId, OK_TRAILERS, { end: true });
}

async function shakeHands(connection: RawConnection): Promise<void> {
  await connection.acceptPreface();
  await connection.settings();
}

/** Answers all requests well, from now on. */
async function goOnWell(connection: RawConnection): Promise<void> {
  for (;;) {
    const { streamId } = await connection.request();
    await answerWell(connection, streamId);
  }
}

/** A server that does as it is told on its first connection, and well on others. */
function serveBadly(
  first: (connection: RawConnection) => Promise<void>,
): RawServer {
  return new RawServer(async (connection, index) => {
    if (index === 0) return await first(connection);
    await shakeHands(connection);
    await goOnWell(connection);
  });
}

/** The same, from the first request on. */
function answerBadly(
  answer: (connection: RawConnection, streamId: number) => Promise<void>,
): RawServer {
  return serveBadly(async (connection) => {
    await shakeHands(connection);
    const { streamId } = await connection.request();
    await answer(connection, streamId);
  });
}

/** Runs a test with a stub for a server, and expects nothing to be left. */
async function withStub(
  server: RawServer,
  test: (stub: EchoStub) => Promise<void>,
  config: ConfigurationOptions = {},
): Promise<void> {
  await using _server = server;
  await using channel = new Channel("127.0.0.1", server.port, { config });
  await test(createStub(Echo, channel));
  assertEquals(deadlines.size, 0);
}

const CALLS: Readonly<Record<string, (stub: EchoStub) => Promise<string>>> = {
  "a unary reply": async (stub) => (await stub.unary({ text: "a" })).text,
  "a stream of replies": async (stub) => {
    let last = "";
    for await (const { text } of stub.serverStream({ text: "a" })) last = text;
    return last;
  },
};

async function assertFails(
  call: () => Promise<unknown>,
  status: Status,
): Promise<GRPCError> {
  const error = await assertRejects(() => soon(call()), GRPCError);
  assertEquals(error.status, status, error.message);
  return error;
}

// Resets

// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors
const STATUS_OF_RESET: readonly (readonly [code: number, status: Status])[] = [
  [0, Status.INTERNAL],
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

const BEFORE_RESET: Readonly<
  Record<string, (connection: RawConnection, id: number) => Promise<void>>
> = {
  "nothing": () => Promise.resolve(),
  "its head": (connection, id) => connection.headers(id, RESPONSE_HEAD),
  "its message": async (connection, id) => {
    await connection.headers(id, RESPONSE_HEAD);
    await connection.data(id, GOOD);
  },
};

for (const [what, before] of Object.entries(BEFORE_RESET)) {
  for (const [kind, call] of Object.entries(CALLS)) {
    Deno.test(`Channel gives the status of the reset to a call for ${kind} when the server resets after ${what}`, async () => {
      const server = new RawServer(async (connection) => {
        await shakeHands(connection);
        for (const [code] of STATUS_OF_RESET) {
          const { streamId } = await connection.request();
          await before(connection, streamId);
          await connection.rstStream(streamId, code);
        }
        await goOnWell(connection);
      });
      await withStub(server, async (stub) => {
        for (const [, status] of STATUS_OF_RESET) {
          await assertFails(() => call(stub), status);
        }
        assertEquals(await call(stub), "hello");
        assertEquals(server.accepted, 1);
      });
    });
  }
}

// Farewells

Deno.test("Channel completes its calls when the server says GOAWAY, and connects anew for the next", async () => {
  for (const lastStreamId of [1, 2 ** 31 - 1]) {
    const server = answerBadly(async (connection, streamId) => {
      await connection.goaway(lastStreamId, NO_ERROR);
      await answerWell(connection, streamId);
      await connection.end();
    });
    await withStub(server, async (stub) => {
      assertEquals((await soon(stub.unary({}))).text, "hello");
      assertEquals((await soon(stub.unary({}))).text, "hello");
      assertEquals(server.accepted, 2);
    });
  }
});

Deno.test("Channel completes its calls when the server says GOAWAY in two steps", async () => {
  const server = answerBadly(async (connection, streamId) => {
    await connection.goaway(2 ** 31 - 1, NO_ERROR);
    await connection.headers(streamId, RESPONSE_HEAD);
    await connection.goaway(streamId, NO_ERROR);
    await connection.data(streamId, GOOD);
    await connection.headers(streamId, OK_TRAILERS, { end: true });
    await connection.end();
  });
  await withStub(server, async (stub) => {
    assertEquals((await soon(stub.unary({}))).text, "hello");
    assertEquals((await soon(stub.unary({}))).text, "hello");
    assertEquals(server.accepted, 2);
  });
});

Deno.test("Channel fails the call with UNAVAILABLE when the server says GOAWAY below its stream", async () => {
  const server = answerBadly(async (connection) => {
    await connection.goaway(0, NO_ERROR);
    await connection.end();
  });
  await withStub(server, async (stub) => {
    await assertFails(() => stub.unary({}), Status.UNAVAILABLE);
    assertEquals((await soon(stub.unary({}))).text, "hello");
  });
});

Deno.test("Channel fails the call with UNAVAILABLE when the server says GOAWAY with an error", async () => {
  const server = answerBadly(async (connection, streamId) => {
    await connection.goaway(streamId, ENHANCE_YOUR_CALM);
    await connection.end();
  });
  await withStub(server, async (stub) => {
    const error = await assertFails(() => stub.unary({}), Status.UNAVAILABLE);
    assertMatch(error.message, /GOAWAY ENHANCE_YOUR_CALM/);
    assertEquals((await soon(stub.unary({}))).text, "hello");
    assertEquals(server.accepted, 2);
  });
});

for (const code of [NO_ERROR, ENHANCE_YOUR_CALM]) {
  Deno.test(`Channel connects anew when the server says GOAWAY ${code} between the calls`, async () => {
    const server = answerBadly(async (connection, streamId) => {
      await answerWell(connection, streamId);
      await connection.goaway(streamId, code);
      await connection.end();
    });
    await withStub(server, async (stub) => {
      for (let i = 0; i < 5; i++) {
        assertEquals((await soon(stub.unary({}))).text, "hello");
        await server.ended(0);
      }
      assertEquals(server.accepted, 2);
    });
  });
}

// Cuts

const HEAD_FRAME_BYTES = 9;
const CUTS: Readonly<
  Record<string, (connection: RawConnection) => Promise<void>>
> = {
  "accepting": () => Promise.resolve(),
  "the preface": (connection) => connection.acceptPreface(),
  "the SETTINGS": async (connection) => {
    await shakeHands(connection);
    await connection.nextOf(FrameType.SETTINGS);
  },
  "the request": async (connection) => {
    await shakeHands(connection);
    await connection.request();
  },
  "a part of the head": async (connection) => {
    await shakeHands(connection);
    const { streamId } = await connection.request();
    await connection.write(
      frame(FrameType.HEADERS, { streamId }, new Uint8Array(50))
        .subarray(0, HEAD_FRAME_BYTES + 20),
    );
  },
  "the head": async (connection) => {
    await shakeHands(connection);
    const { streamId } = await connection.request();
    await connection.headers(streamId, RESPONSE_HEAD);
  },
  "a part of a message": async (connection) => {
    await shakeHands(connection);
    const { streamId } = await connection.request();
    await connection.headers(streamId, RESPONSE_HEAD);
    await connection.write(
      frame(FrameType.DATA, { streamId }, GOOD)
        .subarray(0, HEAD_FRAME_BYTES + 7),
    );
  },
  "the message": async (connection) => {
    await shakeHands(connection);
    const { streamId } = await connection.request();
    await connection.headers(streamId, RESPONSE_HEAD);
    await connection.data(streamId, GOOD);
  },
};

for (const [what, before] of Object.entries(CUTS)) {
  for (const [kind, call] of Object.entries(CALLS)) {
    Deno.test(`Channel fails a call for ${kind} with UNAVAILABLE when the connection is cut after ${what}`, async () => {
      const server = serveBadly(async (connection) => {
        await before(connection);
        connection.close();
      });
      await withStub(server, async (stub) => {
        await assertFails(() => call(stub), Status.UNAVAILABLE);
        assertEquals(await soon(call(stub)), "hello");
        assertEquals(server.accepted, 2);
      });
    });
  }
}

// All of the answer and the end of the connection come in one piece.
const LAST_WORDS: Readonly<Record<string, readonly Uint8Array[]>> = {
  "cut": [],
  "ended with GOAWAY 0": [frame(FrameType.GOAWAY, {}, uint32(1, NO_ERROR))],
  "ended with GOAWAY 11": [
    frame(FrameType.GOAWAY, {}, uint32(1, ENHANCE_YOUR_CALM)),
  ],
};

for (const [what, frames] of Object.entries(LAST_WORDS)) {
  Deno.test(`Channel keeps the whole answer when the connection is ${what} right behind it`, async () => {
    const count = 40_000;
    const server = answerBadly(async (connection, streamId) => {
      const write = connection.write.bind(connection);
      const collected: Uint8Array[] = [];
      connection.write = (...chunks) => {
        collected.push(...chunks);
        return Promise.resolve();
      };
      await connection.headers(streamId, RESPONSE_HEAD);
      // More than a call takes in before anybody reads.
      const messages = new Uint8Array(GOOD.length * count);
      for (let i = 0; i < count; i++) messages.set(GOOD, i * GOOD.length);
      await connection.data(streamId, messages);
      await connection.headers(streamId, OK_TRAILERS, { end: true });
      await write(...collected, ...frames);
      connection.close();
    });
    await withStub(server, async (stub) => {
      await using stream = stub.serverStream.open();
      await stream.sendMessage({});
      let got = 0;
      for await (const { text } of stream) {
        assertEquals(text, "hello");
        if (got++ === 0) await server.ended(0);
      }
      assertEquals(got, count);
      assertEquals((await soon(stub.unary({}))).text, "hello");
    });
  });
}

// Silence

const TIMEOUT_MS = 100;

async function assertTimesOut(stub: EchoStub): Promise<void> {
  const start = performance.now();
  await assertFails(
    () => stub.unary({}, { timeoutMs: TIMEOUT_MS }),
    Status.DEADLINE_EXCEEDED,
  );
  const tookMs = performance.now() - start;
  assertGreaterOrEqual(tookMs, TIMEOUT_MS - 1);
  assertLess(tookMs, 10 * TIMEOUT_MS);
}

for (const [what, before] of Object.entries(BEFORE_RESET)) {
  Deno.test(`Channel ends the call at its deadline when the server sends ${what} and no more`, async () => {
    const reset = Promise.withResolvers<number>();
    const server = answerBadly(async (connection, streamId) => {
      await before(connection, streamId);
      const { payload } = await connection.nextOf(
        FrameType.RST_STREAM,
        streamId,
      );
      reset.resolve(uint32At(payload, 0));
      await goOnWell(connection);
    });
    await withStub(server, async (stub) => {
      await assertTimesOut(stub);
      assertEquals(await soon(reset.promise), CANCEL);
      assertEquals((await soon(stub.unary({}))).text, "hello");
      assertEquals(server.accepted, 1);
    });
  });
}

Deno.test("Channel ends the call at its deadline when the server sends no SETTINGS", async () => {
  const late = Promise.withResolvers<void>();
  const server = serveBadly(async (connection) => {
    await connection.acceptPreface();
    await late.promise;
    await connection.settings();
    await goOnWell(connection);
  });
  await withStub(server, async (stub) => {
    await assertTimesOut(stub);
    const call = stub.unary({});
    late.resolve();
    assertEquals((await soon(call)).text, "hello");
    assertEquals(server.accepted, 1);
  });
});

Deno.test("Channel fails the call with UNAVAILABLE when no SETTINGS come within connectTimeoutMs", async () => {
  const server = serveBadly((connection) => connection.end());
  await withStub(server, async (stub) => {
    const error = await assertFails(() => stub.unary({}), Status.UNAVAILABLE);
    assertMatch(error.message, /within 100 ms/);
    assertEquals((await soon(stub.unary({}))).text, "hello");
    assertEquals(server.accepted, 2);
  }, { connectTimeoutMs: 100 });
});

// Limits

Deno.test("Channel has its calls wait when the server allows no streams", async () => {
  const allow = Promise.withResolvers<void>();
  let requests = 0;
  const server = serveBadly(async (connection) => {
    await connection.acceptPreface();
    await connection.settings([Setting.MAX_CONCURRENT_STREAMS, 0]);
    await allow.promise;
    await connection.settings([Setting.MAX_CONCURRENT_STREAMS, 5]);
    for (;;) {
      const { streamId } = await connection.request();
      requests++;
      await answerWell(connection, streamId);
    }
  });
  await withStub(server, async (stub) => {
    await assertTimesOut(stub);
    const aborted = new AbortController();
    const refused = stub.unary({}, { signal: aborted.signal });
    const served = stub.unary({});
    aborted.abort();
    await assertFails(() => refused, Status.CANCELLED);
    allow.resolve();
    assertEquals((await soon(served)).text, "hello");
    assertEquals(requests, 1);
  });
});

Deno.test("Channel opens one stream after the other when the server allows one", async () => {
  let most = 0;
  const server = serveBadly(async (connection) => {
    await connection.acceptPreface();
    await connection.settings([Setting.MAX_CONCURRENT_STREAMS, 1]);
    for (let opened = 0, answered = 0;;) {
      // All that comes before there is an answer.
      const { streamId } = await connection.request();
      opened++;
      most = Math.max(most, opened - answered);
      await answerWell(connection, streamId);
      answered++;
    }
  });
  await withStub(server, async (stub) => {
    const calls = Array.from({ length: 20 }, () => stub.unary({}));
    for (const { text } of await soon(Promise.all(calls))) {
      assertEquals(text, "hello");
    }
    assertEquals(most, 1);
    assertEquals(server.accepted, 1);
  });
});

Deno.test("Channel fails the call with UNAVAILABLE when the server refuses its stream", async () => {
  const server = answerBadly(async (connection, streamId) => {
    await connection.rstStream(streamId, REFUSED_STREAM);
    await goOnWell(connection);
  });
  await withStub(server, async (stub) => {
    const error = await assertFails(() => stub.unary({}), Status.UNAVAILABLE);
    assert(error.message.includes("REFUSED_STREAM"));
    assertEquals((await soon(stub.unary({}))).text, "hello");
  });
});
