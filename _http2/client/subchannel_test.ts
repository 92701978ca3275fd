/** The channel's way to the server: one connection, a queue, and what follows a loss. */

import { create, toBinary } from "@bufbuild/protobuf";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStringIncludes,
} from "@std/assert";
import type { CloseReason } from "../../_call/byte_stream.ts";
import { hostOf } from "../../_channel.ts";
import {
  Channel,
  type ChannelOptions,
  createStub,
  Status,
  StreamTerminatedError,
} from "../../client.ts";
import { Configuration } from "../../core/config.ts";
import { fixedAddresses } from "./addresses.ts";
import { Subchannel } from "./subchannel.ts";
import { nodeEngine } from "../node/engine.ts";
import { systemClock } from "../system_clock.ts";
import { anyBudget } from "../../_testdata/account.ts";
import { Echo, EchoReplySchema } from "../../_testdata/gen/echo_pb.ts";
import { ENGINE, onEngine } from "../../_testdata/on_engine.ts";
import {
  FrameType,
  grpcMessage,
  OK_TRAILERS,
  type RawConnection,
  RawServer,
  RESPONSE_HEAD,
  Setting,
} from "../../_testdata/raw_h2.ts";
import { assertCancelled, assertStatus } from "../../_testdata/waiters.ts";
import { soon, turns, until } from "../../_testdata/waiting.ts";

/** A request that waits for its reply. */
interface Waiting {
  readonly name: string;
  readonly connection: RawConnection;
  reply(): Promise<void>;
}

/** A server of frames that answers when a test says so. */
class SlowServer implements AsyncDisposable {
  /** The requests that were not answered. */
  readonly waiting: Waiting[] = [];
  /** The names of all requests, in the order they came. */
  readonly names: string[] = [];
  readonly #server: RawServer;

  /** @param maxStreams The limits that it gives out, connection by connection. */
  constructor(maxStreams: readonly number[] = []) {
    this.#server = new RawServer(async (connection, index) => {
      await connection.acceptPreface();
      const limit = maxStreams[index];
      await connection.settings(
        ...limit === undefined
          ? []
          : [[Setting.MAX_CONCURRENT_STREAMS, limit] as const],
      );
      for (;;) await this.#take(connection);
    });
  }

  get port(): number {
    return this.#server.port;
  }

  get accepted(): number {
    return this.#server.accepted;
  }

  /** Waits until so many requests wait for a reply. */
  async has(count: number): Promise<void> {
    await until(
      () => this.waiting.length === count,
      `${count} requests wait, not ${this.waiting.length}`,
    );
  }

  /** Answers the request that waits longest. */
  async reply(): Promise<void> {
    await this.waiting.shift()!.reply();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }

  async #take(connection: RawConnection): Promise<void> {
    const { fields, streamId } = await connection.nextOf(FrameType.HEADERS);
    const name = Object.fromEntries(fields)["name"] ?? "";
    this.names.push(name);
    const body = toBinary(
      EchoReplySchema,
      create(EchoReplySchema, { text: name }),
    );
    this.waiting.push({
      name,
      connection,
      async reply() {
        await connection.headers(streamId, RESPONSE_HEAD);
        await connection.data(streamId, grpcMessage(body));
        await connection.headers(streamId, OK_TRAILERS, { end: true });
      },
    });
  }
}

/** A channel to a port, with what a test needs of it. */
function connect(port: number, options?: ChannelOptions) {
  const channel = new Channel("127.0.0.1", port, options);
  const { unary } = createStub(Echo, channel);
  return {
    channel,
    source: hostOf(channel).source,
    /** Makes a call that the server knows by its name; gives that back. */
    call: async (name: string, options = {}): Promise<string> =>
      (await unary({}, { metadata: { name }, ...options })).text,
    [Symbol.asyncDispose]: () => channel.close(),
  };
}

