/**
 * What is done in the next turn of the event loop, for many streams at once.
 *
 * Deno ends a tick after each immediate, and with it comes a write to the socket
 * of whoever has something to send. An immediate for each stream would be a
 * system call for each, and a thousand of them, one behind the other, keep
 * everybody else waiting.
 *
 * @module
 */

import { noContext } from "../_context.ts";

interface Step {
  readonly fn: (arg: unknown) => void;
  readonly arg: unknown;
}

let steps: Step[] = [];

/**
 * Calls a function in the next turn of the event loop, behind those that this was
 * asked for before. Immediates of others may come before it or behind it.
 */
export function inNextTurn<T>(fn: (arg: T) => void, arg: T): void {
  steps.push({ fn: fn as (arg: unknown) => void, arg });
  if (steps.length === 1) noContext(() => setImmediate(run));
}

function run(): void {
  const all = steps;
  steps = [];
  for (const { fn, arg } of all) fn(arg);
}
