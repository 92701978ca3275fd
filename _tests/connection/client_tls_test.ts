// What a channel with TLS makes of servers: it calls the right one, and tells
// what is wrong with the others.

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { AddressInfo } from "node:net";
import tls, { type TlsOptions, type TLSSocket } from "node:tls";
import {
  Channel,
  type ChannelOptions,
  type ChannelTLSOptions,
  createStub,
  Status,
} from "../../client.ts";
import { Server, type ServerTLSOptions } from "../../server.ts";
import { Authority } from "../../_testdata/certificates.ts";
import { echo, echoWith } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { RawServer } from "../../_testdata/raw_h2.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { soon, until } from "../../_testdata/waiting.ts";
import { untilState } from "../../_testdata/watch_states.ts";

const AUTHORITY = new Authority();
const STRANGER = new Authority("Stranger");
const SERVER = AUTHORITY.issue({
  commonName: "server",
  hosts: ["localhost", "127.0.0.1", "example.com"],
});
const CLIENT = AUTHORITY.issue({ commonName: "client" });

const seen: unknown[] = [];
const service = echoWith({
  async unary(stream) {
    seen.push(stream.peer.cert?.subject.CN ?? null);
    await stream.recvMessage();
    await stream.sendMessage({ text: "hello" });
  },
});

async function serve(options: Partial<ServerTLSOptions> = {}): Promise<Server> {
  const server = new Server([service]);
  await server.start("127.0.0.1", 0, { tls: { ...SERVER, ...options } });
  return server;
}

/** Calls a server; gives the common name of its certificate. */
async function call(port: number, options: ChannelOptions): Promise<unknown> {
  await using channel = new Channel("127.0.0.1", port, options);
  await using stream = createStub(Echo, channel).unary.open();
  await stream.sendMessage({}, { end: true });
  assertEquals((await soon(stream.recvMessage())).text, "hello");
  return stream.peer?.cert?.subject.CN;
}

Deno.test("Channel calls a server whose certificate it trusts, and shows it as peer.cert", async () => {
  await using server = await serve();
  const trusting: ChannelTLSOptions = { ca: AUTHORITY.cert };
  assertEquals(await call(server.port!, { tls: trusting }), "server");
  const names: ChannelOptions[] = [
    { tls: { ...trusting, serverName: "example.com" } },
    { tls: trusting, config: { tlsTargetNameOverride: "example.com" } },
    {
      tls: {
        ...trusting,
        serverName: "example.net",
        checkServerIdentity: (hostname, { subject }) => {
          assertEquals([hostname, subject.CN], ["example.net", "server"]);
          return undefined;
        },
      },
    },
  ];
  for (const options of names) {
    assertEquals(await call(server.port!, options), "server");
  }
});

Deno.test("Channel reconnects with TLS when the connection was lost", async () => {
  await using first = await serve();
  const { port } = first;
  await using channel = new Channel("127.0.0.1", port!, {
    tls: { ca: AUTHORITY.cert },
  });
  const { unary } = createStub(Echo, channel);
  await soon(unary({}));
  first.close();
  await soon(first.waitClosed());
  await untilState(channel, "IDLE");
  await using second = new Server([echo]);
  await second.start("127.0.0.1", port!, { tls: SERVER });
  assertEquals((await soon(unary({ text: "again" }))).text, "again");
});

/** Why a channel does not call the server, and what it says. */
const REFUSALS: readonly (readonly [string, ChannelOptions, RegExp])[] = [
  [
    "comes from an authority that the system does not know",
    { tls: true },
    /certificate|issuer/i,
  ],
  [
    "comes from another authority",
    { tls: { ca: STRANGER.cert } },
    /certificate|issuer/i,
  ],
  [
    "is for other names",
    { tls: { ca: AUTHORITY.cert, serverName: "example.net" } },
    /example\.net/,
  ],
  [
    "is for other names than tlsTargetNameOverride",
    {
      tls: { ca: AUTHORITY.cert },
      config: { tlsTargetNameOverride: "example.org" },
    },
    /example\.org/,
  ],
  [
    "is refused by checkServerIdentity",
    {
      tls: {
        ca: AUTHORITY.cert,
        checkServerIdentity: () => new Error("Not my server"),
      },
    },
    /Not my server/,
  ],
];

