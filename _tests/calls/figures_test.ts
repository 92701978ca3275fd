/** What is counted of calls and connections, and remembered of channels. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { hostOf } from "../../_channel.ts";
import { serverFigures } from "../../_server_figures.ts";
import type { LookedAt } from "../../core/_figures.ts";
import { Channel, createStub, Server, Status } from "../../mod.ts";
import { Authority } from "../../_testdata/certificates.ts";
import {
  echo,
  type EchoPair,
  startEcho,
} from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { RawConnection, requestFields } from "../../_testdata/raw_h2.ts";
import { assertStatus, Waiters } from "../../_testdata/waiters.ts";
import { until } from "../../_testdata/waiting.ts";

/** How many calls either side has counted: begun, gone well, failed. */
function callsOf({ channel, server }: EchoPair): number[][] {
  return [hostOf(channel), serverFigures(server)!].map(({ callCounts }) => {
    const { started, succeeded, failed } = callCounts;
    return [started, succeeded, failed];
  });
}

function only(connections: Iterable<LookedAt>): LookedAt["figures"] {
  const all = [...connections];
  assertEquals(all.length, 1);
  return all[0]!.figures;
}

/** What either side says of the one connection. */
function connectionOf(
  { channel, server }: Pick<EchoPair, "channel" | "server">,
) {
  const [subchannel] = hostOf(channel).source.subchannels;
  return {
    client: only(subchannel!.connections),
    server: only(serverFigures(server)!.connections),
  };
}

Deno.test("Calls are counted on either side when they begin and end", async () => {
  await using echo = await startEcho();
  assertEquals(callsOf(echo), [[0, 0, 0], [0, 0, 0]]);
  await echo.stub.unary({});
  await Array.fromAsync(echo.stub.bidi([{ count: 3 }]));
  await assertStatus(
    Status.ABORTED,
    () => echo.stub.unary({ status: Status.ABORTED }),
  );
  assertEquals(callsOf(echo), [[3, 2, 1], [3, 2, 1]]);
});

Deno.test("Calls are counted as failed that are cancelled, late or refused", async () => {
  const own = new Waiters();
  await using echo = await startEcho({ handlers: own.handlers });
  const controller = new AbortController();
  const { signal } = controller;
  const cancelled = assertStatus(
    Status.CANCELLED,
    () => echo.stub.unary({}, { signal }),
  );
  await own.started;
  assertEquals(callsOf(echo), [[1, 0, 0], [1, 0, 0]]);
  controller.abort();
  await cancelled;
  await own.aborted;
  await assertStatus(
    Status.DEADLINE_EXCEEDED,
    () => echo.stub.unary({}, { timeoutMs: 0 }),
  );
  assertEquals(callsOf(echo), [[2, 0, 2], [1, 0, 1]]);
  const aborted = AbortSignal.abort();
  await assertStatus(
    Status.CANCELLED,
    () => echo.stub.unary({}, { signal: aborted }),
  );
  assertEquals(callsOf(echo), [[3, 0, 3], [1, 0, 1]]);
  using raw = await RawConnection.open(echo.port);
  await raw.headers(1, requestFields("/no.Such/Method"), { end: true });
  await raw.reply(1);
  assertEquals(callsOf(echo)[1], [2, 0, 2]);
});

Deno.test("Calls are counted that find no server", async () => {
  await using echo = await startEcho();
  echo.server.close();
  await echo.server.waitClosed();
  await assertStatus(Status.UNAVAILABLE, () => echo.stub.unary({}));
  assertEquals(callsOf(echo), [[1, 0, 1], [0, 0, 0]]);
});

