/** PINGs of the server, and what it thinks of those of its clients. */

import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { Channel, createStub, Status } from "../../client.ts";
import { PATHS, startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  Flag,
  frame,
  FrameType,
  grpcMessage,
  RawConnection,
  requestFields,
  uint32,
} from "../../_testdata/raw_h2.ts";
import { assertStatus, startWith, Waiters } from "../../_testdata/waiters.ts";
import { after, soon, turns, until } from "../../_testdata/waiting.ts";

const ENHANCE_YOUR_CALM = 11;

/** Sends a PING and waits for its reply. */
async function ping(client: RawConnection): Promise<void> {
  await client.write(frame(FrameType.PING, {}, uint32(1, 2)));
  const { flags } = await soon(client.nextOf(FrameType.PING));
  assertEquals(flags, Flag.ACK);
}

const TOO_MANY = { code: ENHANCE_YOUR_CALM, text: "too_many_pings" };

// The server's

Deno.test("Server sends a PING when a client with a call is silent for keepaliveTimeMs, and bears with one that answers", async () => {
  await using echo = await startWith({
    keepaliveTimeMs: 30,
    keepaliveTimeoutMs: 10_000,
    http2MaxPingsWithoutData: 0,
    http2MinSentPingIntervalWithoutDataMs: 0,
  });
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.bidi));
  await client.nextOf(FrameType.DATA, 1);
  // The raw client answers as it reads.
  for (let i = 0; i < 3; i++) {
    assertEquals((await soon(client.nextOf(FrameType.PING))).flags, 0);
  }
  await client.data(1, grpcMessage(new Uint8Array()));
});

Deno.test("Server gives a client up when it does not answer a PING within keepaliveTimeoutMs", async () => {
  const waiters = new Waiters();
  await using echo = await startWith({
    keepaliveTimeMs: 30,
    keepaliveTimeoutMs: 40,
  }, waiters);
  const start = performance.now();
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.bidi));
  // Nothing is read, and so nothing answered.
  await waiters.assertAborted(Status.UNAVAILABLE);
  assertGreaterOrEqual(performance.now() - start, 65);
});

Deno.test("Server sends no PING when there is no call, unless it is permitted", async () => {
  for (const keepalivePermitWithoutCalls of [false, true]) {
    await using echo = await startWith({
      keepaliveTimeMs: 20,
      keepalivePermitWithoutCalls,
    });
    using client = await RawConnection.open(echo.port);
    let pings = 0;
    const reading = (async () => {
      for (;;) {
        await client.nextOf(FrameType.PING);
        pings++;
      }
    })().catch(() => {});
    if (keepalivePermitWithoutCalls) await until(() => pings > 0, "a PING");
    else {
      await after(100);
      assertEquals(pings, 0);
    }
    client.close();
    await reading;
  }
});

Deno.test("Server sends PINGs for a call that came after a long silence", async () => {
  await using echo = await startWith({ keepaliveTimeMs: 30 });
  using client = await RawConnection.open(echo.port);
  await client.nextOf(FrameType.SETTINGS);
  await after(80);
  await client.headers(1, requestFields(PATHS.clientStream));
  assertEquals((await soon(client.nextOf(FrameType.PING))).flags, 0);
});

// The client's

Deno.test("Server ends a connection with too_many_pings when a client without calls sends more than http2MaxPingStrikes early", async () => {
  await using echo = await startWith({ http2MaxPingStrikes: 2 });
  using client = await RawConnection.open(echo.port);
  // The first is not early, and two are borne.
  for (let i = 0; i < 3; i++) await ping(client);
  await client.write(frame(FrameType.PING, {}, uint32(1, 2)));
  assertEquals(await soon(client.nextGoaway()), TOO_MANY);
  await soon(client.end());
});

Deno.test("Server ends a connection with too_many_pings when they flood it, and its calls with it", async () => {
  const waiters = new Waiters();
  await using echo = await startWith({}, waiters);
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.bidi));
  await client.nextOf(FrameType.DATA, 1);
  const one = frame(FrameType.PING, {}, uint32(1, 2));
  const many = new Uint8Array(one.length * 200);
  for (let i = 0; i < 200; i++) many.set(one, i * one.length);
  await client.write(many);
  assertEquals(await soon(client.nextGoaway()), TOO_MANY);
  await waiters.assertAborted(Status.UNAVAILABLE);
  await client.end();
  assertEquals((await echo.stub.unary({ text: "a" })).text, "a");
});

