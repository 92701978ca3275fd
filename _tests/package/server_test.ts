/** The server's port and services. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Channel, createStub, Status } from "../../client.ts";
import {
  createService,
  mapping,
  ProtocolError,
  Server,
  type ServerOptions,
  type Service,
} from "../../server.ts";
import {
  echo,
  echoWith,
  PATHS,
  startEcho,
} from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { soon, turns, until } from "../../_testdata/waiting.ts";

/** Calls the service on a port. */
async function callEcho(port: number, text = "hello"): Promise<string> {
  await using channel = new Channel("127.0.0.1", port);
  const reply = await createStub(Echo, channel).unary({ text });
  return reply.text;
}

Deno.test("Server.start() listens on a free port when it is given none", async () => {
  await using server = new Server([echo]);
  assertEquals([server.address, server.port], [null, null]);
  await server.start("127.0.0.1");
  assert(server.port !== null && server.port > 0);
  assertEquals(server.address, `127.0.0.1:${server.port}`);
  assertEquals(await callEcho(server.port), "hello");
});

Deno.test("Server.start() listens on the port that it is given", async () => {
  let port: number;
  {
    await using first = new Server([echo]);
    await first.start("127.0.0.1", 0);
    port = first.port!;
  }
  await using second = new Server([echo]);
  await second.start("127.0.0.1", port);
  assertEquals(second.port, port);
  assertEquals(await callEcho(port), "hello");
});

Deno.test("Server.start() rejects when the port is in use, and can be tried again", async () => {
  await using first = new Server([echo]);
  await first.start("127.0.0.1");
  const port = first.port!;
  await using second = new Server([echo]);
  const error = await assertRejects(
    () => second.start("127.0.0.1", port),
    Error,
    `Cannot listen on 127.0.0.1, port ${port}: `,
  );
  assertStringIncludes(error.message, "EADDRINUSE");
  assertInstanceOf(error.cause, Error);
  assertEquals([second.address, second.port], [null, null]);
  // The first one does not mind, and the second may try elsewhere.
  assertEquals(await callEcho(port), "hello");
  await second.start("127.0.0.1");
  assertEquals(await callEcho(second.port!), "hello");
});

Deno.test("Server.close() is enough when starting failed", async () => {
  await using first = new Server([echo]);
  await first.start("127.0.0.1");
  const second = new Server([echo]);
  await assertRejects(() => second.start("127.0.0.1", first.port!));
  second.close();
  await soon(second.waitClosed());
});

Deno.test("Server.start() rejects when it was started before", async () => {
  await using server = new Server([echo]);
  await server.start("127.0.0.1");
  await assertRejects(
    () => server.start("127.0.0.1"),
    ProtocolError,
    "Server is already started",
  );
  assertEquals(await callEcho(server.port!), "hello");
});

Deno.test("Server.start() rejects when the server is closed", async () => {
  const server = new Server([echo]);
  server.close();
  await assertRejects(
    () => server.start("127.0.0.1"),
    ProtocolError,
    "Server is closed",
  );
  await soon(server.waitClosed());
});

Deno.test("Server.start() rejects when the server is closed meanwhile, and no port stays open", async () => {
  const server = new Server([echo]);
  const started = server.start("127.0.0.1");
  started.catch(() => {});
  server.close();
  await soon(server.waitClosed());
  await assertRejects(() => soon(started), ProtocolError, "Server is closed");
  await turns(5);
  assertEquals([server.address, server.port], [null, null]);
});

Deno.test("Server.start() rejects when the port is out of range", async () => {
  await using server = new Server([echo]);
  for (const port of [-1, 65536, 1.5, NaN, Infinity]) {
    await assertRejects(
      () => server.start("127.0.0.1", port),
      RangeError,
      "Cannot start server: port must be an integer from 0 to 65535",
    );
  }
  await server.start("127.0.0.1");
});

Deno.test("Server.start() rejects when a number is out of range", async () => {
  await using server = new Server([echo]);
  for (const [name, value] of [["fd", -1], ["fd", 1.5], ["backlog", 0]]) {
    await assertRejects(
      () => server.start({ [name!]: value }),
      RangeError,
      `Cannot start server: ${name} must be an integer from `,
    );
  }
  await server.start("127.0.0.1");
});