Deno.test("Streams and messages are counted on either side of a connection", async () => {
  await using echo = await startEcho();
  await echo.stub.unary({ text: "a" });
  await echo.stub.clientStream([{}, {}, {}]);
  await Array.fromAsync(echo.stub.serverStream({ count: 4 }));
  await assertStatus(
    Status.ABORTED,
    () => echo.stub.unary({ status: Status.ABORTED }),
  );
  const streams = () => connectionOf(echo).server.traffic;
  await until(() => streams().streamsSucceeded === 4, "the streams are closed");
  const { client, server } = connectionOf(echo);
  for (const { traffic } of [client, server]) {
    // It says so when it is in good order, whatever the status.
    assertEquals(traffic.streamsStarted, 4);
    assertEquals(traffic.streamsSucceeded, 4);
    assertEquals(traffic.streamsFailed, 0);
    assertEquals(traffic.goawayCode, null);
  }
  const messages = [1 + 3 + 1 + 1, 1 + 1 + 4];
  const { traffic: c } = client;
  const { traffic: s } = server;
  assertEquals([c.messagesSent, c.messagesReceived], messages);
  assertEquals([s.messagesReceived, s.messagesSent], messages);
});

Deno.test("A stream is counted as failed that its call was cancelled on", async () => {
  const own = new Waiters();
  await using echo = await startEcho({ handlers: own.handlers });
  const controller = new AbortController();
  const { signal } = controller;
  const end = assertStatus(
    Status.CANCELLED,
    () => echo.stub.unary({}, { signal }),
  );
  await own.started;
  controller.abort();
  await end;
  await own.aborted;
  const failed = () => {
    const { client, server } = connectionOf(echo);
    return [client.traffic.streamsFailed, server.traffic.streamsFailed];
  };
  await until(() => `${failed()}` === "1,1", "the streams are closed");
});

Deno.test("A connection tells its addresses and windows, and what the peer allows", async () => {
  await using echo = await startEcho({
    server: { config: { maxConcurrentStreams: 17 } },
  });
  await echo.stub.unary({});
  const { client, server } = connectionOf(echo);
  assertEquals(client.remote, { hostname: "127.0.0.1", port: echo.port });
  assertEquals(client.remote, server.local);
  assertEquals(client.local, server.remote);
  assertEquals([client.security, server.security], [null, null]);
  assertEquals([client.maxStreams, server.maxStreams], [17, null]);
  for (const { windows } of [client, server]) {
    assert(windows!.local > 1e6, `${windows!.local} bytes to send`);
    assert(windows!.remote > 1e6, `${windows!.remote} bytes to receive`);
  }
});

Deno.test("A connection tells how it is encrypted, and by which certificates", async () => {
  const authority = new Authority();
  const tls = authority.issue({
    commonName: "localhost",
    hosts: ["127.0.0.1"],
  });
  await using server = new Server([echo]);
  await server.start("127.0.0.1", 0, { tls });
  await using channel = new Channel("127.0.0.1", server.port!, {
    tls: { ca: authority.cert },
  });
  await createStub(Echo, channel).unary({});
  const { client, server: there } = connectionOf({ channel, server });
  assertMatch(client.security!.cipher, /^TLS_/);
  assertEquals(there.security!.cipher, client.security!.cipher);
  assertEquals(client.security!.localCertificate, null);
  assert(client.security!.remoteCertificate!.length > 100);
  assertEquals(
    there.security!.localCertificate,
    client.security!.remoteCertificate,
  );
});

Deno.test("A channel remembers its states, and why it came to them", async () => {
  const echo = await startEcho();
  const { history } = hostOf(echo.channel).source;
  await echo.stub.unary({});
  echo.server.close();
  await echo.server.waitClosed();
  await assertStatus(Status.UNAVAILABLE, () => echo.stub.unary({}));
  await echo.channel.close();
  const changes = history.changes.map(({ state, reason }) =>
    `${state} ${reason ?? ""}`
  );
  assertEquals(changes[0], "CONNECTING ");
  assertEquals(changes[1], "READY ");
  assertMatch(changes[2]!, /^IDLE /);
  assertEquals(changes[3], "CONNECTING ");
  assertMatch(changes[4]!, /^TRANSIENT_FAILURE .*Cannot connect/);
  assertEquals(changes.at(-1), "SHUTDOWN Channel is closed");
  assertEquals(history.total, changes.length);
});
