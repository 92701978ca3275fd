/**
 * Failures of connections, prepared one by one: each names its cause to the
 * caller, to the hook of the server, and to who looks inside of either.
 *
 * Two more need permissions that these tests have not: those of
 * `_testdata/permitted/client_targets.ts`, a name that there is none of and a
 * unix socket that is missing.
 */

import { assertEquals } from "@std/assert";
import {
  CallEnd,
  Channel,
  type ChannelOptions,
  createStub,
  listen,
  Status,
} from "../../mod.ts";
import { Authority } from "../../_testdata/certificates.ts";
import {
  assertTold,
  type ConnectionFailure,
  rawServer,
} from "../../_testdata/connection_failures.ts";
import { startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { assertStatus, Waiters } from "../../_testdata/waiters.ts";
import { soon, until } from "../../_testdata/waiting.ts";
import { VirtualClock } from "../../testing/mod.ts";

const authority = new Authority();
const stranger = new Authority("Stranger");
const hosts = ["127.0.0.1"];
const pair = authority.issue({ commonName: "here", hosts });
const expired = authority.issue({ commonName: "here", hosts, daysOld: 30 });
const elsewhere = authority.issue({ commonName: "x", hosts: ["other.test"] });
const foreign = stranger.issue({ commonName: "client" });
const ca = authority.cert;

const TEXT = new TextEncoder();

/** SETTINGS without any. */
const SETTINGS = new Uint8Array([0, 0, 0, 4, 0, 0, 0, 0, 0]);

const FAILURES: Readonly<Record<string, ConnectionFailure>> = {
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
    reason:
      /closed before HTTP\/2 SETTINGS, the server may expect TLS, or take no more connections/,
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
    reason: /Cannot connect to .*: the server may not speak HTTP\/2/,
  },
  "the server says GOAWAY with an error": {
    peer: () =>
      rawServer((socket) => {
        // GOAWAY with ENHANCE_YOUR_CALM and a text.
        socket.write(SETTINGS);
        const head = [0, 0, 12, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11];
        socket.end(new Uint8Array([...head, ...TEXT.encode("busy")]));
      }),
    reason: /closed by the peer with GOAWAY ENHANCE_YOUR_CALM \("busy"\)/,
  },
  "the server is there no more": {
    // Whatever comes, it says nothing.
    peer: () => rawServer((socket) => socket.write(SETTINGS)),
    channel: {
      config: {
        keepaliveTimeMs: 25,
        keepaliveTimeoutMs: 40,
        http2MaxPingsWithoutData: 0,
        http2MinSentPingIntervalWithoutDataMs: 0,
      },
    },
    isLost: true,
    reason: /was lost: a PING was not acknowledged within 40 ms/,
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
    reason: /Cannot resolve .*: the registry is down/,
  },
  "the connect function throws": {
    channel: {
      connect() {
        throw new Error("the tunnel is down");
      },
    },
    reason: /the tunnel is down/,
  },
  "the proxy is not there": {
    target: "example.test:443",
    channel: { proxy: "http://user:sesame@127.0.0.1:1" },
    reason: /Cannot connect to .*: proxy 127\.0\.0\.1:1: .*ECONNREFUSED/,
  },
  "the proxy wants credentials": {
    target: "example.test:443",
    peer: () =>
      rawServer((socket) =>
        socket.end(
          "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        )
      ),
    channel: (port) => ({ proxy: `http://127.0.0.1:${port}` }),
    reason:
      /proxy 127\.0\.0\.1:\d+: it answers CONNECT with 407 .*, it wants credentials/,
  },
  "the server speaks TLS, the client does not": {
    server: { tls: pair },
    reason: /closed before HTTP\/2 SETTINGS, the server may expect TLS/,
    atServer: /the other side may not speak TLS/,
  },
  "the client speaks TLS, the server does not": {
    server: {},
    channel: { tls: { ca } },
    reason: /may not speak TLS/,
    atServer: /bad client magic|does not begin with the preface of HTTP\/2/,
  },
  "the client does not trust the authority of the server": {
    server: { tls: pair },
    channel: { tls: { ca: stranger.cert } },
    reason: /an authority that is not trusted/,
    atServer: /UnknownCA|may not trust the certificate/,
  },
  "the certificate of the server has expired": {
    server: { tls: expired },
    channel: { tls: { ca } },
    reason: /the certificate has expired/,
    atServer: /CertificateExpired|may not trust the certificate/,
  },
  "the certificate is for another name": {
    server: { tls: elsewhere },
    channel: { tls: { ca } },
    reason: /does not match certificate's altnames/,
  },
  "the server wants a certificate, the client has none": {
    server: { tls: { ...pair, ca } },
    channel: { tls: { ca } },
    reason: /the server (may require|requires) a certificate of the client/,
    atServer: /the client has to show a certificate/,
  },
  "the server does not trust the certificate of the client": {
    server: { tls: { ...pair, ca } },
    channel: { tls: { ca, ...foreign } },
    reason: /may not trust the certificate of the client/,
    atServer: /may not trust the certificate|authority that is not trusted/,
  },
  "the server has too many connections": {
    server: { config: { maxConnections: 1 } },
    connectionsBefore: 1,
    reason: /closed before HTTP\/2 SETTINGS, .*or take no more connections/,
    atServer: /maxConnections is 1, and there are as many/,
  },
  "the server has too many connections of that address": {
    server: { config: { maxConnectionsPerAddress: 1 } },
    connectionsBefore: 1,
    reason: /closed before HTTP\/2 SETTINGS, .*or take no more connections/,
    atServer: /maxConnectionsPerAddress is 1/,
  },
};

for (const [what, failure] of Object.entries(FAILURES)) {
  Deno.test(
    `Channel and Server tell the caller, the hook and inspect() why when ${what}`,
    () => assertTold(failure),
  );
}

Deno.test("Channel tells why the attempts before failed, where that was for something else", async () => {
  const reasons = ["no route", "no route", "no key", "no key"];
  await using channel = new Channel("server.test:1", {
    connect() {
      throw new Error(reasons[0]);
    },
    config: { initialReconnectBackoffMs: 1, maxReconnectBackoffMs: 1 },
  });
  const messages: string[] = [];
  for (; reasons.length > 0; reasons.shift()) {
    const { message } = await assertStatus(
      Status.UNAVAILABLE,
      () => createStub(Echo, channel).unary({}),
    );
    messages.push(message.replace(/\d\.\d s/, "1.0 s"));
    await until(() => channel.state === "IDLE", "it may connect again");
  }
  const what = "Cannot connect to server.test:1";
  const next = "the next is made in 1.0 s at the earliest";
  assertEquals(messages, [
    `${what}: no route (1 attempt failed, ${next})`,
    `${what}: no route (2 attempts failed, ${next})`,
    `${what}: no key (3 attempts failed, ${next}; before: ${what}: no route, 2 times)`,
    `${what}: no key (4 attempts failed, ${next}; before: ${what}: no route, 2 times)`,
  ]);
});

const fail = () => {
  throw new Error("no route");
};
const NO_ROUTE = "Cannot connect to server.test:1: no route";
const WAITS: Readonly<Record<string, [ChannelOptions, waited: string]>> = {
  "for the first attempt to connect": [
    { connect: () => new Promise<never>(() => {}) },
    "it waited for a connection",
  ],
  "though an attempt to connect has failed": [
    { connect: fail },
    `it waited for a connection: ${NO_ROUTE}`,
  ],
  "though a call may be made again": [
    { connect: fail, retry: true },
    `it waited for a connection: ${NO_ROUTE}`,
  ],
  "for one of several endpoints": [
    { connect: fail, balancing: "round_robin" },
    `it waited for a connection: ${NO_ROUTE}`,
  ],
};

for (const [what, [options, waited]] of Object.entries(WAITS)) {
  Deno.test(`A call whose deadline comes tells what it has waited for, ${what}`, async () => {
    const clock = new VirtualClock();
    await using channel = new Channel("server.test:1", { ...options, clock });
    const ends: string[] = [];
    listen(
      channel,
      CallEnd,
      ({ statusMessage }) => void ends.push(statusMessage),
    );
    const stub = createStub(Echo, channel);
    const call = assertStatus(
      Status.DEADLINE_EXCEEDED,
      () => soon(stub.unary({}, { waitForReady: true, timeoutMs: 30 })),
    );
    const state = options.connect === fail ? "TRANSIENT_FAILURE" : "CONNECTING";
    await until(() => channel.state === state, "it waits");
    await clock.advance(30);
    const error = await call;
    assertEquals(error.message, `Deadline exceeded (${waited})`);
    assertEquals(error.peer, null);
    assertEquals(ends, [error.message]);
    // One that asks for no connection says nothing of it.
    const past = await assertStatus(
      Status.DEADLINE_EXCEEDED,
      () => soon(stub.unary({}, { waitForReady: true, timeoutMs: 0 })),
    );
    assertEquals(past.message, "Deadline exceeded");
  });
}

Deno.test("A call whose deadline comes tells whether it has waited for room, or for a reply", async () => {
  const own = new Waiters();
  await using echo = await startEcho({
    handlers: own.handlers,
    server: { config: { maxConcurrentStreams: 1 } },
  });
  await using first = echo.stub.bidi.open();
  await first.sendMessage({});
  await own.started;
  const waits = await assertStatus(
    Status.DEADLINE_EXCEEDED,
    () => soon(echo.stub.unary({}, { timeoutMs: 30 })),
  );
  assertEquals(
    waits.message,
    "Deadline exceeded (it waited for a connection with room for it)",
  );
  first.cancel();
  await own.aborted;
  await until(() => echo.channel.inspect().streams === 0, "there is room");
  const running = await assertStatus(
    Status.DEADLINE_EXCEEDED,
    () => soon(echo.stub.unary({}, { timeoutMs: 30 })),
  );
  assertEquals(running.message, "Deadline exceeded");
});
