// A server with too much to do: which calls wait, and which are refused.

import { assert, assertEquals, assertLess } from "@std/assert";
import { Status } from "../../core/status.ts";
import type { GRPCError } from "../../client.ts";
import type { ConfigurationOptions } from "../../server.ts";
import {
  type EchoHandlers,
  PATHS,
  startEcho,
} from "../../_testdata/echo_service.ts";
import {
  grpcMessage,
  RawConnection,
  requestFields,
} from "../../_testdata/raw_h2.ts";
import { settled, soon, until } from "../../_testdata/waiting.ts";

const CANCEL = 8;
const EMPTY = grpcMessage(new Uint8Array());

/** A server whose handlers of `unary` run until a test says so, come what may. */
async function startHanging(
  config: ConfigurationOptions,
  handlers: EchoHandlers = {},
) {
  let started = 0;
  let running = 0;
  let most = 0;
  const goOn = Promise.withResolvers<void>();
  const reasons: string[] = [];
  const pair = await startEcho({
    handlers: {
      async unary(stream) {
        started++;
        most = Math.max(most, ++running);
        await goOn.promise;
        running--;
        await stream.sendMessage({ text: "late" }).catch(() => {});
      },
      ...handlers,
    },
    server: {
      config,
      onRefusedCall: ({ reason, methodName }) => {
        reasons.push(`${reason} ${methodName}`);
      },
    },
  });
  return {
    ...pair,
    reasons,
    goOn: () => goOn.resolve(),
    counts: () => ({ started, running, most }),
    async [Symbol.asyncDispose]() {
      goOn.resolve();
      await pair[Symbol.asyncDispose]();
    },
  };
}

async function request(
  connection: RawConnection,
  streamId: number,
  path: string = PATHS.unary,
): Promise<void> {
  await connection.headers(streamId, requestFields(path));
  await connection.data(streamId, EMPTY, { end: true });
}

Deno.test("Server counts handlers until they return, though their calls were cancelled", async () => {
  await using server = await startHanging({ maxConcurrentStreams: 3 });
  using connection = await RawConnection.open(server.port);
  for (let i = 0; i < 9; i++) {
    await request(connection, 2 * i + 1);
    await settled(() => server.counts().started);
    if (i < 8) await connection.rstStream(2 * i + 1, CANCEL);
  }
  await settled(() => server.counts().started);
  assertEquals(server.counts().most, 3);
  server.goOn();
  // The last one waited, and is served.
  const { trailers } = await connection.reply(17);
  assertEquals(trailers["grpc-status"], "0");
  assertEquals(server.counts().started, 4);
});

Deno.test("Server counts handlers until they return, though their deadlines are over", async () => {
  await using server = await startHanging({ maxConcurrentStreams: 2 });
  using connection = await RawConnection.open(server.port);
  for (let i = 0; i < 6; i++) {
    const streamId = 2 * i + 1;
    await connection.headers(
      streamId,
      requestFields(PATHS.unary, { "grpc-timeout": "20m" }),
    );
    await connection.data(streamId, EMPTY, { end: true });
    const { trailers } = await connection.reply(streamId);
    assertEquals(trailers["grpc-status"], `${Status.DEADLINE_EXCEEDED}`);
  }
  assertLess(server.counts().started, 3);
});

Deno.test("Server refuses a call when too many run and wait, and says when to try again", async () => {
  await using server = await startHanging({
    maxRunningCalls: 1,
    maxQueuedCalls: 0,
  });
  using connection = await RawConnection.open(server.port);
  await request(connection, 1);
  await request(connection, 3);
  const { head } = await connection.reply(3);
  assertEquals(head["grpc-status"], `${Status.RESOURCE_EXHAUSTED}`);
  assertEquals(head["grpc-retry-pushback-ms"], "1000");
  assertEquals(server.reasons, [`calls ${PATHS.unary}`]);
  assertEquals(server.server.refusedCalls, 1);
});

Deno.test("Server has a call wait when too many run, and runs it when one is through", async () => {
  await using server = await startHanging({ maxRunningCalls: 1 });
  const first = server.stub.unary({});
  await until(() => server.counts().running === 1, "the first runs");
  const second = server.stub.unary({});
  await settled(() => server.counts().started);
  assertEquals(server.counts().started, 1);
  server.goOn();
  const replies = await soon(Promise.all([first, second]));
  assertEquals(replies.map(({ text }) => text), ["late", "late"]);
  assertEquals(server.counts(), { started: 2, running: 0, most: 1 });
  assertEquals(server.server.refusedCalls, 0);
});

Deno.test("Server refuses a call that has waited for too long", async () => {
  await using server = await startHanging({
    maxRunningCalls: 1,
    maxQueueTimeMs: 20,
  });
  using connection = await RawConnection.open(server.port);
  await request(connection, 1);
  await request(connection, 3);
  const { head } = await connection.reply(3);
  assertEquals(head["grpc-status"], `${Status.RESOURCE_EXHAUSTED}`);
  assert(head["grpc-message"]!.includes("waited for 20 ms"));
});

