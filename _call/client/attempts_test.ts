/** Calls that are tried again, and those that are sent more than once. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
} from "@std/assert";
import {
  FakeChannel,
  type FakeChannelOptions,
} from "../../_testdata/fake_channel.ts";
import { FakeClock } from "../../_testdata/fake_clock.ts";
import {
  CLEAN,
  closed,
  type FakeStream,
  type Fields,
  OK_HEAD,
} from "../../_testdata/fake_stream.ts";
import { microtasks } from "../../_testdata/waiting.ts";
import { stateOf } from "../../_testdata/states.ts";
import { GRPCError, StreamTerminatedError } from "../../core/errors.ts";
import { listen, RetryCall } from "../../core/events.ts";
import { Status } from "../../core/status.ts";
import type { CloseReason } from "../byte_stream.ts";

const LOST = closed(Status.UNAVAILABLE, "Connection was lost");
const REFUSED: CloseReason = { ...LOST, unprocessed: true };
const UNSENT: CloseReason = { ...REFUSED, unsent: true };
const CHANNEL_CLOSED: CloseReason = {
  ...closed(Status.CANCELLED, "Channel is closed"),
  unprocessed: true,
};

/** Trailers without a head. */
const trailers = (status: Status, more: Fields = {}): Fields => ({
  ...OK_HEAD,
  "grpc-status": `${status}`,
  "grpc-message": `status ${status}`,
  ...more,
});

/** A channel with retries, on a clock of its own. */
function retrying(options: FakeChannelOptions = {}) {
  const clock = new FakeClock();
  const channel = new FakeChannel({
    ...options,
    policies: { retry: true, ...options.policies },
  });
  return {
    clock,
    channel,
    get streams(): FakeStream[] {
      return channel.source.streams;
    },
    /** The last attempt fails. */
    fail(status: Status = Status.UNAVAILABLE, more: Fields = {}): void {
      channel.stream.peerHead(trailers(status, more), true);
    },
    /** So much time passes that the next attempt begins. */
    wait(): void {
      clock.advance(1_200);
    },
    [Symbol.dispose]: () => clock[Symbol.dispose](),
  };
}

/** What an attempt said of those before it. */
const previousOf = ({ head }: FakeStream) =>
  head!["grpc-previous-rpc-attempts"];

Deno.test("ClientCall() is tried again after a listed status, until it succeeds", async () => {
  using test = retrying();
  const { channel, streams } = test;
  const reply = channel.unaryUnary({ value: "Ada" }, { metadata: { a: "1" } });
  test.fail();
  assertEquals(streams.length, 1);
  test.wait();
  assertEquals(streams.length, 2);
  test.fail();
  test.wait();
  assertEquals(streams.map(previousOf), [undefined, "1", "2"]);
  for (const { head, log } of streams) {
    assertEquals(log, ["head", "message Ada end"]);
    assertEquals(head!["a"], "1");
  }
  channel.stream.peerAnswers("Hello");
  assertEquals((await reply).value, "Hello");
  assertEquals(test.clock.delays, []);
});

Deno.test("ClientCall() fails with its last attempt, and says how many there were", async () => {
  using test = retrying();
  const reply = test.channel.unaryUnary({});
  for (let i = 1; i <= 4; i++) {
    assertEquals(test.streams.length, i);
    test.fail(Status.UNAVAILABLE, { "attempt": `${i}` });
    test.wait();
  }
  const error = await assertRejects(() => reply, GRPCError, "status 14");
  assertEquals(error.attempts, 4);
  assertEquals(error.metadata.get("attempt"), "4");
  assert(Deno.inspect(error).includes("attempts: 4"));
  assertEquals(test.streams.length, 4);
});

Deno.test("ClientCall() is not tried again after a status that is not listed", async () => {
  using test = retrying();
  for (const status of ["2", "13", "300", "x", "0 "]) {
    const reply = test.channel.unaryUnary({});
    test.fail(Status.UNKNOWN, { "grpc-status": status });
    const error = await assertRejects(() => reply, GRPCError);
    assertEquals(error.attempts, 1);
    assert(!Deno.inspect(error).includes("attempts:"));
  }
  assertEquals(test.streams.length, 5);
  assertEquals(test.clock.delays, []);
});

