/** Calls that end before their time while the handler runs. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import type { StringValue } from "@bufbuild/protobuf/wkt";
import { FakeClock } from "../../_testdata/fake_clock.ts";
import { FakeServer } from "../../_testdata/fake_server.ts";
import { CLEAN, closed, type FakeStream } from "../../_testdata/fake_stream.ts";
import { allTurns } from "../../_testdata/states.ts";
import { GRPCError, StreamTerminatedError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import type { Many } from "../many.ts";
import { deadlines } from "../cancellation.ts";
import type { ServerStream } from "./stream.ts";

type Call = ServerStream<Many<StringValue>, Many<StringValue>>;

/** A way in which a call ends from outside. */
interface Ending {
  readonly when: string;
  readonly end: (test: Test) => void;
  readonly status: Status;
  readonly message: string;
  /** What the client is told; nothing if the stream is gone. */
  readonly told: boolean;
}

/** A call with a deadline, whose handler does what a test says. */
class Test implements Disposable {
  readonly clock = new FakeClock();
  readonly server: FakeServer;
  readonly stream: FakeStream;
  call!: Call;

  constructor(handle: (call: Call) => unknown) {
    this.server = new FakeServer({
      STREAM_STREAM: (call) => {
        this.call = call;
        return handle(call);
      },
    });
    this.stream = this.server.open("STREAM_STREAM", { "grpc-timeout": "100m" });
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
    told: true,
  },
  {
    when: "the client resets the stream",
    end: ({ stream }) =>
      stream.close(closed(Status.CANCELLED, "Stream was reset")),
    status: Status.CANCELLED,
    message: "Stream was reset",
    told: false,
  },
  {
    when: "the client resets the stream just when its deadline has come",
    end: ({ clock, stream }) => {
      clock.jump(100);
      stream.close(closed(Status.CANCELLED, "Stream was reset"));
    },
    status: Status.DEADLINE_EXCEEDED,
    message: "Deadline exceeded",
    told: false,
  },
  {
    when: "the connection is lost",
    end: ({ stream }) =>
      stream.close(closed(Status.UNAVAILABLE, "Connection lost")),
    status: Status.UNAVAILABLE,
    message: "Connection lost",
    told: false,
  },
  {
    when: "the stream is closed without a word",
    end: ({ stream }) => stream.close(CLEAN),
    status: Status.CANCELLED,
    message: "Call was cancelled: the stream ended before its reply",
    told: false,
  },
  {
    when: "the server closes",
    end: ({ server }) =>
      server.call.fail(new GRPCError(Status.UNAVAILABLE, "Shutting down")),
    status: Status.UNAVAILABLE,
    message: "Shutting down",
    told: true,
  },
];

/** What a handler waits for, and what the stream has seen by then. */
interface Phase {
  readonly where: string;
  readonly handle: (call: Call) => Promise<unknown>;
  readonly log: readonly string[];
  readonly prepare?: (stream: FakeStream) => void;
}

const whenAborted = ({ signal }: Call) =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });

const PHASES: readonly Phase[] = [
  {
    where: "while the handler waits for a message",
    handle: (call) => call.recvMessage(),
    log: [],
  },
  {
    where: "while the handler iterates",
    async handle(call) {
      await call.sendInitialMetadata();
      await Array.fromAsync(call);
    },
    log: ["head"],
  },
  {
    where: "while the handler waits for its signal",
    async handle(call) {
      await call.sendMessage({ value: "a" });
      await whenAborted(call);
    },
    log: ["head", "message a"],
  },
  {
    where: "while a send of the handler waits",
    async handle(call) {
      await call.sendMessage({ value: "a" });
      await call.recvMessage();
      await call.sendMessage({ value: "b" });
    },
    prepare(stream) {
      stream.full = true;
      stream.peerSends("go");
    },
    log: ["head", "message a", "message b"],
  },
];

