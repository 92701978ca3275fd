// What a client makes of servers that say nothing, or allow nothing: the call
// waits, fails on time, and the next one goes well where it can.

import {
  assert,
  assertEquals,
  assertFalse,
  assertLess,
  assertMatch,
} from "@std/assert";
import type { CallOptions } from "../../client.ts";
import { Status } from "../../core/status.ts";
import {
  assertFails,
  BEGINNINGS,
  type EchoStub,
  goOnWell,
  READY,
  replyBadly,
  replyWell,
  serveBadly,
  shakeHands,
  withStub,
} from "../../_testdata/raw_replies.ts";
import {
  Flag,
  FrameType,
  RawServer,
  Setting,
  uint32At,
} from "../../_testdata/raw_h2.ts";
import { settled, soon, until } from "../../_testdata/waiting.ts";
import { VirtualClock } from "../../testing/mod.ts";

const REFUSED_STREAM = 7;
const CANCEL = 8;

// Silence

/** Makes a call that ends at its deadline, which comes after something else. */
async function assertTimesOut(
  stub: EchoStub,
  clock: VirtualClock,
  before: Promise<unknown>,
): Promise<void> {
  let isOver = false;
  const late = assertFails(
    () => stub.unary({}, { timeoutMs: 100 }).finally(() => isOver = true),
    Status.DEADLINE_EXCEEDED,
  );
  await soon(before, "what comes before the deadline");
  await clock.advance(99);
  assertFalse(isOver);
  await clock.advance(1);
  await late;
}

for (const [what, before] of Object.entries(BEGINNINGS)) {
  Deno.test(`Channel ends the call at its deadline when the server sends ${what} and no more`, async () => {
    const clock = new VirtualClock();
    const silent = Promise.withResolvers<void>();
    const reset = Promise.withResolvers<number>();
    const server = replyBadly(async (connection, streamId) => {
      await before(connection, streamId);
      silent.resolve();
      const { payload } = await connection.nextOf(
        FrameType.RST_STREAM,
        streamId,
      );
      reset.resolve(uint32At(payload, 0));
      await goOnWell(connection);
    });
    await withStub(
      server,
      async (stub) => {
        await assertTimesOut(stub, clock, silent.promise);
        // The server has so long to end the stream by itself.
        await clock.advance(500);
        assertEquals(await soon(reset.promise), CANCEL);
        assertEquals((await soon(stub.unary({}))).text, "hello");
        assertEquals(server.accepted, 1);
      },
      {},
      clock,
    );
  });
}

Deno.test("Channel ends the call at its deadline when the server sends no SETTINGS", async () => {
  const clock = new VirtualClock();
  const silent = Promise.withResolvers<void>();
  const late = Promise.withResolvers<void>();
  const server = serveBadly(async (connection) => {
    await connection.acceptPreface();
    silent.resolve();
    await late.promise;
    await connection.settings();
    await goOnWell(connection);
  });
  await withStub(
    server,
    async (stub) => {
      await assertTimesOut(stub, clock, silent.promise);
      const call = stub.unary({});
      late.resolve();
      assertEquals((await soon(call)).text, "hello");
      assertEquals(server.accepted, 1);
    },
    {},
    clock,
  );
});

Deno.test("Channel fails the call with UNAVAILABLE when no SETTINGS come within connectTimeoutMs", async () => {
  const clock = new VirtualClock();
  const server = serveBadly((connection) => connection.end());
  await withStub(
    server,
    async (stub) => {
      const failed = assertFails(() => stub.unary({}), Status.UNAVAILABLE);
      await until(() => server.accepted === 1, "there is a connection");
      await clock.advance(100);
      assertMatch((await failed).message, /within 100 ms/);
      const next = stub.unary({}, READY);
      await clock.advance(10);
      assertEquals((await soon(next)).text, "hello");
      assertEquals(server.accepted, 2);
    },
    { connectTimeoutMs: 100 },
    clock,
  );
});

// Limits

Deno.test("Channel has its calls wait when the server allows no streams", async () => {
  const clock = new VirtualClock();
  const refusing = Promise.withResolvers<void>();
  const allow = Promise.withResolvers<void>();
  let requests = 0;
  const server = serveBadly(async (connection) => {
    await connection.acceptPreface();
    await connection.settings([Setting.MAX_CONCURRENT_STREAMS, 0]);
    refusing.resolve();
    await allow.promise;
    await connection.settings([Setting.MAX_CONCURRENT_STREAMS, 5]);
    for (;;) {
      const { streamId } = await connection.request();
      requests++;
      await replyWell(connection, streamId);
    }
  });
  await withStub(
    server,
    async (stub) => {
      await assertTimesOut(stub, clock, refusing.promise);
      const aborted = new AbortController();
      const refused = stub.unary({}, { signal: aborted.signal });
      const served = stub.unary({});
      aborted.abort();
      await assertFails(() => refused, Status.CANCELLED);
      allow.resolve();
      assertEquals((await soon(served)).text, "hello");
      assertEquals(requests, 1);
    },
    {},
    clock,
  );
});

