/** Graceful shutdown: no call is lost that a client made before it knew. */

import { assertEquals, assertThrows } from "@std/assert";
import { Channel, createStub, Status } from "../../client.ts";
import {
  Health as HealthService,
  HealthCheckResponse_ServingStatus,
} from "../../health/gen/grpc/health/v1/health_pb.ts";
import { Health } from "../../health/mod.ts";
import { Server } from "../../server.ts";
import { VirtualClock } from "../../testing/mod.ts";
import { echo, PATHS, startEcho } from "../../_testdata/echo_service.ts";
import { Authority } from "../../_testdata/certificates.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  FrameType,
  grpcMessage,
  PREFACE,
  RawConnection,
  requestFields,
  uint32At,
} from "../../_testdata/raw_h2.ts";
import { runningHandlers } from "../../_call/server/call_list.ts";
import { assertStatus, Waiters } from "../../_testdata/waiters.ts";
import { soon } from "../../_testdata/waiting.ts";

const MAX_STREAM_ID = 2 ** 31 - 1;

/** Begins a call of which the reply comes at once. */
async function begin(client: RawConnection, streamId: number): Promise<void> {
  await client.headers(streamId, requestFields(PATHS.unary));
  await client.data(streamId, grpcMessage(new Uint8Array()), { end: true });
}

/** Checks that a call was answered, and with OK. */
async function assertServed(
  client: RawConnection,
  streamId: number,
): Promise<void> {
  const { trailers, code } = await soon(client.reply(streamId));
  assertEquals([trailers["grpc-status"], code], ["0", null]);
}

/** The GOAWAY that comes: the last stream that it names, and its code. */
async function goaway(client: RawConnection): Promise<[number, number]> {
  const { payload } = await soon(client.nextOf(FrameType.GOAWAY));
  return [uint32At(payload, 0), uint32At(payload, 4)];
}

/** What comes to the end of the connection: statuses by stream, and GOAWAYs. */
async function rest(client: RawConnection) {
  const statuses: Record<number, string> = {};
  const goaways: number[][] = [];
  for (let found; (found = await soon(client.next())) !== null;) {
    const { type, streamId, payload, fields } = found;
    if (type === FrameType.GOAWAY) {
      goaways.push([uint32At(payload, 0), uint32At(payload, 4)]);
    }
    const status = Object.fromEntries(fields)["grpc-status"];
    if (status !== undefined) statuses[streamId] = status;
  }
  return { statuses, goaways };
}

/** What makes a server shut its connections down. */
const SHUTDOWNS = {
  "Server.close()": {
    config: {},
    begin: (server: Server) => server.close({ graceMs: 60_000 }),
  },
  "the maximum age": { config: { maxConnectionAgeMs: 1 }, begin() {} },
};

for (const [name, { config, begin: shutDown }] of Object.entries(SHUTDOWNS)) {
  Deno.test(`Server serves the calls that come before the client knows of the end, with ${name}`, async () => {
    await using echo = await startEcho({ server: { config } });
    using client = await RawConnection.open(echo.port);
    await client.nextOf(FrameType.SETTINGS);
    shutDown(echo.server);
    assertEquals(await goaway(client), [MAX_STREAM_ID, 0]);
    // The client has not acknowledged a PING: it may not have seen the GOAWAY.
    await begin(client, 1);
    // It has seen it when it acknowledges the first, and yet sends what it had
    // begun, as proxies do.
    await client.nextOf(FrameType.PING);
    await begin(client, 3);
    assertEquals(await rest(client), {
      statuses: { 1: "0", 3: "0" },
      goaways: [[3, 0]],
    });
  });
}

Deno.test("Server.close() lets a call run on that came without others, after it", async () => {
  const clock = new VirtualClock();
  const waiters = new Waiters();
  await using echo = await startEcho({
    server: { clock },
    handlers: { unary: waiters.handlers.unary },
  });
  using client = await RawConnection.open(echo.port);
  await client.nextOf(FrameType.SETTINGS);
  echo.server.close({ graceMs: 60_000 });
  assertEquals(await goaway(client), [MAX_STREAM_ID, 0]);
  await begin(client, 1);
  await waiters.started;
  // Far longer than a connection without calls is kept.
  await clock.advance(30_000);
  assertEquals(echo.server[runningHandlers], [PATHS.unary]);
  await clock.advance(30_000);
  const { statuses } = await rest(client);
  assertEquals(statuses, { 1: `${Status.UNAVAILABLE}` });
});

