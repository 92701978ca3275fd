/** The states of a channel: what leads from one to the other, and what calls see. */

import {
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertRejects,
} from "@std/assert";
import {
  Channel,
  type Clock,
  type ConfigurationOptions,
  createStub,
  Status,
} from "../../client.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  type EchoStub,
  goOnWell,
  replyWell,
  shakeHands,
} from "../../_testdata/raw_replies.ts";
import { RawServer } from "../../_testdata/raw_h2.ts";
import { assertCancelled, assertStatus } from "../../_testdata/waiters.ts";
import { after, soon, turns, until } from "../../_testdata/waiting.ts";
import { noteStates, untilState } from "../../_testdata/watch_states.ts";
import { VirtualClock } from "../../testing/virtual_clock.ts";

interface Client extends AsyncDisposable {
  readonly channel: Channel;
  readonly stub: EchoStub;
}

function connect(
  port: number,
  config: ConfigurationOptions = {},
  clock: Clock | null = null,
): Client {
  const channel = new Channel("127.0.0.1", port, {
    config,
    ...clock && { clock },
  });
  return {
    channel,
    stub: createStub(Echo, channel),
    [Symbol.asyncDispose]: () => channel.close(),
  };
}

function serveWell(): RawServer {
  return new RawServer(async (connection) => {
    await shakeHands(connection);
    await goOnWell(connection);
  });
}

/** A port where nobody listens. */
function deadPort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

const QUICK: ConfigurationOptions = {
  initialReconnectBackoffMs: 20,
  maxReconnectBackoffMs: 20,
};

Deno.test("Channel.state goes from IDLE over CONNECTING to READY when a call is made, and ends in SHUTDOWN", async () => {
  await using server = serveWell();
  await using client = connect(server.port);
  const states = noteStates(client.channel);
  await soon(client.stub.unary({}));
  assertEquals(client.channel.state, "READY");
  await client.channel.close();
  await turns(1);
  assertEquals(states, ["IDLE", "CONNECTING", "READY", "SHUTDOWN"]);
});

Deno.test("Channel.connect() connects once when it is called again and again", async () => {
  await using server = serveWell();
  await using client = connect(server.port);
  client.channel.connect();
  client.channel.connect();
  assertEquals(client.channel.state, "CONNECTING");
  await untilState(client.channel, "READY");
  client.channel.connect();
  assertEquals(client.channel.state, "READY");
  await soon(client.stub.unary({}));
  assertEquals(server.accepted, 1);
});

Deno.test("Channel.state is CONNECTING until the SETTINGS of the server are there", async () => {
  const settings = Promise.withResolvers<void>();
  await using server = new RawServer(async (connection) => {
    await connection.acceptPreface();
    await settings.promise;
    await connection.settings();
    await goOnWell(connection);
  });
  await using client = connect(server.port);
  client.channel.connect();
  await until(() => server.accepted === 1, "it is connected");
  await turns(10);
  assertEquals(client.channel.state, "CONNECTING");
  settings.resolve();
  await untilState(client.channel, "READY");
});

Deno.test("Channel.state is TRANSIENT_FAILURE after a failed attempt, and IDLE after the wait when there are no calls", async () => {
  await using client = connect(deadPort(), QUICK);
  const states = noteStates(client.channel);
  client.channel.connect();
  await untilState(client.channel, "TRANSIENT_FAILURE");
  await untilState(client.channel, "IDLE");
  assertEquals(states, [
    "IDLE",
    "CONNECTING",
    "TRANSIENT_FAILURE",
    "IDLE",
  ]);
});

Deno.test("Channel.state is IDLE again when the connection is lost or the server sends GOAWAY", async () => {
  for (const goaway of [false, true]) {
    await using server = new RawServer(async (connection) => {
      await shakeHands(connection);
      const { streamId } = await connection.request();
      await replyWell(connection, streamId);
      if (goaway) await connection.goaway(streamId, 0);
      else connection.close();
    });
    await using client = connect(server.port);
    await soon(client.stub.unary({}));
    await untilState(client.channel, "IDLE");
  }
});

Deno.test("Channel.state is SHUTDOWN for good, from whatever state it was closed in", async () => {
  await using server = serveWell();
  await using silent = new RawServer((connection) => connection.end());
  const stations = [
    ["IDLE", server.port],
    ["CONNECTING", silent.port],
    ["READY", server.port],
    ["TRANSIENT_FAILURE", deadPort()],
  ] as const;
  for (const [state, port] of stations) {
    await using client = connect(port);
    if (state !== "IDLE") client.channel.connect();
    await untilState(client.channel, state);
    const changed = client.channel.waitForStateChange(state);
    const closed = client.channel.close();
    assertEquals(client.channel.state, "SHUTDOWN");
    assertEquals(await soon(changed), "SHUTDOWN");
    await soon(closed);
    client.channel.connect();
    await assertCancelled(() => client.stub.unary({}));
    await assertCancelled(() => client.stub.unary({}, { waitForReady: true }));
    assertEquals(client.channel.state, "SHUTDOWN");
  }
});

Deno.test("Channel.waitForStateChange() resolves at once when the state is another, and rejects when its signal aborts", async () => {
  await using client = connect(deadPort());
  assertEquals(await client.channel.waitForStateChange("READY"), "IDLE");
  const reason = new Error("enough");
  const controller = new AbortController();
  const { signal } = controller;
  const waits = [
    client.channel.waitForStateChange("IDLE", { signal }),
    client.channel.waitForStateChange("IDLE", { signal }),
  ];
  const others = client.channel.waitForStateChange("IDLE");
  controller.abort(reason);
  for (const wait of waits) {
    assertEquals(await assertRejects(() => soon(wait)), reason);
  }
  assertEquals(
    await assertRejects(() =>
      client.channel.waitForStateChange("READY", { signal })
    ),
    reason,
  );
  client.channel.connect();
  assertEquals(await soon(others), "CONNECTING");
});