Deno.test("Server bears PINGs when they keep to http2MinRecvPingIntervalWithoutDataMs and there is a call", async () => {
  await using echo = await startWith({
    http2MinRecvPingIntervalWithoutDataMs: 20,
    http2MaxPingStrikes: 1,
  });
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.bidi));
  await client.nextOf(FrameType.DATA, 1);
  for (let i = 0; i < 4; i++) {
    await ping(client);
    await after(25);
  }
  // Without a call the interval is that of two hours, unless it is permitted.
  await client.rstStream(1, 8);
  await turns(5);
  await ping(client);
  await after(25);
  await client.write(frame(FrameType.PING, {}, uint32(1, 2)));
  assertEquals(await soon(client.nextGoaway()), TOO_MANY);
});

Deno.test("Server bears PINGs without a call when keepalivePermitWithoutCalls says so", async () => {
  await using echo = await startWith({
    http2MinRecvPingIntervalWithoutDataMs: 20,
    http2MaxPingStrikes: 1,
    keepalivePermitWithoutCalls: true,
  });
  using client = await RawConnection.open(echo.port);
  for (let i = 0; i < 4; i++) {
    await ping(client);
    await after(25);
  }
  // Together, so that two are early: one that is borne, and one that is not.
  const one = frame(FrameType.PING, {}, uint32(1, 2));
  await client.write(Uint8Array.of(...one, ...one, ...one));
  assertEquals(await soon(client.nextGoaway()), TOO_MANY);
});

Deno.test("Server forgets early PINGs when it has sent a frame of a call", async () => {
  await using echo = await startWith({ http2MaxPingStrikes: 1 });
  using client = await RawConnection.open(echo.port);
  for (let i = 0; i < 6; i++) {
    // One that is not early, and one that is.
    await ping(client);
    await ping(client);
    const streamId = 2 * i + 1;
    // Every other answer is HEADERS alone.
    const path = i % 2 === 0 ? PATHS.clientStream : "/no/Such";
    await client.headers(streamId, requestFields(path), { end: true });
    await client.reply(streamId);
  }
});

Deno.test("Server bears any number of PINGs when http2MaxPingStrikes is 0", async () => {
  await using echo = await startWith({ http2MaxPingStrikes: 0 });
  using client = await RawConnection.open(echo.port);
  for (let i = 0; i < 20; i++) await ping(client);
});

Deno.test("Channel goes on with another connection when its PINGs were too many", async () => {
  await using echo = await startWith({ http2MaxPingStrikes: 1 });
  await using channel = new Channel("127.0.0.1", echo.port, {
    config: {
      keepaliveTimeMs: 10,
      http2MaxPingsWithoutData: 0,
      http2MinSentPingIntervalWithoutDataMs: 0,
    },
  });
  const stub = createStub(Echo, channel);
  await using stream = stub.bidi.open();
  await stream.sendRequest();
  await stream.recvMessage();
  await assertStatus(
    Status.UNAVAILABLE,
    () => stream.recvMessage(),
    "too_many_pings",
  );
  assertEquals((await soon(stub.unary({ text: "on" }))).text, "on");
});

Deno.test("Server bears the PINGs that a client sends between the frames of a long message", async () => {
  // As grpc-go does, which measures the bandwidth by them.
  await using echo = await startEcho({
    server: { config: { http2MaxPingStrikes: 1 } },
    handlers: {
      async unary(stream) {
        await stream.sendMessage({ payload: new Uint8Array(400_000) });
      },
    },
  });
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.unary));
  await client.data(1, grpcMessage(new Uint8Array()), { end: true });
  // The window of the stream is 65535 bytes: opened piece by piece.
  for (let i = 0; i < 6; i++) {
    await client.nextOf(FrameType.DATA);
    await client.write(
      frame(FrameType.WINDOW_UPDATE, { streamId: 1 }, uint32(60_000)),
    );
    await client.write(frame(FrameType.WINDOW_UPDATE, {}, uint32(60_000)));
    await ping(client);
  }
  client.close();
});
