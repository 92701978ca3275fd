/**
 * What can be waited for.
 *
 * @module
 */

/** Tells whether a value is a promise, of whatever making. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null)?.then === "function";
}
