/** The end of a server: with and without grace, whatever clients and handlers do. */

import {
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertRejects,
} from "@std/assert";
import { GRPCError, Status, StreamTerminatedError } from "../../client.ts";
import { Server } from "../../server.ts";
import {
  echo,
  type EchoPair,
  PATHS,
  startEcho,
} from "../../_testdata/echo_service.ts";
import {
  type Frame,
  frame,
  FrameType,
  grpcMessage,
  RawConnection,
  requestFields,
  Setting,
  uint32At,
} from "../../_testdata/raw_h2.ts";
import { assertStatus, Waiters } from "../../_testdata/waiters.ts";
import { settled, soon, turns, whenAborted } from "../../_testdata/waiting.ts";

const SHUTTING_DOWN = "Server is shutting down";

/** Closes a server and waits, by no clock of the server's. */
async function close(
  { server }: EchoPair,
  options?: { graceMs: number },
): Promise<void> {
  server.close(options);
  await soon(server.waitClosed(), "the server to close");
}

Deno.test("Server.close() ends at once when its clients are idle", async () => {
  await using echo = await startEcho();
  await echo.stub.unary({});
  await close(echo);
});

Deno.test("Server.close() ends at once when its clients are idle, whatever the grace", async () => {
  await using echo = await startEcho();
  await echo.stub.unary({});
  await close(echo, { graceMs: 600_000 });
});

Deno.test("Server.close() aborts the signals of running handlers, and their clients see UNAVAILABLE", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  const calls = [
    echo.stub.unary({}),
    Array.fromAsync(echo.stub.serverStream({})),
    echo.stub.clientStream(new ReadableStream()),
    Array.fromAsync(echo.stub.bidi(new ReadableStream())),
  ];
  for (const call of calls) call.catch(() => {});
  await waiters.started;
  await turns(5);
  echo.server.close();
  for (const call of calls) {
    const error = await assertStatus(
      Status.UNAVAILABLE,
      () => call,
      SHUTTING_DOWN,
    );
    // A status that the server sent, and not the loss of the connection.
    assertEquals(error instanceof StreamTerminatedError, false);
  }
  const reason = await waiters.aborted;
  assertInstanceOf(reason, GRPCError);
  assertEquals([reason.status, reason.message], [
    Status.UNAVAILABLE,
    SHUTTING_DOWN,
  ]);
  await soon(echo.server.waitClosed());
});

Deno.test("Server.close() lets running calls end when they do within the grace", async () => {
  const go = Promise.withResolvers<void>();
  const started = Promise.withResolvers<AbortSignal>();
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        started.resolve(stream.signal);
        await go.promise;
        await stream.sendMessage({ text: "finished" });
      },
    },
  });
  const call = echo.stub.unary({});
  const signal = await started.promise;
  let closed = false;
  echo.server.close({ graceMs: 60_000 });
  const closing = echo.server.waitClosed().then(() => closed = true);
  await turns(20);
  assertEquals([closed, signal.aborted], [false, false]);
  go.resolve();
  assertEquals((await call).text, "finished");
  await soon(closing);
  assertEquals(signal.aborted, false);
});

Deno.test("Server.close() lets a stream flow on when it does within the grace", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.bidi.open();
  const payload = new Uint8Array(100_000);
  await stream.sendMessage({ payload, count: 10 });
  assertEquals((await stream.recvMessage())?.index, 0);
  echo.server.close({ graceMs: 60_000 });
  for (let round = 0; round < 20; round++) {
    await stream.sendMessage({ payload, count: 10 });
    for (let i = 0; i < 10; i++) await soon(stream.recvMessage());
  }
  await stream.end();
  assertEquals((await soon(Array.fromAsync(stream))).length, 9);
  await soon(echo.server.waitClosed());
});

Deno.test("Server.close() aborts what is still running when the grace is over", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  const call = echo.stub.unary({});
  await waiters.started;
  const start = performance.now();
  echo.server.close({ graceMs: 60 });
  await assertStatus(Status.UNAVAILABLE, () => call, SHUTTING_DOWN);
  const took = performance.now() - start;
  assertGreater(took, 55);
  await soon(echo.server.waitClosed());
});

Deno.test("Server.close() can only shorten the grace when it is called again", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  const call = echo.stub.unary({});
  await waiters.started;
  echo.server.close({ graceMs: 60_000 });
  echo.server.close({ graceMs: 50 });
  echo.server.close({ graceMs: 70_000 });
  echo.server.close({ graceMs: Infinity });
  await assertStatus(Status.UNAVAILABLE, () => call, SHUTTING_DOWN);
  await soon(echo.server.waitClosed());
});

Deno.test("Server.close() ends the grace when it is called again without", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  const call = echo.stub.unary({});
  await waiters.started;
  echo.server.close({ graceMs: Infinity });
  await turns(5);
  echo.server.close();
  await assertStatus(Status.UNAVAILABLE, () => call, SHUTTING_DOWN);
  await soon(echo.server.waitClosed());
});

Deno.test("Server.waitClosed() waits for handlers that do not care", async () => {
  const go = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  let done = false;
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        started.resolve();
        await go.promise;
        done = true;
        // Too late, and told so.
        await assertRejects(() => stream.sendMessage({}), GRPCError);
      },
    },
  });
  const call = echo.stub.unary({});
  await started.promise;
  echo.server.close();
  // The client does not have to wait for them.
  await assertStatus(Status.UNAVAILABLE, () => call);
  let closed = false;
  const closing = echo.server.waitClosed().then(() => closed = true);
  await turns(30);
  assertEquals([closed, done], [false, false]);
  go.resolve();
  await soon(closing);
  assertEquals(done, true);
});

