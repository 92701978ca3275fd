/** Channels, servers and connections, as channelz shows them. */

import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertThrows,
} from "@std/assert";
import {
  Channel,
  createStub,
  mapping,
  Server,
  Status,
  type Stub,
} from "../mod.ts";
import { hostOf } from "../_channel.ts";
import { Authority } from "../_testdata/certificates.ts";
import { echo, type EchoPair, startEcho } from "../_testdata/echo_service.ts";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import { RawServer } from "../_testdata/raw_h2.ts";
import { assertStatus } from "../_testdata/waiters.ts";
import { soon, until } from "../_testdata/waiting.ts";
import { ChannelFor } from "../testing/mod.ts";
import { ipBytes } from "./_messages.ts";
import {
  type Address,
  ChannelConnectivityState_State as State,
  type Socket,
  type Subchannel,
} from "./gen/grpc/channelz/v1/channelz_pb.ts";
import { Channelz, ChannelzService } from "./mod.ts";

type Z = Stub<typeof ChannelzService>;

/** Asks a channelz of its own about a channel and a server. */
interface Shown extends EchoPair {
  readonly z: Z;
  readonly channelz: Channelz;
}

/** A pair with calls behind it, and a channelz in memory that shows it. */
async function startShown(
  options: Parameters<typeof startEcho>[0] = {},
): Promise<Shown> {
  const channelz = new Channelz();
  const pair = await startEcho(options);
  channelz.add(pair.channel);
  channelz.add(pair.server);
  // Its server is not shown: whoever asks should not see himself here.
  const asker = new ChannelFor([{ [mapping]: () => channelz[mapping]() }]);
  return {
    ...pair,
    channelz,
    z: createStub(ChannelzService, asker),
    async [Symbol.asyncDispose]() {
      await asker[Symbol.asyncDispose]();
      await pair[Symbol.asyncDispose]();
    },
  };
}

/** The one subchannel of the one channel. */
async function subchannelOf(z: Z): Promise<Subchannel> {
  const { channel: [channel] } = await z.getTopChannels({});
  const { subchannelId } = channel!.subchannelRef[0]!;
  return (await z.getSubchannel({ subchannelId })).subchannel!;
}

/** The two ends of the one connection. */
async function socketsOf(z: Z): Promise<[client: Socket, server: Socket]> {
  const { socketRef: [client] } = await subchannelOf(z);
  const { server: [server] } = await z.getServers({});
  const { serverId } = server!.ref!;
  const { socketRef: [there] } = await z.getServerSockets({ serverId });
  const get = async (socketId: bigint) =>
    (await z.getSocket({ socketId })).socket!;
  return [await get(client!.socketId), await get(there!.socketId)];
}

function tcpOf(address: Address | undefined): string {
  assertEquals(address?.address.case, "tcpipAddress");
  const { ipAddress, port } = address!.address.value as {
    ipAddress: Uint8Array;
    port: number;
  };
  return `${ipAddress.join(".")}:${port}`;
}

Deno.test("Channelz shows the state, target and calls of a channel, and what has led there", async () => {
  await using shown = await startShown();
  const before = Date.now() - 1;
  const get = async () => (await shown.z.getTopChannels({})).channel[0]!;
  assertEquals((await get()).data!.state!.state, State.IDLE);
  assertEquals((await get()).data!.lastCallStartedTimestamp, undefined);
  await shown.stub.unary({});
  await assertStatus(
    Status.ABORTED,
    () => shown.stub.unary({ status: Status.ABORTED }),
  );
  const { ref, data, channelRef, socketRef } = await get();
  assertGreater(ref!.channelId, 0n);
  assertEquals(data!.target, `127.0.0.1:${shown.port}`);
  assertEquals(data!.state!.state, State.READY);
  assertEquals(
    [data!.callsStarted, data!.callsSucceeded, data!.callsFailed],
    [2n, 1n, 1n],
  );
  const last = data!.lastCallStartedTimestamp!;
  assert(Number(last.seconds) * 1000 + last.nanos / 1e6 >= before);
  // "At most one of 'channel_ref+subchannel_ref' and 'socket' is set."
  assertEquals([channelRef, socketRef], [[], []]);
  const { events, numEventsLogged, creationTimestamp } = data!.trace!;
  assertEquals(events.map(({ description }) => description), [
    "Channel created",
    "Channel state change to CONNECTING",
    "Channel state change to READY",
  ]);
  assertEquals(numEventsLogged, 3n);
  assertEquals(events[0]!.timestamp, creationTimestamp);
  assertEquals(
    (await shown.z.getChannel({ channelId: ref!.channelId })).channel!.ref,
    ref,
  );
});

