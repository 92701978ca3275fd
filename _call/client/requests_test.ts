/** The requests of a streaming method: any iterable, and whatever it does. */

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import type { StringValue } from "@bufbuild/protobuf/wkt";
import { FakeChannel } from "../../_testdata/fake_channel.ts";
import type { FakeStream } from "../../_testdata/fake_stream.ts";
import { allTurns } from "../../_testdata/states.ts";
import { GRPCError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import type { Messages } from "./method.ts";

type Init = { value: string };

/** Gives the first reply and leaves the others. */
async function firstOf(
  replies: AsyncIterable<StringValue>,
): Promise<string | null> {
  for await (const { value } of replies) return value;
  return null;
}

/** What happened to a source of requests. */
interface Source {
  readonly log: string[];
  /** Comes behind the values: the end, an error, or a wait for `go()`. */
  readonly messages: Messages<StringValue>;
  go(): void;
}

/** Three requests one after the other, from a generator of either kind. */
function source(
  kind: "sync" | "async",
  then: () => unknown = () => {},
): Source {
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const values = ["a", "b", "c"];
  function* sync(): Generator<Init> {
    try {
      for (const value of values) {
        log.push(`pull ${value}`);
        yield { value };
      }
      then();
      log.push("end");
    } finally {
      log.push("left");
    }
  }
  async function* async(): AsyncGenerator<Init> {
    try {
      for (const value of values) {
        log.push(`pull ${value}`);
        yield { value };
      }
      await then();
      await gate.promise;
      log.push("end");
    } finally {
      log.push("left");
    }
  }
  const messages = kind === "sync" ? sync() : async();
  return { log, messages, go: gate.resolve };
}

const ALL_SENT: Record<"sync" | "async", string[]> = {
  // The end travels with the last message, if it is known by then.
  sync: ["head", "message a", "message b", "message c end"],
  async: ["head", "message a", "message b", "message c", "nothing end"],
};

for (const kind of ["sync", "async"] as const) {
  Deno.test(`StreamUnaryMethod() sends all requests when they are ${kind}`, async () => {
    const channel = new FakeChannel();
    const { log, messages, go } = source(kind);
    const reply = channel.streamUnary(messages);
    go();
    await allTurns();
    assertEquals(channel.stream.log, ALL_SENT[kind]);
    assertEquals(log.slice(-2), ["end", "left"]);
    channel.stream.peerAnswers("x");
    assertEquals((await reply).value, "x");
    assertEquals(log.filter((word) => word === "left").length, 1);
    assertEquals(channel.stream.log, ALL_SENT[kind]);
  });

  Deno.test(`StreamUnaryMethod() sends only what there is room for when requests are ${kind}`, async () => {
    const channel = new FakeChannel();
    channel.source.ready = false;
    const { log, messages, go } = source(kind);
    const reply = channel.streamUnary(messages);
    await allTurns();
    // The first waits for the stream; a sync source is one ahead.
    assertEquals(log.length, kind === "sync" ? 2 : 1);
    channel.source.ready = true;
    const stream = channel.source.open();
    stream.full = true;
    await allTurns();
    const sent = stream.log.filter((word) => word.startsWith("message"));
    assertEquals(sent, ["message a", "message b"]);
    stream.drain();
    go();
    await allTurns();
    assertEquals(stream.log, ALL_SENT[kind]);
    stream.peerAnswers("x");
    assertEquals((await reply).value, "x");
  });

  Deno.test(`StreamUnaryMethod() cancels the call when its ${kind} requests throw`, async () => {
    const channel = new FakeChannel();
    const own = new Error("No more");
    const { log, messages } = source(kind, () => {
      throw own;
    });
    const error = await assertRejects(
      () => channel.streamUnary(messages) as Promise<unknown>,
    );
    assertStrictEquals(error, own);
    assertEquals(channel.stream.log.at(-1), "reset CANCEL");
    assertEquals(log, ["pull a", "pull b", "pull c", "left"]);
  });

  Deno.test(`StreamStreamMethod() fails with the error when its ${kind} requests throw`, async () => {
    const channel = new FakeChannel();
    const own = new Error("No more");
    const { messages } = source(kind, () => {
      throw own;
    });
    const replies = Array.fromAsync(channel.streamStream(messages));
    assertStrictEquals(await assertRejects(() => replies), own);
  });

  Deno.test(`StreamUnaryMethod() wraps what its ${kind} requests throw when it is no error`, async () => {
    const channel = new FakeChannel();
    const { messages } = source(kind, () => {
      // deno-lint-ignore no-throw-literal
      throw "No more";
    });
    const error = await assertRejects(
      () => channel.streamUnary(messages) as Promise<unknown>,
      GRPCError,
      "Call was cancelled: the source of its requests failed",
    );
    assertEquals([error.status, error.cause], [Status.CANCELLED, "No more"]);
  });

  Deno.test(`StreamUnaryMethod() leaves its ${kind} requests when one is of another type`, async () => {
    const channel = new FakeChannel();
    let left = 0;
    function* sync(): Generator<Init> {
      try {
        yield { value: "a" };
        yield "b" as unknown as Init;
        yield { value: "c" };
      } finally {
        left++;
      }
    }
    async function* async(): AsyncGenerator<Init> {
      yield* sync();
    }
    const messages = kind === "sync" ? sync() : async();
    await assertRejects(
      () => channel.streamUnary(messages) as Promise<unknown>,
      TypeError,
    );
    await allTurns();
    assertEquals(left, 1);
    assertEquals(channel.stream.log.at(-1), "reset CANCEL");
  });

  Deno.test(`StreamUnaryMethod() leaves its ${kind} requests when the server ends the call early`, async () => {
    for (const status of ["0", "8"]) {
      const channel = new FakeChannel();
      channel.source.ready = false;
      const { log, messages } = source(kind);
      const reply = channel.streamUnary(messages);
      channel.source.ready = true;
      await allTurns();
      const stream = channel.source.open();
      stream.full = true;
      await allTurns();
      stream.peerHead();
      stream.peerSends("x");
      stream.peerEnds({ "grpc-status": status });
      if (status === "0") assertEquals((await reply).value, "x");
      else await assertRejects(() => reply, GRPCError);
      await allTurns();
      assertEquals(log.at(-1), "left");
      assertEquals(log.includes("end"), false);
      assertEquals(stream.log.at(-1), "reset NO_ERROR");
    }
  });

  Deno.test(`StreamUnaryMethod() makes no call when its ${kind} requests end it before they begin`, async () => {
    const channel = new FakeChannel();
    const controller = new AbortController();
    controller.abort("Enough");
    const { log, messages } = source(kind);
    const { signal } = controller;
    const error = await assertRejects(
      () => channel.streamUnary(messages, { signal }) as Promise<unknown>,
      GRPCError,
    );
    assertEquals(error.cause, "Enough");
    await allTurns();
    assertEquals(channel.source.streams, []);
    // The first of sync ones is looked at before the call begins.
    assertEquals(log, kind === "sync" ? ["pull a", "left"] : []);
  });

  Deno.test(`StreamUnaryMethod() survives when its ${kind} requests throw as they are left`, async () => {
    const channel = new FakeChannel();
    const next = { done: false as const, value: { value: "a" } };
    const broken = () => {
      throw new Error("Broken");
    };
    let pulled = 0;
    const messages = kind === "sync"
      ? {
        [Symbol.iterator]: () => ({
          next: () => (pulled++, next),
          return: broken,
        }),
      }
      : {
        [Symbol.asyncIterator]: () => ({
          next: () =>
            pulled++ === 0
              ? Promise.resolve(next)
              : new Promise<never>(() => {}),
          return: broken,
        }),
      };
    channel.source.ready = false;
    const reply = channel.streamUnary(messages);
    await allTurns();
    const stream: FakeStream = channel.source.open();
    stream.full = true;
    await allTurns();
    stream.peerAnswers("x");
    assertEquals((await reply).value, "x");
  });

  Deno.test(`StreamUnaryMethod() leaves its ${kind} requests when they abort their own call`, async () => {
    const channel = new FakeChannel();
    const controller = new AbortController();
    let left = 0;
    function* sync(): Generator<Init> {
      try {
        yield { value: "a" };
        controller.abort("Enough");
        yield { value: "b" };
        yield { value: "c" };
      } finally {
        left++;
      }
    }
    async function* async(): AsyncGenerator<Init> {
      yield* sync();
    }
    const messages = kind === "sync" ? sync() : async();
    const { signal } = controller;
    const error = await assertRejects(
      () => channel.streamUnary(messages, { signal }) as Promise<unknown>,
      GRPCError,
    );
    assertEquals(error.cause, "Enough");
    await allTurns();
    assertEquals(left, 1);
  });
}

Deno.test("StreamUnaryMethod() and StreamStreamMethod() send no message when the iterable is empty", async () => {
  async function* nothing(): AsyncGenerator<Init> {}
  for (const messages of [[], nothing(), new Set<Init>()]) {
    const channel = new FakeChannel();
    const reply = channel.streamUnary(messages);
    await allTurns();
    const last = channel.stream.log.at(-1);
    assertEquals(last, "next" in messages ? "nothing end" : "head end");
    channel.stream.peerAnswers("x");
    assertEquals((await reply).value, "x");
  }
  const channel = new FakeChannel();
  const replies = Array.fromAsync(channel.streamStream([]));
  assertEquals(channel.stream.log, ["head end"]);
  channel.stream.peerAnswers("x", "y");
  assertEquals((await replies).length, 2);
});

Deno.test("StreamUnaryMethod() sends what a ReadableStream holds", async () => {
  const channel = new FakeChannel();
  const reply = channel.streamUnary(
    ReadableStream.from([{ value: "a" }, { value: "b" }]),
  );
  await allTurns();
  const { log } = channel.stream;
  assertEquals(log, ["head", "message a", "message b", "nothing end"]);
  channel.stream.peerAnswers("x");
  assertEquals((await reply).value, "x");
});

Deno.test("StreamUnaryMethod() rejects when the requests are not iterable", async () => {
  const channel = new FakeChannel();
  const wrong: [unknown, string][] = [
    [{ value: "a" }, "an object that is none"],
    ["a", "string"],
    [undefined, "undefined"],
    [null, "object"],
    [7, "number"],
  ];
  for (const [messages, received] of wrong) {
    const error = await assertRejects(
      () => channel.streamUnary(messages as Init[]) as Promise<unknown>,
      TypeError,
    );
    assertEquals(
      error.message,
      `Cannot send requests: an iterable of messages is needed, received ${received}`,
    );
  }
  assertEquals(channel.source.streams, []);
});

Deno.test("StreamStreamMethod() sends requests while replies are read", async () => {
  const channel = new FakeChannel();
  const { readable, writable } = new TransformStream<Init, Init>();
  const writer = writable.getWriter();
  const replies = channel.streamStream(readable)[Symbol.asyncIterator]();
  const first = replies.next();
  channel.stream.peerHead();
  for (const value of ["a", "b", "c"]) {
    await writer.write({ value });
    await allTurns();
    assertEquals(channel.stream.log.at(-1), `message ${value}`);
    channel.stream.peerSends(value.toUpperCase());
    const reply = value === "a" ? first : replies.next();
    assertEquals((await reply).value?.value, value.toUpperCase());
  }
  await writer.close();
  await allTurns();
  assertEquals(channel.stream.log.at(-1), "nothing end");
  channel.stream.peerEnds({ "grpc-status": "0" });
  assertEquals((await replies.next()).done, true);
});

Deno.test("StreamStreamMethod() leaves its requests when the iteration of the replies is left", async () => {
  const channel = new FakeChannel();
  const { log, messages } = source("async");
  const loop = firstOf(channel.streamStream(messages));
  await allTurns();
  channel.stream.peerHead();
  channel.stream.peerSends("x");
  assertEquals(await loop, "x");
  assertEquals(channel.stream.log.at(-1), "reset CANCEL");
  // The source is still waiting for itself; what was asked comes when it is done.
  assertEquals(log.includes("end"), false);
});
