import { AssertionError } from "./assertion_error.ts";
import { suffix } from "./_text.ts";

/** A value that is false where a condition is asked for. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/**
 * Fails unless a value is truthy.
 *
 * @param expr The value.
 * @param msg The message of the failure.
 */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/**
 * Fails unless a value is falsy.
 *
 * @param expr The value.
 * @param msg The message of the failure.
 */
export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

/**
 * Fails when a value is `null` or `undefined`.
 *
 * @param actual The value.
 * @param msg Added to the message of the failure.
 */
export function assertExists<T>(
  actual: T,
  msg?: string,
): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  throw new AssertionError(
    `Expected actual: "${actual}" to not be null or undefined${suffix(msg)}`,
  );
}

/**
 * Fails, always.
 *
 * @param msg Added to the message of the failure.
 */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${suffix(msg)}`);
}

/**
 * Fails, always: for a line that no test may come to.
 *
 * @param msg Added to the message of the failure.
 */
export function unreachable(msg?: string): never {
  throw new AssertionError(`Unreachable${suffix(msg)}`);
}

/**
 * Fails, always: for what is still to be written.
 *
 * @param msg Added to the message of the failure.
 */
export function unimplemented(msg?: string): never {
  throw new AssertionError(`Unimplemented${suffix(msg)}`);
}