Deno.test("Server.close() takes on no more calls of a client that acknowledges nothing", async () => {
  const clock = new VirtualClock();
  await using echo = await startEcho({ server: { clock } });
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.unary));
  echo.server.close({ graceMs: 60_000 });
  assertEquals(await goaway(client), [MAX_STREAM_ID, 0]);
  await clock.advance(5_000);
  assertEquals(await goaway(client), [1, 0]);
  await client.data(1, grpcMessage(new Uint8Array()), { end: true });
  await assertServed(client, 1);
});

Deno.test("Server.close() refuses calls when the grace is over", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({
    handlers: { bidi: waiters.handlers.bidi },
  });
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.bidi));
  await waiters.started;
  echo.server.close();
  assertEquals(await goaway(client), [MAX_STREAM_ID, 0]);
  await begin(client, 3);
  assertEquals((await client.reply(3)).code, 7);
});

Deno.test("Server.close() serves a client that has only connected", async () => {
  await using echo = await startEcho();
  using client = await RawConnection.connect(echo.port);
  // When one that came later is served, this one is accepted.
  await echo.stub.unary({});
  echo.server.close({ graceMs: 60_000 });
  await client.write(PREFACE);
  await client.settings();
  const first = await soon(client.next());
  assertEquals(first?.type, FrameType.SETTINGS);
  await begin(client, 1);
  await assertServed(client, 1);
  assertEquals(await goaway(client), [MAX_STREAM_ID, 0]);
  assertEquals(await goaway(client), [1, 0]);
});

Deno.test("Server.close() serves clients whose connections wait to be accepted", async () => {
  await using server = new Server([echo]);
  await server.start("127.0.0.1");
  using clients = new DisposableStack();
  const all = await Promise.all(
    Array.from({ length: 100 }, () => RawConnection.connect(server.port!)),
  );
  for (const client of all) clients.use(client);
  // Now, so that some are not accepted yet.
  server.close({ graceMs: 60_000 });
  await Promise.all(all.map(async (client) => {
    await client.write(PREFACE);
    await client.settings();
    await begin(client, 1);
    await assertServed(client, 1);
  }));
  await soon(server.waitClosed());
});

Deno.test("Server.close() serves a client whose TLS handshake is under way", async () => {
  const authority = new Authority();
  const { cert, key } = authority.issue({
    commonName: "localhost",
    hosts: ["127.0.0.1"],
  });
  await using server = new Server([echo]);
  await server.start("127.0.0.1", 0, { tls: { cert, key } });
  const address = { hostname: "127.0.0.1", port: server.port! };
  const conn = await Deno.connect(address);
  await using other = new Channel("127.0.0.1", server.port!, {
    tls: { ca: authority.cert },
  });
  // When one that came later is served, this one is accepted.
  await createStub(Echo, other).unary({});
  server.close({ graceMs: 60_000 });
  await using channel = new Channel("127.0.0.1", server.port!, {
    connect: () =>
      Deno.startTls(conn, {
        ...address,
        caCerts: [authority.cert],
        alpnProtocols: ["h2"],
      }),
  });
  const { text } = await soon(createStub(Echo, channel).unary({ text: "in" }));
  assertEquals(text, "in");
});

Deno.test("Server.close() goes on as before for drainMs, while its health is NOT_SERVING", async () => {
  const clock = new VirtualClock();
  await using server = new Server([echo, new Health()], { clock });
  await server.start("127.0.0.1");
  const port = server.port!;
  server.close({ drainMs: 10_000, graceMs: 60_000 });
  await clock.advance(9_999);
  {
    await using channel = new Channel("127.0.0.1", port);
    const { text } = await createStub(Echo, channel).unary({ text: "still" });
    assertEquals(text, "still");
    const { status } = await createStub(HealthService, channel).check({});
    assertEquals(status, HealthCheckResponse_ServingStatus.NOT_SERVING);
  }
  await clock.advance(1);
  await soon(server.waitClosed());
  await using channel = new Channel("127.0.0.1", port);
  await assertStatus(
    Status.UNAVAILABLE,
    () => createStub(Echo, channel).unary({}),
  );
});

Deno.test("Server.close() can only shorten drainMs when it is called again", async () => {
  const clock = new VirtualClock();
  await using server = new Server([echo], { clock });
  await server.start("127.0.0.1");
  server.close({ drainMs: 10_000 });
  server.close({ drainMs: 5_000 });
  server.close({ drainMs: 20_000 });
  await clock.advance(5_000);
  await soon(server.waitClosed());
  assertEquals(clock.timers, 0);
});

Deno.test("Server.close() throws when drainMs is wrong", () => {
  const server = new Server([]);
  assertThrows(() => server.close({ drainMs: -1 }), RangeError, "drainMs");
  assertThrows(
    () => server.close({ drainMs: "1" as unknown as number }),
    TypeError,
    "drainMs",
  );
});