Deno.test("Server lets a call that waits be cancelled, and does not run it", async () => {
  await using server = await startHanging({ maxRunningCalls: 1 });
  const first = server.stub.unary({});
  await until(() => server.counts().running === 1, "the first runs");
  const abort = new AbortController();
  const second = server.stub.unary({}, { signal: abort.signal });
  const ended = second.catch(({ status }: GRPCError) => status);
  await settled(() => server.counts().started);
  abort.abort();
  assertEquals(await ended, Status.CANCELLED);
  await settled(() => server.counts().started);
  server.goOn();
  await first;
  assertEquals((await server.stub.unary({})).text, "late");
  assertEquals(server.counts().started, 2);
});

Deno.test("Server limits the handlers of a method, and runs those of others", async () => {
  await using server = await startHanging({ maxRunningCallsPerMethod: 1 });
  using connection = await RawConnection.open(server.port);
  for (const streamId of [1, 3, 5]) await request(connection, streamId);
  await request(connection, 7, PATHS.serverStream);
  const { head } = await connection.reply(7);
  assertEquals(head["grpc-status"], "0");
  assertEquals(server.counts().most, 1);
});

Deno.test("Server leaves room for connections with few calls when others have many", async () => {
  await using server = await startHanging({ maxRunningCalls: 100 });
  const connections: RawConnection[] = [];
  for (let i = 0; i < 4; i++) {
    const connection = await RawConnection.open(server.port);
    connections.push(connection);
    for (let i = 0; i < 100; i++) await request(connection, 2 * i + 1);
  }
  await until(() => server.counts().running >= 75, "most may run");
  await settled(() => server.counts().running);
  assertLess(server.counts().running, 85);
  const before = server.counts().running;
  const call = server.stub.unary({});
  await until(() => server.counts().running > before, "another one runs");
  server.goOn();
  assertEquals((await call).text, "late");
  for (const connection of connections) connection.close();
});

Deno.test("Server ends an unfinished request of which nothing comes, and no stream between its messages", async () => {
  await using server = await startHanging({ requestTimeoutMs: 30 });
  using connection = await RawConnection.open(server.port);
  const bidi = server.stub.bidi.open();
  await bidi.sendMessage({ text: "a", count: 1 });
  assertEquals((await bidi.recvMessage())!.text, "a");
  for (const [streamId, bytes] of [[1, 0], [3, 7]] as const) {
    await connection.headers(streamId, requestFields(PATHS.unary));
    const part = grpcMessage(new Uint8Array(bytes), { length: 100 });
    if (bytes > 0) await connection.data(streamId, part);
    const { head } = await connection.reply(streamId);
    assertEquals(head["grpc-status"], `${Status.DEADLINE_EXCEEDED}`);
  }
  assertEquals(server.reasons, Array(2).fill(`time ${PATHS.unary}`));
  await bidi.sendMessage({ text: "b", count: 1 }, { end: true });
  assertEquals((await bidi.recvMessage())!.text, "b");
  assertEquals(await bidi.recvMessage(), null);
});

Deno.test("Server refuses calls when the event loop is late again and again, and serves them when it is not", async () => {
  await using server = await startHanging({ maxEventLoopDelayMs: 10 }, {
    unary: (stream) => stream.sendMessage({ text: "hi" }),
  });
  const blocker = setInterval(() => {
    const end = performance.now() + 50;
    while (performance.now() < end);
  }, 0);
  let status: Status = Status.OK;
  for (let i = 0; i < 100 && status === Status.OK; i++) {
    await server.stub.unary({}).catch((error) => status = error.status);
  }
  clearInterval(blocker);
  assertEquals(status, Status.UNAVAILABLE);
  assertEquals(server.reasons[0], `delay ${PATHS.unary}`);
  for (let isServed = false; !isServed;) {
    isServed = await server.stub.unary({}).then(() => true, () => false);
  }
});

Deno.test("Server goes on when what it tells of a refusal throws", async () => {
  const goOn = Promise.withResolvers<void>();
  await using pair = await startEcho({
    handlers: {
      async unary(stream) {
        await goOn.promise;
        await stream.sendMessage({});
      },
    },
    server: {
      config: { maxRunningCalls: 1, maxQueuedCalls: 0 },
      onRefusedCall() {
        throw new Error("Told");
      },
    },
  });
  using connection = await RawConnection.open(pair.port);
  await request(connection, 1);
  await request(connection, 3);
  const { head } = await connection.reply(3);
  assertEquals(head["grpc-status"], `${Status.RESOURCE_EXHAUSTED}`);
  goOn.resolve();
  assertEquals((await connection.reply(1)).trailers["grpc-status"], "0");
});