// Failures

Deno.test("Channel tells the whole story to a call that fails while it waits after a failed attempt", async () => {
  const port = deadPort();
  await using client = connect(port, { initialReconnectBackoffMs: 60_000 });
  for (let i = 0; i < 2; i++) {
    const { message } = await assertStatus(
      Status.UNAVAILABLE,
      () => client.stub.unary({}),
      `Cannot connect to 127.0.0.1:${port}: `,
    );
    assertMatch(message, /ECONNREFUSED/);
    const [, attempts, seconds] =
      /\((\d+) attempt failed, the next is made in ([\d.]+) s at the earliest\)/
        .exec(message) ?? [];
    assertEquals(attempts, "1");
    assertGreater(Number(seconds), 40);
    assertLess(Number(seconds), 73);
  }
});

Deno.test("Channel counts the failed attempts, and begins again after a success", async () => {
  await using server = new RawServer(async (connection, index) => {
    if (index !== 2) return connection.close();
    await shakeHands(connection);
    const { streamId } = await connection.request();
    await replyWell(connection, streamId);
    connection.close();
  });
  const config = { initialReconnectBackoffMs: 5, maxReconnectBackoffMs: 5 };
  await using client = connect(server.port, config);
  const outcomes = ["1 attempt ", "2 attempts ", null, "1 attempt "];
  for (const count of outcomes) {
    const call = client.stub.unary({});
    if (count === null) await soon(call);
    else await assertStatus(Status.UNAVAILABLE, () => call, `(${count}failed`);
    await untilState(client.channel, "IDLE");
  }
});

Deno.test("Channel has a call that waits for ready wait through failed attempts", async () => {
  let accepted = 0;
  await using server = new RawServer(async (connection, index) => {
    accepted++;
    if (index < 3) return connection.close();
    await shakeHands(connection);
    await goOnWell(connection);
  });
  await using client = connect(server.port, QUICK);
  const states = noteStates(client.channel);
  const patient = client.stub.unary({}, { waitForReady: true });
  await assertStatus(Status.UNAVAILABLE, () => client.stub.unary({}));
  assertEquals((await soon(patient)).text, "hello");
  assertEquals(accepted, 4);
  const failed = ["CONNECTING", "TRANSIENT_FAILURE"];
  assertEquals(states, [
    "IDLE",
    ...failed,
    ...failed,
    ...failed,
    "CONNECTING",
    "READY",
  ]);
});

Deno.test("Channel ends a call that waits for ready at its deadline or when it is cancelled", async () => {
  await using client = connect(deadPort(), {
    initialReconnectBackoffMs: 60_000,
  });
  await assertStatus(
    Status.DEADLINE_EXCEEDED,
    () => client.stub.unary({}, { waitForReady: true, timeoutMs: 30 }),
  );
  const controller = new AbortController();
  const { signal } = controller;
  const call = client.stub.unary({}, { waitForReady: true, signal });
  await turns(5);
  assertEquals(client.channel.state, "TRANSIENT_FAILURE");
  controller.abort();
  await assertCancelled(() => call);
});

Deno.test("Channel counts the time of the attempt in the wait behind it", async () => {
  await using server = new RawServer((connection) => connection.end());
  const clock = new VirtualClock();
  await using client = connect(server.port, {
    connectTimeoutMs: 150,
    initialReconnectBackoffMs: 100,
    maxReconnectBackoffMs: 100,
  }, clock);
  const call = client.stub.unary({}, { waitForReady: true });
  call.catch(() => {});
  await until(() => server.accepted === 1, "the first attempt");
  // With all that random makes of it, the wait is over by then.
  await clock.advance(150);
  await until(() => server.accepted === 2, "the second attempt");
});

/** A server that takes connections, and drops them when a call comes. */
function serveAndDrop(): RawServer {
  return new RawServer(async (connection) => {
    await shakeHands(connection);
    await connection.request();
    connection.close();
  });
}

/** Makes calls that fail, while no time passes. */
async function failAgainAndAgain({ stub }: Client): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await assertStatus(Status.UNAVAILABLE, () => stub.unary({}));
    await turns(1);
  }
}

Deno.test("Channel is not driven round and round by a server that drops its connections", async () => {
  await using server = serveAndDrop();
  await using client = connect(server.port, {}, new VirtualClock());
  await failAgainAndAgain(client);
  assertLess(server.accepted, 4);
  assertEquals(client.channel.state, "TRANSIENT_FAILURE");
});

Deno.test("Channel is not driven round and round by a server that sends GOAWAY to each call", async () => {
  await using server = new RawServer(async (connection) => {
    await shakeHands(connection);
    await connection.request();
    await connection.goaway(0, 0);
    await connection.end();
  });
  await using client = connect(server.port, {}, new VirtualClock());
  // Each call is retried transparently once, and the channel does not hurry to connect.
  await failAgainAndAgain(client);
  assertLess(server.accepted, 4);
});

Deno.test("Channel takes a connection that was not used, and dropped after a while, for a good one", async () => {
  await using server = new RawServer(async (connection, index) => {
    await shakeHands(connection);
    if (index === 3) return await goOnWell(connection);
    await after(60);
    connection.close();
  });
  await using client = connect(server.port, {
    initialReconnectBackoffMs: 30,
  });
  for (let i = 0; i < 3; i++) {
    client.channel.connect();
    await untilState(client.channel, "READY");
    await untilState(client.channel, "IDLE");
  }
  assertEquals((await soon(client.stub.unary({}))).text, "hello");
});
