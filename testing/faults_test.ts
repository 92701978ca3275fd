/** What goes wrong when a test says so, and what both sides see of it. */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import { createStub, Status, type Stub } from "@grpclib/grpclib";
import { type EchoHandlers, echoWith } from "../_testdata/echo_service.ts";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import { Waiters } from "../_testdata/waiters.ts";
import { soon, turns, until } from "../_testdata/waiting.ts";
import { openConnections } from "../_http2/open_connections.ts";
import {
  assertRejectsStatus,
  ChannelFor,
  type ChannelForOptions,
  Faults,
  VirtualClock,
} from "./mod.ts";

interface Setup extends AsyncDisposable {
  readonly faults: Faults;
  readonly channel: ChannelFor;
  readonly stub: Stub<typeof Echo>;
}

function setUp(
  handlers: EchoHandlers = {},
  options: ChannelForOptions = {},
): Setup {
  const faults = options.faults ?? new Faults();
  const channel = new ChannelFor([echoWith(handlers)], { faults, ...options });
  return {
    faults,
    channel,
    stub: createStub(Echo, channel),
    async [Symbol.asyncDispose]() {
      await soon(channel.close(), "the channel to close");
      assertEquals([...openConnections].map(String), []);
    },
  };
}

Deno.test("Faults do nothing when they are not asked to", async () => {
  await using it = setUp();
  assertEquals((await it.stub.unary({ text: "a" })).text, "a");
  assertEquals(it.faults.pending, []);
});

Deno.test("Faults.cut() ends all calls with UNAVAILABLE on both sides when it strikes at once", async () => {
  const waiters = new Waiters();
  await using it = setUp({ unary: waiters.handlers.unary });
  const call = it.stub.unary({});
  await waiters.started;
  it.faults.cut();
  await assertRejectsStatus(call, Status.UNAVAILABLE, "ECONNRESET");
  await waiters.assertAborted(Status.UNAVAILABLE);
});

for (const atFrame of [1, 2, 3]) {
  Deno.test(`Faults.cut() strikes at frame ${atFrame} of a reply, and the next call goes well`, async () => {
    await using it = setUp();
    it.faults.cut({ atFrame });
    assertEquals(it.faults.pending, [`cut at frame ${atFrame} of the server`]);
    const stream = it.stub.unary.open();
    await stream.sendMessage({ text: "a" });
    await assertRejectsStatus(stream.recvMessage(), Status.UNAVAILABLE);
    // The first frame is the initial metadata.
    assertEquals(stream.initialMetadata !== null, atFrame > 1);
    assertEquals(it.faults.pending, []);
    assertEquals((await it.stub.unary({ text: "b" })).text, "b");
  });
}

Deno.test("Faults.cut() keeps a request from the server when it strikes at the client's frame", async () => {
  let calls = 0;
  await using it = setUp({ unary: () => void calls++ });
  it.faults.cut({ from: "client", atFrame: 2 });
  await assertRejectsStatus(it.stub.unary({}), Status.UNAVAILABLE);
  await turns(3);
  assertEquals(calls, 0);
});

Deno.test("Faults.cut() lets exactly so many bytes arrive when they are counted", async () => {
  await using it = setUp();
  const payload = new Uint8Array(1000);
  // Warm, so that nothing but the reply is on its way.
  await it.stub.unary({});
  await turns(5);
  for (const afterBytes of [0, 1, 500]) {
    it.faults.cut({ afterBytes });
    await assertRejectsStatus(it.stub.unary({ payload }), Status.UNAVAILABLE);
    assertEquals(it.faults.pending, []);
    await it.stub.unary({});
    await turns(5);
  }
  it.faults.cut({ afterBytes: 100_000 });
  await it.stub.unary({ payload });
  assertEquals(it.faults.pending, ["cut after 100000 bytes of the server"]);
});