Deno.test("Channelz tells why a channel does not connect", async () => {
  await using shown = await startShown({
    // The state is looked at before the next attempt.
    channel: { config: { initialReconnectBackoffMs: 60_000 } },
  });
  shown.server.close();
  await shown.server.waitClosed();
  await assertStatus(Status.UNAVAILABLE, () => shown.stub.unary({}));
  const { channel: [channel] } = await shown.z.getTopChannels({});
  const { state, trace } = channel!.data!;
  assertEquals(state!.state, State.TRANSIENT_FAILURE);
  assertMatch(
    trace!.events.at(-1)!.description,
    /TRANSIENT_FAILURE: Cannot connect to 127\.0\.0\.1:\d+: .*refused/i,
  );
  const { data, socketRef } = await subchannelOf(shown.z);
  assertEquals(data!.state!.state, State.TRANSIENT_FAILURE);
  assertEquals(data!.callsStarted, 0n);
  assertEquals(socketRef, []);
});

Deno.test("Channelz shows no connection that is only being made", async () => {
  // It takes the connection, and says nothing.
  await using server = new RawServer(() => Promise.resolve());
  await using channel = new Channel("127.0.0.1", server.port);
  await using asker = new ChannelFor([new Channelz([channel])]);
  const z = createStub(ChannelzService, asker);
  channel.connect();
  await until(
    () => hostOf(channel).source.counts.connections === 1,
    "there is a connection",
  );
  const { data, socketRef } = await subchannelOf(z);
  assertEquals(data!.state!.state, State.CONNECTING);
  assertEquals(socketRef, []);
});

Deno.test("Channelz shows the subchannels of a channel, one for each endpoint", async () => {
  await using one = await startEcho();
  await using two = await startEcho();
  await using channel = new Channel({
    target: [`127.0.0.1:${one.port}`, `127.0.0.1:${two.port}`],
    balancing: "round_robin",
  });
  await using asker = new ChannelFor([new Channelz([channel])]);
  const z = createStub(ChannelzService, asker);
  const stub = createStub(Echo, channel);
  await stub.unary({}, { waitForReady: true });
  const refs = async () =>
    (await z.getTopChannels({})).channel[0]!.subchannelRef;
  const all = async () =>
    await Promise.all((await refs()).map(async ({ subchannelId }) => {
      const { subchannel } = await z.getSubchannel({ subchannelId });
      return subchannel!;
    }));
  const deadline = Date.now() + 8000;
  while ((await all()).some(({ data }) => data!.state!.state !== State.READY)) {
    assert(Date.now() < deadline, "Waited in vain for both connections");
  }
  for (let i = 0; i < 3; i++) await stub.unary({});
  const seen = await all();
  assertEquals(
    seen.map(({ data }) => data!.target).sort(),
    [`127.0.0.1:${one.port}`, `127.0.0.1:${two.port}`].sort(),
  );
  const started = seen.map(({ data }) => Number(data!.callsStarted));
  assertEquals(started[0]! + started[1]!, 4);
  assert(started.every((count) => count > 0), `${started}`);
  assertEquals(
    seen.map(({ data }) => data!.callsSucceeded),
    started.map(BigInt),
  );
});

