import { assertEquals, assertStrictEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { plainBytes } from "./_bytes.ts";

Deno.test("plainBytes() gives a plain Uint8Array itself", () => {
  const bytes = new Uint8Array([1, 2, 3]).subarray(1);
  assertStrictEquals(plainBytes(bytes), bytes);
});

Deno.test("plainBytes() gives a plain view of a Buffer", () => {
  const buffer = Buffer.from([1, 2, 3, 4]).subarray(1, 3);
  const bytes = plainBytes(buffer);
  assertStrictEquals(bytes.constructor, Uint8Array);
  assertStrictEquals(bytes.buffer, buffer.buffer);
  assertEquals([...bytes], [2, 3]);
});