for (const { when, end, status, message, told } of ENDINGS) {
  for (const { where, handle, prepare, log } of PHASES) {
    Deno.test(`ServerCall() ends at once ${where} when ${when}`, async () => {
      const ends: unknown[] = [];
      using test = new Test(async (call) => {
        try {
          await handle(call);
        } catch (error) {
          ends.push(error);
          throw error;
        }
      });
      const { server, stream } = test;
      await allTurns();
      prepare?.(stream);
      await allTurns();
      assertEquals(stream.log, log);
      const { signal } = test.call;
      assertFalse(signal.aborted);
      assertEquals(server.counts, [1, 0]);

      end(test);
      assert(signal.aborted);
      const error = signal.reason;
      assertInstanceOf(error, GRPCError);
      assertEquals([error.status, error.message], [status, message]);
      assertEquals(error instanceof StreamTerminatedError, !told);
      await allTurns();
      assertEquals(ends, [error]);
      assertStrictEquals(ends[0], error);
      assertEquals(server.counts, [1, 1]);
      assertEquals(server.errors, []);

      if (told) {
        const only = log.length === 0;
        assertEquals(stream.log, [...log, only ? "head end" : "trailers"]);
        const { "grpc-status": code, "grpc-message": text } =
          (only ? stream.head : stream.trailers)!;
        assertEquals([code, text], [`${status}`, message]);
      } else {
        assertEquals(stream.log, log);
      }
    });
  }

  Deno.test(`serve() tells what else the handler throws when ${when}`, async () => {
    using test = new Test(async (call) => {
      try {
        await call.recvMessage();
      } catch {
        throw new Error("Cannot clean up");
      }
    });
    await allTurns();
    end(test);
    await allTurns();
    assertEquals(`${test.server.errors}`, "Error: Cannot clean up");
    assertEquals(test.server.counts, [1, 1]);
  });

  Deno.test(`serve() takes it for no news that the handler throws its cause when ${when}`, async () => {
    using test = new Test(async (call) => {
      try {
        await call.recvMessage();
      } catch (cause) {
        const inner = new DOMException("Aborted", "AbortError");
        throw new Error("Cannot go on", {
          cause: Object.assign(inner, { cause }),
        });
      }
    });
    await allTurns();
    end(test);
    await allTurns();
    assertEquals(test.server.errors, []);
  });

  Deno.test(`serve() takes it for no news that the handler returns when ${when}`, async () => {
    using test = new Test((call) => call.recvMessage().catch(() => {}));
    await allTurns();
    end(test);
    await allTurns();
    assertEquals(test.server.errors, []);
    assertEquals(test.server.counts, [1, 1]);
  });

  Deno.test(`ServerStream() rejects everything when ${when} before`, async () => {
    const ends: unknown[] = [];
    const gate = Promise.withResolvers<void>();
    using test = new Test(async (call) => {
      await gate.promise;
      const acts: (() => Promise<unknown>)[] = [
        () => call.recvMessage(),
        () => call.sendInitialMetadata(),
        () => call.sendMessage({}),
        () => call.sendTrailingMetadata(),
        () => call[Symbol.asyncIterator]().next(),
      ];
      for (const act of acts) await act().catch((error) => ends.push(error));
    });
    test.stream.peerSends("waits");
    await allTurns();
    end(test);
    const { log } = test.stream;
    const before = [...log];
    gate.resolve();
    await allTurns();
    assertEquals(ends.length, 5);
    for (const error of ends) {
      assertStrictEquals(error, test.call.signal.reason);
    }
    assertEquals(log, before);
  });
}

Deno.test("ServerCall() does not time out when it is answered", async () => {
  using test = new Test((call) => call.sendMessage({ value: "a" }));
  await allTurns();
  assertEquals(deadlines.size, 0);
  assertEquals(test.clock.delays, []);
  test.clock.advance(1000);
  test.stream.close(CLEAN);
  assertEquals(test.stream.log, ["head", "message a", "trailers"]);
  assertFalse(test.call.signal.aborted);
});

Deno.test("ServerCall() watches its deadline when its trailing metadata could not be sent", async () => {
  using test = new Test(async (call) => {
    await assertRejects(
      () => call.sendTrailingMetadata({ statusMessage: 5 as never }),
      TypeError,
    );
    await whenAborted(call);
  });
  await allTurns();
  test.clock.advance(100);
  await allTurns();
  assertEquals(test.stream.head?.["grpc-status"], "4");
});

Deno.test("ServerCall() ends when the stream is gone before the request is complete", () => {
  let called = false;
  const server = new FakeServer({ UNARY_UNARY: () => called = true });
  const stream = server.open("UNARY_UNARY");
  stream.peerSends("Ada");
  stream.close(closed(Status.CANCELLED, "Stream was reset"));
  assertFalse(called);
  assertEquals(server.counts, [1, 1]);
  assertEquals(server.errors, []);
  assertEquals(stream.log, []);
});

Deno.test("ServerCall() keeps the first reason when the stream is gone after the deadline", async () => {
  using test = new Test((call) => whenAborted(call));
  await allTurns();
  test.clock.advance(100);
  test.stream.close(closed(Status.CANCELLED, "Stream was reset"));
  await allTurns();
  assertEquals(test.call.signal.reason.status, Status.DEADLINE_EXCEEDED);
  assertEquals(test.server.counts, [1, 1]);
});

Deno.test("ServerCall() sends nothing more when the stream is gone while the handler goes on", async () => {
  const gate = Promise.withResolvers<void>();
  using test = new Test(() => gate.promise);
  await allTurns();
  test.stream.close(closed(Status.CANCELLED, "Stream was reset"));
  assertEquals(test.server.counts, [1, 0]);
  gate.resolve();
  await allTurns();
  assertEquals(test.server.counts, [1, 1]);
  assertEquals(test.stream.log, []);
});

Deno.test("serve() resets the stream when it takes no reply", async () => {
  const broken = new Error("Stream is broken");
  const server = new FakeServer({
    UNARY_UNARY: (call) => call.sendMessage({ value: "Hi" }),
  });
  const stream = server.open("UNARY_UNARY");
  stream.sendTrailers = () => {
    throw broken;
  };
  stream.peerSends("Ada");
  stream.peerEnds();
  await allTurns();
  assertEquals(stream.log, ["head", "message Hi", "reset CANCEL"]);
  assertEquals(server.errors, [broken]);
  assertEquals(server.counts, [1, 1]);
});