Deno.test("Server.start() rejects when it is told several places to listen on, or none that could be", async () => {
  await using server = new Server([echo]);
  const path = "/run/x.sock";
  for (
    const start of [
      () => server.start("127.0.0.1", 0, { path }),
      () => server.start(undefined, 50051, { path }),
      () => server.start("127.0.0.1", 0, { fd: 3 }),
      () => server.start({ path, fd: 3 }),
    ]
  ) {
    await assertRejects(
      start,
      TypeError,
      "Cannot start server: it listens on a host and port, or a path, or an fd",
    );
  }
  for (const bad of ["", "\0", "a\0b"]) {
    await assertRejects(
      () => server.start({ path: bad }),
      TypeError,
      "Cannot start server: path must be the path of a unix socket",
    );
  }
  await server.start("127.0.0.1");
});

Deno.test("Server.start() rejects when there is no permission for a unix socket, or no such file descriptor", async () => {
  await using server = new Server([echo]);
  await assertRejects(
    () => server.start({ path: "/tmp/forbidden.sock" }),
    Error,
    "Cannot listen on unix:/tmp/forbidden.sock: Requires read access",
  );
  await assertRejects(
    () => server.start({ fd: 999_999 }),
    Error,
    "Cannot listen on file descriptor 999999: ",
  );
  await server.start("127.0.0.1");
});

Deno.test("Server.start() takes a backlog and more", async () => {
  await using server = new Server([echo]);
  await server.start("127.0.0.1", 0, { backlog: 8 });
  assertEquals(await callEcho(server.port!), "hello");
});

Deno.test("Server.waitClosed() waits until the server is closed", async () => {
  const server = new Server([echo]);
  await server.start("127.0.0.1");
  let closed = false;
  const waiting = server.waitClosed().then(() => closed = true);
  await turns(5);
  assertEquals(closed, false);
  server.close();
  await soon(waiting);
  // And again, at once.
  await soon(server.waitClosed());
});

Deno.test("Server.close() does nothing more when it is called twice", async () => {
  const server = new Server([echo]);
  await server.start("127.0.0.1");
  server.close();
  server.close();
  await soon(server.waitClosed());
  server.close();
});

Deno.test("Server.close() throws when the grace is no number of at least 0", async () => {
  await using server = new Server([echo]);
  await server.start("127.0.0.1");
  for (const graceMs of [-1, NaN, "7" as unknown as number]) {
    assertThrows(
      () => server.close({ graceMs }),
      graceMs === -1 || Number.isNaN(graceMs) ? RangeError : TypeError,
      "Cannot close server: graceMs must be a number of at least 0",
    );
  }
  // It was not closed by that.
  assertEquals(await callEcho(server.port!), "hello");
});

Deno.test("Server refuses connections when it is closed", async () => {
  const server = new Server([echo]);
  await server.start("127.0.0.1");
  const port = server.port!;
  server.close();
  await soon(server.waitClosed());
  await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }));
});

Deno.test("Server serves many services, of two with one path the later", async () => {
  const shout: Service = {
    [mapping]: () => ({
      "/test.Shout/Shout": {
        ...echo[mapping]()[PATHS.unary]!,
        handle: (stream) => stream.sendMessage({ text: "SHOUT" }),
      },
    }),
  };
  const later = echoWith({
    unary: (stream) => stream.sendMessage({ text: "later" }),
  });
  await using server = new Server(new Set([echo, shout, later]));
  await server.start("127.0.0.1");
  assertEquals(await callEcho(server.port!), "later");
});

Deno.test("Server() throws when a service is none", () => {
  for (const bad of [undefined, null, {}, 7, { [mapping]: {} }]) {
    assertThrows(
      () => new Server([bad as unknown as Service]),
      TypeError,
      "Cannot create server: a service needs a [mapping]() method",
    );
  }
});

Deno.test("Server() throws when an option is wrong", () => {
  const config = { http2StreamWindowSize: 1 };
  assertThrows(() => new Server([], { config }), RangeError);
  const unknown = { config: { noSuch: 1 } } as ServerOptions;
  assertThrows(() => new Server([], unknown), TypeError, "noSuch");
});

