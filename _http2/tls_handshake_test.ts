// What the options mean to node:tls, tried on real connections.

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { createPrivateKey } from "node:crypto";
import net from "node:net";
import tls, { type TlsOptions } from "node:tls";
import { Authority } from "../_testdata/certificates.ts";
import type { PeerCertificate } from "../core/peer.ts";
import type { ChannelTLSOptions, ServerTLSOptions } from "../core/tls.ts";
import {
  clientCertificatesOf,
  clientTLSOptions,
  faultOfProtocol,
  peerCertificate,
  serverTLSOptions,
} from "./tls.ts";

const AUTHORITY = new Authority();
const STRANGER = new Authority("Stranger");
const SERVER = AUTHORITY.issue({
  commonName: "server",
  hosts: ["localhost", "127.0.0.1"],
});
const CLIENT = AUTHORITY.issue({ commonName: "client" });

/** What one side knows after the handshake, or why there was none. */
type Side = Error | {
  /** The certificate of the other side. */
  readonly cert: PeerCertificate | null;
  /** The name that the client asked for; on the server. */
  readonly servername?: string | false | null | undefined;
  /** What is wrong with the protocol; on the client. */
  readonly fault?: Error | undefined;
};

/** A server that does the handshake and nothing else. */
class Handshaker implements AsyncDisposable {
  readonly #server: tls.Server;
  #next = Promise.withResolvers<Side>();

  constructor(options: TlsOptions, asked: boolean) {
    this.#server = tls.createServer(options, (socket) => {
      socket.on("error", () => {});
      const { servername } = socket as { servername?: string | false | null };
      this.#next.resolve({ cert: peerCertificate(socket, asked), servername });
    });
    this.#server.on("tlsClientError", (error) => this.#next.resolve(error));
  }

  /** Serves others from now on as these options say. */
  reload(options: ServerTLSOptions): void {
    this.#server.setSecureContext(serverTLSOptions(options));
  }

  async listen(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(0, "127.0.0.1", resolve);
    await promise;
  }

  /** Connects to it, and tells what both sides found. */
  async connect(
    options: ChannelTLSOptions | true,
    hostname = "localhost",
  ): Promise<{ client: Side; server: Side }> {
    this.#next = Promise.withResolvers();
    const { port } = this.#server.address() as net.AddressInfo;
    const raw = net.connect({ host: "127.0.0.1", port });
    await new Promise((resolve) => raw.once("connect", resolve));
    const closed = new Promise((resolve) => raw.once("close", resolve));
    const socket = tls.connect({
      ...clientTLSOptions(options, { hostname }),
      socket: raw,
    });
    const { promise, resolve } = Promise.withResolvers<Side>();
    socket.on("error", resolve);
    socket.on("secureConnect", () =>
      resolve({
        cert: peerCertificate(socket, true),
        fault: faultOfProtocol(socket),
      }));
    const client = await promise;
    const server = await this.#next.promise;
    socket.destroy();
    raw.destroy();
    await closed;
    return { client, server };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Starts a server with our options. */
async function serve(options: Partial<ServerTLSOptions>): Promise<Handshaker> {
  const all = { ...SERVER, ...options };
  const asked = clientCertificatesOf(all) !== "none";
  const server = new Handshaker(serverTLSOptions(all), asked);
  await server.listen();
  return server;
}

function commonName(side: Side): unknown {
  assert(!(side instanceof Error), `${side}`);
  return side.cert?.subject.CN;
}

function message(side: Side): string {
  assertInstanceOf(side, Error);
  return side.message;
}

const TRUSTING: ChannelTLSOptions = { ca: AUTHORITY.cert };

Deno.test("TLS shows the server's certificate and agrees on HTTP/2", async () => {
  await using handshaker = await serve({});
  const { client, server } = await handshaker.connect(TRUSTING);
  assertEquals(commonName(client), "server");
  assert(!(client instanceof Error) && !(server instanceof Error));
  assertEquals(client.fault, undefined);
  assertEquals(
    client.cert?.subjectAltName,
    "DNS:localhost, IP Address:127.0.0.1",
  );
  assertEquals(client.cert?.issuer, { CN: "Test authority" });
  assertMatch(
    client.cert?.fingerprint256 ?? "",
    /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/,
  );
  assertEquals(server.servername, "localhost");
  assertEquals(server.cert, null);
});

Deno.test("TLS does not ask for an address by name, and finds it in the certificate", async () => {
  await using handshaker = await serve({});
  const { client, server } = await handshaker.connect(TRUSTING, "127.0.0.1");
  assertEquals(commonName(client), "server");
  assert(!(server instanceof Error) && !server.servername);
  const other = await handshaker.connect(TRUSTING, "127.0.0.2");
  assertStringIncludes(message(other.client), "127.0.0.2");
});

Deno.test("TLS refuses a server of another name, unless that is expected", async () => {
  await using handshaker = await serve({});
  const wrong = await handshaker.connect(TRUSTING, "example.com");
  assertStringIncludes(message(wrong.client), "example.com");
  const { client } = await handshaker.connect(
    { ...TRUSTING, serverName: "localhost" },
    "example.com",
  );
  assertEquals(commonName(client), "server");
});

Deno.test("TLS refuses a server whose authority is not trusted", async () => {
  await using handshaker = await serve({});
  for (const tls of [true, { ca: STRANGER.cert }] as const) {
    const { client } = await handshaker.connect(tls);
    assertMatch(message(client), /certificate/);
  }
});

Deno.test("TLS trusts each of several authorities, in one text or many", async () => {
  await using handshaker = await serve({});
  const authorities = [STRANGER.cert, AUTHORITY.cert];
  for (const ca of [authorities, authorities.join("")]) {
    const { client } = await handshaker.connect({ ca });
    assertEquals(commonName(client), "server");
  }
});

Deno.test("TLS refuses an expired certificate, whatever checkServerIdentity says", async () => {
  await using handshaker = await serve(
    AUTHORITY.issue({ commonName: "server", daysOld: 8 }),
  );
  const { client } = await handshaker.connect({
    ...TRUSTING,
    checkServerIdentity: () => undefined,
  });
  // Deno does not say that it is the date.
  assertMatch(message(client), /certificate/);
});

Deno.test("TLS refuses a server that checkServerIdentity refuses or fails for", async () => {
  await using handshaker = await serve({});
  const { client } = await handshaker.connect({
    ...TRUSTING,
    checkServerIdentity: (hostname, { subject }) =>
      new Error(`${subject.CN} is not ${hostname}`),
  });
  assertEquals(message(client), "server is not localhost");
  const failed = await handshaker.connect({
    ...TRUSTING,
    checkServerIdentity: () => {
      throw new Error("broken");
    },
  });
  assertEquals(message(failed.client), "broken");
});

Deno.test("TLS accepts a server of another name that checkServerIdentity accepts", async () => {
  await using handshaker = await serve({});
  const { client } = await handshaker.connect({
    ...TRUSTING,
    checkServerIdentity: () => undefined,
  }, "example.com");
  assertEquals(commonName(client), "server");
});

Deno.test("TLS has no certificate of a client that was not asked for one", async () => {
  await using handshaker = await serve({});
  const { server } = await handshaker.connect({ ...TRUSTING, ...CLIENT });
  assertEquals(commonName(server), undefined);
});

Deno.test("TLS requires a trusted certificate of the client", async () => {
  await using handshaker = await serve({ ca: AUTHORITY.cert });
  const { client, server } = await handshaker.connect({
    ...TRUSTING,
    ...CLIENT,
  });
  assertEquals(commonName(client), "server");
  assertEquals(commonName(server), "client");

  const without = await handshaker.connect(TRUSTING);
  assertInstanceOf(without.server, Error);
  const untrusted = await handshaker.connect({
    ...TRUSTING,
    ...STRANGER.issue({ commonName: "stranger" }),
  });
  assertInstanceOf(untrusted.server, Error);
});

Deno.test("TLS with requested certificates has those alone that are trusted", async () => {
  await using handshaker = await serve({
    ca: AUTHORITY.cert,
    clientCertificates: "request",
  });
  const cases: [Partial<ChannelTLSOptions>, string | undefined][] = [
    [CLIENT, "client"],
    [{}, undefined],
    [STRANGER.issue({ commonName: "stranger" }), undefined],
    [AUTHORITY.issue({ commonName: "old", daysOld: 8 }), undefined],
  ];
  for (const [options, name] of cases) {
    const { client, server } = await handshaker.connect({
      ...TRUSTING,
      ...options,
    });
    assertEquals(commonName(client), "server");
    assertEquals(commonName(server), name);
  }
});

Deno.test("TLS uses an encrypted key", async () => {
  const passphrase = "secret";
  const key = createPrivateKey(SERVER.key).export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase,
  }).toString();
  await using handshaker = await serve({ key, passphrase });
  const { client } = await handshaker.connect(TRUSTING);
  assertEquals(commonName(client), "server");
});