const RESETS: readonly (readonly [code: number, status: Status])[] = [
  [2, Status.INTERNAL],
  [8, Status.CANCELLED],
  [11, Status.RESOURCE_EXHAUSTED],
  [12, Status.PERMISSION_DENIED],
];

for (const [code, status] of RESETS) {
  Deno.test(`Faults.reset() with code ${code} ends calls under way, and the connection goes on`, async () => {
    const waiters = new Waiters();
    await using it = setUp({ bidi: waiters.handlers.bidi });
    const calls = [1, 2].map(() => Array.fromAsync(it.stub.bidi([{}])));
    await waiters.started;
    await turns(10);
    const connections = [...openConnections];
    it.faults.reset({ code });
    for (const call of calls) await assertRejectsStatus(call, status);
    await waiters.assertAborted();
    assertEquals((await it.stub.unary({ text: "a" })).text, "a");
    assertEquals([...openConnections], connections);
  });

  for (const from of ["client", "server"] as const) {
    for (const atFrame of [1, 2, 3]) {
      if (from === "client" && atFrame === 3) continue;
      Deno.test(`Faults.reset() with code ${code} strikes at frame ${atFrame} of the ${from}`, async () => {
        await using it = setUp();
        // Metadata of its own fills the tables of HPACK, which stay in step.
        const metadata = { "x-first": "one", "x-second": "two" };
        await it.stub.unary({}, { metadata });
        const connections = [...openConnections];
        it.faults.reset({ code, from, atFrame });
        await assertRejectsStatus(it.stub.unary({}, { metadata }), status);
        assertEquals(it.faults.pending, []);
        for (let i = 0; i < 3; i++) {
          const { text } = await it.stub.unary({ text: `${i}` }, { metadata });
          assertEquals(text, `${i}`);
        }
        assertEquals([...openConnections], connections);
      });
    }
  }
}

Deno.test("Faults count HEADERS of several frames as one", async () => {
  await using it = setUp({
    async unary(stream) {
      stream.trailingMetadata.set(
        "x-length",
        `${stream.metadata.get("x-a")?.length}`,
      );
      await stream.sendMessage({});
    },
  });
  const metadata = { "x-a": "a".repeat(20_000), "x-b": "b".repeat(20_000) };
  const atSecond = { from: "client", atFrame: 2 } as const;
  it.faults.stall(atSecond);
  const stream = it.stub.unary.open({ metadata });
  await stream.sendMessage({});
  await until(() => it.faults.pending.length === 0, "the stall");
  it.faults.resume();
  await stream.recvMessage();
  assertEquals(stream.trailingMetadata?.get("x-length"), "20000");
});

Deno.test("Faults.reset() with REFUSED_STREAM has a call retried transparently that nobody looked at", async () => {
  await using it = setUp();
  it.faults.reset({ code: 7, from: "client", atFrame: 1 });
  assertEquals((await it.stub.unary({ text: "a" })).text, "a");
  assertEquals(it.faults.pending, []);
});

Deno.test("Faults.goaway() lets calls under way end, and has the next use a new connection", async () => {
  const go = Promise.withResolvers<void>();
  await using it = setUp({
    async bidi(stream) {
      await stream.recvMessage();
      await go.promise;
      await stream.sendMessage({ text: "late" });
    },
  });
  const call = Array.fromAsync(it.stub.bidi([{}]));
  await turns(10);
  const [...connections] = openConnections;
  it.faults.goaway();
  await turns(10);
  assertEquals((await it.stub.unary({ text: "a" })).text, "a");
  assertEquals(openConnections.size, 4);
  go.resolve();
  assertEquals((await call).map(({ text }) => text), ["late"]);
  await until(
    () => !connections.some((it) => openConnections.has(it)),
    "the old connection is gone",
  );
});