Deno.test("Server.close() takes no new connections while calls run on", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({
    handlers: { bidi: waiters.handlers.bidi },
  });
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.bidi));
  await waiters.started;
  echo.server.close({ graceMs: 60_000 });
  // When clients are told, the port is closed.
  await client.nextOf(FrameType.GOAWAY);
  await assertStatus(Status.UNAVAILABLE, () => echo.stub.unary({}));
  client.close();
  await soon(echo.server.waitClosed());
});

/** A client that calls, and whose window stays shut. */
async function readingNothing(port: number) {
  const client = await RawConnection.open(port, [[
    Setting.INITIAL_WINDOW_SIZE,
    0,
  ]]);
  await client.headers(1, requestFields(PATHS.serverStream));
  await client.data(1, grpcMessage(new Uint8Array()), { end: true });
  return client;
}

/** Clients that do nothing for the end of their connection. */
const CLIENTS = [
  function silent(port: number) {
    return RawConnection.connect(port);
  },
  function idle(port: number) {
    return RawConnection.open(port);
  },
  async function withCallRunning(port: number) {
    const client = await RawConnection.open(port);
    await client.headers(1, requestFields(PATHS.bidi));
    await client.data(1, grpcMessage(new Uint8Array()));
    return client;
  },
  async function withHalfRequest(port: number) {
    const client = await RawConnection.open(port);
    await client.headers(1, requestFields(PATHS.unary));
    return client;
  },
  readingNothing,
];

for (const graceMs of [0, 100]) {
  Deno.test(`Server.close() ends when clients do nothing for it, with a grace of ${graceMs} ms`, async () => {
    await using echo = await startEcho({
      handlers: {
        bidi: (stream) => whenAborted(stream.signal).then(() => {}),
        serverStream: async (stream) => {
          await stream.sendMessage({ payload: new Uint8Array(10_000) });
        },
      },
    });
    using clients = new DisposableStack();
    for (const connect of CLIENTS) clients.use(await connect(echo.port));
    await echo.stub.clientStream([]);
    await turns(5);
    await close(echo, { graceMs });
  });
}

Deno.test("Server.close() ends after the grace when handlers are through and a client reads nothing", async () => {
  const go = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        await go.promise;
        await stream.sendMessage({ payload: new Uint8Array(10_000) });
        done.resolve();
      },
    },
  });
  using _client = await readingNothing(echo.port);
  await echo.stub.clientStream([]);
  const start = performance.now();
  echo.server.close({ graceMs: 100 });
  go.resolve();
  // Nothing runs any more, and yet the client may still want what was sent.
  await done.promise;
  await soon(echo.server.waitClosed(), "the server to close");
  const took = performance.now() - start;
  assertGreater(took, 99);
});

Deno.test("Server.close() ends when a client has a backlog that it does not read", async () => {
  let sent = 0;
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        const payload = new Uint8Array(65_536);
        for (;; sent++) await stream.sendMessage({ payload });
      },
    },
  });
  using client = await RawConnection.open(echo.port, [
    [Setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1],
  ]);
  await client.windowUpdate(0, 2 ** 30);
  await client.headers(1, requestFields(PATHS.serverStream));
  await client.data(1, grpcMessage(new Uint8Array()), { end: true });
  await settled(() => sent);
  await close(echo);
});

Deno.test("Server is closed without grace when its block is left", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  const call = echo.stub.unary({});
  call.catch(() => {});
  {
    await using _server = echo.server;
    await waiters.started;
  }
  await assertStatus(Status.UNAVAILABLE, () => call, SHUTTING_DOWN);
});

Deno.test("Channel fails calls with UNAVAILABLE when the server is gone, and connects to the next", async () => {
  await using first = await startEcho({
    channel: { config: { initialReconnectBackoffMs: 50 } },
  });
  await first.stub.unary({});
  first.server.close();
  await soon(first.server.waitClosed());
  const error = await assertStatus(
    Status.UNAVAILABLE,
    () => first.stub.unary({}),
    `Cannot connect to 127.0.0.1:${first.port}: `,
  );
  assertInstanceOf(error.cause, Error);
  await using next = new Server([echo]);
  await next.start("127.0.0.1", first.port);
  const again = first.stub.unary({ text: "again" }, { waitForReady: true });
  assertEquals((await again).text, "again");
});

Deno.test("Server.close() names no later stream in a GOAWAY than it has before, when the client has said GOAWAY itself", async () => {
  const go = Promise.withResolvers<void>();
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        await go.promise;
        await stream.sendMessage({ text: "finished" });
      },
    },
  });
  using client = await RawConnection.open(echo.port);
  await client.headers(1, requestFields(PATHS.unary));
  await client.data(1, grpcMessage(new Uint8Array()), { end: true });
  await client.goaway(0, 0);
  // The server has seen it when it answers the PING behind it.
  await client.write(frame(FrameType.PING, {}, new Uint8Array(8)));
  const frames: Frame[] = [await client.nextOf(FrameType.PING)];
  echo.server.close({ graceMs: 10_000 });
  setTimeout(go.resolve, 20);
  for (let next; (next = await soon(client.next())) !== null;) {
    frames.push(next);
  }
  const heads = frames.filter(({ type }) => type === FrameType.HEADERS);
  assertEquals(heads.length, 2, "head and trailers");
  const last = frames
    .filter(({ type }) => type === FrameType.GOAWAY)
    .map(({ payload }) => uint32At(payload, 0));
  assertEquals(last, last.toSorted((a, b) => b - a));
});
