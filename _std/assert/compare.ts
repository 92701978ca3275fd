import { AssertionError } from "./assertion_error.ts";
import { format, suffix } from "./_text.ts";

/** Fails with the comparison that does not hold. */
function refuse(
  actual: unknown,
  operator: string,
  expected: unknown,
  msg: string | undefined,
): never {
  throw new AssertionError(
    msg ?? `Expect ${format(actual)} ${operator} ${format(expected)}`,
  );
}

/**
 * Fails unless `actual` is greater than `expected`.
 *
 * @param actual The value found.
 * @param expected The value to exceed.
 * @param msg The message of the failure.
 */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) refuse(actual, ">", expected, msg);
}

/**
 * Fails unless `actual` is greater than or equal to `expected`.
 *
 * @param actual The value found.
 * @param expected The value to reach.
 * @param msg The message of the failure.
 */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!(actual >= expected)) refuse(actual, ">=", expected, msg);
}

/**
 * Fails unless `actual` is less than `expected`.
 *
 * @param actual The value found.
 * @param expected The value to stay below.
 * @param msg The message of the failure.
 */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) refuse(actual, "<", expected, msg);
}

/**
 * Fails unless `actual` is less than or equal to `expected`.
 *
 * @param actual The value found.
 * @param expected The value not to exceed.
 * @param msg The message of the failure.
 */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  msg?: string,
): void {
  if (!(actual <= expected)) refuse(actual, "<=", expected, msg);
}

/**
 * Fails unless two numbers are close to each other.
 *
 * @param actual The number found.
 * @param expected The number wanted.
 * @param tolerance The largest distance allowed, by default a ten-millionth
 * of what is expected.
 * @param msg Added to the message of the failure.
 */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void {
  const allowed = tolerance ??
    (Number.isFinite(expected) ? Math.abs(expected) * 1e-7 : 1e-7);
  const delta = Math.abs(expected - actual);
  if (Object.is(actual, expected) || delta <= allowed) return;
  const [found, wanted, distance, limit] = [actual, expected, delta, allowed]
    .map((n) => Number.isInteger(n) ? `"${n}"` : `"${n.toExponential()}"`);
  throw new AssertionError(
    `Expected actual: ${found} to be close to ${wanted}: ` +
      `delta ${distance} is greater than ${limit}${suffix(msg)}`,
  );
}
