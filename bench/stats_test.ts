import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  confidenceOf,
  median,
  quantile,
  ratios,
  spreadOf,
  verdictOf,
} from "./stats.ts";

Deno.test("median() is the middle of any number of values", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 2, 3]), 2.5);
  assertEquals(median([7]), 7);
});

Deno.test("quantile() lies between two values", () => {
  assertEquals(quantile([0, 10], .25), 2.5);
  assertEquals(quantile([5, 1, 3], 1), 5);
});

Deno.test("spreadOf() has the half around the middle", () => {
  assertEquals(spreadOf([1, 2, 3, 4, 5]), { median: 3, low: 2, high: 4 });
});

Deno.test("ratios() compares round by round", () => {
  assertEquals(ratios([2, 30], [1, 10]), [2, 3]);
});

Deno.test("confidenceOf() takes all values when there are few", () => {
  const { low, high, level } = confidenceOf([1.2, 1, 1.1, .9, 1.3]);
  assertEquals([low, high], [.9, 1.3]);
  assertAlmostEquals(level, .9375);
});

Deno.test("confidenceOf() leaves outliers out when there are many", () => {
  const values = Array.from({ length: 11 }, (_, i) => i);
  const { low, high, level } = confidenceOf(values);
  // Of 11 values the second and the last but one: 1 - 2 * 12 / 2048.
  assertEquals([low, high], [1, 9]);
  assertAlmostEquals(level, 1 - 24 / 2048);
});

Deno.test("verdictOf() is certain only when the interval is on one side", () => {
  assertEquals(verdictOf(confidenceOf([1.1, 1.2, 1.05, 1.1, 1.3])), "more");
  assertEquals(verdictOf(confidenceOf([.9, .8, .95])), "less");
  assertEquals(verdictOf(confidenceOf([.9, 1.1, 1.05])), "as much");
});
