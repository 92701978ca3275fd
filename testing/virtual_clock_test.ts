/** Time that passes when a test says so. */

import {
  assert,
  assertEquals,
  assertLess,
  assertLessOrEqual,
  assertRejects,
} from "@std/assert";
import { createStub, Deadline, Status } from "@grpclib/grpclib";
import { echo, echoWith } from "../_testdata/echo_service.ts";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import { Waiters } from "../_testdata/waiters.ts";
import { soon } from "../_testdata/waiting.ts";
import { openConnections } from "../_http2/open_connections.ts";
import { deadlines } from "../_call/cancellation.ts";
import {
  assertRejectsStatus,
  ChannelFor,
  Faults,
  VirtualClock,
} from "./mod.ts";

Deno.test("VirtualClock stands still until advance(), which fires timers in order and at their times", async () => {
  const clock = new VirtualClock();
  const start = clock.now();
  const fired: [string, number][] = [];
  const note = (what: string) => () => fired.push([what, clock.now() - start]);
  clock.setTimeout(note("late"), 300);
  clock.setTimeout(note("soon"), 100);
  clock.setTimeout(note("soon as well"), 100);
  clock.setTimeout(() => clock.setTimeout(note("after"), 50), 200);
  const stopped = clock.setTimeout(note("never"), 10);
  clock.clearTimeout(stopped);
  clock.clearTimeout(undefined);
  assertEquals(clock.now(), start);
  await clock.advance(99);
  assertEquals(fired, []);
  await clock.advance(201);
  assertEquals(fired, [
    ["soon", 100],
    ["soon as well", 100],
    ["after", 250],
    ["late", 300],
  ]);
  assertEquals([clock.timers, clock.now() - start], [0, 300]);
});

Deno.test("VirtualClock.advance() refuses what is no time", async () => {
  const clock = new VirtualClock();
  for (const ms of [-1, NaN, Infinity]) {
    await assertRejects(() => clock.advance(ms), RangeError);
  }
});

Deno.test("VirtualClock ends a call of half a minute at its deadline, on both sides", async () => {
  const waiters = new Waiters();
  const clock = new VirtualClock();
  await using channel = new ChannelFor([echoWith(waiters.handlers)], { clock });
  const call = createStub(Echo, channel).unary({}, { timeoutMs: 30_000 });
  let over = false;
  call.catch(() => over = true);
  await clock.advance(29_999);
  assertEquals(over, false);
  await clock.advance(1);
  await assertRejectsStatus(call, Status.DEADLINE_EXCEEDED);
  await waiters.aborted;
  assertEquals(deadlines.size, 0);
});

Deno.test("VirtualClock is what a handler's deadline goes by, and what it passes on", async () => {
  const clock = new VirtualClock();
  const left: number[] = [];
  await using inner = new ChannelFor([echoWith({
    async unary(stream) {
      left.push(stream.deadline!.timeRemainingMs());
      await stream.sendMessage({});
    },
  })]);
  await using outer = new ChannelFor([echoWith({
    async unary(stream) {
      const { deadline } = stream;
      left.push(deadline!.timeRemainingMs());
      await clock.advance(4_000);
      left.push(deadline!.timeRemainingMs());
      // A channel on the system's clock.
      await createStub(Echo, inner).unary({}, { deadline });
      await stream.sendMessage({});
    },
  })], { clock });
  const { unary } = createStub(Echo, outer);
  await unary({}, { timeoutMs: 10_000 });
  assertEquals(left.slice(0, 2), [10_000, 6_000]);
  assertLessOrEqual(left[2]!, 6_000);
  assertLess(5_000, left[2]!);
  left.length = 0;
  // And a deadline of the system's clock means as much here.
  await unary({}, { deadline: Deadline.fromTimeout(10_000) });
  assertLessOrEqual(left[0]!, 10_000);
  assertLess(9_000, left[0]!);
});

Deno.test("Deadline.earliest() compares deadlines on different clocks", async () => {
  const clock = new VirtualClock();
  const early = Deadline.fromTimeout(1_000, clock);
  await clock.advance(500_000);
  const late = Deadline.fromTimeout(60_000, clock);
  const real = Deadline.fromTimeout(30_000);
  assertEquals([early.expired, early.timeRemainingMs()], [true, 0]);
  assertEquals([late.expired, late.timeRemainingMs()], [false, 60_000]);
  assert(Deadline.earliest(late, real) === real);
  assert(Deadline.earliest(real, late) === real);
  assert(Deadline.earliest(early, real) === early);
  assert(Deadline.earliest(real, early) === early);
  // The later point, as the clocks count, and the earlier one all the same.
  const soon = Deadline.fromTimeout(1_000, clock);
  assert(soon > real);
  assert(Deadline.earliest(soon, real) === soon);
  assert(Deadline.earliest(real, soon) === soon);
});