Deno.test("Channel opens one stream after the other when the server allows one", async () => {
  let most = 0;
  const server = serveBadly(async (connection) => {
    await connection.acceptPreface();
    await connection.settings([Setting.MAX_CONCURRENT_STREAMS, 1]);
    for (let opened = 0, answered = 0;;) {
      // All that comes before there is a reply.
      const { streamId } = await connection.request();
      opened++;
      most = Math.max(most, opened - answered);
      await replyWell(connection, streamId);
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

Deno.test("Channel retries the call transparently when the server refuses its stream", async () => {
  const server = replyBadly(async (connection, streamId) => {
    await connection.rstStream(streamId, REFUSED_STREAM);
    await goOnWell(connection);
  });
  await withStub(server, async (stub) => {
    assertEquals((await soon(stub.unary({}))).text, "hello");
    assertEquals(server.accepted, 1);
  });
});

Deno.test("Channel fails the call with UNAVAILABLE when the server refuses it twice", async () => {
  let requests = 0;
  const server = new RawServer(async (connection) => {
    await shakeHands(connection);
    for (;;) {
      const { streamId } = await connection.request();
      requests++;
      await connection.rstStream(streamId, REFUSED_STREAM);
    }
  });
  await withStub(server, async (stub) => {
    const error = await assertFails(() => stub.unary({}), Status.UNAVAILABLE);
    assert(error.message.includes("REFUSED_STREAM"));
    assertEquals(requests, 2);
  });
});

// Windows

/** What a stream may hold beyond its window: in node:http2, in the sockets. */
const MOST_HELD_BYTES = 16 * 1024 * 1024;

/** Sends without end, and tells how much it is rid of and how that ended. */
function pour(stub: EchoStub, options: CallOptions = {}) {
  const payload = new Uint8Array(32 * 1024);
  const stream = stub.clientStream.open(options);
  let sent = 0;
  const send = async (): Promise<void> => {
    for (;;) {
      await stream.sendMessage({ payload });
      sent += payload.length;
    }
  };
  return { stream, sent: () => sent, ended: send() };
}

for (
  const [what, window] of [["0", 0], ["all there is", 2 ** 31 - 1]] as const
) {
  Deno.test(`ClientStream.sendMessage() holds a bounded number of bytes when the server's window is ${what} and it reads nothing`, async () => {
    const server = serveBadly(async (connection) => {
      await connection.acceptPreface();
      await connection.settings([Setting.INITIAL_WINDOW_SIZE, window]);
      if (window > 0) await connection.windowUpdate(0, window - 65_535);
      await connection.nextOf(FrameType.HEADERS);
    });
    await withStub(server, async (stub) => {
      const { stream, sent, ended } = pour(stub);
      const failed = assertFails(() => ended, Status.CANCELLED);
      await server.ended(0);
      assertLess(await settled(sent), MOST_HELD_BYTES);
      stream.cancel();
      await failed;
    });
  });
}

Deno.test("ClientStream.sendMessage() ends at the deadline when the server's window is 0", async () => {
  const clock = new VirtualClock();
  const opened = Promise.withResolvers<void>();
  const reset = Promise.withResolvers<number>();
  const server = serveBadly(async (connection) => {
    await connection.acceptPreface();
    await connection.settings([Setting.INITIAL_WINDOW_SIZE, 0]);
    await connection.nextOf(FrameType.HEADERS);
    opened.resolve();
    const { payload } = await connection.nextOf(FrameType.RST_STREAM);
    reset.resolve(uint32At(payload, 0));
    await connection.end();
  });
  await withStub(
    server,
    async (stub) => {
      const { ended } = pour(stub, { timeoutMs: 100 });
      const late = assertFails(() => ended, Status.DEADLINE_EXCEEDED);
      await soon(opened.promise, "the head");
      await clock.advance(100);
      await late;
      assertEquals(await soon(reset.promise), CANCEL);
    },
    {},
    clock,
  );
});

Deno.test("ClientStream.sendMessage() goes on when the server's window opens", async () => {
  const text = "a".repeat(300_000);
  const server = serveBadly(async (connection) => {
    await connection.acceptPreface();
    await connection.settings([Setting.INITIAL_WINDOW_SIZE, 0]);
    const { streamId } = await connection.nextOf(FrameType.HEADERS);
    let got = 0;
    let flags = 0;
    while (flags !== Flag.END_STREAM) {
      await connection.windowUpdate(0, 10_000);
      await connection.windowUpdate(streamId, 10_000);
      const data = await connection.nextOf(FrameType.DATA, streamId);
      got += data.payload.length;
      ({ flags } = data);
    }
    assert(got > text.length);
    await replyWell(connection, streamId);
  });
  await withStub(server, async (stub) => {
    assertEquals((await soon(stub.unary({ text }))).text, "hello");
  });
});
