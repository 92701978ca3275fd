import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";
import { format, suffix } from "./_text.ts";

/** An array or something like one, but not a string. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/**
 * Fails unless a pattern is found in a string.
 *
 * @param actual The string.
 * @param expected The pattern.
 * @param msg Added to the message of the failure.
 */
export function assertMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (expected.test(actual)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to match: "${expected}"${suffix(msg)}`,
  );
}

/**
 * Fails when a pattern is found in a string.
 *
 * @param actual The string.
 * @param expected The pattern.
 * @param msg Added to the message of the failure.
 */
export function assertNotMatch(
  actual: string,
  expected: RegExp,
  msg?: string,
): void {
  if (!expected.test(actual)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to not match: "${expected}"${suffix(msg)}`,
  );
}

/**
 * Fails unless a string contains another.
 *
 * @param actual The string to look in.
 * @param expected The string to find.
 * @param msg Added to the message of the failure.
 */
export function assertStringIncludes(
  actual: string,
  expected: string,
  msg?: string,
): void {
  if (actual.includes(expected)) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to contain: "${expected}"${suffix(msg)}`,
  );
}

/**
 * Fails unless every element of one array has an equal in another.
 *
 * @param actual The array to look in.
 * @param expected The elements to find.
 * @param msg Added to the message of the failure.
 */
export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const items = Array.from(actual);
  const missing = Array.from(expected).filter((wanted) =>
    !items.some((item) => equal(item, wanted))
  );
  if (missing.length === 0) return;
  throw new AssertionError(
    `Expected actual: "${format(actual)}" to include: "${format(expected)}"${
      suffix(msg)
    }\nmissing: ${format(missing)}`,
  );
}