Deno.test("ClientCall() is tried once without retry, and with retry: false", async () => {
  using test = retrying();
  const never = new FakeChannel();
  for (
    const [channel, reply] of [
      [never, never.unaryUnary({})],
      [test.channel, test.channel.unaryUnary({}, { retry: false })],
    ] as const
  ) {
    channel.stream.peerHead(trailers(Status.UNAVAILABLE), true);
    await assertRejects(() => reply, GRPCError);
    assertEquals(channel.source.streams.length, 1);
  }
});

Deno.test("ClientCall() has a policy of its own", async () => {
  using test = retrying({ policies: { retry: false } });
  const reply = test.channel.unaryUnary({}, {
    retry: { maxAttempts: 2, retryableStatusCodes: ["ABORTED"] },
  });
  test.fail(Status.ABORTED);
  test.wait();
  test.fail(Status.ABORTED);
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals([error.attempts, test.streams.length], [2, 2]);
});

Deno.test("ClientCall() waits longer before each attempt", () => {
  using test = retrying();
  test.channel.unaryUnary({}).catch(() => {});
  for (const [i, ms] of [100, 200, 400].entries()) {
    test.fail();
    const [delay] = test.clock.delays;
    assertAlmostEquals(delay!, ms, ms * 0.2 + 1);
    test.clock.advance(delay! - 1);
    assertEquals(test.streams.length, i + 1);
    test.clock.advance(1);
    assertEquals(test.streams.length, i + 2);
  }
});

Deno.test("ClientCall() waits as long as the server says", async () => {
  using test = retrying();
  const reply = test.channel.unaryUnary({});
  test.fail(Status.UNAVAILABLE, { "grpc-retry-pushback-ms": "1000" });
  test.clock.advance(999);
  assertEquals(test.streams.length, 1);
  test.clock.advance(1);
  assertEquals(test.streams.length, 2);
  test.fail(Status.UNAVAILABLE, { "grpc-retry-pushback-ms": "0" });
  assertEquals(test.streams.length, 3);
  test.channel.stream.peerAnswers("x");
  await reply;
});

for (const pushback of ["-1", "xxx", ["10", "10"]]) {
  Deno.test(`ClientCall() is not tried again when the server says ${pushback}`, async () => {
    using test = retrying();
    const reply = test.channel.unaryUnary({});
    test.fail(Status.UNAVAILABLE, { "grpc-retry-pushback-ms": pushback });
    const error = await assertRejects(() => reply, GRPCError);
    assertEquals([error.attempts, error.retryAfterMs], [1, null]);
  });
}

for (const httpStatus of ["503", "502", "429"]) {
  for (const end of [true, false]) {
    Deno.test(`ClientCall() is tried again when a proxy answers ${httpStatus}${end ? " and no more" : ""}`, async () => {
      using test = retrying();
      const reply = test.channel.unaryUnary({});
      const first = test.channel.stream;
      first.peerHead(
        { ":status": httpStatus, "content-type": "text/html" },
        end,
      );
      assertEquals(first.log.at(-1), end ? "message end" : "reset CANCEL");
      test.wait();
      test.channel.stream.peerAnswers("x");
      await reply;
    });
  }
}

Deno.test("ClientCall() is tried again when its stream is lost before a head", async () => {
  using test = retrying();
  const reply = test.channel.unaryUnary({});
  test.channel.stream.close(LOST);
  test.wait();
  assertEquals(previousOf(test.channel.stream), "1");
  test.channel.stream.peerAnswers("x");
  await reply;
});

Deno.test("ClientCall() is tried again when there is no connection", async () => {
  using test = retrying();
  test.channel.source.refusal = REFUSED;
  const reply = test.channel.unaryUnary({ value: "Ada" });
  test.channel.source.refusal = null;
  test.wait();
  // Nothing was sent before, but the attempt counts.
  assertEquals(previousOf(test.channel.stream), "1");
  assertEquals(test.channel.stream.log, ["head", "message Ada end"]);
  test.channel.stream.peerAnswers("x");
  await reply;
});

Deno.test("ClientCall() fails after its attempts when there is no connection", async () => {
  using test = retrying();
  // There was no stream for what has not left this side.
  test.channel.source.refusal = UNSENT;
  const reply = test.channel.unaryUnary({});
  for (let i = 0; i < 3; i++) test.wait();
  const error = await assertRejects(() => reply, StreamTerminatedError);
  assertEquals(error.attempts, 4);
  assertEquals(test.clock.delays, []);
});

