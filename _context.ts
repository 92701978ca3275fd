/**
 * Whose asynchronous context code runs in: what an `AsyncLocalStorage` holds.
 *
 * The callbacks of sockets, timers and `node:http2` run in the context of
 * whoever began them, or in none. Neither is that of the call they concern, so
 * where they lead to code of the user, the context of the call is entered.
 *
 * @see {@link https://nodejs.org/api/async_context.html}
 * @module
 */

import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";

/** A value that code finds wherever it runs on behalf of whoever set it. */
export interface ContextVariable<T> {
  /** Runs a function, and all that it begins, with a value. */
  run<R>(value: T, fn: () => R): R;
  /** The value here and now; undefined where there is none. */
  getStore(): T | undefined;
}

/** Makes a variable. One that nobody has run anything with costs nothing. */
export function contextVariable<T>(): ContextVariable<T> {
  return new AsyncLocalStorage<T>();
}

/** Runs a function in a context, and gives what that returns. */
export type Context = <R>(run: () => R) => R;

/**
 * The context that belongs to no call: the one that the library was loaded in.
 * Connections and timers live in it, for they outlast the call that has them
 * made.
 */
export const noContext: Context = currentContext();

/**
 * The context of the moment. It costs more than all else that a call does
 * before it is sent: for calls that wait, or that run code of the user later.
 *
 * Not by `AsyncLocalStorage.snapshot()`, which says the same: on Deno it takes
 * 1.4 times as long to enter one of those, and 1.2 times to make it.
 */
export function currentContext(): Context {
  const resource = new AsyncResource("grpclib");
  return (run) => resource.runInAsyncScope(run);
}
