import { AssertionError } from "./assertion_error.ts";
import { equal } from "./equal.ts";
import { difference, format, suffix } from "./_text.ts";

/**
 * Fails unless two values are equal in depth.
 *
 * @param actual The value found.
 * @param expected The value wanted.
 * @param msg Added to the message of the failure.
 */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) return;
  throw new AssertionError(
    `Values are not equal${suffix(msg)}\n${difference(actual, expected)}`,
  );
}

/**
 * Fails when two values are equal in depth.
 *
 * @param actual The value found.
 * @param expected The value not wanted.
 * @param msg Added to the message of the failure.
 */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) return;
  throw new AssertionError(
    `Expected actual: ${format(actual)} not to be: ` +
      `${format(expected)}${suffix(msg)}`,
  );
}

/**
 * Fails unless two values are the same by `Object.is`.
 *
 * @param actual The value found.
 * @param expected The value wanted.
 * @param msg Added to the message of the failure.
 */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  if (Object.is(actual, expected)) return;
  const text = format(actual);
  throw new AssertionError(
    text === format(expected)
      ? `Values have the same structure but are not reference-equal${
        suffix(msg)
      }\n\n${text}\n`
      : `Values are not strictly equal${suffix(msg)}\n${
        difference(actual, expected)
      }`,
  );
}

/**
 * Fails when two values are the same by `Object.is`.
 *
 * @param actual The value found.
 * @param expected The value not wanted.
 * @param msg Added to the message of the failure.
 */
export function assertNotStrictEquals<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!Object.is(actual, expected)) return;
  throw new AssertionError(
    `Expected "actual" to not be strictly equal to: ${format(actual)}${
      suffix(msg)
    }\n`,
  );
}