Deno.test("ClientCall() does not count what no server has looked at", async () => {
  using test = retrying();
  const reply = test.channel.unaryUnary({});
  for (let i = 0; i < 20; i++) test.channel.stream.close(UNSENT);
  test.channel.stream.close(REFUSED); // at once, but once only
  assertEquals(test.streams.length, 22);
  assertEquals(previousOf(test.channel.stream), undefined);
  test.channel.stream.close(REFUSED);
  assertEquals(test.streams.length, 22);
  test.wait();
  assertEquals(previousOf(test.channel.stream), "1");
  test.channel.stream.peerAnswers("x");
  await reply;
});

Deno.test("ClientCall() is not tried again after a head", async () => {
  using test = retrying();
  for (const end of ["close", "trailers"]) {
    const reply = test.channel.unaryUnary({});
    test.channel.stream.peerHead();
    if (end === "close") test.channel.stream.close(LOST);
    else test.channel.stream.peerEnds({ "grpc-status": "14" });
    await assertRejects(() => reply, GRPCError);
  }
  assertEquals(test.streams.length, 2);
});

Deno.test("ClientCall() is not tried again when the channel is closed", async () => {
  using test = retrying({
    policies: { retry: { retryableStatusCodes: ["CANCELLED"] } },
  });
  const reply = test.channel.unaryUnary({});
  test.channel.source.refusal = CHANNEL_CLOSED;
  test.channel.stream.close(CHANNEL_CLOSED);
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals([error.message, error.attempts], ["Channel is closed", 1]);
});

Deno.test("ClientCall() is not tried again when it was cancelled, or its deadline came", async () => {
  using test = retrying({
    policies: {
      retry: { retryableStatusCodes: ["CANCELLED", "DEADLINE_EXCEEDED"] },
    },
  });
  const controller = new AbortController();
  const cancelled = test.channel.unaryUnary({}, { signal: controller.signal });
  controller.abort();
  await assertRejects(() => cancelled, GRPCError);
  const late = test.channel.unaryUnary({}, { timeoutMs: 50 });
  test.clock.advance(50);
  const error = await assertRejects(() => late, GRPCError);
  assertEquals(error.status, Status.DEADLINE_EXCEEDED);
  // The server has 500 ms to end it by itself.
  test.clock.advance(1_000);
  assertEquals(test.channel.stream.log.at(-1), "reset CANCEL");
  assertEquals(test.streams.length, 2);
  assertEquals(test.clock.delays, []);
});

Deno.test("ClientCall() waits no longer for the server when it has ended the call in time", async () => {
  using test = retrying();
  const late = test.channel.unaryUnary({}, { timeoutMs: 50 });
  test.clock.advance(50);
  await assertRejects(() => late, GRPCError);
  test.channel.stream.peerHead(trailers(Status.DEADLINE_EXCEEDED), true);
  test.channel.stream.close(LOST);
  await microtasks(50);
  assertEquals(test.clock.delays, []);
});

Deno.test("ClientCall() is cancelled while it waits for its next attempt", async () => {
  using test = retrying();
  const controller = new AbortController();
  const reply = test.channel.unaryUnary({}, { signal: controller.signal });
  test.fail();
  assertEquals(test.clock.delays.length, 1);
  controller.abort();
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals(error.status, Status.CANCELLED);
  await microtasks(50);
  assertEquals(test.clock.delays, []);
  assertEquals(test.streams.length, 1);
});

Deno.test("ClientCall() takes an attempt back that waits for a connection when its deadline comes", async () => {
  using test = retrying();
  const reply = test.channel.unaryUnary({}, { timeoutMs: 1_000 });
  test.channel.source.ready = false;
  test.fail();
  test.clock.advance(500);
  assertEquals(test.channel.source.waiting.length, 1);
  test.clock.advance(500);
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals(error.status, Status.DEADLINE_EXCEEDED);
  await microtasks(50);
  assertEquals(test.channel.source.waiting, []);
  // No server is waited for that was not asked.
  assertEquals(test.clock.delays, []);
});

Deno.test("ClientCall() has one deadline for all attempts", async () => {
  using test = retrying();
  const reply = test.channel.unaryUnary({}, { timeoutMs: 1_000 });
  test.fail(Status.UNAVAILABLE, { "grpc-retry-pushback-ms": "300" });
  test.clock.advance(300);
  assertEquals(
    test.streams.map(({ head }) => head!["grpc-timeout"]),
    ["1000m", "700m"],
  );
  test.clock.advance(700);
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals([error.status, error.attempts], [Status.DEADLINE_EXCEEDED, 2]);
  test.clock.advance(500);
});