Deno.test("Subchannel connects once when five first calls come at the same time", async () => {
  await using server = new SlowServer();
  await using client = connect(server.port);
  const calls = ["a", "b", "c", "d", "e"].map((name) => client.call(name));
  assertEquals(client.source.counts, {
    connections: 1,
    streams: 0,
    waiting: 5,
  });
  await server.has(5);
  assertEquals(client.source.counts, {
    connections: 1,
    streams: 5,
    waiting: 0,
  });
  for (let i = 0; i < 5; i++) await server.reply();
  assertEquals(await soon(Promise.all(calls)), ["a", "b", "c", "d", "e"]);
  assertEquals(server.accepted, 1);
});

Deno.test("Subchannel keeps its connection when there are no calls", async () => {
  await using server = new SlowServer();
  await using client = connect(server.port);
  for (const name of ["a", "b", "c"]) {
    const call = client.call(name);
    await server.has(1);
    await server.reply();
    assertEquals(await soon(call), name);
    await turns(3);
  }
  assertEquals(server.accepted, 1);
  assertEquals(client.source.counts, {
    connections: 1,
    streams: 0,
    waiting: 0,
  });
});

Deno.test("Subchannel reconnects when the connection was lost between the calls", async () => {
  await using server = new SlowServer();
  await using client = connect(server.port);
  for (const name of ["a", "b", "c"]) {
    const call = client.call(name);
    await server.has(1);
    const { connection } = server.waiting[0]!;
    await server.reply();
    assertEquals(await soon(call), name);
    connection.close();
    await until(
      () => client.source.counts.connections === 0,
      "the loss is noticed",
    );
  }
  assertEquals(server.accepted, 3);
});

Deno.test("Subchannel fails the calls in flight when the connection is lost, and serves those that wait elsewhere", async () => {
  await using server = new SlowServer([2, 2]);
  await using client = connect(server.port);
  const calls = ["a", "b", "c", "d"].map((name) => client.call(name));
  for (const call of calls) call.catch(() => {});
  await server.has(2);
  assertEquals(client.source.counts.waiting, 2);
  server.waiting.splice(0)[0]!.connection.close();
  for (const call of calls.slice(0, 2)) {
    const error = await assertStatus(
      Status.UNAVAILABLE,
      () => call,
      `Connection to 127.0.0.1:${server.port} was lost`,
    );
    assertInstanceOf(error, StreamTerminatedError);
  }
  await server.has(2);
  await server.reply();
  await server.reply();
  assertEquals(await soon(Promise.all(calls.slice(2))), ["c", "d"]);
  assertEquals(server.accepted, 2);
});

Deno.test("Subchannel serves those that wait elsewhere when the server sends GOAWAY, while others end", async () => {
  await using server = new SlowServer([1, 1]);
  await using client = connect(server.port);
  const calls = ["a", "b", "c"].map((name) => client.call(name));
  await server.has(1);
  const first = server.waiting.shift()!;
  await first.connection.goaway(1, 0);
  await server.has(1);
  assertEquals(server.waiting[0]!.name, "b");
  assertEquals(client.source.counts, {
    connections: 2,
    streams: 2,
    waiting: 1,
  });
  await first.reply();
  assertEquals(await soon(calls[0]!), "a");
  await until(
    () => client.source.counts.connections === 1,
    "the first connection is gone",
  );
  await server.reply();
  await server.has(1);
  await server.reply();
  assertEquals(await soon(Promise.all(calls)), ["a", "b", "c"]);
  assertEquals(server.accepted, 2);
});

Deno.test("Subchannel has no more streams than the server allows, and serves in order", async () => {
  await using server = new SlowServer([2]);
  await using client = connect(server.port);
  const names = ["a", "b", "c", "d", "e", "f"];
  const calls = names.map((name) => client.call(name));
  for (let left = names.length; left > 0; left--) {
    await server.has(Math.min(left, 2));
    await turns(3);
    assertEquals(server.waiting.length, Math.min(left, 2));
    assertEquals(client.source.counts.waiting, Math.max(0, left - 2));
    await server.reply();
  }
  assertEquals(await soon(Promise.all(calls)), names);
  assertEquals(server.names, names);
});

