import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertIsError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotInstanceOf,
  assertNotMatch,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
  unimplemented,
  unreachable,
} from "@std/assert";
import { assertEquals as assertEqualsAlone } from "@std/assert/equals";

/** One assertion that holds, and one that does not with the start of its message. */
interface Case {
  readonly holds?: () => void;
  readonly fails: () => void;
  readonly message: string;
}

const one = { a: 1, b: { c: [1, 2], d: new Map([["k", { x: 1, y: 2 }]]) } };
const error = new TypeError("Cannot do it");

const cases: Record<string, Case> = {
  assert: {
    holds: () => assert(1),
    fails: () => assert(0, "Zero"),
    message: "Zero",
  },
  assertFalse: {
    holds: () => assertFalse(""),
    fails: () => assertFalse("a", "Text"),
    message: "Text",
  },
  assertExists: {
    holds: () => assertExists(0),
    fails: () => assertExists(null, "why"),
    message: 'Expected actual: "null" to not be null or undefined: why',
  },
  assertEquals: {
    holds: () => assertEquals({ a: [1] }, { a: [1] }),
    fails: () => assertEquals({ a: [1] }, { a: [2] }, "why"),
    message: "Values are not equal: why\n",
  },
  assertNotEquals: {
    holds: () => assertNotEquals([1], [2]),
    fails: () => assertNotEquals([1], [1]),
    message: "Expected actual: [",
  },
  assertStrictEquals: {
    holds: () => assertStrictEquals(NaN, NaN),
    fails: () => assertStrictEquals(0, -0),
    message: "Values are not strictly equal.",
  },
  "assertStrictEquals with equals": {
    fails: () => assertStrictEquals({}, {}),
    message: "Values have the same structure but are not reference-equal.",
  },
  assertNotStrictEquals: {
    holds: () => assertNotStrictEquals({}, {}),
    fails: () => assertNotStrictEquals(1, 1),
    message: 'Expected "actual" to not be strictly equal to: 1.',
  },
  assertObjectMatch: {
    holds: () =>
      assertObjectMatch(one, { b: { c: [1], d: new Map([["k", { y: 2 }]]) } }),
    fails: () => assertObjectMatch(one, { b: { c: [2] } }),
    message: "Values are not equal.",
  },
  "assertObjectMatch with a missing key": {
    fails: () => assertObjectMatch(one, { z: undefined }),
    message: "Values are not equal.",
  },
  "assertObjectMatch with dates": {
    holds: () =>
      assertObjectMatch({ t: new Date(1), u: 1 }, { t: new Date(1) }),
    fails: () => assertObjectMatch({ t: new Date(1) }, { t: new Date(2) }),
    message: "Values are not equal.",
  },
  assertAlmostEquals: {
    holds: () => assertAlmostEquals(0.1 + 0.2, 0.3),
    fails: () => assertAlmostEquals(1, 2, 0.5),
    message:
      'Expected actual: "1" to be close to "2": delta "1" is greater than "5e-1".',
  },
  assertGreater: {
    holds: () => assertGreater(2, 1),
    fails: () => assertGreater(1, 1),
    message: "Expect 1 > 1",
  },
  assertGreaterOrEqual: {
    holds: () => assertGreaterOrEqual(1, 1),
    fails: () => assertGreaterOrEqual(NaN, 1),
    message: "Expect NaN >= 1",
  },
  assertLess: {
    holds: () => assertLess(1, 2),
    fails: () => assertLess(1, 1, "Not less"),
    message: "Not less",
  },
  assertLessOrEqual: {
    holds: () => assertLessOrEqual(1, 1),
    fails: () => assertLessOrEqual(2, 1),
    message: "Expect 2 <= 1",
  },
  assertMatch: {
    holds: () => assertMatch("abc", /b/),
    fails: () => assertMatch("abc", /x/),
    message: 'Expected actual: "abc" to match: "/x/".',
  },
  assertNotMatch: {
    holds: () => assertNotMatch("abc", /x/),
    fails: () => assertNotMatch("abc", /b/),
    message: 'Expected actual: "abc" to not match: "/b/".',
  },
  assertStringIncludes: {
    holds: () => assertStringIncludes("abc", "bc"),
    fails: () => assertStringIncludes("abc", "cb"),
    message: 'Expected actual: "abc" to contain: "cb".',
  },
  assertArrayIncludes: {
    holds: () => assertArrayIncludes([1, { a: 1 }, 3], [{ a: 1 }]),
    fails: () => assertArrayIncludes([1, 2], [3]),
    message: 'Expected actual: "[',
  },
  assertInstanceOf: {
    holds: () => assertInstanceOf(error, Error),
    fails: () => assertInstanceOf(error, RangeError),
    message:
      'Expected object to be an instance of "RangeError" but was "TypeError".',
  },
  "assertInstanceOf with null": {
    fails: () => assertInstanceOf(null, Map),
    message: 'Expected object to be an instance of "Map" but was "null".',
  },
  "assertInstanceOf with a function": {
    fails: () => assertInstanceOf(() => 1, Map),
    message:
      'Expected object to be an instance of "Map" but was not an instanced object.',
  },
  assertNotInstanceOf: {
    holds: () => assertNotInstanceOf({}, Map),
    fails: () => assertNotInstanceOf(new Map(), Map),
    message: "Expected object to not be an instance of",
  },
  assertIsError: {
    holds: () => assertIsError(error, TypeError, /do i?t/),
    fails: () => assertIsError(error, TypeError, "do that"),
    message:
      'Expected error message to include "do that", but got "Cannot do it".',
  },
  "assertIsError with another class": {
    fails: () => assertIsError(error, RangeError),
    message:
      'Expected error to be instance of "RangeError", but was "TypeError".',
  },
  "assertIsError with a text": {
    fails: () => assertIsError("text"),
    message: 'Expected "error" to be an Error object.',
  },
  fail: { fails: () => fail("why"), message: "Failed assertion: why" },
  unreachable: { fails: () => unreachable(), message: "Unreachable." },
  unimplemented: { fails: () => unimplemented(), message: "Unimplemented." },
};

