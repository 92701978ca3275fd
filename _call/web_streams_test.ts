import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { allTurns, stateOf } from "../_testdata/states.ts";
import { type MessageWriter, readableOf, writableOf } from "./web_streams.ts";

// --- reading

Deno.test("readableOf() gives the messages when it is read", async () => {
  const messages = ["a", Promise.resolve("b"), null];
  const stream = readableOf<string>(() => messages.shift()!, () => {});
  assertEquals(await Array.fromAsync(stream), ["a", "b"]);
});

Deno.test("readableOf() takes no message when nobody reads", async () => {
  let taken = 0;
  const stream = readableOf<number>(() => ++taken, () => {});
  await allTurns();
  assertEquals(taken, 0);
  const reader = stream.getReader();
  assertEquals(await reader.read(), { done: false, value: 1 });
  await allTurns();
  assertEquals(taken, 1);
  reader.releaseLock();
});

Deno.test("readableOf() fails when the next message throws or rejects", async () => {
  const error = new Error("Broken");
  const failures = [
    () => {
      throw error;
    },
    () => Promise.reject(error),
  ];
  for (const next of failures) {
    const reader = readableOf<string>(next, () => {}).getReader();
    assertStrictEquals(await assertRejects(() => reader.read()), error);
    assertStrictEquals(await assertRejects(() => reader.closed), error);
  }
});

Deno.test("readableOf() tells when its reader has had enough", async () => {
  let cancelled = 0;
  const stream = readableOf<string>(() => "a", () => cancelled++);
  for await (const _ of stream) break;
  assertEquals(cancelled, 1);
});

// --- writing

/** A writer that writes down what it is asked for. */
function writer(rest: Partial<MessageWriter<string>> = {}) {
  const log: string[] = [];
  return {
    log,
    write: (message: string) => void log.push(`write ${message}`),
    close: () => void log.push("close"),
    abort: (reason: unknown) => void log.push(`abort ${reason}`),
    ...rest,
  };
}

Deno.test("writableOf() writes in order and closes when told so", async () => {
  const sink = writer();
  const stream = writableOf<string>(sink).getWriter();
  stream.write("a");
  stream.write("b");
  await stream.close();
  assertEquals(sink.log, ["write a", "write b", "close"]);
});

Deno.test("writableOf() writes the next message when the one before is through", async () => {
  const gate = Promise.withResolvers<void>();
  const log: string[] = [];
  const sink = writer({
    write(message) {
      log.push(message);
      return message === "a" ? gate.promise : undefined;
    },
  });
  const stream = writableOf<string>(sink).getWriter();
  const writes = [stream.write("a"), stream.write("b")];
  assertEquals(await stateOf(stream.ready), "pending");
  assertEquals(log, ["a"]);
  gate.resolve();
  await Promise.all(writes);
  assertEquals(log, ["a", "b"]);
  await stream.close();
});

Deno.test("writableOf() fails when a message cannot be written", async () => {
  const error = new TypeError("Not a message");
  const sink = writer({
    write() {
      throw error;
    },
  });
  const stream = writableOf<string>(sink).getWriter();
  const { closed } = stream;
  assertStrictEquals(await assertRejects(() => stream.write("a")), error);
  assertStrictEquals(await assertRejects(() => closed), error);
  assertEquals(sink.log, []);
});

Deno.test("writableOf() fails when it cannot be closed", async () => {
  const error = new Error("Not yet");
  const sink = writer({ close: () => Promise.reject(error) });
  const stream = writableOf<string>(sink).getWriter();
  const { closed } = stream;
  assertStrictEquals(await assertRejects(() => stream.close()), error);
  assertStrictEquals(await assertRejects(() => closed), error);
});

Deno.test("writableOf() tells the reason when it is aborted", async () => {
  const sink = writer();
  await writableOf<string>(sink).abort("Enough");
  assertEquals(sink.log, ["abort Enough"]);
});
