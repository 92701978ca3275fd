// What a client does about silence: PINGs, the end of a dead connection, a
// question before it uses one that was silent for long, and the idle timeout.

import { assertEquals, assertGreaterOrEqual, assertMatch } from "@std/assert";
import { Channel, createStub, Status } from "../../client.ts";
import { FakeClock } from "../../_testdata/fake_clock.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  assertFails,
  goOnWell,
  READY,
  replyWell,
  shakeHands,
  withStub,
} from "../../_testdata/raw_replies.ts";
import {
  Flag,
  frame,
  FrameType,
  type RawConnection,
  RawServer,
  uint32,
} from "../../_testdata/raw_h2.ts";
import { after, soon, turns, until } from "../../_testdata/waiting.ts";
import { untilState } from "../../_testdata/watch_states.ts";
import { VirtualClock } from "../../testing/mod.ts";

const STEADY = {
  http2MaxPingsWithoutData: 0,
  http2MinSentPingIntervalWithoutDataMs: 0,
};

/** Answers all PINGs, and notes when they came. */
async function notePings(
  connection: RawConnection,
  pings: number[],
): Promise<void> {
  for (;;) {
    const { flags } = await connection.nextOf(FrameType.PING);
    if (!(flags & Flag.ACK)) pings.push(performance.now());
  }
}

Deno.test("Channel pings while a call is silent, and the call goes on", async () => {
  const pings: number[] = [];
  const server = new RawServer(async (connection) => {
    await shakeHands(connection);
    const { streamId } = await connection.request();
    while (pings.length < 3) {
      await connection.nextOf(FrameType.PING);
      pings.push(performance.now());
    }
    await replyWell(connection, streamId);
    await notePings(connection, pings);
  });
  await withStub(server, async (stub) => {
    assertEquals((await soon(stub.unary({}))).text, "hello");
    // Not while there is no call.
    await after(60);
    assertEquals(pings.length, 3);
  }, { ...STEADY, keepaliveTimeMs: 20 });
});

Deno.test("Channel pings without calls when that is permitted", async () => {
  const pings: number[] = [];
  await using server = new RawServer(async (connection) => {
    await shakeHands(connection);
    await notePings(connection, pings);
  });
  await using channel = new Channel("127.0.0.1", server.port, {
    config: {
      ...STEADY,
      keepaliveTimeMs: 20,
      keepalivePermitWithoutCalls: true,
    },
  });
  channel.connect();
  await until(() => pings.length === 3, "three PINGs");
});

Deno.test("Channel fails its calls with UNAVAILABLE when the peer is dead, and reconnects", async () => {
  const over = Promise.withResolvers<void>();
  const server = new RawServer(async (connection, index) => {
    await shakeHands(connection);
    if (index > 0) return await goOnWell(connection);
    await connection.request();
    // Says nothing more, and reads nothing.
    await over.promise;
  });
  await withStub(server, async (stub) => {
    const start = performance.now();
    const error = await assertFails(() => stub.unary({}), Status.UNAVAILABLE);
    assertMatch(error.message, /a PING was not acknowledged within 40 ms/);
    assertGreaterOrEqual(performance.now() - start, 60);
    assertEquals((await soon(stub.unary({}, READY))).text, "hello");
    assertEquals(server.accepted, 2);
    over.resolve();
  }, { ...STEADY, keepaliveTimeMs: 25, keepaliveTimeoutMs: 40 });
});

function tooManyPings(): Uint8Array {
  const text = new TextEncoder().encode("too_many_pings");
  return frame(
    FrameType.GOAWAY,
    {},
    Uint8Array.of(...uint32(2 ** 31 - 1, 11), ...text),
  );
}