Deno.test("createService() throws when a method has no function", () => {
  assertThrows(
    () =>
      createService(
        Echo,
        { unary: () => ({}) } as unknown as Parameters<
          typeof createService<typeof Echo>
        >[1],
      ),
    TypeError,
    "Cannot create service grpclib.test.Echo: method serverStream must be a function",
  );
});

Deno.test("createService() keeps the object of the functions when they use this", async () => {
  class Counter {
    count = 0;
    unary() {
      return { index: ++this.count };
    }
    serverStream() {
      return [{ index: ++this.count }, { index: ++this.count }];
    }
    async clientStream() {
      await Promise.resolve();
      return { index: ++this.count };
    }
    *bidi() {
      yield { index: ++this.count };
    }
  }
  await using server = new Server([createService(Echo, new Counter())]);
  await server.start("127.0.0.1");
  await using channel = new Channel("127.0.0.1", server.port!);
  const stub = createStub(Echo, channel);
  assertEquals((await stub.unary({})).index, 1);
  const replies = await Array.fromAsync(stub.serverStream({}));
  assertEquals(replies.map(({ index }) => index), [2, 3]);
  assertEquals((await stub.clientStream([])).index, 4);
  assertEquals((await Array.fromAsync(stub.bidi([])))[0]?.index, 5);
});

Deno.test("Server knows the client's address", async () => {
  const peers: string[] = [];
  await using server = new Server([
    echoWith({
      unary(stream) {
        peers.push(`${stream.peer}`);
        return stream.sendMessage({});
      },
    }),
  ]);
  await server.start("127.0.0.1");
  await callEcho(server.port!);
  await callEcho(server.port!);
  assertEquals(peers.length, 2);
  for (const peer of peers) assertMatch(peer, /^127\.0\.0\.1:\d+$/);
  assert(peers[0] !== peers[1]);
});

for (
  const [how, onError] of [
    ["throws", () => {
      throw new Error("of onError");
    }],
    ["rejects", () => Promise.reject(new Error("of onError"))],
  ] as const
) {
  Deno.test(`Server() goes on when its onError ${how}`, async () => {
    const { error } = console;
    const logged: unknown[] = [];
    console.error = (...args: unknown[]) => logged.push(args[1]);
    try {
      await using echo = await startEcho({
        handlers: {
          unary() {
            throw new Error("of the handler");
          },
          async clientStream() {
            await turns(1);
            throw new Error("of the handler");
          },
        },
        server: { onError },
      });
      let calls = 0;
      for (
        const call of [
          () => echo.stub.unary({}),
          () => echo.stub.clientStream([]),
        ]
      ) {
        await assertStatus(Status.UNKNOWN, call, "Internal Server Error");
        calls++;
        await until(() => logged.length === 2 * calls, "all is told");
      }
    } finally {
      console.error = error;
    }
    assertEquals(logged.map((it) => (it as Error).message), [
      "of the handler",
      "of onError",
      "of the handler",
      "of onError",
    ]);
  });
}

Deno.test("Server() goes on when those reject that are told of connections and refused calls", async () => {
  const unhandled: unknown[] = [];
  const onUnhandled = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onUnhandled);
  try {
    const told: string[] = [];
    const goOn = Promise.withResolvers<void>();
    const reject = (what: string) => {
      told.push(what);
      return Promise.reject(new Error(what));
    };
    await using echo = await startEcho({
      handlers: {
        async unary(stream) {
          await goOn.promise;
          await stream.sendMessage({});
        },
      },
      server: {
        config: { maxConnections: 1, maxRunningCalls: 1, maxQueuedCalls: 0 },
        onConnectionError: () => reject("connection"),
        onRefusedCall: () => reject("call"),
      },
    });
    const calls = [echo.stub.unary({}), echo.stub.unary({})];
    const ends = Promise.allSettled(calls);
    await until(() => told.includes("call"), "a call is refused");
    await using other = new Channel("127.0.0.1", echo.port);
    other.connect();
    await until(() => told.includes("connection"), "a connection is refused");
    goOn.resolve();
    const states = (await ends).map(({ status }) => status);
    assertEquals(states.sort(), ["fulfilled", "rejected"]);
    await turns(2);
  } finally {
    globalThis.removeEventListener("unhandledrejection", onUnhandled);
  }
  assertEquals(unhandled, []);
});
