/** What channels and servers tell of themselves, above all when they fail. */

import net from "node:net";
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  Channel,
  type ChannelOptions,
  createStub,
  Server,
  type ServerOptions,
  Status,
} from "../../mod.ts";
import { Authority } from "../../_testdata/certificates.ts";
import { echo, startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { assertStatus, Waiters } from "../../_testdata/waiters.ts";
import { soon, until } from "../../_testdata/waiting.ts";

const authority = new Authority();
const other = new Authority();
const pair = authority.issue({ commonName: "here", hosts: ["127.0.0.1"] });
const elsewhere = authority.issue({ commonName: "x", hosts: ["other.test"] });

/** A server of the test's own, of which it is known only what it does first. */
interface Peer extends AsyncDisposable {
  readonly port: number;
}

async function rawServer(
  onSocket: (socket: net.Socket) => void,
): Promise<Peer> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  return {
    port: (server.address() as net.AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const TEXT = new TextEncoder();

/** Something that a channel cannot connect to, or loses. */
interface Failure {
  /** The options of a server of this library, if that is the other side. */
  readonly server?: ServerOptions & { readonly tls?: object };
  /** What else is at the other side. */
  readonly peer?: () => Promise<Peer>;
  readonly channel?: ChannelOptions;
  /** Where the channel connects to, if not to any of these. */
  readonly target?: string;
  /** What the caller is told, and `inspect()` of the channel. */
  readonly reason: RegExp;
  /** What the server's hook is told, and `inspect()` of the server. */
  readonly atServer?: RegExp;
}

const FAILURES: Readonly<Record<string, Failure>> = {
  "nobody listens": {
    peer: async () => {
      const gone = await rawServer(() => {});
      await gone[Symbol.asyncDispose]();
      return gone;
    },
    reason: /Cannot connect to 127\.0\.0\.1:\d+: .*ECONNREFUSED/,
  },
  "the server closes at once": {
    peer: () => rawServer((socket) => socket.end()),
    reason: /closed before HTTP\/2 SETTINGS, the server may expect TLS/,
  },
  "the server says nothing": {
    peer: () => rawServer(() => {}),
    channel: { config: { connectTimeoutMs: 400 } },
    reason: /no HTTP\/2 SETTINGS within 400 ms/,
  },
  "the server speaks HTTP/1": {
    peer: () =>
      rawServer((socket) =>
        socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
      ),
    reason: /Cannot connect to 127\.0\.0\.1:\d+: /,
  },
  "the server says GOAWAY with an error": {
    peer: () =>
      rawServer((socket) => {
        // SETTINGS, then GOAWAY with ENHANCE_YOUR_CALM and a text.
        socket.write(new Uint8Array([0, 0, 0, 4, 0, 0, 0, 0, 0]));
        const head = [0, 0, 12, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];
        socket.end(new Uint8Array([...head, ...TEXT.encode("busy")]));
      }),
    reason: /ENHANCE_YOUR_CALM.*busy/,
  },
  "there is no permission for the address": {
    target: "192.0.2.1:50051",
    reason: /Requires net access to "192\.0\.2\.1:50051", .*--allow-net/,
  },
  "there is no permission for the unix socket": {
    target: "unix:/nowhere/x.sock",
    reason: /unix:\/nowhere\/x\.sock.*--allow-/,
  },
  "the resolver throws": {
    channel: {
      resolver() {
        throw new Error("the registry is down");
      },
    },
    reason: /the registry is down/,
  },
  "the connect function throws": {
    channel: {
      connect() {
        throw new Error("the tunnel is down");
      },
    },
    reason: /the tunnel is down/,
  },
  "the server speaks TLS, the client does not": {
    server: { tls: { cert: pair.cert, key: pair.key } },
    reason: /the server may expect TLS|Cannot connect/,
    atServer: /./,
  },
  "the client speaks TLS, the server does not": {
    server: {},
    channel: { tls: { ca: authority.cert } },
    reason: /may not speak TLS|Cannot connect/,
    atServer: /./,
  },
  "the client does not trust the certificate": {
    server: { tls: { cert: pair.cert, key: pair.key } },
    channel: { tls: { ca: other.cert } },
    reason: /not trusted|expired|certificate|issuer/i,
    atServer: /./,
  },
  "the certificate is for another name": {
    server: { tls: { cert: elsewhere.cert, key: elsewhere.key } },
    channel: { tls: { ca: authority.cert } },
    reason: /certificate|altname|name|valid/i,
  },
  "the server wants a certificate, the client has none": {
    server: {
      tls: { cert: pair.cert, key: pair.key, ca: authority.cert },
    },
    channel: { tls: { ca: authority.cert } },
    reason: /certificate/i,
    atServer: /certificate/i,
  },
  "the server has too many connections": {
    server: { config: { maxConnections: 1 } },
    reason: /./,
    atServer: /maxConnections is 1, and there are as many/,
  },
};

for (const [what, failure] of Object.entries(FAILURES)) {
  Deno.test(`Channel and Server tell the caller, the hook and inspect() why when ${what}`, async () => {
    await using stack = new AsyncDisposableStack();
    const told: string[] = [];
    let port = 1;
    let server: Server | undefined;
    if (failure.server !== undefined) {
      const { tls, ...options } = failure.server;
      server = stack.use(
        new Server([echo], {
          ...options,
          onConnectionError: (error) => told.push(error.message),
        }),
      );
      await server.start(
        "127.0.0.1",
        0,
        tls === undefined ? {} : { tls } as object,
      );
      port = server.port!;
    } else if (failure.peer !== undefined) {
      const peer = await failure.peer();
      port = peer.port;
      if (what !== "nobody listens") stack.use(peer);
    }
    if (what.includes("too many")) {
      const first = stack.use(new Channel("127.0.0.1", port));
      await createStub(Echo, first).unary({});
    }
    const target = failure.target ?? `127.0.0.1:${port}`;
    const channel = stack.use(new Channel(target, failure.channel ?? {}));
    const error = await assertStatus(
      Status.UNAVAILABLE,
      () => createStub(Echo, channel).unary({}),
    );
    assertMatch(error.message, failure.reason);

    const seen = channel.inspect();
    assert(["TRANSIENT_FAILURE", "CONNECTING", "IDLE"].includes(seen.state));
    assertMatch(seen.lastError!, failure.reason);
    assertEquals(seen.calls, { started: 1, succeeded: 0, failed: 1 });
    const states = seen.history.map(({ state }) => state);
    assertEquals(states[0], "CONNECTING");
    assert(states.includes("TRANSIENT_FAILURE"));
    if (seen.state === "TRANSIENT_FAILURE") {
      // Where no endpoint is known, there is none to connect to.
      assertEquals(seen.nextAttempt !== null, seen.endpoints.length > 0);
    }
    assertMatch(Deno.inspect(channel), failure.reason);
    assertMatch(Deno.inspect(channel), /^Channel \{/);

    const { atServer } = failure;
    if (server !== undefined && atServer !== undefined) {
      await until(() => told.length > 0, "the hook is told");
      assertMatch(told[0]!, atServer);
      const [first] = server.inspect().failedConnections;
      assertEquals(first?.reason, told[0]);
      assertMatch(
        Deno.inspect(server, { depth: 9 }),
        /failedConnections: \[\s*\{/,
      );
    }
  });
}

Deno.test("Server tells its hook of clients that do not speak HTTP/2", async () => {
  const told: string[] = [];
  await using server = new Server([echo], {
    onConnectionError: (error, peer) => {
      assertEquals(peer.addr !== null, true);
      told.push(error.message);
    },
  });
  await server.start("127.0.0.1");
  const socket = net.connect(server.port!, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  await until(() => told.length > 0, "the hook is told");
  socket.destroy();
  assertMatch(told[0]!, /^Connection was ended: /);
  assertEquals(server.inspect().failedConnections[0]!.reason, told[0]);
});

Deno.test("Channel.inspect() tells what the channel does from its beginning to its end", async () => {
  const own = new Waiters();
  await using it = await startEcho({ handlers: { bidi: own.handlers.bidi } });
  const { channel, server, stub } = it;
  assertEquals(channel.inspect().history, []);
  await stub.unary({});
  await stub.unary({ status: Status.NOT_FOUND }).catch(() => {});
  await using stream = stub.bidi.open();
  await stream.sendMessage({});
  await own.started;
  const seen = channel.inspect();
  assertEquals(seen.state, "READY");
  assertEquals(seen.target, channel.target);
  assertEquals([seen.connections, seen.streams, seen.waitingCalls], [1, 1, 0]);
  assertEquals(seen.calls, { started: 3, succeeded: 1, failed: 1 });
  assertEquals(
    seen.history.map(({ state, reason }) => [state, reason]),
    [["CONNECTING", null], ["READY", null]],
  );
  assertEquals(seen.since, seen.history[1]!.at);
  const there = server.inspect();
  assertEquals(there.state, "SERVING");
  assertEquals(there.address, server.address);
  assertEquals([there.connections, there.streams], [1, 1]);
  assertEquals(there.runningCalls, ["/grpclib.test.Echo/Bidi"]);
  assertEquals(there.calls, { started: 3, succeeded: 1, failed: 1 });
  await soon(channel.close());
  assertEquals(channel.inspect().state, "SHUTDOWN");
  await own.aborted;
  await until(() => server.inspect().calls.failed === 2, "the call is over");
  server.close();
  assertEquals(server.inspect().state, "CLOSING");
});

Deno.test("Channel.inspect() keeps the last 32 changes", async () => {
  await using channel = new Channel({
    connect() {
      throw new Error("the tunnel is down");
    },
    config: { initialReconnectBackoffMs: 1, maxReconnectBackoffMs: 1 },
  });
  const stub = createStub(Echo, channel);
  for (let i = 0; i < 15; i++) {
    await stub.unary({}).catch(() => {});
    await until(() => channel.state === "IDLE", "it may connect again");
  }
  const { history, since } = channel.inspect();
  assertEquals(history.length, 32);
  assertEquals(history.at(-1)!.state, "IDLE");
  assertEquals(history.at(-1)!.at, since);
  assertEquals(history.at(-2)!.state, "TRANSIENT_FAILURE");
});

Deno.test("Server.inspect() keeps the last 32 connections that failed", async () => {
  const told: string[] = [];
  await using server = new Server([echo], {
    config: { maxConnections: 1 },
    onConnectionError: (_error, peer) => told.push(`${peer}`),
  });
  await server.start("127.0.0.1");
  await using first = new Channel("127.0.0.1", server.port!);
  await createStub(Echo, first).unary({});
  for (let i = 1; i <= 34; i++) {
    const socket = net.connect(server.port!, "127.0.0.1");
    socket.on("error", () => {});
    await until(() => told.length === i, "the hook is told");
    socket.destroy();
  }
  const { failedConnections, refusedConnections } = server.inspect();
  assertEquals(refusedConnections, 34);
  assertEquals(failedConnections.map(({ peer }) => `${peer}`), told.slice(-32));
});
