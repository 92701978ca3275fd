import { assert, assertFalse, assertThrows, equal } from "@std/assert";

class Point {
  #secret = 1;
  constructor(readonly x: number, readonly y: number) {}
  get sum(): number {
    return this.x + this.y + this.#secret;
  }
}

class Place {
  constructor(readonly x: number, readonly y: number) {}
}

function ring(value: number): object {
  const node: Record<string, unknown> = { value };
  node.next = { value, next: node };
  return node;
}

const symbol = Symbol("key");

const same: [name: string, a: unknown, b: unknown][] = [
  ["a primitive and itself", "a", "a"],
  ["NaN and NaN", NaN, NaN],
  ["0 and -0", 0, -0],
  ["0 and -0 in a typed array", new Float64Array([0]), new Float64Array([-0])],
  ["objects whatever the order of keys", { a: 1, b: 2 }, { b: 2, a: 1 }],
  ["objects with and without prototype", { a: 1 }, {
    __proto__: null,
    a: 1,
  }],
  ["nested arrays", [1, [2, [3]]], [1, [2, [3]]]],
  ["symbol keys", { [symbol]: 1 }, { [symbol]: 1 }],
  ["instances of one class", new Point(1, 2), new Point(1, 2)],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([0, 1, 2]).subarray(1)],
  ["buffers", new Uint8Array([1]).buffer, new Uint8Array([1]).buffer],
  ["dates", new Date(5), new Date(5)],
  ["invalid dates", new Date(NaN), new Date(NaN)],
  ["regular expressions", /a/g, /a/g],
  ["URLs", new URL("http://a/b"), new URL("http://a/b")],
  [
    "maps whatever the order",
    new Map([["a", 1], ["b", 2]]),
    new Map([["b", 2], ["a", 1]]),
  ],
  [
    "maps with objects as keys",
    new Map([[{ a: 1 }, 1]]),
    new Map([[{ a: 1 }, 1]]),
  ],
  [
    "sets of objects",
    new Set([{ a: 1 }, { a: 2 }]),
    new Set([{ a: 2 }, { a: 1 }]),
  ],
  ["rings", ring(1), ring(1)],
];

const different: [name: string, a: unknown, b: unknown][] = [
  ["a number and its text", 1, "1"],
  ["null and undefined", null, undefined],
  ["null and an object", null, {}],
  ["a missing key and undefined", {}, { a: undefined }],
  ["one undefined key and another", { a: undefined }, { b: undefined }],
  ["an array and its object", ["a"], { 0: "a", length: 1 }],
  ["arrays of other lengths", [1], [1, 2]],
  ["symbol keys", { [symbol]: 1 }, { [symbol]: 2 }],
  ["instances of two classes", new Point(1, 2), new Place(1, 2)],
  ["instances with other fields", new Point(1, 2), new Point(2, 1)],
  ["bytes and numbers", new Uint8Array([1]), [1]],
  ["bytes and other bytes", new Uint8Array([1]), new Uint8Array([2])],
  ["typed arrays of two kinds", new Uint8Array([1]), new Int8Array([1])],
  ["dates", new Date(5), new Date(6)],
  ["regular expressions", /a/g, /a/i],
  ["URLs", new URL("http://a/b"), new URL("http://a/c")],
  ["maps", new Map([["a", 1]]), new Map([["a", 2]])],
  ["sets", new Set([1, 2]), new Set([1, 3])],
  [
    "sets of objects",
    new Set([{ a: 1 }, { a: 2 }]),
    new Set([{ a: 1 }, { a: 3 }]),
  ],
  ["rings", ring(1), ring(2)],
  ["functions", () => 1, () => 1],
];

for (const [name, a, b] of same) {
  Deno.test(`equal() is true for ${name}`, () => {
    assert(equal(a, b));
    assert(equal(b, a));
  });
}

for (const [name, a, b] of different) {
  Deno.test(`equal() is false for ${name} that differ`, () => {
    assertFalse(equal(a, b));
    assertFalse(equal(b, a));
  });
}

Deno.test("equal() throws for weak collections", () => {
  assertThrows(() => equal(new WeakMap(), new WeakMap()), TypeError, "WeakMap");
  assertThrows(() => equal(new WeakSet(), new WeakSet()), TypeError, "WeakSet");
});
