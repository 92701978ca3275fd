/** What both sides are told when a connection fails before there is HTTP/2. */

import {
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { createServer } from "node:net";
import {
  Channel,
  type ChannelTLSOptions,
  createStub,
  Server,
  type ServerTLSOptions,
  StreamTerminatedError,
} from "../../mod.ts";
import { Authority } from "../../_testdata/certificates.ts";
import { echo } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { soon } from "../../_testdata/waiting.ts";

const AUTHORITY = new Authority();
const STRANGER = new Authority("Stranger");
const hosts = ["localhost", "127.0.0.1"];
const SERVER = AUTHORITY.issue({ commonName: "server", hosts });
const EXPIRED = AUTHORITY.issue({ commonName: "server", hosts, daysOld: 30 });
const FOREIGN = STRANGER.issue({ commonName: "client" });
const ca = AUTHORITY.cert;

/** How the two try, and what each is told. */
interface Case {
  readonly name: string;
  readonly server: ServerTLSOptions | null;
  readonly client: ChannelTLSOptions | null;
  readonly clientIsTold: string | RegExp;
  /** Nothing where the server has no TLS. */
  readonly serverIsTold?: string | RegExp;
}

const CASES: readonly Case[] = [
  {
    name: "the client speaks no TLS",
    server: SERVER,
    client: null,
    clientIsTold: "closed before HTTP/2 SETTINGS, the server may expect TLS",
    serverIsTold: "the other side may not speak TLS",
  },
  {
    name: "the server speaks no TLS",
    server: null,
    client: { ca },
    clientIsTold: "the other side may not speak TLS",
  },
  {
    name: "the certificate of the server has expired",
    server: EXPIRED,
    client: { ca },
    clientIsTold: "the certificate has expired or is not valid yet, or",
    serverIsTold: /CertificateExpired|may not trust the certificate/,
  },
  {
    name: "the authority of the server is not trusted",
    server: SERVER,
    client: { ca: STRANGER.cert },
    clientIsTold: "an authority that is not trusted",
    serverIsTold: /UnknownCA|may not trust the certificate/,
  },
  {
    name: "the client shows no certificate",
    server: { ...SERVER, ca },
    client: { ca },
    clientIsTold:
      /the server (may require|requires) a certificate of the client/,
    serverIsTold: "the client has to show a certificate",
  },
  {
    name: "the certificate of the client is not trusted",
    server: { ...SERVER, ca },
    client: { ca, ...FOREIGN },
    clientIsTold: "may not trust the certificate of the client",
    serverIsTold: "may not trust the certificate",
  },
];

for (const { name, server: tls, client, ...told } of CASES) {
  Deno.test(`Channel and Server tell the likely cause when ${name}`, async () => {
    const failed = Promise.withResolvers<readonly [Error, string]>();
    await using server = new Server([echo], {
      onConnectionError(error, peer) {
        failed.resolve([error, `${peer}`]);
        throw new Error("What it throws is ignored");
      },
    });
    await server.start("127.0.0.1", 0, tls === null ? {} : { tls });
    await using channel = new Channel(
      "127.0.0.1",
      server.port!,
      client === null ? {} : { tls: client },
    );
    const stub = createStub(Echo, channel);
    const error = await assertRejects(
      () => soon(stub.unary({})),
      StreamTerminatedError,
    );
    assertMatch(error.message, new RegExp(told.clientIsTold));
    if (told.serverIsTold === undefined) return;
    const [failure, peer] = await soon(failed.promise, "the server's hook");
    assertInstanceOf(failure, Error);
    assertMatch(failure.message, new RegExp(told.serverIsTold));
    assertStringIncludes(peer, "127.0.0.1:");
  });
}

Deno.test("Channel names the unix socket that it cannot connect to", async () => {
  await using channel = new Channel({ path: "_testdata/no.sock" });
  const error = await assertRejects(
    () => createStub(Echo, channel).unary({}),
    StreamTerminatedError,
  );
  assertStringIncludes(error.message, "to unix:_testdata/no.sock: ");
});

Deno.test("Channel tells the same failure in the same words, and what changes at the end", async () => {
  // A port that nobody listens on.
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  await new Promise((resolve) => taken.close(resolve));
  await using channel = new Channel("127.0.0.1", port, {
    config: { initialReconnectBackoffMs: 1, maxReconnectBackoffMs: 5 },
  });
  const stub = createStub(Echo, channel);
  const messages: string[] = [];
  for (let i = 0; i < 3; i++) {
    const error = await assertRejects(
      () => soon(stub.unary({})),
      StreamTerminatedError,
    );
    messages.push(error.message);
    await channel.waitForStateChange("TRANSIENT_FAILURE");
  }
  const [first] = messages[0]!.split(" (");
  assertEquals(
    first,
    `Cannot connect to 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
  );
  assertEquals(messages.map((text) => text.split(" (")[0]), [
    first,
    first,
    first,
  ]);
});