Deno.test("Channelz shows both ends of a connection, with streams, messages and windows", async () => {
  await using shown = await startShown({
    server: { config: { maxConcurrentStreams: 17 } },
  });
  await Array.fromAsync(shown.stub.bidi([{ count: 3 }, { count: 2 }]));
  const succeeded = async () =>
    (await socketsOf(shown.z)).every(({ data }) =>
      data!.streamsSucceeded === 1n
    );
  while (!await soon(succeeded())) continue;
  const [client, server] = await socketsOf(shown.z);
  for (const { data, security, ref } of [client, server]) {
    assertEquals([data!.streamsStarted, data!.streamsFailed], [1n, 0n]);
    assertGreater(Number(data!.localFlowControlWindow), 1e6);
    assertGreater(Number(data!.remoteFlowControlWindow), 1e6);
    assert(data!.lastMessageSentTimestamp !== undefined);
    assert(data!.lastMessageReceivedTimestamp !== undefined);
    assertEquals(security, undefined);
    assertMatch(ref!.name, /^127\.0\.0\.1:\d+$/);
  }
  assertEquals(
    [client.data!.messagesSent, client.data!.messagesReceived],
    [2n, 5n],
  );
  assertEquals(
    [server.data!.messagesSent, server.data!.messagesReceived],
    [5n, 2n],
  );
  assert(client.data!.lastLocalStreamCreatedTimestamp !== undefined);
  assertEquals(client.data!.lastRemoteStreamCreatedTimestamp, undefined);
  assert(server.data!.lastRemoteStreamCreatedTimestamp !== undefined);
  assertEquals(server.data!.lastLocalStreamCreatedTimestamp, undefined);
  assertEquals(client.data!.peerMaxConcurrentStreams, 17);
  assertEquals(server.data!.peerMaxConcurrentStreams, 0);
  assertEquals(tcpOf(client.remote), `127.0.0.1:${shown.port}`);
  assertEquals(tcpOf(client.remote), tcpOf(server.local));
  assertEquals(tcpOf(client.local), tcpOf(server.remote));
});

Deno.test("Channelz shows a server, what it listens on and its calls", async () => {
  await using shown = await startShown();
  await shown.stub.unary({});
  const { server: [server], end } = await shown.z.getServers({});
  assertEquals(end, true);
  const { ref, data, listenSocket } = server!;
  assertEquals(ref!.name, `127.0.0.1:${shown.port}`);
  assertEquals([data!.callsStarted, data!.callsSucceeded], [1n, 1n]);
  assertEquals(data!.callsFailed, 0n);
  assert(data!.lastCallStartedTimestamp !== undefined);
  assertEquals(data!.trace!.events[0]!.description, "Server created");
  assertEquals(listenSocket.length, 1);
  const { socketId } = listenSocket[0]!;
  const { socket } = await shown.z.getSocket({ socketId });
  assertEquals(tcpOf(socket!.local), `127.0.0.1:${shown.port}`);
  assertEquals(
    (await shown.z.getServer({ serverId: ref!.serverId })).server!.ref,
    ref,
  );
});

Deno.test("Channelz shows how a connection is encrypted", async () => {
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
  const service = new Channelz([channel, server]);
  await using asker = new ChannelFor([{ [mapping]: () => service[mapping]() }]);
  const [client, there] = await socketsOf(createStub(ChannelzService, asker));
  const models = [client, there].map(({ security }) => {
    assertEquals(security?.model.case, "tls");
    return security!.model.value as {
      cipherSuite: { case: string; value: string };
      localCertificate: Uint8Array;
      remoteCertificate: Uint8Array;
    };
  });
  const [c, s] = models as [typeof models[0], typeof models[0]];
  assertEquals(c!.cipherSuite.case, "standardName");
  assertMatch(c!.cipherSuite.value, /^TLS_/);
  assertEquals(c!.cipherSuite, s!.cipherSuite);
  assertGreater(c!.remoteCertificate.length, 100);
  assertEquals(s!.localCertificate, c!.remoteCertificate);
  assertEquals(c!.localCertificate.length, 0);
});