Deno.test("ClientCall() does not wait for an attempt that its deadline forestalls", async () => {
  using test = retrying();
  const reply = test.channel.unaryUnary({}, { timeoutMs: 300 });
  test.fail(Status.UNAVAILABLE, { "grpc-retry-pushback-ms": "300" });
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals(error.status, Status.UNAVAILABLE);
  await microtasks(50);
  assertEquals(test.clock.delays, []);
});

Deno.test("ClientCall() sends all its messages again, and the next ones once", async () => {
  using test = retrying();
  const stream = test.channel.streamStream.open();
  await stream.sendMessage({ value: "a" });
  await stream.sendMessage({ value: "b" });
  const head = stream.recvInitialMetadata();
  test.fail();
  assertEquals(test.channel.stream.log.at(-1), "reset NO_ERROR");
  // There is nobody to send it to at the moment.
  const third = stream.sendMessage({ value: "c" });
  assertEquals(await stateOf(third), "pending");
  test.wait();
  await third;
  const { log } = test.channel.stream;
  assertEquals(log, ["head", "message a", "message b", "message c"]);
  await stream.sendMessage({ value: "d" }, { end: true });
  test.fail();
  test.wait();
  assertEquals(test.channel.stream.log, [
    ...["head", "message a", "message b", "message c", "message d end"],
  ]);
  test.channel.stream.peerAnswers("x");
  await head;
  assertEquals((await stream.recvMessage())?.value, "x");
  assertEquals(await stream.recvMessage(), null);
});

Deno.test("ClientCall() of all kinds is tried again until there is a head", async () => {
  using test = retrying();
  const { channel } = test;
  const all = async (replies: AsyncIterable<{ value: string }>) => {
    const values: string[] = [];
    for await (const { value } of replies) values.push(value);
    return values.join();
  };
  for (
    const call of [
      () => channel.unaryUnary({ value: "a" }).then(({ value }) => value),
      () => all(channel.unaryStream({ value: "a" })),
      () => channel.streamUnary([{ value: "a" }]).then(({ value }) => value),
      () => all(channel.streamStream([{ value: "a" }])),
      () => channel.streamUnary([]).then(({ value }) => value),
    ]
  ) {
    const reply = call();
    await microtasks(50);
    const { log } = channel.stream;
    test.fail();
    test.wait();
    assertEquals(channel.stream.log, log);
    channel.stream.peerAnswers("x");
    assertEquals(await reply, "x");
  }
});

Deno.test("ClientCall() tells nobody of a head that does not count", async () => {
  using test = retrying();
  const stream = test.channel.unaryUnary.open();
  await stream.sendMessage({});
  const head = stream.recvInitialMetadata();
  test.fail(Status.UNAVAILABLE, { "from": "first" });
  test.wait();
  assertEquals(await stateOf(head), "pending");
  test.channel.stream.peerHead({ ...OK_HEAD, "from": "second" });
  await head;
  assertEquals(stream.initialMetadata?.get("from"), "second");
  stream.cancel();
  assertEquals(test.channel.stream.log.at(-1), "reset CANCEL");
});

Deno.test("ClientCall() is not tried again when it has sent more than is kept", async () => {
  using test = retrying({ config: { perCallRetryBufferSize: 200 } });
  const reply = test.channel.unaryUnary({ value: "a".repeat(500) });
  test.fail();
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals(error.attempts, 1);
});

Deno.test("ClientCall() of one message is sent again though that is more than is kept, if no server has looked at it", async () => {
  using test = retrying({ config: { perCallRetryBufferSize: 200 } });
  const reply = test.channel.unaryUnary({ value: "a".repeat(500) });
  test.channel.stream.close(UNSENT);
  test.channel.stream.close(REFUSED);
  assertEquals(test.streams.length, 3);
  assertEquals(test.channel.stream.log, ["head", "message aaaaaaaaaaaa end"]);
  test.channel.stream.peerAnswers("x");
  await reply;
  assertEquals(test.channel.retries.budget.used, 0);
});

