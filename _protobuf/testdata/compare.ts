/**
 * Compares what two functions do.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

/**
 * Describes a value in all its parts, for a comparison: also the order of
 * properties, prototypes, and -0.
 */
export function shape(value: unknown): unknown {
  if (typeof value !== "object" || value === null) {
    return Object.is(value, -0) ? "-0" : value;
  }
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} ${value}`;
  if (Array.isArray(value)) return value.map(shape);
  const prototype = Object.getPrototypeOf(value);
  return [
    prototype === Object.prototype ? "Object" : prototype,
    ...Object.entries(value).flatMap(([key, it]) => [key, shape(it)]),
  ];
}

/** What a function returns, or the error that it throws. */
export function outcome(call: () => unknown): unknown {
  try {
    return { returns: shape(call()) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { throws: `${error.name}: ${error.message}` };
  }
}

/** Fails unless two functions return the same, or throw the same. */
export function assertAlike(
  actual: () => unknown,
  expected: () => unknown,
  message: string,
): void {
  assertEquals(outcome(actual), outcome(expected), message);
}
