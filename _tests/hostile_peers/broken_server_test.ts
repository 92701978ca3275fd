// What a client makes of servers that reset its streams, send a GOAWAY or cut the
// connection: the call fails with the status that the documents give it, and the
// next one goes well.

import { assertEquals, assertMatch } from "@std/assert";
import { Status } from "../../core/status.ts";
import {
  assertFails,
  BEGINNINGS,
  CALLS,
  goOnWell,
  READY,
  REPLY_MESSAGE,
  replyBadly,
  replyWell,
  serveBadly,
  shakeHands,
  withStub,
} from "../../_testdata/raw_replies.ts";
import {
  frame,
  FrameType,
  OK_TRAILERS,
  type RawConnection,
  RawServer,
  RESPONSE_HEAD,
  uint32,
} from "../../_testdata/raw_h2.ts";
import { soon } from "../../_testdata/waiting.ts";

const NO_ERROR = 0;
const ENHANCE_YOUR_CALM = 11;

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

for (const [what, before] of Object.entries(BEGINNINGS)) {
  for (const [kind, call] of Object.entries(CALLS)) {
    Deno.test(`Channel gives the status of the reset to a call for ${kind} when the server resets after ${what}`, async () => {
      // A call that was refused before it began is retried transparently.
      const codes = STATUS_OF_RESET.filter(([code]) =>
        code !== 7 || what !== "nothing"
      );
      const server = new RawServer(async (connection) => {
        await shakeHands(connection);
        for (const [code] of codes) {
          const { streamId } = await connection.request();
          await before(connection, streamId);
          await connection.rstStream(streamId, code);
        }
        await goOnWell(connection);
      });
      await withStub(server, async (stub) => {
        for (const [, status] of codes) {
          await assertFails(() => call(stub), status);
        }
        assertEquals(await call(stub), ["hello"]);
        assertEquals(server.accepted, 1);
      });
    });
  }
}

// GOAWAY

Deno.test("Channel completes its calls when the server sends GOAWAY, and reconnects for the next", async () => {
  for (const lastStreamId of [1, 2 ** 31 - 1]) {
    const server = replyBadly(async (connection, streamId) => {
      await connection.goaway(lastStreamId, NO_ERROR);
      await replyWell(connection, streamId);
      await connection.end();
    });
    await withStub(server, async (stub) => {
      assertEquals((await soon(stub.unary({}))).text, "hello");
      assertEquals((await soon(stub.unary({}))).text, "hello");
      assertEquals(server.accepted, 2);
    });
  }
});

Deno.test("Channel completes its calls when the server sends GOAWAY in two steps", async () => {
  const server = replyBadly(async (connection, streamId) => {
    await connection.goaway(2 ** 31 - 1, NO_ERROR);
    await connection.headers(streamId, RESPONSE_HEAD);
    await connection.goaway(streamId, NO_ERROR);
    await connection.data(streamId, REPLY_MESSAGE);
    await connection.headers(streamId, OK_TRAILERS, { end: true });
    await connection.end();
  });
  await withStub(server, async (stub) => {
    assertEquals((await soon(stub.unary({}))).text, "hello");
    assertEquals((await soon(stub.unary({}))).text, "hello");
    assertEquals(server.accepted, 2);
  });
});

Deno.test("Channel retries the call transparently when the server sends GOAWAY below its stream", async () => {
  const server = replyBadly(async (connection) => {
    await connection.goaway(0, NO_ERROR);
    await connection.end();
  });
  await withStub(server, async (stub) => {
    assertEquals((await soon(stub.unary({}, READY))).text, "hello");
    assertEquals(server.accepted, 2);
  });
});

Deno.test("Channel fails the call with UNAVAILABLE when the server sends GOAWAY with an error", async () => {
  const server = replyBadly(async (connection, streamId) => {
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
  Deno.test(`Channel reconnects when the server sends GOAWAY ${code} between the calls`, async () => {
    const server = replyBadly(async (connection, streamId) => {
      await replyWell(connection, streamId);
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
      frame(FrameType.DATA, { streamId }, REPLY_MESSAGE)
        .subarray(0, HEAD_FRAME_BYTES + 7),
    );
  },
  "the message": async (connection) => {
    await shakeHands(connection);
    const { streamId } = await connection.request();
    await connection.headers(streamId, RESPONSE_HEAD);
    await connection.data(streamId, REPLY_MESSAGE);
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
        assertEquals(await soon(call(stub, READY)), ["hello"]);
        assertEquals(server.accepted, 2);
      });
    });
  }
}

// All of the reply and the end of the connection come in one piece.
const LAST_WORDS: Readonly<Record<string, readonly Uint8Array[]>> = {
  "cut": [],
  "ended with GOAWAY 0": [frame(FrameType.GOAWAY, {}, uint32(1, NO_ERROR))],
  "ended with GOAWAY 11": [
    frame(FrameType.GOAWAY, {}, uint32(1, ENHANCE_YOUR_CALM)),
  ],
};

for (const [what, frames] of Object.entries(LAST_WORDS)) {
  Deno.test(`Channel keeps the whole reply when the connection is ${what} right behind it`, async () => {
    const count = 40_000;
    const server = replyBadly(async (connection, streamId) => {
      const write = connection.write.bind(connection);
      const collected: Uint8Array[] = [];
      connection.write = (...chunks) => {
        collected.push(...chunks);
        return Promise.resolve();
      };
      await connection.headers(streamId, RESPONSE_HEAD);
      // More than a call takes in before anybody reads.
      const messages = new Uint8Array(REPLY_MESSAGE.length * count);
      for (let i = 0; i < count; i++) {
        messages.set(REPLY_MESSAGE, i * REPLY_MESSAGE.length);
      }
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
