/** Deadlines and cancellation, in every phase of a client call. */

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { FakeChannel } from "../../_testdata/fake_channel.ts";
import { FakeClock } from "../../_testdata/fake_clock.ts";
import { closed, OK_HEAD, rawOf } from "../../_testdata/fake_stream.ts";
import { stateOf } from "../../_testdata/states.ts";
import { microtasks } from "../../_testdata/waiting.ts";
import { Deadline } from "../../core/deadline.ts";
import { GRPCError, StreamTerminatedError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import type { ClientStream } from "./stream.ts";
import type { Many } from "../many.ts";
import type { CallOptions } from "./options.ts";
import type { StringValue } from "@bufbuild/protobuf/wkt";
import { deadlines } from "../cancellation.ts";

type Stream = ClientStream<Many<StringValue>, Many<StringValue>>;

/** A way in which a call ends from this side. */
interface Ending {
  readonly when: string;
  readonly end: (test: Test) => void;
  readonly status: Status;
  readonly message: string;
  readonly cause?: unknown;
}

/** A call with a deadline and a signal, on a clock that stands still. */
class Test implements Disposable {
  readonly clock = new FakeClock();
  readonly controller = new AbortController();
  readonly channel = new FakeChannel();
  readonly stream: Stream = this.channel.streamStream.open(this.options);

  get options(): CallOptions {
    return { timeoutMs: 100, signal: this.controller.signal };
  }

  [Symbol.dispose](): void {
    this.clock[Symbol.dispose]();
    assertEquals(deadlines.size, 0);
  }
}

const ENDINGS: readonly Ending[] = [
  {
    when: "its deadline comes",
    end: ({ clock }) => clock.advance(100),
    status: Status.DEADLINE_EXCEEDED,
    message: "Deadline exceeded",
  },
  {
    when: "its caller aborts",
    end: ({ controller }) => controller.abort("Enough"),
    status: Status.CANCELLED,
    message: "Call was cancelled by the caller",
    cause: "Enough",
  },
  {
    when: "it is cancelled",
    end: ({ stream }) => stream.cancel(),
    status: Status.CANCELLED,
    message: "Call was cancelled",
  },
  {
    when: "its block is left",
    end: ({ stream }) => void stream[Symbol.asyncDispose](),
    status: Status.CANCELLED,
    message: "Call was cancelled: its block was left",
  },
];

/** A phase of a call, with what waits in it. */
interface Phase {
  readonly where: string;
  readonly enter: (test: Test) => Promise<unknown>;
  /** What the stream has seen; null if there is none. */
  readonly log: readonly string[] | null;
}

const PHASES: readonly Phase[] = [
  {
    where: "while there is no stream for the head",
    enter({ channel, stream }) {
      channel.source.ready = false;
      return stream.sendRequest();
    },
    log: null,
  },
  {
    where: "while there is no stream for a message",
    enter({ channel, stream }) {
      channel.source.ready = false;
      return stream.sendMessage({ value: "Ada" });
    },
    log: null,
  },
  {
    where: "while there is no stream for a reply",
    enter({ channel, stream }) {
      channel.source.ready = false;
      stream.sendMessage({ value: "Ada" }).catch(() => {});
      return stream.recvMessage();
    },
    log: null,
  },
  {
    where: "while it waits for the head",
    async enter({ stream }) {
      await stream.sendRequest();
      return stream.recvInitialMetadata();
    },
    log: ["head", "reset CANCEL"],
  },
  {
    where: "while it waits for a message",
    async enter({ channel, stream }) {
      await stream.sendMessage({ value: "Ada" });
      channel.stream.peerHead();
      return stream.recvMessage();
    },
    log: ["head", "message Ada", "reset CANCEL"],
  },
  {
    where: "while an iteration waits",
    async enter({ channel, stream }) {
      await stream.sendRequest();
      channel.stream.peerHead();
      return Array.fromAsync(stream);
    },
    log: ["head", "reset CANCEL"],
  },
  {
    where: "while it waits for the status",
    async enter({ channel, stream }) {
      await stream.sendRequest({ end: true });
      channel.stream.peerHead();
      return stream.recvTrailingMetadata();
    },
    log: ["head end", "reset CANCEL"],
  },
  {
    where: "while a send waits",
    async enter({ channel, stream }) {
      await stream.sendRequest();
      channel.stream.full = true;
      // What waits must not depend on the wire, which is stuck.
      channel.stream.closesOnReset = false;
      return stream.sendMessage({ value: "Ada" });
    },
    log: ["head", "message Ada", "reset CANCEL"],
  },
];

for (const { when, end, status, message, cause } of ENDINGS) {
  for (const { where, enter, log } of PHASES) {
    Deno.test(`ClientCall() ends at once ${where} when ${when}`, async () => {
      using test = new Test();
      const { channel, stream } = test;
      const waits = enter(test);
      assertEquals(await stateOf(waits), "pending");
      end(test);

      const error = await assertRejects(() => waits, GRPCError);
      assertEquals(error.status, status);
      assertEquals(error.message, message);
      assertEquals(error.cause, cause);

      assertEquals(channel.source.waiting, []);
      if (status === Status.DEADLINE_EXCEEDED && log?.[0] === "head end") {
        // The server has all requests, and may end the stream by itself.
        assertEquals(channel.stream.log, ["head end"]);
        test.clock.advance(500);
      }
      if (log === null) assertEquals(channel.source.streams, []);
      else assertEquals(channel.stream.log, log);
      for (
        const later of [
          () => stream.recvMessage(),
          () => stream.recvTrailingMetadata(),
        ]
      ) {
        assertStrictEquals(await assertRejects(later), error);
      }
    });
  }

  Deno.test(`ClientCall() changes nothing after its end when ${when}`, async () => {
    using test = new Test();
    const { channel, stream } = test;
    await stream.sendRequest({ end: true });
    channel.stream.peerAnswers("Hello");
    end(test);
    assertEquals((await stream.recvMessage())?.value, "Hello");
    assertEquals(await stream.recvMessage(), null);
    await stream.recvTrailingMetadata();
    assertEquals(channel.stream.log, ["head end"]);
  });

  Deno.test(`ClientCall() drops the messages nobody took when ${when}`, async () => {
    using test = new Test();
    await test.stream.sendRequest();
    test.channel.stream.peerHead();
    test.channel.stream.peerSends("a", "b");
    assertEquals((await test.stream.recvMessage())?.value, "a");
    end(test);
    const error = await assertRejects(
      () => test.stream.recvMessage(),
      GRPCError,
    );
    assertEquals(error.status, status);
  });
}

Deno.test("ClientCall() waits no longer for the server when that ends the stream after the deadline", async () => {
  using test = new Test();
  const reply = test.channel.unaryUnary({}, { timeoutMs: 100 });
  test.clock.advance(100);
  await assertRejects(() => reply, GRPCError, "Deadline exceeded");
  assertEquals(test.clock.delays, [500]);
  test.channel.stream.peerAnswers("Hello");
  await microtasks();
  assertEquals(test.clock.delays, []);
  assertEquals(test.channel.stream.log, ["head", "message end"]);
});

for (const timeoutMs of [0, -1000]) {
  Deno.test(`ClientCall() sends nothing when its timeout is ${timeoutMs} ms`, async () => {
    const channel = new FakeChannel();
    const options = { timeoutMs };
    const stream = channel.streamStream.open(options);
    const calls: (() => Promise<unknown>)[] = [
      () => channel.unaryUnary({}, options),
      () => Array.fromAsync(channel.unaryStream({}, options)),
      () => channel.streamUnary([{}], options),
      () => Array.fromAsync(channel.streamStream([], options)),
      () => stream.sendRequest(),
    ];
    for (const call of calls) {
      const error = await assertRejects(call, GRPCError, "Deadline exceeded");
      assertEquals(error.status, Status.DEADLINE_EXCEEDED);
    }
    assertEquals(channel.source.streams, []);
    assertEquals(channel.source.waiting, []);
  });
}

Deno.test("ClientCall() sends nothing when its deadline is past", async () => {
  const channel = new FakeChannel();
  const error = await assertRejects(
    () => channel.unaryUnary({}, { deadline: new Deadline(0) }),
    GRPCError,
  );
  assertEquals(error.status, Status.DEADLINE_EXCEEDED);
  assertEquals(channel.source.streams, []);
});

Deno.test("ClientCall() sends nothing when its signal is aborted already", async () => {
  const channel = new FakeChannel();
  const signal = AbortSignal.abort("Enough");
  const error = await assertRejects(
    () => channel.unaryUnary({}, { signal }),
    GRPCError,
  );
  assertEquals([error.status, error.cause], [Status.CANCELLED, "Enough"]);
  assertEquals(channel.source.streams, []);
});

Deno.test("ClientCall() sends the time that is left when the connection took some of it", async () => {
  using test = new Test();
  const { channel, clock } = test;
  channel.source.ready = false;
  const reply = channel.unaryUnary({}, { timeoutMs: 100 });
  clock.advance(30);
  const stream = channel.source.open();
  assertEquals(stream.head!["grpc-timeout"], "70m");
  stream.peerAnswers("Hello");
  await reply;
});

Deno.test("ClientCall() is past its deadline when the server's clock rang first", async () => {
  using test = new Test();
  const reply = test.channel.unaryUnary({}, { timeoutMs: 100 });
  test.clock.jump(100);
  test.channel.stream.close(closed(Status.CANCELLED, "Stream was reset"));
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals(error.status, Status.DEADLINE_EXCEEDED);
  assertEquals(test.channel.stream.log, ["head", "message end"]);
});

Deno.test("ClientCall() is cancelled when the server resets it before the deadline", async () => {
  using test = new Test();
  const reply = test.channel.unaryUnary({}, { timeoutMs: 100 });
  test.clock.jump(99);
  test.channel.stream.close(closed(Status.CANCELLED, "Stream was reset"));
  const error = await assertRejects(() => reply, StreamTerminatedError);
  assertEquals(error.status, Status.CANCELLED);
});

Deno.test("ClientCall() keeps what went wrong when it is not the deadline that passed", async () => {
  using test = new Test();
  const reply = test.channel.unaryUnary({}, { timeoutMs: 100 });
  test.clock.jump(100);
  test.channel.stream.close(closed(Status.UNAVAILABLE, "Connection lost"));
  const error = await assertRejects(() => reply, StreamTerminatedError);
  assertEquals(error.status, Status.UNAVAILABLE);
});

Deno.test("ClientCall() watches nothing any more when it is complete", async () => {
  using test = new Test();
  const reply = test.channel.unaryUnary({}, test.options);
  assertEquals(test.clock.delays, [100]);
  test.channel.stream.peerAnswers("Hello");
  await microtasks();
  assertEquals(test.clock.delays, []);
  test.controller.abort();
  assertEquals((await reply).value, "Hello");
});

Deno.test("ClientCall() ignores what still comes when it was cancelled", async () => {
  const channel = new FakeChannel();
  const stream = channel.streamStream.open();
  await stream.sendRequest();
  const { sink } = channel.stream;
  stream.cancel();
  sink!.onHead([":status", "404"], false);
  sink!.onHead(rawOf(OK_HEAD), false);
  sink!.onData(new Uint8Array([9, 9, 9, 9, 9]), 0, 5);
  sink!.onEnd(["grpc-status", "13"]);
  sink!.onClose(closed(Status.INTERNAL, "Stream was reset"));
  const error = await assertRejects(() => stream.recvMessage(), GRPCError);
  assertEquals(error.status, Status.CANCELLED);
  assertEquals(stream.initialMetadata, null);
});