Deno.test("ClientCall() makes its last attempt with what is more than is kept", async () => {
  using test = retrying({ config: { perCallRetryBufferSize: 20 } });
  const stream = test.channel.streamUnary.open();
  await stream.sendMessage({ value: "a" });
  test.fail();
  const second = stream.sendMessage({ value: "b".repeat(12) });
  test.wait();
  await second;
  assertEquals(test.channel.stream.log, [
    ...["head", "message a", "message bbbbbbbbbbbb"],
  ]);
  test.fail();
  const error = await assertRejects(() => stream.recvMessage(), GRPCError);
  assertEquals(error.attempts, 2);
});

Deno.test("ClientCall() keeps nothing of calls that are over or committed", async () => {
  using test = retrying();
  const { budget } = test.channel.retries;
  const { channel } = test;
  const value = "a".repeat(1_000);
  const first = channel.unaryUnary({ value });
  const second = channel.streamUnary.open();
  await second.sendMessage({ value });
  const third = channel.unaryUnary({ value });
  assert(budget.used > 3_000);
  const [one, two] = test.streams;
  one!.peerHead();
  two!.peerHead();
  assert(budget.used > 1_000 && budget.used < 2_000);
  await second.sendMessage({ value });
  assert(budget.used < 2_000);
  test.fail();
  assert(budget.used > 1_000);
  second.cancel();
  const fourth = channel.streamUnary.open();
  await fourth.sendMessage({ value });
  assert(budget.used > 2_000);
  fourth.cancel();
  assert(budget.used < 2_000);
  one!.peerSends("x");
  one!.peerEnds({ "grpc-status": "0" });
  await first;
  test.wait();
  channel.stream.peerAnswers("x");
  await third;
  assertEquals(budget.used, 0);
});

Deno.test("ClientCall() keeps nothing when its channel keeps enough", async () => {
  using test = retrying({ config: { retryBufferSize: 1_500 } });
  const value = "a".repeat(1_000);
  const first = test.channel.unaryUnary({ value });
  const second = test.channel.unaryUnary({ value });
  test.fail();
  await assertRejects(() => second, GRPCError);
  test.streams[0]!.peerHead(trailers(Status.UNAVAILABLE), true);
  test.wait();
  test.channel.stream.peerAnswers("x");
  await first;
});

Deno.test("ClientCall() is not tried again while its channel is throttled", async () => {
  using test = retrying({
    policies: { retry: { throttling: { maxTokens: 4, tokenRatio: 1 } } },
  });
  const first = test.channel.unaryUnary({});
  test.fail();
  test.wait();
  test.fail(); // half of the tokens are left
  const error = await assertRejects(() => first, GRPCError);
  assertEquals(error.attempts, 2);
  const second = test.channel.unaryUnary({});
  test.channel.stream.peerAnswers("x");
  await second;
  const third = test.channel.unaryUnary({});
  test.fail();
  await assertRejects(() => third, GRPCError);
  assertEquals(test.streams.length, 4);
});

Deno.test("ClientCall() tells listeners of each further attempt, and waits for them", async () => {
  using test = retrying();
  const told: string[] = [];
  const gate = Promise.withResolvers<void>();
  using _ = listen(test.channel, RetryCall, ({ attempt, error, delayMs }) => {
    told.push(`${attempt} ${error?.message} ${delayMs}`);
    return attempt === 3 ? gate.promise : undefined;
  });
  const reply = test.channel.unaryUnary({});
  const pushback = { "grpc-retry-pushback-ms": "5" };
  test.fail(Status.UNAVAILABLE, pushback);
  test.wait();
  assertEquals(test.streams.length, 2);
  test.channel.stream.close(LOST);
  test.clock.advance(130);
  assertEquals(test.streams.length, 2);
  gate.resolve();
  await microtasks(50);
  assertEquals(test.streams.length, 3);
  assertEquals(told[0], "2 status 14 5");
  assert(told[1]!.startsWith("3 Connection was lost "));
  test.channel.stream.peerAnswers("x");
  await reply;
  assertEquals(told.length, 2);
});

Deno.test("ClientCall() fails with what a listener of its next attempt throws", async () => {
  using test = retrying();
  using _ = listen(test.channel, RetryCall, () => {
    throw new GRPCError(Status.ABORTED, "Enough");
  });
  const reply = test.channel.unaryUnary({});
  test.fail();
  test.wait();
  await assertRejects(() => reply, GRPCError, "Enough");
  assertEquals(test.streams.length, 1);
});