Deno.test("TLS speaks no older version than it may", async () => {
  await using handshaker = new Handshaker(
    { ...serverTLSOptions(SERVER), maxVersion: "TLSv1.2" },
    false,
  );
  await handshaker.listen();
  const { client } = await handshaker.connect(TRUSTING);
  assertEquals(commonName(client), "server");
  const newer = await handshaker.connect({
    ...TRUSTING,
    minVersion: "TLSv1.3",
  });
  assertInstanceOf(newer.client, Error);
});

Deno.test("TLS serves a certificate that was put in place of another", async () => {
  await using handshaker = await serve({});
  await handshaker.connect(TRUSTING);
  handshaker.reload(AUTHORITY.issue({ commonName: "reloaded" }));
  const { client } = await handshaker.connect(TRUSTING);
  assertEquals(commonName(client), "reloaded");
});

Deno.test("TLS finds out that a server knows nothing of ALPN, or not of HTTP/2", async () => {
  await using silent = new Handshaker(SERVER, false);
  await silent.listen();
  const { client } = await silent.connect(TRUSTING);
  assert(!(client instanceof Error));
  assertStringIncludes(`${client.fault?.message}`, "ALPN: none");

  await using old = new Handshaker(
    { ...SERVER, ALPNProtocols: ["http/1.1"] },
    false,
  );
  await old.listen();
  assertInstanceOf((await old.connect(TRUSTING)).client, Error);
});