Deno.test("Channel doubles the time between its PINGs each time that the server complains", async () => {
  const clock = new VirtualClock();
  let [requests, pings] = [0, 0];
  await using server = new RawServer(async (connection) => {
    await shakeHands(connection);
    await connection.request();
    requests++;
    await connection.nextOf(FrameType.PING);
    pings++;
    await connection.write(tooManyPings());
    await connection.end();
  });
  await using channel = new Channel("127.0.0.1", server.port, {
    clock,
    config: { ...STEADY, keepaliveTimeMs: 25 },
  });
  const { unary } = createStub(Echo, channel);
  for (const [i, waitMs] of [25, 50, 100].entries()) {
    const failed = assertFails(() => unary({}, READY), Status.UNAVAILABLE);
    while (requests === i) {
      await turns(1);
      // The backoff after the connection before.
      if (channel.state === "TRANSIENT_FAILURE") await clock.advance(1_000);
    }
    await clock.advance(waitMs - 1);
    await turns(5);
    assertEquals(pings, i);
    await clock.advance(1);
    await failed;
    assertEquals(pings, i + 1);
  }
});

// Verification

const LONG_MS = 300_001;

/** Makes a call as if nothing had come for long. */
function callAfterLong<T>(call: () => Promise<T>): Promise<T> {
  using clock = new FakeClock();
  clock.jump(performance.timeOrigin + LONG_MS);
  return call();
}

Deno.test("Channel asks whether the server is there before it calls after a long silence", async () => {
  const frames: number[] = [];
  const server = new RawServer(async (connection) => {
    await shakeHands(connection);
    const { streamId } = await connection.request();
    await replyWell(connection, streamId);
    for (;;) {
      const next = await connection.next();
      if (next === null) return;
      if (next.flags & Flag.ACK && next.type !== FrameType.DATA) continue;
      frames.push(next.type);
      if (next.type === FrameType.DATA && next.flags & Flag.END_STREAM) {
        await replyWell(connection, next.streamId);
      }
    }
  });
  await withStub(server, async (stub) => {
    await soon(stub.unary({}));
    await turns(5);
    frames.length = 0;
    const calls = callAfterLong(() =>
      Promise.all([stub.unary({}), stub.unary({})])
    );
    await soon(calls);
    const { PING, HEADERS, DATA } = FrameType;
    assertEquals(frames[0], PING);
    assertEquals(frames.filter((type) => type === PING).length, 1);
    assertEquals(frames.filter((type) => type === HEADERS).length, 2);
    assertEquals(frames.filter((type) => type === DATA).length, 2);
    assertEquals(server.accepted, 1);
    await soon(stub.unary({}));
    assertEquals(frames.filter((type) => type === PING).length, 1);
  });
});

Deno.test("Channel reconnects when the server is not there any more after a long silence, and no call is lost", async () => {
  const over = Promise.withResolvers<void>();
  const server = new RawServer(async (connection, index) => {
    await shakeHands(connection);
    if (index > 0) return await goOnWell(connection);
    const { streamId } = await connection.request();
    await replyWell(connection, streamId);
    await over.promise;
  });
  await withStub(server, async (stub) => {
    await soon(stub.unary({}));
    const call = callAfterLong(() => stub.unary({}));
    assertEquals((await soon(call)).text, "hello");
    assertEquals(server.accepted, 2);
    over.resolve();
  }, { keepaliveTimeoutMs: 50 });
});

// Idleness

Deno.test("Channel closes its connection in good order when it was idle, and the next call reconnects", async () => {
  const codes: number[] = [];
  await using server = new RawServer(async (connection) => {
    await shakeHands(connection);
    const { streamId } = await connection.request();
    await after(70);
    await replyWell(connection, streamId);
    const { payload } = await connection.nextOf(FrameType.GOAWAY);
    codes.push(payload[7]!);
    await connection.end();
    connection.close();
  });
  await using channel = new Channel("127.0.0.1", server.port, {
    config: { idleTimeoutMs: 30 },
  });
  const stub = createStub(Echo, channel);
  for (let i = 1; i <= 2; i++) {
    // The call takes longer than the timeout, which does not matter.
    assertEquals((await soon(stub.unary({}))).text, "hello");
    assertEquals(channel.state, "READY");
    await untilState(channel, "IDLE");
    await server.ended(i - 1);
    assertEquals(codes.length, i);
    assertEquals(server.accepted, i);
  }
  assertEquals(codes, [0, 0]);
});