Deno.test("ClientCall() goes on with a send that waits for an attempt that fails", async () => {
  using test = retrying();
  const stream = test.channel.streamStream.open();
  await stream.sendRequest();
  test.channel.stream.full = true;
  const send = stream.sendMessage({ value: "a" });
  assertEquals(await stateOf(send), "pending");
  test.channel.stream.close(LOST);
  await send;
  test.wait();
  assertEquals(test.channel.stream.log, ["head", "message a"]);
  stream.cancel();
});

// Hedging

/** A channel whose calls are sent up to three times. */
function hedging(delayMs: number) {
  const clock = new FakeClock();
  const channel = new FakeChannel();
  const { streams } = channel.source;
  const call = () =>
    channel.unaryUnary({ value: "Ada" }, {
      hedging: {
        maxAttempts: 3,
        delayMs,
        nonFatalStatusCodes: ["UNAVAILABLE"],
      },
    });
  return {
    clock,
    channel,
    streams,
    call,
    [Symbol.dispose]: () => clock[Symbol.dispose](),
  };
}

Deno.test("ClientCall() with hedging is sent again and again, and the first reply counts", async () => {
  using test = hedging(50);
  const { clock, streams } = test;
  const reply = test.call();
  assertEquals(streams.length, 1);
  clock.advance(49);
  assertEquals(streams.length, 1);
  clock.advance(1);
  assertEquals(streams.length, 2);
  clock.advance(50);
  assertEquals(streams.length, 3);
  clock.advance(500);
  assertEquals(streams.map(previousOf), [undefined, "1", "2"]);
  for (const { log } of streams) assertEquals(log, ["head", "message Ada end"]);
  const [first, second, third] = streams;
  second!.peerAnswers("second");
  assertEquals((await reply).value, "second");
  assertEquals(first!.log.at(-1), "reset CANCEL");
  assertEquals(second!.log.at(-1), "message Ada end");
  assertEquals(third!.log.at(-1), "reset CANCEL");
  assertEquals(clock.delays, []);
});

Deno.test("ClientCall() with hedging sends all at once without a delay", async () => {
  using test = hedging(0);
  const reply = test.call();
  assertEquals(test.streams.length, 3);
  test.streams[2]!.peerAnswers("x");
  await reply;
  assertEquals(test.channel.retries.budget.used, 0);
});

Deno.test("ClientCall() with hedging is sent no more than it has to", async () => {
  using test = hedging(50);
  const reply = test.call();
  test.channel.stream.peerAnswers("x");
  await reply;
  test.clock.advance(500);
  assertEquals(test.streams.length, 1);
});

Deno.test("ClientCall() with hedging makes its next attempt at once after a failure", async () => {
  using test = hedging(50);
  const reply = test.call();
  test.clock.advance(20);
  const unavailable = trailers(Status.UNAVAILABLE);
  test.channel.stream.peerHead(unavailable, true);
  assertEquals(test.streams.length, 2);
  test.clock.advance(49);
  assertEquals(test.streams.length, 2);
  test.clock.advance(1);
  assertEquals(test.streams.length, 3);
  test.streams[1]!.peerHead(unavailable, true);
  test.streams[2]!.peerHead(unavailable, true);
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals([error.status, error.attempts], [Status.UNAVAILABLE, 3]);
});

Deno.test("ClientCall() with hedging ends with a fatal status", async () => {
  using test = hedging(0);
  const reply = test.call();
  test.streams[1]!.peerHead(trailers(Status.INVALID_ARGUMENT), true);
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals(error.status, Status.INVALID_ARGUMENT);
  assertEquals(test.streams[0]!.log.at(-1), "reset CANCEL");
  assertEquals(test.streams[2]!.log.at(-1), "reset CANCEL");
});

Deno.test("ClientCall() with hedging does as the server says", async () => {
  using test = hedging(50);
  const reply = test.call();
  test.channel.stream.peerHead(
    trailers(Status.UNAVAILABLE, { "grpc-retry-pushback-ms": "200" }),
    true,
  );
  test.clock.advance(199);
  assertEquals(test.streams.length, 1);
  test.clock.advance(1);
  assertEquals(test.streams.length, 2);
  test.channel.stream.peerHead(
    trailers(Status.UNAVAILABLE, { "grpc-retry-pushback-ms": "-1" }),
    true,
  );
  await assertRejects(() => reply, GRPCError);
  await microtasks(50);
  assertEquals(test.clock.delays, []);
});

