/**
 * The assertions of `@std/assert` that this repository uses, for machines
 * that cannot reach JSR. See the README one folder up.
 *
 * @module
 */

export { AssertionError } from "./assertion_error.ts";
export {
  assertAlmostEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
} from "./compare.ts";
export {
  assert,
  assertExists,
  assertFalse,
  fail,
  type Falsy,
  unimplemented,
  unreachable,
} from "./conditions.ts";
export { equal } from "./equal.ts";
export {
  assertEquals,
  assertNotEquals,
  assertNotStrictEquals,
  assertStrictEquals,
} from "./equals.ts";
export {
  type ArrayLikeArg,
  assertArrayIncludes,
  assertMatch,
  assertNotMatch,
  assertStringIncludes,
} from "./includes.ts";
export { assertInstanceOf, assertNotInstanceOf } from "./instance_of.ts";
export { assertObjectMatch } from "./object_match.ts";
export { assertIsError, assertRejects, assertThrows } from "./throws.ts";