Deno.test("Faults.goaway() has calls retried transparently that the server did not look at", async () => {
  const waiters = new Waiters();
  let calls = 0;
  await using it = setUp({
    async unary(stream) {
      if (calls++ === 0) await waiters.handlers.unary(stream);
      else await stream.sendMessage({ text: "again" });
    },
  });
  const call = it.stub.unary({});
  await waiters.started;
  it.faults.goaway({ lastStreamId: 0 });
  assertEquals((await call).text, "again");
  await waiters.assertAborted();
});

Deno.test("Faults.goaway() with another code ends all calls, with what it says", async () => {
  const waiters = new Waiters();
  await using it = setUp({ unary: waiters.handlers.unary });
  const call = it.stub.unary({});
  await waiters.started;
  it.faults.goaway({ code: 11, debugData: "too much" });
  await assertRejectsStatus(
    call,
    Status.UNAVAILABLE,
    'GOAWAY ENHANCE_YOUR_CALM ("too much")',
  );
  await waiters.aborted;
});

Deno.test("Faults.goaway() strikes at a frame when it is told to", async () => {
  await using it = setUp();
  it.faults.goaway({ atFrame: 2 });
  assertEquals((await it.stub.unary({ text: "a" })).text, "a");
  assertEquals((await it.stub.unary({ text: "b" })).text, "b");
  assertEquals(it.faults.pending, []);
});

Deno.test("Faults.truncate() cuts a reply short", async () => {
  await using it = setUp();
  it.faults.truncate({ bytes: 3 });
  await assertRejectsStatus(it.stub.unary({ text: "hello" }), Status.INTERNAL);
  assertEquals(it.faults.pending, []);
  assertEquals((await it.stub.unary({ text: "a" })).text, "a");
});

Deno.test("Faults.truncate() cuts a request short", async () => {
  let calls = 0;
  await using it = setUp({ unary: () => void calls++ });
  it.faults.truncate({ from: "client" });
  await assertRejectsStatus(it.stub.unary({ text: "hello" }), Status.INTERNAL);
  assertEquals(calls, 0);
});

Deno.test("Faults.stall() holds everything up until resume()", async () => {
  await using it = setUp();
  await it.stub.unary({});
  it.faults.stall();
  let over = false;
  const call = it.stub.unary({ text: "a" }).finally(() => over = true);
  await turns(20);
  assertEquals(over, false);
  it.faults.resume();
  assertEquals((await call).text, "a");
});

Deno.test("Faults.stall() holds replies alone when it is told whose frames", async () => {
  let calls = 0;
  await using it = setUp({
    async unary(stream) {
      calls++;
      await stream.sendMessage({});
    },
  });
  it.faults.stall({ from: "server" });
  await assertRejectsStatus(
    it.stub.unary({}, { timeoutMs: 100 }),
    Status.DEADLINE_EXCEEDED,
  );
  // Without a word from the server there is no connection yet.
  assertEquals(calls, 0);
  it.faults.resume();
  await it.stub.unary({});
  it.faults.stall({ from: "server" });
  const call = it.stub.unary({});
  await until(() => calls === 2, "the server has the request");
  it.faults.resume();
  await call;
});

Deno.test("Faults.stall() strikes in the middle of a reply, which goes on with resume()", async () => {
  await using it = setUp();
  it.faults.stall({ atFrame: 3 });
  const replies = it.stub.serverStream({
    count: 3,
    payload: new Uint8Array(20_000),
  })[
    Symbol.asyncIterator
  ]();
  const first = replies.next();
  await turns(20);
  assertEquals(it.faults.pending, []);
  it.faults.resume();
  assertEquals((await first).value.index, 0);
  assertEquals((await replies.next()).value.index, 1);
  assertEquals((await replies.next()).value.index, 2);
  assertEquals((await replies.next()).done, true);
});

Deno.test("Faults.stall() does not keep a channel from its close", async () => {
  const waiters = new Waiters();
  await using it = setUp({ unary: waiters.handlers.unary });
  const call = it.stub.unary({});
  await waiters.started;
  it.faults.stall();
  const failed = assertRejectsStatus(call, Status.CANCELLED);
  await soon(it.channel.close(), "the close");
  await failed;
});