Deno.test("Subchannel has no newcomer overtake those that wait", async () => {
  await using server = new SlowServer([1]);
  await using client = connect(server.port);
  const first = client.call("a");
  await server.has(1);
  const second = client.call("b");
  await server.reply();
  // The stream is free now, and others wait for it already.
  const third = first.then(() => client.call("c"));
  await server.has(1);
  await server.reply();
  await server.has(1);
  await server.reply();
  assertEquals(await soon(Promise.all([first, second, third])), [
    "a",
    "b",
    "c",
  ]);
  assertEquals(server.names, ["a", "b", "c"]);
});

Deno.test("Subchannel opens more streams when the server allows more", async () => {
  await using server = new SlowServer([1]);
  await using client = connect(server.port);
  const calls = ["a", "b", "c"].map((name) => client.call(name));
  await server.has(1);
  await server.waiting[0]!.connection.settings([
    Setting.MAX_CONCURRENT_STREAMS,
    3,
  ]);
  await server.has(3);
  for (let i = 0; i < 3; i++) await server.reply();
  assertEquals(await soon(Promise.all(calls)), ["a", "b", "c"]);
});

Deno.test("Subchannel never sends a call that was cancelled or timed out while it waited", async () => {
  await using server = new SlowServer([1]);
  await using client = connect(server.port);
  const first = client.call("a");
  await server.has(1);
  const controller = new AbortController();
  const cancelled = client.call("cancelled", { signal: controller.signal });
  const expired = client.call("expired", { timeoutMs: 20 });
  const last = client.call("z");
  assertEquals(client.source.counts.waiting, 3);
  controller.abort();
  await assertCancelled(() => cancelled);
  await assertStatus(Status.DEADLINE_EXCEEDED, () => expired);
  assertEquals(client.source.counts.waiting, 1);
  await server.reply();
  await server.has(1);
  await server.reply();
  assertEquals(await soon(Promise.all([first, last])), ["a", "z"]);
  assertEquals(server.names, ["a", "z"]);
});

Deno.test("Subchannel frees the place of a call that was cancelled in flight", async () => {
  await using server = new SlowServer([1]);
  await using client = connect(server.port);
  const controller = new AbortController();
  const first = client.call("a", { signal: controller.signal });
  await server.has(1);
  const second = client.call("b");
  controller.abort();
  await assertCancelled(() => first);
  server.waiting.shift();
  await server.has(1);
  await server.reply();
  assertEquals(await soon(second), "b");
});

Deno.test("Subchannel refuses all that waits when it is closed", async () => {
  await using server = new SlowServer([1]);
  const client = connect(server.port);
  const calls = ["a", "b", "c"].map((name) => client.call(name));
  for (const call of calls) call.catch(() => {});
  await server.has(1);
  await soon(client.channel.close());
  for (const call of calls) await assertCancelled(() => call);
  assertEquals(client.source.counts, {
    connections: 0,
    streams: 0,
    waiting: 0,
  });
});

Deno.test("Subchannel fails all that wait with UNAVAILABLE when nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await using client = connect(port);
  const calls = ["a", "b", "c"].map((name) => client.call(name));
  for (const call of calls) call.catch(() => {});
  for (const call of calls) {
    const error = await assertStatus(
      Status.UNAVAILABLE,
      () => call,
      `Cannot connect to 127.0.0.1:${port}: `,
    );
    assertStringIncludes(error.message, "ECONNREFUSED");
    assert(error.cause instanceof Error);
    assertEquals(
      (error.cause as Error & { code: string }).code,
      "ECONNREFUSED",
    );
  }
  assertEquals(client.source.counts, {
    connections: 0,
    streams: 0,
    waiting: 0,
  });
});

