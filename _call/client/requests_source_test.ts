/** When a source of requests is told that no more is wanted, and when not. */

import { assertEquals, assertRejects } from "@std/assert";
import type { StringValue } from "@bufbuild/protobuf/wkt";
import { FakeChannel } from "../../_testdata/fake_channel.ts";
import { OK_HEAD } from "../../_testdata/fake_stream.ts";
import { allTurns } from "../../_testdata/states.ts";
import { GRPCError } from "../../core/errors.ts";
import type { Messages } from "./method.ts";

type Init = { value: string };
type Step = Init | null | Error | "wait" | (() => void);

/** A source that takes one step at a time and writes down what it is asked. */
class Source {
  readonly log: string[] = [];
  readonly #steps: Step[];
  #running = false;

  constructor(...steps: Step[]) {
    this.#steps = steps;
  }

  as(kind: "sync" | "async"): Messages<StringValue> {
    const next = () => this.#next();
    const leave = () => {
      this.log.push(this.#running ? "left in the middle" : "left");
      return { done: true as const, value: undefined };
    };
    if (kind === "sync") {
      return {
        [Symbol.iterator]: () => ({
          next: next as () => IteratorResult<Init>,
          return: leave,
        }),
      };
    }
    return {
      [Symbol.asyncIterator]: () => ({
        // What it throws is a rejection here.
        next: async () => await next(),
        return: () => Promise.resolve(leave()),
      }),
    };
  }

  #next(): IteratorResult<Init> | Promise<never> {
    this.log.push("pull");
    const step = this.#steps.shift() ?? null;
    if (step === null) return { done: true, value: undefined };
    if (step instanceof Error) throw step;
    if (step === "wait") return new Promise(() => {});
    if (typeof step !== "function") return { done: false, value: step };
    this.#running = true;
    step();
    this.#running = false;
    return { done: false, value: { value: "late" } };
  }
}

const A = { value: "a" };
const B = { value: "b" };

for (const kind of ["sync", "async"] as const) {
  Deno.test(`StreamUnaryMethod() does not leave its ${kind} requests when they are exhausted`, async () => {
    const channel = new FakeChannel();
    const source = new Source(A, B);
    const reply = channel.streamUnary(source.as(kind));
    await allTurns();
    channel.stream.peerAnswers("x");
    assertEquals((await reply).value, "x");
    await allTurns();
    assertEquals(source.log, ["pull", "pull", "pull"]);
  });

  Deno.test(`StreamUnaryMethod() does not leave its ${kind} requests when they fail`, async () => {
    for (const before of [0, 1, 2]) {
      const channel = new FakeChannel();
      const steps = [A, B].slice(0, before);
      const source = new Source(...steps, new TypeError("No more"));
      const reply = channel.streamUnary(source.as(kind));
      await assertRejects(() => reply, TypeError, "No more");
      await allTurns();
      assertEquals(
        source.log,
        Array.from({ length: before + 1 }, () => "pull"),
      );
    }
  });

  Deno.test(`StreamUnaryMethod() leaves its ${kind} requests once when the call ends while a send waits`, async () => {
    const channel = new FakeChannel();
    channel.source.ready = false;
    const source = new Source(A, B, A, B);
    const reply = channel.streamUnary(source.as(kind));
    await allTurns();
    const stream = channel.source.open();
    stream.full = true;
    await allTurns();
    const pulled = source.log.length;
    stream.peerHead({ ...OK_HEAD, "grpc-status": "8" }, true);
    await assertRejects(() => reply, GRPCError);
    stream.drain();
    await allTurns();
    assertEquals(source.log.slice(pulled), ["left"]);
  });

  Deno.test(`StreamUnaryMethod() leaves its ${kind} requests once and not in the middle when they end their call`, async () => {
    const channel = new FakeChannel();
    const controller = new AbortController();
    const { signal } = controller;
    const source = new Source(A, () => controller.abort(), B);
    const reply = channel.streamUnary(source.as(kind), { signal });
    await assertRejects(() => reply, GRPCError);
    await allTurns();
    if (kind === "sync") assertEquals(source.log, ["pull", "pull", "left"]);
    // An async one may be told at once: its next step is a promise anyway.
    else assertEquals(source.log.length, 3);
  });
}

for (const before of [[], [A]]) {
  Deno.test(`StreamUnaryMethod() leaves its async requests when it waits for them behind ${before.length} others`, async () => {
    const channel = new FakeChannel();
    const source = new Source(...before, "wait");
    const reply = channel.streamUnary(source.as("async"));
    await allTurns();
    channel.stream.peerAnswers("x");
    assertEquals((await reply).value, "x");
    assertEquals(source.log, [...before.map(() => "pull"), "pull", "left"]);
  });
}

Deno.test("StreamUnaryMethod() cancels a ReadableStream when it waits for it and the call ends", async () => {
  const log: string[] = [];
  const messages = new ReadableStream<Init>({
    pull: () => new Promise(() => {}),
    cancel: () => void log.push("cancel"),
  });
  const channel = new FakeChannel();
  const reply = channel.streamUnary(messages);
  await allTurns();
  channel.stream.peerAnswers("x");
  assertEquals((await reply).value, "x");
  await allTurns();
  assertEquals(log, ["cancel"]);
});

Deno.test("StreamUnaryMethod() rejects and sends nothing when its ReadableStream is locked", async () => {
  const messages = ReadableStream.from([A]);
  const reader = messages.getReader();
  const channel = new FakeChannel();
  await assertRejects(() => channel.streamUnary(messages), TypeError);
  assertEquals(channel.source.streams, []);
  await reader.cancel();
});
