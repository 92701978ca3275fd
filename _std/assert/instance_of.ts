import { AssertionError } from "./assertion_error.ts";
import { suffix } from "./_text.ts";

/**
 * Fails unless a value is an instance of a class.
 *
 * @param actual The value.
 * @param expectedType The class.
 * @param msg Added to the message of the failure.
 */
export function assertInstanceOf<
  // deno-lint-ignore no-explicit-any
  T extends abstract new (...args: any[]) => any,
>(
  actual: unknown,
  expectedType: T,
  msg = "",
): asserts actual is InstanceType<T> {
  if (actual instanceof expectedType) return;
  const found = describe(actual);
  let but = ` but was "${found}"`;
  if (found === expectedType.name) but = "";
  if (found === "function") but = " but was not an instanced object";
  throw new AssertionError(
    `Expected object to be an instance of "${expectedType.name}"${but}${
      suffix(msg)
    }`,
  );
}

/**
 * Fails when a value is an instance of a class.
 *
 * @param actual The value.
 * @param unexpectedType The class.
 * @param msg Added to the message of the failure.
 */
export function assertNotInstanceOf<A, T>(
  actual: A,
  // deno-lint-ignore no-explicit-any
  unexpectedType: abstract new (...args: any[]) => T,
  msg?: string,
): asserts actual is Exclude<A, T> {
  if (!(actual instanceof unexpectedType)) return;
  throw new AssertionError(
    `Expected object to not be an instance of "${unexpectedType.name}"${
      suffix(msg)
    }`,
  );
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return value.constructor?.name ?? "Object";
}