Deno.test("Subchannel fails all that wait with UNAVAILABLE when the peer says nothing in time", async () => {
  await using server = new RawServer(() => Promise.resolve());
  await using client = connect(server.port, {
    config: { connectTimeoutMs: 50 },
  });
  const calls = ["a", "b"].map((name) => client.call(name));
  for (const call of calls) call.catch(() => {});
  for (const call of calls) {
    await assertStatus(
      Status.UNAVAILABLE,
      () => call,
      `Cannot connect to 127.0.0.1:${server.port}: no HTTP/2 SETTINGS within 50 ms`,
    );
  }
  assertEquals(server.accepted, 1);
});

Deno.test("Subchannel fails all that wait with UNAVAILABLE when the peer hangs up", async () => {
  await using server = new RawServer((connection) => {
    connection.close();
    return Promise.resolve();
  });
  await using client = connect(server.port);
  await assertStatus(
    Status.UNAVAILABLE,
    () => client.call("a"),
    `Cannot connect to 127.0.0.1:${server.port}: `,
  );
});

const LATE_FRAMES = onEngine({
  node:
    "gives a connection up that takes late frames for an attack, and goes on with another",
  native: "goes on with a connection that has late frames under way",
});

Deno.test(`Subchannel ${LATE_FRAMES}`, async () => {
  await using server = new SlowServer();
  await using client = connect(server.port);
  const controller = new AbortController();
  const call = client.call("left", { signal: controller.signal });
  await server.has(1);
  const { connection } = server.waiting.shift()!;
  await connection.headers(1, RESPONSE_HEAD);
  controller.abort();
  await assertCancelled(() => call);
  // nghttp2 counts the frames that come for a stream that was reset, and ends
  // the connection of a server that had many of them under way. They are legal:
  // "The peer that sends the RST_STREAM frame MUST be prepared to receive any
  // frames that were sent or enqueued for sending by the remote peer."
  // https://www.rfc-editor.org/rfc/rfc9113#section-5.4.2
  for (let i = 0; i < 1500 && client.source.counts.connections > 0; i++) {
    await connection.data(1, new Uint8Array(10)).catch(() => {});
    if (i % 100 === 0) await turns(1);
  }
  if (ENGINE === "node") {
    await until(
      () => client.source.counts.connections === 0,
      "the connection is given up",
    );
  }
  const next = client.call("next");
  await server.has(1);
  await server.reply();
  assertEquals(await soon(next), "next");
  assertEquals(server.accepted, onEngine({ node: 2, native: 1 }));
});

for (const how of ["tells at once", "throws"] as const) {
  Deno.test(`Subchannel() tells the call when an attempt to connect ${how} that it failed`, async () => {
    const session = new Subchannel({
      authority: "test",
      target: "test",
      budget: anyBudget(),
      likelyMixUp: "",
      scheme: "http",
      config: new Configuration().forClient(),
      idleTimeoutMs: Infinity,
      clock: systemClock,
      engine: nodeEngine,
      keepProcessAlive: false,
      addresses: fixedAddresses([{
        name: "test",
        path: undefined,
        connect(owner) {
          if (how === "throws") throw new Error("mine");
          owner.onFailure(new Error("mine"));
          return { setRef() {}, cancel() {} };
        },
      }]),
    });
    const closed = Promise.withResolvers<CloseReason>();
    session.claim({
      waitForReady: false,
      onStream() {},
      onHead() {},
      onData() {},
      onStop() {},
      onEnd() {},
      onClose: closed.resolve,
    });
    const { status, message } = await soon(closed.promise, "the failure");
    assertEquals(status, Status.UNAVAILABLE);
    assertStringIncludes(message, "mine");
    assertEquals(session.state, "TRANSIENT_FAILURE");
    await session.close();
  });
}
