/** Connections that somebody else makes: the channel's `connect`, the server's `accept()`. */

import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import net from "node:net";
import { Duplex } from "node:stream";
import {
  Channel,
  type Connection,
  type ConnectOptions,
  createStub,
  GRPCError,
  ProtocolError,
  Status,
} from "../../client.ts";
import { Server } from "../../server.ts";
import { VirtualClock } from "../../testing/mod.ts";
import { Authority } from "../../_testdata/certificates.ts";
import { echo, echoWith } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { assertStatus, Waiters } from "../../_testdata/waiters.ts";
import { soon, turns, until } from "../../_testdata/waiting.ts";
import { openConnections } from "../../_http2/open_connections.ts";

/** Two ends of a connection, as pairs of Web Streams. */
function webPair(): [Connection, Connection] {
  const there = new TransformStream<Uint8Array, Uint8Array>();
  const back = new TransformStream<Uint8Array, Uint8Array>();
  return [
    { readable: back.readable, writable: there.writable },
    { readable: there.readable, writable: back.writable },
  ];
}

Deno.test("Server.accept() serves connections of Web Streams, and Channel calls over them", async () => {
  await using server = new Server([echo]);
  let attempts = 0;
  await using channel = new Channel("localhost", 80, {
    connect() {
      attempts++;
      const [near, far] = webPair();
      server.accept(far);
      return near;
    },
  });
  const stub = createStub(Echo, channel);
  assertEquals(attempts, 0);
  const payload = new Uint8Array(300_000);
  const replies = await Array.fromAsync(
    stub.serverStream({ text: "a", count: 4, payload }),
  );
  assertEquals(replies.map(({ index }) => index), [0, 1, 2, 3]);
  await using stream = stub.unary.open();
  await stream.sendMessage({ text: "b" });
  assertEquals((await stream.recvMessage()).text, "b");
  assertEquals([`${stream.peer}`, stream.peer?.addr], ["in-memory", null]);
  assertEquals([attempts, server.address], [1, null]);
});

Deno.test("Channel() calls over a Deno.Conn that connect gives, and Server.accept() takes one", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  await using server = new Server([echo]);
  await using channel = new Channel("localhost", 80, {
    connect: () => Deno.connect({ hostname: "127.0.0.1", port }),
  });
  const { unary } = createStub(Echo, channel);
  const call = unary({ text: "a" });
  server.accept(await listener.accept());
  assertEquals((await call).text, "a");
});

Deno.test("Channel() calls over a socket that connect gives", async () => {
  await using server = new Server([echo]);
  await server.start("127.0.0.1");
  await using channel = new Channel("localhost", 80, {
    connect: () => net.connect(server.port!, "127.0.0.1"),
  });
  assertEquals(
    (await createStub(Echo, channel).unary({ text: "a" })).text,
    "a",
  );
});

Deno.test("Channel() encrypts what connect gives when it has tls", async () => {
  const authority = new Authority();
  const { cert, key } = authority.issue({ commonName: "localhost" });
  await using server = new Server([echo]);
  await server.start("127.0.0.1", 0, { tls: { cert, key } });
  await using channel = new Channel("localhost", server.port!, {
    tls: { ca: authority.cert },
    connect: () => net.connect(server.port!, "127.0.0.1"),
  });
  await using stream = createStub(Echo, channel).unary.open();
  await stream.sendMessage({ text: "a" });
  assertEquals((await stream.recvMessage()).text, "a");
  assertInstanceOf(stream.peer?.cert?.raw, Uint8Array);
});

const BAD: readonly (readonly [
  what: string,
  connect: () => unknown,
  words: string,
])[] = [
  ["throws", () => {
    throw new Error("no way");
  }, "Cannot connect to localhost:80: no way"],
  [
    "rejects",
    () => Promise.reject(new Error("not now")),
    "Cannot connect to localhost:80: not now",
  ],
  ["gives nothing", () => undefined, "A connection has to be a Duplex stream"],
  [
    "gives an object that only looks like a stream",
    () => ({ on() {}, write() {}, destroy() {} }),
    "A connection has to be a Duplex stream",
  ],
  ["gives a text", () => "127.0.0.1", "A connection has to be a Duplex stream"],
  [
    "gives half a connection",
    () => ({ readable: new ReadableStream() }),
    "A connection has to be a Duplex stream",
  ],
  ["gives a connection that is closed", () => {
    const duplex = new Duplex();
    duplex.destroy();
    return duplex;
  }, "the connection is closed"],
  ["gives a connection that ends at once", () => {
    const [near, far] = webPair();
    (far as { writable: WritableStream }).writable.close();
    return near;
  }, "the connection was closed before HTTP/2 SETTINGS"],
];

