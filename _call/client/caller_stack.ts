/**
 * Who waits for a call that failed, in the stack of its error.
 *
 * An error is made where it is known that a call has failed, such as in the
 * callback of a socket, and its stack says nothing of the caller. V8 knows who
 * waits for a promise, so that where an `async` function goes on, a stack has
 * the functions that wait for it. This costs something when a call fails, and
 * nothing when it does not.
 *
 * @see {@link https://v8.dev/docs/stack-trace-api}
 * @module
 */

import { GRPCError } from "../../core/errors.ts";

/** Node.js and Deno have it. */
interface StackCapturing {
  captureStackTrace?(target: object, above: unknown): void;
}

const { captureStackTrace } = Error as unknown as StackCapturing;

/** The errors whose stacks say who waits. */
const located = new WeakSet<Error>();

/**
 * Adds to an error who waits for it. Called in an `async` function, behind an
 * `await`, or where the caller is on the stack anyway.
 *
 * @param error What a call failed with. One that is no `GRPCError` comes from
 *   the caller's own code, and stays as it is.
 * @returns The same.
 */
function withCaller(error: unknown): unknown {
  if (!(error instanceof GRPCError) || located.has(error)) return error;
  if (captureStackTrace === undefined) return error;
  located.add(error);
  const callers: { readonly stack?: string } = {};
  captureStackTrace(callers, withCaller);
  const own = Object.getOwnPropertyDescriptor(error, "stack");
  // To write a stack takes ten times as long as to keep it: few are read.
  const read = (): string | undefined => {
    const stack = own?.get === undefined ? own?.value : own.get.call(error);
    const at = callers.stack?.indexOf("\n") ?? -1;
    return at < 0 ? stack : stack + callers.stack!.slice(at);
  };
  if (own?.configurable === true) {
    Object.defineProperty(error, "stack", {
      configurable: true,
      get: read,
      set(value) {
        const set = { value, writable: true, configurable: true };
        Object.defineProperty(error, "stack", set);
      },
    });
  }
  return error;
}

/**
 * Takes a step of a call that somebody waits for, as an `async` function of
 * theirs would.
 *
 * @param step The step.
 * @returns What it gives; what it fails with says who waits.
 */
export function awaited<T>(step: () => T | Promise<T>): Promise<T> {
  try {
    return given(step());
  } catch (error) {
    return thrown(error);
  }
}

/**
 * What {@linkcode awaited} gives when a step gave this. With {@linkcode thrown}
 * it is for steps that are taken for each message, without a function for each.
 * Neither is `async`: that was a third of the memory that a message took.
 */
export function given<T>(result: T | Promise<T>): Promise<T> {
  return result instanceof Promise ? waited(result) : Promise.resolve(result);
}

/** What {@linkcode awaited} gives when a step threw this. */
export function thrown(error: unknown): Promise<never> {
  return Promise.reject(withCaller(error));
}

async function waited<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw withCaller(error);
  }
}

/**
 * Fails with an error that says who waits for this promise, or for one that is
 * resolved with it.
 *
 * @param error What a call failed with.
 */
export async function rejection(error: unknown): Promise<never> {
  // Who waits for a promise that is resolved with this one is known to V8 in
  // the second turn.
  await null;
  await null;
  throw withCaller(error);
}
