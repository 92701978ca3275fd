// Clients that resume a TLS session. The tickets of one server are good for all
// servers of a Deno process, and no certificate is verified again.

import { assertEquals } from "@std/assert";
import { Server, type ServerTLSOptions } from "../../server.ts";
import { Authority, type KeyPair } from "../../_testdata/certificates.ts";
import { hasNode, startPeer } from "../../_testdata/child_process.ts";
import { echoWith } from "../../_testdata/echo_service.ts";
import { soon } from "../../_testdata/waiting.ts";

const isNodeThere = await hasNode();

const AUTHORITY = new Authority();
const SERVER = AUTHORITY.issue({ commonName: "server" });
const CLIENT = AUTHORITY.issue({ commonName: "client" });
const STRANGER = new Authority("Other").issue({ commonName: "client" });
const REQUIRE: Partial<ServerTLSOptions> = { ca: AUTHORITY.cert };
const REQUEST = { ...REQUIRE, clientCertificates: "request" } as const;

/** A server that writes down who called it. */
async function start(options: Partial<ServerTLSOptions>) {
  const callers: unknown[] = [];
  const failures: string[] = [];
  const server = new Server([
    echoWith({
      unary(stream) {
        callers.push(stream.peer.cert?.subject.CN);
        return stream.sendMessage({});
      },
    }),
  ], { onConnectionError: ({ message }) => void failures.push(message) });
  await server.start("127.0.0.1", 0, { tls: { ...SERVER, ...options } });
  return {
    server,
    port: server.port!,
    callers,
    failures,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

interface Outcome {
  readonly outcome: "served" | "closed";
  readonly reused: boolean;
}

const REFUSAL =
  "the client resumed a TLS session without a certificate that this server has verified";

/** Calls from Node on one port, and on another with the session of the first. */
async function resume(
  from: number,
  to: number,
  version: string,
  { cert, key }: Partial<KeyPair> = {},
): Promise<Outcome> {
  const own = cert === undefined ? [] : [cert, key!];
  await using peer = startPeer(
    ...["--only-node", "resuming_client.mjs", `${from}`, `${to}`],
    ...[version, AUTHORITY.cert, ...own],
  );
  return await soon(peer.event<Outcome>(), "the calls");
}

for (const version of ["TLSv1.2", "TLSv1.3"]) {
  Deno.test({
    name:
      `Server requires a certificate when a client resumes a session of ${version} of a server that does not (needs Node)`,
    ignore: !isNodeThere,
    async fn() {
      await using open = await start({});
      await using requiring = await start(REQUIRE);
      assertEquals(
        await resume(open.port, requiring.port, version),
        { outcome: "closed", reused: true },
      );
      assertEquals(open.callers, [undefined]);
      assertEquals(requiring.callers, []);
      assertEquals(requiring.failures, [REFUSAL]);
    },
  });

  Deno.test({
    name:
      `Server believes no certificate that it has not verified when a client resumes a session of ${version} (needs Node)`,
    ignore: !isNodeThere,
    async fn() {
      await using asking = await start(REQUEST);
      await using requiring = await start(REQUIRE);
      const { port } = asking;
      assertEquals(
        await resume(port, requiring.port, version, STRANGER),
        { outcome: "closed", reused: true },
      );
      assertEquals(
        await resume(port, port, version, STRANGER),
        { outcome: "served", reused: true },
      );
      assertEquals(asking.callers, [undefined, undefined, undefined]);
      assertEquals(requiring.callers, []);
      assertEquals(requiring.failures, [REFUSAL]);
    },
  });

  Deno.test({
    name:
      `Server knows a client again when it resumes a session of ${version}, until its authorities change (needs Node)`,
    ignore: !isNodeThere,
    async fn() {
      await using requiring = await start(REQUIRE);
      const { server, port, callers } = requiring;
      const served = { outcome: "served", reused: true };
      assertEquals(await resume(port, port, version, CLIENT), served);
      server.setTLS({ ...AUTHORITY.issue({ commonName: "next" }), ...REQUIRE });
      assertEquals(await resume(port, port, version, CLIENT), served);
      assertEquals(callers, Array(4).fill("client"));
      // Whoever is trusted by then, they have to show it first.
      await using asking = await start(REQUEST);
      server.setTLS({
        ...SERVER,
        ca: [AUTHORITY.cert, new Authority("Third").cert],
      });
      assertEquals(
        await resume(asking.port, port, version, CLIENT),
        { outcome: "closed", reused: true },
      );
    },
  });
}