for (const [what, connect, words] of BAD) {
  Deno.test(`Channel() fails with UNAVAILABLE when connect ${what}`, async () => {
    await using channel = new Channel("localhost", 80, {
      connect: connect as () => Connection,
    });
    const { unary } = createStub(Echo, channel);
    await assertStatus(Status.UNAVAILABLE, () => unary({}), words);
  });
}

Deno.test("Channel() gives up when connect never settles, and closes what comes late", async () => {
  const late = Promise.withResolvers<Connection>();
  const signals: AbortSignal[] = [];
  await using channel = new Channel("localhost", 80, {
    config: { connectTimeoutMs: 30 },
    connect({ signal }: ConnectOptions) {
      signals.push(signal);
      return late.promise;
    },
  });
  const { unary } = createStub(Echo, channel);
  await assertStatus(
    Status.UNAVAILABLE,
    () => unary({}),
    "no connection within 30 ms",
  );
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
  const duplex = new Duplex({ read() {}, write() {} });
  late.resolve(duplex);
  await until(() => duplex.destroyed, "the late connection is closed");
  assertEquals([...openConnections], []);
});

Deno.test("Channel() closes what connect gives when it is closed meanwhile", async () => {
  const late = Promise.withResolvers<Connection>();
  const channel = new Channel("localhost", 80, { connect: () => late.promise });
  const call = createStub(Echo, channel).unary({});
  const failed = assertStatus(Status.CANCELLED, () => call);
  await turns(2);
  await soon(channel.close(), "the close");
  await failed;
  const duplex = new Duplex({ read() {}, write() {} });
  late.resolve(duplex);
  await until(() => duplex.destroyed, "the late connection is closed");
});

Deno.test("Channel() refuses a connect that is no function", () => {
  const connect = "127.0.0.1" as never;
  assertThrows(
    () => new Channel("localhost", 80, { connect }),
    TypeError,
    "Cannot create channel: connect must be a function, received string",
  );
});

Deno.test("Server.accept() refuses what is no connection, and all after close()", async () => {
  const server = new Server([]);
  assertThrows(() => server.accept({} as Connection), TypeError);
  server.close();
  const [, far] = webPair();
  assertThrows(() => server.accept(far), ProtocolError, "Server is closed");
  await server.waitClosed();
});

Deno.test("Server.accept() closes a connection beyond maxConnections", async () => {
  await using server = new Server([echo], { config: { maxConnections: 1 } });
  const connect = (): Connection => {
    const [near, far] = webPair();
    server.accept(far);
    return near;
  };
  await using first = new Channel("localhost", 80, { connect });
  await createStub(Echo, first).unary({});
  await using second = new Channel("localhost", 80, { connect });
  await assertStatus(
    Status.UNAVAILABLE,
    () => createStub(Echo, second).unary({}),
  );
});

Deno.test("Server.waitClosed() waits for connections that accept() was given", async () => {
  const waiters = new Waiters();
  const server = new Server([echoWith(waiters.handlers)]);
  await using channel = new Channel("localhost", 80, {
    connect() {
      const [near, far] = webPair();
      server.accept(far);
      return near;
    },
  });
  const call = createStub(Echo, channel).unary({});
  const failed = assertRejects(() => call);
  await waiters.started;
  server.close({ graceMs: 60_000 });
  let closed = false;
  const waiting = server.waitClosed().then(() => closed = true);
  await turns(10);
  assertEquals(closed, false);
  server.close();
  await failed;
  await soon(waiting, "the server to close");
  assertEquals((await waiters.aborted as { status: number }).status, 14);
});

/** A stream that takes nothing, says nothing, and is never closed. */
class Stuck extends Duplex {
  override _read(): void {}
  override _write(): void {}
  override _final(): void {}
  override _destroy(): void {}
}

Deno.test("Channel.close() and Server.close() come to their end when a connection never says that it is closed", async () => {
  const clock = new VirtualClock();
  const server = new Server([echo], { clock });
  server.accept(new Stuck());
  const channel = new Channel("localhost", 80, {
    clock,
    connect: () => new Stuck(),
  });
  const call = createStub(Echo, channel).unary({}, { waitForReady: true });
  const failed = assertRejects(() => call, GRPCError);
  await turns(3);
  server.close();
  const closed = Promise.all([channel.close(), server.waitClosed()]);
  for (let i = 0; i < 4; i++) await clock.advance(1_000);
  await soon(closed, "both to close");
  await failed;
  assertEquals([...openConnections], []);
});