Deno.test("ClientCall() with hedging begins nothing, and ends, while its channel is throttled", async () => {
  using test = hedging(0);
  const { throttle } = test.channel.retries;
  while (throttle!.allows) throttle!.onFailure();
  const reply = test.call();
  assertEquals(test.streams.length, 1);
  test.channel.stream.peerHead(trailers(Status.UNAVAILABLE), true);
  await assertRejects(() => reply, GRPCError);
});

Deno.test("ClientCall() with hedging takes all attempts back when it is cancelled", async () => {
  using test = hedging(10);
  const controller = new AbortController();
  const reply = test.channel.unaryUnary({}, {
    signal: controller.signal,
    hedging: { maxAttempts: 3, delayMs: 10 },
  });
  test.channel.source.ready = false;
  test.clock.advance(10);
  assertEquals(test.channel.source.waiting.length, 1);
  controller.abort();
  await assertRejects(() => reply, GRPCError);
  await microtasks(50);
  assertEquals(test.channel.source.waiting, []);
  assertEquals(test.streams[0]!.log.at(-1), "reset CANCEL");
  assertEquals(test.clock.delays, []);
});

Deno.test("ClientCall() with hedging takes back the attempts that wait for a connection", async () => {
  using test = hedging(10);
  const reply = test.call();
  test.channel.source.ready = false;
  test.clock.advance(20);
  assertEquals(test.channel.source.waiting.length, 2);
  test.streams[0]!.peerAnswers("x");
  await reply;
  assertEquals(test.channel.source.waiting, []);
});

Deno.test("ClientCall() with hedging takes back what waits for a connection when its deadline comes", async () => {
  using test = hedging(10);
  const late = test.channel.unaryUnary({}, {
    timeoutMs: 50,
    hedging: { maxAttempts: 3, delayMs: 10 },
  });
  test.channel.source.ready = false;
  test.clock.advance(50);
  await assertRejects(() => late, GRPCError);
  assertEquals(test.channel.source.waiting, []);
  assertEquals(test.channel.retries.budget.used, 0);
  // The server of the first has 500 ms to end it by itself.
  assertEquals(test.streams[0]!.log.at(-1), "message end");
  test.clock.advance(500);
  assertEquals(test.streams[0]!.log.at(-1), "reset CANCEL");
});

Deno.test("ClientCall() with hedging goes on with one attempt when it has sent too much", async () => {
  using clock = new FakeClock();
  const channel = new FakeChannel({ config: { perCallRetryBufferSize: 20 } });
  const stream = channel.streamUnary.open({
    hedging: { maxAttempts: 3, delayMs: 10 },
  });
  await stream.sendMessage({ value: "a" });
  clock.advance(10);
  const [first, second] = channel.source.streams;
  await stream.sendMessage({ value: "b".repeat(20) });
  assertEquals(first!.log.slice(2), ["message bbbbbbbbbbbb"]);
  assertEquals(second!.log.slice(1), ["message a", "reset CANCEL"]);
  clock.advance(100);
  assertEquals(channel.source.streams.length, 2);
  stream.cancel();
});

Deno.test("ClientCall() with hedging goes on to send as soon as one attempt takes more", async () => {
  using _clock = new FakeClock();
  const channel = new FakeChannel();
  const stream = channel.streamUnary.open({ hedging: { maxAttempts: 2 } });
  const first = stream.sendMessage({ value: "a" });
  await first;
  const [one, two] = channel.source.streams;
  one!.full = true;
  // The other has room.
  await stream.sendMessage({ value: "b" });
  two!.full = true;
  const third = stream.sendMessage({ value: "c" });
  assertEquals(await stateOf(third), "pending");
  two!.drain();
  await third;
  assertEquals(one!.log, two!.log);
  stream.cancel();
});

Deno.test("ClientCall() with hedging begins no attempt at its deadline", async () => {
  using test = hedging(50);
  const late = test.channel.unaryUnary({}, {
    timeoutMs: 100,
    hedging: { maxAttempts: 3, delayMs: 50 },
  });
  test.clock.advance(100);
  await assertRejects(() => late, GRPCError);
  assertEquals(test.streams.length, 2);
  test.clock.advance(500);
  assertEquals(test.clock.delays, []);
});