Deno.test("Faults.refuse() fails attempts to connect, as often as told", async () => {
  const faults = new Faults();
  await using it = setUp({}, {
    faults,
    config: { initialReconnectBackoffMs: 1 },
  });
  faults.refuse({ times: 2 });
  await assertRejectsStatus(
    it.stub.unary({}),
    Status.UNAVAILABLE,
    "Cannot connect to in-memory:50051: connect ECONNREFUSED (1 attempt failed",
  );
  assertEquals(
    (await it.stub.unary({ text: "a" }, { waitForReady: true })).text,
    "a",
  );
  // What is there stays.
  faults.refuse();
  await it.stub.unary({});
  faults.cut();
  await assertRejectsStatus(it.stub.unary({}), Status.UNAVAILABLE);
  faults.heal();
  await it.stub.unary({}, { waitForReady: true });
});

Deno.test("Faults.delay() has frames take their time, in their order", async () => {
  await using it = setUp();
  await it.stub.unary({});
  it.faults.delay({ ms: 20, jitterMs: 5 });
  const start = performance.now();
  const replies = await Array.fromAsync(
    it.stub.serverStream({ text: "n", count: 30 }),
  );
  assertEquals(replies.map(({ index }) => index), [...Array(30).keys()]);
  // There and back; a timer may be early by its rounding.
  assertGreaterOrEqual(performance.now() - start, 38);
});

Deno.test("Faults.delay() gives the same times for the same seed", async () => {
  const timesWith = async (seed: number): Promise<number[]> => {
    const clock = new VirtualClock();
    const start = clock.now();
    await using it = setUp({}, { faults: new Faults({ seed }), clock });
    it.faults.delay({ ms: 10, jitterMs: 1000 });
    const times: number[] = [];
    let over = false;
    const call = Array.fromAsync(
      it.stub.bidi([{ count: 1 }, { count: 2 }]),
    ).finally(() => over = true);
    while (!over) {
      await clock.advance(1);
      if (times.at(-1) !== clock.timers) times.push(clock.timers);
      if (over) times.push(Math.round(clock.now() - start));
    }
    await call;
    return times;
  };
  const first = await timesWith(7);
  assertEquals(await timesWith(7), first);
  assertNotEquals(await timesWith(8), first);
});

Deno.test("Faults.heal() ends faults that have not struck yet", async () => {
  await using it = setUp();
  it.faults.cut({ atFrame: 1 });
  it.faults.stall();
  it.faults.refuse();
  it.faults.delay({ ms: 60_000 });
  it.faults.heal();
  assertEquals(it.faults.pending, []);
  assertEquals((await it.stub.unary({ text: "a" })).text, "a");
});

Deno.test("Faults refuse what is no number, or too small a one", () => {
  const faults = new Faults();
  for (
    const wrong of [
      () => new Faults({ seed: 0.5 }),
      () => faults.cut({ afterBytes: -1 }),
      () => faults.cut({ atFrame: 0 }),
      () => faults.cut({ atFrame: 1.5 }),
      () => faults.reset({ code: -1 }),
      () => faults.goaway({ code: 2 ** 32 }),
      () => faults.goaway({ lastStreamId: -1 }),
      () => faults.truncate({ bytes: 0 }),
      () => faults.truncate({ atFrame: 0 }),
      () => faults.delay({ ms: -1 }),
      () => faults.delay({ ms: 0, jitterMs: NaN }),
      () => faults.refuse({ times: -1 }),
    ]
  ) {
    const error = assertThrows(wrong, RangeError);
    assertInstanceOf(error, RangeError);
    assert(/^Cannot (make faults|delay): /.test(error.message), error.message);
  }
  assertEquals(faults.pending, []);
});