for (const [what, options, message] of REFUSALS) {
  Deno.test(`Channel fails its calls with UNAVAILABLE when the certificate ${what}`, async () => {
    await using server = await serve();
    const { port } = server;
    const before = seen.length;
    const error = await assertStatus(
      Status.UNAVAILABLE,
      () => call(port!, options),
      `Cannot connect to 127.0.0.1:${port}: `,
    );
    assertMatch(error.message, message);
    assert(error.cause instanceof Error);
    assertEquals(seen.length, before);
  });
}

/** Somebody who calls itself as the authority does. */
const FORGER = new Authority();
const OLD = new Authority("Old", { issuer: FORGER, version: 1 });
const BETWEEN = new Authority("Between", { issuer: AUTHORITY });

/** What a forger may have a server show. */
const FORGED: readonly (readonly [string, Authority, 1 | 3, string])[] = [
  ["is forged", FORGER, 3, ""],
  ["is forged, of version 1", FORGER, 1, ""],
  ["is forged, with another of version 1", OLD, 3, OLD.cert],
];

for (const [what, issuer, version, others] of FORGED) {
  Deno.test(`Channel fails its calls with UNAVAILABLE when the certificate ${what}`, async () => {
    const { cert, key } = issuer.issue({ commonName: "localhost", version });
    await using server = await serve({ cert: cert + others, key });
    const before = seen.length;
    await assertStatus(
      Status.UNAVAILABLE,
      () =>
        call(server.port!, {
          tls: { ca: AUTHORITY.cert, serverName: "localhost" },
        }),
    );
    assertEquals(seen.length, before);
  });
}

Deno.test("Channel calls a server whose authority is certified by one that it trusts", async () => {
  const { cert, key } = BETWEEN.issue({ commonName: "leaf" });
  await using server = await serve({ cert: cert + BETWEEN.cert, key });
  const tls = { ca: AUTHORITY.cert, serverName: "localhost" };
  assertEquals(await call(server.port!, { tls }), "leaf");
});

Deno.test("Channel shows its own certificate when it has one, and cannot call without where one is needed", async () => {
  await using server = await serve({ ca: AUTHORITY.cert });
  const ca = AUTHORITY.cert;
  await call(server.port!, { tls: { ca, ...CLIENT } });
  assertEquals(seen.at(-1), "client");
  const before = seen.length;
  const strange = STRANGER.issue({ commonName: "stranger" });
  for (const pair of [{}, strange]) {
    await assertStatus(
      Status.UNAVAILABLE,
      () => call(server.port!, { tls: { ca, ...pair } }),
      `127.0.0.1:${server.port}`,
    );
  }
  assertEquals(seen.length, before);
});

// Servers that are none

