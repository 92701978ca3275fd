/** The server's connections when they are encrypted. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  Channel,
  type ChannelTLSOptions,
  createStub,
  type Peer,
  Status,
} from "../../client.ts";
import {
  type ConfigurationOptions,
  ProtocolError,
  Server,
  type ServerTLSOptions,
} from "../../server.ts";
import { Authority } from "../../_testdata/certificates.ts";
import { echoWith } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { RawConnection } from "../../_testdata/raw_h2.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { soon, turns, whenAborted } from "../../_testdata/waiting.ts";

const HOSTS = ["localhost", "127.0.0.1"];
const AUTHORITY = new Authority();
const OTHER = new Authority("Other authority");
const FIRST = AUTHORITY.issue({ commonName: "first", hosts: HOSTS });
const SECOND = AUTHORITY.issue({ commonName: "second", hosts: HOSTS });
const CLIENT = AUTHORITY.issue({ commonName: "client" });
const STRANGER = OTHER.issue({ commonName: "stranger" });
const TRUSTING: ChannelTLSOptions = {
  ca: AUTHORITY.cert,
  serverName: "localhost",
};

/** A server that tells who called. */
async function startSecure(
  tls: Partial<ServerTLSOptions> = {},
  config: ConfigurationOptions = {},
) {
  const peers: Peer[] = [];
  const server = new Server([
    echoWith({
      unary(stream) {
        peers.push(stream.peer);
        return stream.sendMessage({ text: "secret" });
      },
      bidi: async (stream) => {
        await stream.sendMessage({});
        await whenAborted(stream.signal);
      },
    }),
  ], { config });
  await server.start("127.0.0.1", 0, { tls: { ...FIRST, ...tls } });
  return {
    server,
    port: server.port!,
    peers,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Calls once on a connection of its own; gives the server's common name. */
async function callOnce(
  port: number,
  tls: ChannelTLSOptions,
): Promise<unknown> {
  await using channel = new Channel("127.0.0.1", port, { tls });
  await using stream = createStub(Echo, channel).unary.open();
  await stream.sendMessage({});
  const { text } = await soon(stream.recvMessage());
  assertEquals(text, "secret");
  return stream.peer?.cert?.subject.CN;
}

Deno.test("Server.start() serves encrypted connections when it is given a certificate", async () => {
  await using secure = await startSecure();
  assertEquals(await callOnce(secure.port, TRUSTING), "first");
  const [peer] = secure.peers;
  assert(peer?.addr !== null && peer?.addr !== undefined);
  assert("hostname" in peer.addr && peer.addr.hostname === "127.0.0.1");
  // Nobody asked for one: on Deno the socket is said to be authorized.
  assertEquals(peer.cert, null);
});

Deno.test("Server.start() shows no certificate of a client when none was asked for", async () => {
  await using secure = await startSecure();
  await callOnce(secure.port, { ...TRUSTING, ...CLIENT });
  assertEquals(secure.peers.map(({ cert }) => cert), [null]);
});

Deno.test("Server.start() serves only clients with a certificate when there is a ca", async () => {
  await using secure = await startSecure({ ca: AUTHORITY.cert });
  await callOnce(secure.port, { ...TRUSTING, ...CLIENT });
  assertEquals(secure.peers[0]?.cert?.subject, { CN: "client" });
  for (const tls of [TRUSTING, { ...TRUSTING, ...STRANGER }]) {
    await assertStatus(
      Status.UNAVAILABLE,
      () => callOnce(secure.port, tls),
    );
  }
  assertEquals(secure.peers.length, 1);
});

Deno.test("Server.start() shows only certificates that it trusts when it merely asks for them", async () => {
  await using secure = await startSecure({
    ca: AUTHORITY.cert,
    clientCertificates: "request",
  });
  for (const tls of [{}, STRANGER, CLIENT]) {
    await callOnce(secure.port, { ...TRUSTING, ...tls });
  }
  assertEquals(
    secure.peers.map(({ cert }) => cert?.subject.CN),
    [undefined, undefined, "client"],
  );
});

Deno.test("Server.start() rejects when the certificate is none, and can be tried again", async () => {
  await using server = new Server([]);
  await assertRejects(
    () => server.start("127.0.0.1", 0, { tls: { ...FIRST, key: CLIENT.key } }),
    TypeError,
    "Cannot start server: tls.key is not the key of tls.cert",
  );
  assertEquals(server.address, null);
  await server.start("127.0.0.1", 0, { tls: FIRST });
});

Deno.test("Server.setTLS() changes the certificate for new connections when others run on", async () => {
  await using secure = await startSecure();
  const { server, port } = secure;
  await using channel = new Channel("127.0.0.1", port, { tls: TRUSTING });
  await using running = createStub(Echo, channel).bidi.open();
  await running.sendRequest();
  await running.recvMessage();
  server.setTLS(SECOND);
  assertEquals(await callOnce(port, TRUSTING), "second");
  assertEquals(running.peer?.cert?.subject.CN, "first");
  assertEquals((await createStub(Echo, channel).unary({})).text, "secret");
  // What is asked of clients may change as well, and back.
  server.setTLS({ ...SECOND, ca: AUTHORITY.cert });
  await assertStatus(Status.UNAVAILABLE, () => callOnce(port, TRUSTING));
  await callOnce(port, { ...TRUSTING, ...CLIENT });
  assertEquals(secure.peers.at(-1)?.cert?.subject.CN, "client");
  server.setTLS(FIRST);
  assertEquals(await callOnce(port, TRUSTING), "first");
  assertEquals(secure.peers.at(-1)?.cert, null);
});

Deno.test("Server.setTLS() throws when an option is wrong, and all stays as it was", async () => {
  await using secure = await startSecure();
  assertThrows(
    () => secure.server.setTLS({ ...FIRST, key: SECOND.key }),
    TypeError,
    "tls.key is not the key of tls.cert",
  );
  assertEquals(await callOnce(secure.port, TRUSTING), "first");
});

Deno.test("Server.setTLS() throws when the server does not use TLS", async () => {
  await using server = new Server([]);
  assertThrows(() => server.setTLS(FIRST), ProtocolError);
  await server.start("127.0.0.1");
  assertThrows(
    () => server.setTLS(FIRST),
    ProtocolError,
    "Server was not started with TLS",
  );
});

/** Clients that do not get through the handshake. */
const FAILING: readonly (readonly [string, (port: number) => Promise<void>])[] =
  [
    ["in plain text", async (port) => {
      using client = await RawConnection.open(port);
      await client.end().catch(() => {});
    }],
    ["with another protocol", async (port) => {
      const conn = await Deno.connectTls({
        hostname: "127.0.0.1",
        port,
        caCerts: [AUTHORITY.cert],
        alpnProtocols: ["http/1.1"],
      });
      await assertRejects(() => conn.handshake());
      conn.close();
    }],
    ["without ALPN", async (port) => {
      const conn = await Deno.connectTls({
        hostname: "127.0.0.1",
        port,
        caCerts: [AUTHORITY.cert],
      });
      await conn.handshake();
      await conn.read(new Uint8Array(1)).catch(() => {});
      conn.close();
    }],
    ["that trusts another authority", async (port) => {
      const conn = await Deno.connectTls({
        hostname: "127.0.0.1",
        port,
        caCerts: [OTHER.cert],
      });
      await assertRejects(() => conn.handshake());
      conn.close();
    }],
    ["that hangs up", async (port) => {
      const client = await RawConnection.connect(port);
      await client.write(new Uint8Array([22, 3, 1, 2, 0, 1]));
      client.close();
    }],
  ];

for (const [name, connect] of FAILING) {
  Deno.test(`Server drops a client ${name} when it uses TLS, and serves the others`, async () => {
    await using secure = await startSecure();
    await soon(connect(secure.port), "the server to hang up");
    assertEquals(await callOnce(secure.port, TRUSTING), "first");
  });
}

Deno.test("Server drops a client when the TLS handshake takes too long", async () => {
  await using secure = await startSecure({}, { connectTimeoutMs: 50 });
  using client = await RawConnection.connect(secure.port);
  await soon(client.end(), "the server to hang up");
});

Deno.test("Server drops a client when nothing follows the TLS handshake", async () => {
  await using secure = await startSecure({}, { connectTimeoutMs: 50 });
  const conn = await Deno.connectTls({
    hostname: "127.0.0.1",
    port: secure.port,
    caCerts: [AUTHORITY.cert],
    alpnProtocols: ["h2"],
  });
  const bytes = new Uint8Array(1024);
  while ((await soon(conn.read(bytes)).catch(() => null)) !== null);
  conn.close();
});

for (const graceMs of [0, 600_000]) {
  Deno.test(`Server.close() ends when TLS handshakes are half open, with a grace of ${graceMs} ms`, async () => {
    await using secure = await startSecure();
    using silent = await RawConnection.connect(secure.port);
    using halfway = await RawConnection.connect(secure.port);
    await halfway.write(new Uint8Array([22, 3, 1, 2, 0, 1]));
    await callOnce(secure.port, TRUSTING);
    await turns(5);
    secure.server.close({ graceMs });
    await soon(secure.server.waitClosed(), "the server to close");
    await silent.end();
    await halfway.end();
  });
}

Deno.test("Server.close() lets running calls end when they are encrypted, and then closes", async () => {
  const go = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  await using server = new Server([echoWith({
    async unary(stream) {
      started.resolve();
      await go.promise;
      await stream.sendMessage({ text: "finished" });
    },
  })]);
  await server.start("127.0.0.1", 0, { tls: FIRST });
  await using channel = new Channel("127.0.0.1", server.port!, {
    tls: TRUSTING,
  });
  const call = createStub(Echo, channel).unary({});
  await started.promise;
  server.close({ graceMs: 60_000 });
  await turns(5);
  go.resolve();
  assertEquals((await soon(call)).text, "finished");
  await soon(server.waitClosed());
});

Deno.test("Channel calls an encrypted server that it knows by its address alone", async () => {
  await using secure = await startSecure();
  await using channel = new Channel("127.0.0.1", secure.server.port!, {
    tls: { ca: AUTHORITY.cert },
  });
  const { text } = await soon(createStub(Echo, channel).unary({}));
  assertEquals(text, "secret");
});