function throwText(): never {
  // deno-lint-ignore no-throw-literal
  throw "text";
}

for (const [name, { holds, fails, message }] of Object.entries(cases)) {
  Deno.test(`${name} holds or throws an AssertionError`, () => {
    holds?.();
    let caught: unknown;
    try {
      fails();
    } catch (error) {
      caught = error;
    }
    assert(caught instanceof AssertionError);
    assertEquals(caught.name, "AssertionError");
    assertEquals(caught.message.slice(0, message.length), message);
  });
}

Deno.test("assertEquals() has a sub-path of its own", () => {
  assertStrictEquals(assertEqualsAlone, assertEquals);
});

Deno.test("assertThrows() returns what was thrown", () => {
  function throwIt() {
    throw error;
  }
  assertStrictEquals(assertThrows(throwIt), error);
  assertStrictEquals(assertThrows(throwIt, "why"), error);
  assertStrictEquals(assertThrows(throwIt, Error), error);
  assertStrictEquals(assertThrows(throwIt, TypeError, "do it"), error);
  assertStrictEquals(assertThrows(throwText), "text");
});

Deno.test("assertThrows() fails when nothing or another thing is thrown", () => {
  const attempts: [() => unknown, string][] = [
    [() => assertThrows(() => 1), "Expected function to throw."],
    [() => assertThrows(() => 1, "why"), "Expected function to throw: why"],
    [
      () =>
        assertThrows(() => {
          throw error;
        }, RangeError),
      'instance of "RangeError", but was "TypeError".',
    ],
    [
      () =>
        assertThrows(
          () => {
            throw error;
          },
          TypeError,
          "other",
          "why",
        ),
      'to include "other", but got "Cannot do it": why',
    ],
    [
      () => assertThrows(throwText, Error),
      "A non-Error object was thrown.",
    ],
  ];
  for (const [attempt, message] of attempts) {
    assertThrows(attempt, AssertionError, message);
  }
});

Deno.test("assertRejects() returns the reason", async () => {
  function reject() {
    return Promise.reject(error);
  }
  assertStrictEquals(await assertRejects(reject), error);
  assertStrictEquals(await assertRejects(reject, "why"), error);
  assertStrictEquals(await assertRejects(reject, TypeError, "do it"), error);
});

Deno.test("assertRejects() fails when there is no or another rejection", async () => {
  const attempts: [() => Promise<unknown>, string][] = [
    [
      () => assertRejects(() => Promise.resolve()),
      "Expected function to reject.",
    ],
    [
      () =>
        assertRejects(() => {
          throw error;
        }),
      "Function throws when expected to reject.",
    ],
    [
      () => assertRejects(() => Promise.reject(error), RangeError),
      'instance of "RangeError", but was "TypeError".',
    ],
    [
      () => assertRejects(() => Promise.reject("text"), Error, "", "why"),
      "A non-Error object was rejected: why",
    ],
  ];
  for (const [attempt, message] of attempts) {
    await assertRejects(attempt, AssertionError, message);
  }
});

Deno.test("assertObjectMatch() follows cycles", () => {
  const ring: Record<string, unknown> = { value: 1, other: 2 };
  ring.self = ring;
  assertObjectMatch(ring, { self: { self: { value: 1 } } });
  assertObjectMatch(ring, ring);
});

Deno.test("assertObjectMatch() does not look at classes", () => {
  class Named {
    readonly name = "x";
  }
  assertObjectMatch({ item: new Named(), list: [new Named()] }, {
    item: { name: "x" },
    list: [{ name: "x" }],
  });
});
