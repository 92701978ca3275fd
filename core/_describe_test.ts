import { assert, assertEquals, assertFalse } from "@std/assert";
import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { describe, isPlainObject, isPromiseLike } from "./_describe.ts";

class Point {}

Deno.test("describe() names the kind of a value, not the value", () => {
  const cases: [unknown, string][] = [
    [undefined, "undefined"],
    [null, "null"],
    ["secret", "string"],
    [1, "number"],
    [1n, "bigint"],
    [true, "boolean"],
    [Symbol("s"), "symbol"],
    [() => {}, "function"],
    [{}, "Object"],
    [Object.create(null), "Object"],
    [{ constructor: 1 }, "Object"],
    [new (class {})(), "Object"],
    [[], "Array"],
    [new Point(), "Point"],
    [new Uint8Array(), "Uint8Array"],
    [Promise.resolve(), "Promise"],
    [create(StringValueSchema), "google.protobuf.StringValue"],
  ];
  for (const [value, name] of cases) assertEquals(describe(value), name);
});

Deno.test("isPlainObject() accepts literals and objects without a prototype", () => {
  assert(isPlainObject({}));
  assert(isPlainObject({ a: 1 }));
  assert(isPlainObject(Object.create(null)));
});

Deno.test("isPlainObject() refuses everything else", () => {
  const others = [
    undefined,
    null,
    1,
    "a",
    [],
    new Map(),
    new Point(),
    () => {},
  ];
  for (const other of others) assertFalse(isPlainObject(other));
});

Deno.test("isPromiseLike() knows whatever has a then()", () => {
  assert(isPromiseLike(Promise.resolve()));
  assert(isPromiseLike({ then() {} }));
  for (const value of [undefined, null, 1, "then", {}, { then: true }]) {
    assertFalse(isPromiseLike(value));
  }
});
