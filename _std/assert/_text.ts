import { AssertionError as NodeAssertionError } from "node:assert";
import { inspect } from "node:util";

/** The end of a message: the caller's words after a colon, or a period. */
export function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : ".";
}

/** A value as a person wants to read it in a failed test. */
export function format(value: unknown): string {
  return inspect(value, { depth: 100, sorted: true, getters: true });
}

/** The lines in which two values differ, drawn by `node:assert`. */
export function difference(actual: unknown, expected: unknown): string {
  const { message } = new NodeAssertionError({
    actual,
    expected,
    operator: "deepStrictEqual",
  });
  // The first line is a headline of its own; ours is already there.
  return message.slice(message.indexOf("\n") + 1);
}