Deno.test("ClientCall() takes no token for an attempt that the server ended at the deadline", async () => {
  using test = retrying({
    policies: {
      retry: {
        retryableStatusCodes: ["CANCELLED"],
        throttling: { maxTokens: 2, tokenRatio: 1 },
      },
    },
  });
  const { throttle } = test.channel.retries;
  const late = test.channel.unaryUnary({}, { timeoutMs: 50 });
  // The server's clock rings first.
  test.clock.jump(50);
  test.channel.stream.close(closed(Status.CANCELLED, "reset by the server"));
  await assertRejects(() => late, GRPCError);
  assertEquals(throttle!.allows, true);
  // One that it ends earlier is a failure.
  const early = test.channel.unaryUnary({}, { timeoutMs: 50 });
  test.channel.stream.close(closed(Status.CANCELLED, "reset by the server"));
  await assertRejects(() => early, GRPCError);
  assertEquals(throttle!.allows, false);
});

Deno.test("ClientCall() is not tried again after a status that gRPC does not know", async () => {
  using test = retrying({
    policies: { retry: { retryableStatusCodes: ["UNAVAILABLE"] } },
  });
  const reply = test.channel.unaryUnary({});
  test.channel.stream.peerHead({ ...OK_HEAD, "grpc-status": "300" }, true);
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals([error.status, error.attempts], [Status.UNKNOWN, 1]);
  assertEquals(test.streams.length, 1);
});

Deno.test("ClientCall() with hedging begins nothing more once a head has come", async () => {
  using test = hedging(50);
  const reply = test.call();
  test.channel.stream.peerHead();
  test.clock.advance(500);
  assertEquals(test.streams.length, 1);
  test.channel.stream.peerSends("x");
  test.channel.stream.peerEnds({ "grpc-status": "0" });
  await reply;
});

Deno.test("ClientCall() with hedging begins nothing more when a server forbids it while another is asked", async () => {
  using test = hedging(50);
  const reply = test.call();
  test.clock.advance(60);
  const [first, second] = test.streams;
  second!.peerHead(
    trailers(Status.UNAVAILABLE, { "grpc-retry-pushback-ms": "-1" }),
    true,
  );
  test.clock.advance(500);
  assertEquals(test.streams.length, 2);
  first!.peerAnswers("x");
  await reply;
});

Deno.test("ClientCall() with hedging makes its last attempt with what is more than is kept", async () => {
  using clock = new FakeClock();
  const channel = new FakeChannel({ config: { perCallRetryBufferSize: 20 } });
  const stream = channel.streamUnary.open({
    hedging: {
      maxAttempts: 3,
      delayMs: 50,
      nonFatalStatusCodes: ["UNAVAILABLE"],
    },
  });
  await stream.sendMessage({ value: "a" });
  channel.stream.peerHead(
    trailers(Status.UNAVAILABLE, { "grpc-retry-pushback-ms": "200" }),
    true,
  );
  const second = stream.sendMessage({ value: "b".repeat(20) });
  clock.advance(200);
  await second;
  assertEquals(channel.source.streams.length, 2);
  clock.advance(500);
  assertEquals(channel.source.streams.length, 2);
  stream.cancel();
});

Deno.test("ClientCall() that ends well without a reply gives its part of a token", async () => {
  using test = retrying({
    policies: { retry: { throttling: { maxTokens: 4, tokenRatio: 1 } } },
  });
  const { throttle } = test.channel.retries;
  throttle!.onFailure();
  throttle!.onFailure();
  assertEquals(throttle!.allows, false);
  const stream = test.channel.unaryStream.open();
  await stream.sendMessage({});
  test.channel.stream.peerHead({ ...OK_HEAD, "grpc-status": "0" }, true);
  test.channel.stream.close(CLEAN);
  assertEquals(await stream.recvMessage(), null);
  assertEquals(throttle!.allows, true);
});

Deno.test("ClientCall() that is cancelled between two attempts ends a send that waits for the next", async () => {
  using test = retrying();
  const stream = test.channel.streamUnary.open();
  await stream.sendMessage({ value: "a" });
  test.fail();
  const send = stream.sendMessage({ value: "b" });
  assertEquals(await stateOf(send), "pending");
  stream.cancel();
  await assertRejects(() => send, Error);
  assertEquals(test.clock.delays, []);
});