Deno.test("Channelz shows what serves it, and connections in memory with an address that tools can print", async () => {
  await using channel = new ChannelFor([new Channelz()]);
  const z = createStub(ChannelzService, channel);
  const { server: [server] } = await z.getServers({});
  assertEquals(server!.listenSocket, []);
  const { serverId } = server!.ref!;
  const { socketRef: [ref] } = await z.getServerSockets({ serverId });
  assertEquals(ref!.name, "in-memory");
  const { socket } = await z.getSocket({ socketId: ref!.socketId });
  assertEquals(tcpOf(socket!.local), "0.0.0.0:0");
  assertEquals(tcpOf(socket!.remote), "0.0.0.0:0");
});

Deno.test("Channelz gives pages, in the order of ids that are nobody else's", async () => {
  const channels = Array.from(
    { length: 5 },
    (_, i) => new Channel("127.0.0.1", 1000 + i),
  );
  const channelz = new Channelz(channels);
  await using asker = new ChannelFor([channelz]);
  const z = createStub(ChannelzService, asker);
  const seen: bigint[] = [];
  for (let start = 0n, pages = 1;; pages++) {
    const { channel, end } = await z.getTopChannels({
      startChannelId: start,
      maxResults: 2n,
    });
    assertEquals(channel.length, end ? 1 : 2);
    seen.push(...channel.map(({ ref }) => ref!.channelId));
    start = seen.at(-1)! + 1n;
    if (!end) continue;
    assertEquals(pages, 3);
    break;
  }
  assertEquals(seen, seen.toSorted((a, b) => Number(a - b)));
  const { server: [server] } = await z.getServers({});
  const ids = [...seen, server!.ref!.serverId];
  assertEquals(new Set(ids).size, ids.length);
  const past = await z.getTopChannels({ startChannelId: seen.at(-1)! + 1n });
  assertEquals([past.channel, past.end], [[], true]);
  assertEquals((await z.getTopChannels({})).channel.length, 5);
  await assertStatus(
    Status.INVALID_ARGUMENT,
    () => z.getTopChannels({ maxResults: -1n }),
    "max_results must not be negative, received -1",
  );
  for (const channel of channels) await channel.close();
});

Deno.test("Channelz keeps the order of ids when something is shown again", async () => {
  await using one = new Channel("127.0.0.1", 1);
  await using other = new Channel("127.0.0.1", 2);
  const channelz = new Channelz();
  const first = channelz.add(one);
  channelz.add(other);
  first[Symbol.dispose]();
  channelz.add(one);
  await using asker = new ChannelFor([channelz]);
  const z = createStub(ChannelzService, asker);
  const { channel } = await z.getTopChannels({ maxResults: 1n });
  assertEquals(channel.map(({ ref }) => ref!.name), ["127.0.0.1:1"]);
});

Deno.test("Channelz gives 100 results on a page, or as many as were asked for up to 1000", async () => {
  const channels = Array.from(
    { length: 1001 },
    () => new Channel("127.0.0.1", 1),
  );
  await using asker = new ChannelFor([new Channelz(channels)]);
  const z = createStub(ChannelzService, asker);
  for (
    const [maxResults, found, isEnd] of [
      [0n, 100, false],
      [1000n, 1000, false],
      [1001n, 1000, false],
      [2n ** 63n - 1n, 1000, false],
    ] as const
  ) {
    const { channel, end } = await z.getTopChannels({ maxResults });
    assertEquals([channel.length, end], [found, isEnd]);
  }
  await channels[0]!.close();
  const { channel, end } = await z.getTopChannels({ maxResults: 1001n });
  assertEquals([channel.length, end], [1000, true]);
});

Deno.test("Channelz gives the sockets of a server in pages", async () => {
  await using shown = await startShown();
  const others = Array.from(
    { length: 4 },
    () => new Channel("127.0.0.1", shown.port),
  );
  for (const channel of others) await createStub(Echo, channel).unary({});
  const { server: [server] } = await shown.z.getServers({});
  const { serverId } = server!.ref!;
  const first = await shown.z.getServerSockets({ serverId, maxResults: 3n });
  assertEquals([first.socketRef.length, first.end], [3, false]);
  const startSocketId = first.socketRef.at(-1)!.socketId + 1n;
  const rest = await shown.z.getServerSockets({ serverId, startSocketId });
  assertEquals([rest.socketRef.length, rest.end], [1, true]);
  for (const channel of others) await channel.close();
});