async function withTLSServer(
  options: TlsOptions,
  onSocket: (socket: TLSSocket) => void,
  test: (port: number) => Promise<void>,
): Promise<void> {
  const sockets = new Set<TLSSocket>();
  const server = tls.createServer({ ...SERVER, ...options }, (socket) => {
    socket.on("error", () => {});
    sockets.add(socket);
    onSocket(socket);
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  await test((server.address() as AddressInfo).port);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
}

for (
  const [what, options, message] of [
    ["knows nothing of ALPN", {}, /ALPN: none/],
    ["speaks HTTP/1 alone", { ALPNProtocols: ["http/1.1"] }, /protocol/i],
  ] as const
) {
  Deno.test(`Channel fails its calls with UNAVAILABLE when the server ${what}`, async () => {
    await withTLSServer(options as TlsOptions, () => {}, async (port) => {
      const error = await assertStatus(
        Status.UNAVAILABLE,
        () => call(port, { tls: { ca: AUTHORITY.cert } }),
        `Cannot connect to 127.0.0.1:${port}: `,
      );
      assertMatch(error.message, message);
    });
  });
}

Deno.test("Channel fails its calls with UNAVAILABLE when one side alone has TLS", async () => {
  await using secure = await serve();
  await assertStatus(
    Status.UNAVAILABLE,
    () => call(secure.port!, {}),
    `Cannot connect to 127.0.0.1:${secure.port}: `,
  );
  await using plain = new Server([echo]);
  await plain.start("127.0.0.1");
  await assertStatus(
    Status.UNAVAILABLE,
    () => call(plain.port!, { tls: { ca: AUTHORITY.cert } }),
    `Cannot connect to 127.0.0.1:${plain.port}: `,
  );
});

Deno.test("Channel fails its calls with UNAVAILABLE when the handshake takes too long or breaks off", async () => {
  await using silent = new RawServer(() => Promise.resolve());
  const options: ChannelOptions = {
    tls: { ca: AUTHORITY.cert },
    config: { connectTimeoutMs: 60 },
  };
  await assertStatus(
    Status.UNAVAILABLE,
    () => call(silent.port, options),
    `Cannot connect to 127.0.0.1:${silent.port}: no connection within 60 ms`,
  );
  await using rude = new RawServer((connection) => {
    connection.close();
    return Promise.resolve();
  });
  await assertStatus(
    Status.UNAVAILABLE,
    () => call(rude.port, { tls: true }),
    `Cannot connect to 127.0.0.1:${rude.port}: `,
  );
});

Deno.test("Channel.close() ends at once in the midst of a handshake", async () => {
  await using silent = new RawServer(() => Promise.resolve());
  const channel = new Channel("127.0.0.1", silent.port, { tls: true });
  const reply = createStub(Echo, channel).unary({});
  reply.catch(() => {});
  while (silent.accepted === 0) await new Promise((r) => setTimeout(r, 0));
  await soon(channel.close());
  await assertStatus(Status.CANCELLED, () => reply);
});

Deno.test("Servers of a resolver have to show a certificate for the target, whatever their addresses", async () => {
  const hosts = ["fleet.test"];
  const named = AUTHORITY.issue({ commonName: "named", hosts });
  await using one = await serve(named);
  await using two = await serve(named);
  await using addressed = await serve();
  const endpoints = [one, two, addressed].map((it) => `127.0.0.1:${it.port}`);
  await using channel = new Channel({
    target: "fleet.test:443",
    resolver: () => ({ endpoints }),
    balancing: "round_robin",
    tls: { ca: AUTHORITY.cert },
  });
  channel.connect();
  const states = () => channel.endpoints.map(({ state }) => state).join();
  await until(
    () => states() === "READY,READY,TRANSIENT_FAILURE",
    "those with that name are connected",
  );
  const { unary } = createStub(Echo, channel);
  const servers = new Set<string>();
  for (let i = 0; i < 4; i++) {
    await using stream = unary.open();
    await stream.sendMessage({}, { end: true });
    await soon(stream.recvMessage());
    assertEquals(stream.peer?.cert?.subject.CN, "named");
    servers.add(`${stream.peer}`);
  }
  assertEquals([...servers].sort(), endpoints.slice(0, 2).sort());
});

Deno.test("Each server of a list has to show a certificate for what it is called there", async () => {
  const stranger = AUTHORITY.issue({ commonName: "other", hosts: ["other"] });
  await using one = await serve();
  await using two = await serve(stranger);
  await using channel = new Channel({
    target: [`127.0.0.1:${one.port}`, `127.0.0.1:${two.port}`],
    balancing: "round_robin",
    tls: { ca: AUTHORITY.cert },
  });
  channel.connect();
  const states = () => channel.endpoints.map(({ state }) => state).join();
  await until(
    () => states() === "READY,TRANSIENT_FAILURE",
    "the one with its name is connected",
  );
  const { unary } = createStub(Echo, channel);
  for (let i = 0; i < 4; i++) {
    assertEquals((await soon(unary({}))).text, "hello");
  }
});