Deno.test("VirtualClock has keepalive find out that the server is silent", async () => {
  const waiters = new Waiters();
  const clock = new VirtualClock();
  const faults = new Faults();
  await using channel = new ChannelFor([echoWith(waiters.handlers)], {
    clock,
    faults,
    channel: {
      config: {
        keepaliveTimeMs: 60_000,
        keepaliveTimeoutMs: 20_000,
        http2MaxPingsWithoutData: 0,
        http2MinSentPingIntervalWithoutDataMs: 0,
      },
    },
    server: { config: { http2MinRecvPingIntervalWithoutDataMs: 30_000 } },
  });
  const call = createStub(Echo, channel).unary({});
  await waiters.started;
  // As long as the server answers, nothing happens.
  await clock.advance(130_000);
  let over = false;
  call.catch(() => over = true);
  assertEquals(over, false);
  faults.stall();
  await clock.advance(140_000);
  await assertRejectsStatus(
    call,
    Status.UNAVAILABLE,
    "a PING was not acknowledged within 20000 ms",
  );
});

Deno.test("VirtualClock has a channel try again after its backoff", async () => {
  const clock = new VirtualClock();
  const faults = new Faults();
  await using channel = new ChannelFor([echo], { clock, faults });
  faults.refuse({ times: 3 });
  const call = createStub(Echo, channel).unary({ text: "a" }, {
    waitForReady: true,
  });
  await clock.advance(0);
  assertEquals(channel.state, "TRANSIENT_FAILURE");
  // 1, 1.6 and 2.56 s, a fifth more or less each.
  await clock.advance((1 + 1.6 + 2.56) * 1000 * 1.2);
  assertEquals((await call).text, "a");
});

Deno.test("VirtualClock has an idle channel give its connection up", async () => {
  const clock = new VirtualClock();
  await using channel = new ChannelFor([echo], { clock });
  await createStub(Echo, channel).unary({});
  assertEquals(channel.state, "READY");
  await clock.advance(30 * 60_000);
  assertEquals(channel.state, "IDLE");
  await clock.advance(1_000);
  assertEquals(openConnections.size, 0);
});

Deno.test("VirtualClock has a server end old connections, and wait for its grace", async () => {
  const waiters = new Waiters();
  const clock = new VirtualClock();
  await using channel = new ChannelFor([echoWith(waiters.handlers)], {
    clock,
    server: {
      config: { maxConnectionAgeMs: 60_000, maxConnectionAgeGraceMs: 5_000 },
    },
  });
  const call = createStub(Echo, channel).unary({});
  await waiters.started;
  const failed = assertRejectsStatus(call, Status.UNAVAILABLE);
  await clock.advance(66_000);
  assertEquals(channel.state, "IDLE");
  await clock.advance(5_000);
  await failed;

  const closing = new ChannelFor([echoWith(waiters.handlers)], { clock });
  const late = createStub(Echo, closing).unary({});
  await clock.advance(0);
  closing.server.close({ graceMs: 10_000 });
  await clock.advance(9_999);
  let over = false;
  late.catch(() => over = true);
  await clock.advance(0);
  assertEquals(over, false);
  await clock.advance(1);
  await assertRejectsStatus(late, Status.UNAVAILABLE, "shutting down");
  await clock.advance(1_000);
  await soon(closing.server.waitClosed(), "the server to close");
  await closing.close();
});

Deno.test("VirtualClock keeps no channel from its close, and no timer is left", async () => {
  const waiters = new Waiters();
  const clock = new VirtualClock();
  const channel = new ChannelFor([echoWith(waiters.handlers)], { clock });
  const call = createStub(Echo, channel).unary({}, { timeoutMs: 1_000 });
  await waiters.started;
  const failed = assertRejectsStatus(call, Status.CANCELLED);
  await soon(channel.close(), "the close");
  await failed;
  assertEquals(clock.timers, 0);
});