Deno.test("Channelz answers NOT_FOUND for ids that there are none of", async () => {
  await using shown = await startShown();
  const { z } = shown;
  const id = 2n ** 62n;
  const calls: Record<string, () => PromiseLike<unknown>> = {
    channel: () => z.getChannel({ channelId: id }),
    subchannel: () => z.getSubchannel({ subchannelId: id }),
    server: () => z.getServer({ serverId: id }),
    socket: () => z.getSocket({ socketId: id }),
  };
  for (const [what, call] of Object.entries(calls)) {
    await assertStatus(
      Status.NOT_FOUND,
      call,
      `There is no ${what} with the id ${id}`,
    );
  }
  await assertStatus(
    Status.NOT_FOUND,
    () => z.getServerSockets({ serverId: id }),
  );
  // An id is that of one kind alone.
  const { channel: [channel] } = await z.getTopChannels({});
  await assertStatus(
    Status.NOT_FOUND,
    () => z.getServer({ serverId: channel!.ref!.channelId }),
  );
});

Deno.test("Channelz shows nothing that is closed, or that it shall show no more", async () => {
  const shown = await startShown();
  const { z, channelz } = shown;
  await shown.stub.unary({});
  await using other = new Channel("127.0.0.1", 1);
  const added = channelz.add(other);
  const again = channelz.add(other);
  assertEquals((await z.getTopChannels({})).channel.length, 2);
  again[Symbol.dispose]();
  assertEquals((await z.getTopChannels({})).channel.length, 2);
  added[Symbol.dispose]();
  assertEquals((await z.getTopChannels({})).channel.length, 1);
  await shown.channel.close();
  assertEquals((await z.getTopChannels({})).channel, []);
  shown.server.close();
  await shown.server.waitClosed();
  assertEquals((await z.getServers({})).server, []);
  await shown[Symbol.asyncDispose]();
});

Deno.test("Channelz tells the code of a GOAWAY, when the server shuts down", async () => {
  const started = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  await using shown = await startShown({
    handlers: {
      async unary(stream) {
        started.resolve();
        await released.promise;
        await stream.sendMessage({});
      },
    },
  });
  const call = shown.stub.unary({});
  await soon(started.promise);
  const code = async () => {
    const { socketRef } = await subchannelOf(shown.z);
    const { socketId } = socketRef[0]!;
    const { socket } = await shown.z.getSocket({ socketId });
    return socket!.data!.receivedGoawayError;
  };
  assertEquals(await code(), undefined);
  shown.server.close({ graceMs: 10_000 });
  let seen: number | undefined;
  while (seen === undefined) seen = await soon(code());
  assertEquals(seen, 0);
  released.resolve();
  await soon(call);
});

Deno.test("Channelz throws for what is neither a channel nor a server", () => {
  for (const target of [null, {}, "channel", 7]) {
    assertThrows(
      () => new Channelz([target as never]),
      TypeError,
      "it has to be a Channel or a Server, received",
    );
  }
});

Deno.test("ipBytes() reads addresses in every form", () => {
  const cases: readonly (readonly [string, string | null])[] = [
    ["127.0.0.1", "127.0.0.1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::", "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"],
    ["::1", "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1"],
    ["fe80::1%eth0", "254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.1"],
    ["2001:db8::a:b", "32.1.13.184.0.0.0.0.0.0.0.0.0.10.0.11"],
    ["1:2:3:4:5:6:7:8", "0.1.0.2.0.3.0.4.0.5.0.6.0.7.0.8"],
    ["localhost", null],
    ["", null],
  ];
  for (const [text, bytes] of cases) {
    assertEquals(ipBytes(text)?.join(".") ?? null, bytes, text);
  }
});
