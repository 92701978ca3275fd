import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { MessageIterator } from "./message_iterator.ts";

type Step = string | null | Promise<string | null> | Error;

/** An iterator over steps, an error being thrown, and how often it was left. */
function over(...steps: Step[]) {
  let left = 0;
  const iterator = new MessageIterator<string>(() => {
    const step = steps.shift()!;
    if (step instanceof Error) throw step;
    return step;
  }, () => left++);
  return { iterator, left: () => left };
}

Deno.test("MessageIterator() gives what is there and what comes when it is iterated", async () => {
  const { iterator, left } = over("a", Promise.resolve("b"), "", null);
  assertEquals(await Array.fromAsync(iterator), ["a", "b", ""]);
  assertEquals(left(), 0);
});

Deno.test("MessageIterator() ends when the end comes as a promise", async () => {
  const { iterator } = over("a", Promise.resolve(null));
  assertEquals(await Array.fromAsync(iterator), ["a"]);
});

Deno.test("MessageIterator() tells that it is left when the loop is broken off", async () => {
  const { iterator, left } = over("a", "b");
  for await (const message of iterator) {
    assertEquals(message, "a");
    break;
  }
  assertEquals(left(), 1);
});

Deno.test("MessageIterator() tells that it is left when the loop throws", async () => {
  const { iterator, left } = over("a", "b");
  const thrown = await assertRejects(async () => {
    for await (const message of iterator) throw new Error(`Not ${message}`);
  }, Error);
  assertEquals(thrown.message, "Not a");
  assertEquals(left(), 1);
});

Deno.test("MessageIterator.next() rejects with the error when the next message fails", async () => {
  const now = new Error("Now");
  const later = new Error("Later");
  const { iterator, left } = over(now, Promise.reject(later));
  assertStrictEquals(await assertRejects(() => iterator.next()), now);
  assertStrictEquals(await assertRejects(() => iterator.next()), later);
  assertEquals(left(), 0);
});

Deno.test("MessageIterator.next() keeps the order when it is called ahead", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { iterator } = over(promise, "b", null);
  const results = [iterator.next(), iterator.next(), iterator.next()];
  resolve("a");
  assertEquals(await Promise.all(results), [
    { done: false, value: "a" },
    { done: false, value: "b" },
    { done: true, value: undefined },
  ]);
});

Deno.test("MessageIterator.return() is done when it is called", async () => {
  const { iterator, left } = over("a");
  assertEquals(await iterator.return(), { done: true, value: undefined });
  assertEquals(left(), 1);
});

Deno.test("MessageIterator[Symbol.asyncIterator]() is the iterator itself when called", () => {
  const { iterator } = over();
  assertStrictEquals(iterator[Symbol.asyncIterator](), iterator);
});
