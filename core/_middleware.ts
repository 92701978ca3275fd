/**
 * What goes around calls, and around which.
 *
 * @module
 */

import { ProtocolError } from "./errors.ts";
import { isPromiseLike } from "./_describe.ts";

/**
 * Goes around a call.
 *
 * @param call The call.
 * @param next Goes on with it: to the next middleware, or to the call itself.
 *   Its promise is settled as the call is.
 * @typeParam C What the call is seen as.
 */
export type Middleware<C> = (call: C, next: () => Promise<void>) => unknown;

interface Entry<C> {
  readonly path: string | undefined;
  readonly service: string | undefined;
  readonly middleware: Middleware<C>;
}

/** The middleware of a channel or a server. */
export class MiddlewareList<C> {
  #entries: readonly Entry<C>[] = [];
  /** What goes around the calls of a path, as far as somebody has asked. */
  #chains: Map<string, readonly Middleware<C>[]> | null = null;

  /**
   * What goes around calls of a method that begin now, outermost first; null for
   * nothing.
   */
  chainOf(path: string): readonly Middleware<C>[] | null {
    const chains = this.#chains;
    if (chains === null) return null;
    let chain = chains.get(path);
    if (chain === undefined) {
      const service = path.slice(1, path.lastIndexOf("/"));
      chain = this.#entries
        .filter((entry) =>
          (entry.path ?? path) === path &&
          (entry.service ?? service) === service
        )
        .map(({ middleware }) => middleware);
      chains.set(path, chain);
    }
    return chain.length === 0 ? null : chain;
  }

  /**
   * Adds one, inside of those there are.
   *
   * @param scope The path of a method, the name of a service, or undefined for
   *   all calls.
   */
  add(scope: string | undefined, middleware: Middleware<C>): Disposable {
    const isPath = scope?.startsWith("/");
    const entry = {
      path: isPath ? scope : undefined,
      service: isPath ? undefined : scope,
      middleware,
    };
    this.#set([...this.#entries, entry]);
    return {
      [Symbol.dispose]: () =>
        this.#set(this.#entries.filter((one) => one !== entry)),
    };
  }

  #set(entries: readonly Entry<C>[]): void {
    this.#entries = entries;
    this.#chains = entries.length === 0 ? null : new Map();
  }
}

/**
 * Runs a call with all that goes around it.
 *
 * @param chain What goes around it, outermost first.
 * @param call The call.
 * @param last The call itself; whether it may be made again is for it to say.
 */
export function runThrough<C>(
  chain: readonly Middleware<C>[],
  call: C,
  last: () => unknown,
): Promise<void> {
  async function run(index: number): Promise<void> {
    const middleware = chain[index];
    if (middleware === undefined) return void await last();
    let inner: Promise<void> | null = null;
    let isSettled = false;
    const result = middleware(call, () => {
      inner = run(index + 1);
      isSettled = false;
      const settle = (): void => {
        isSettled = true;
      };
      inner.then(settle, settle);
      return inner;
    });
    const isWaiting = isPromiseLike(result);
    if (isWaiting) await result;
    // What it has not waited for is not over, and has failed for all of them.
    if (inner !== null && !(isWaiting && isSettled)) await inner;
  }
  return run(0);
}

/** Throws the second time that it is called: a call can be made only once. */
export function onlyOnce(what: string): () => void {
  let isCalled = false;
  return () => {
    if (isCalled) {
      throw new ProtocolError(`Cannot call next() again: ${what}`);
    }
    isCalled = true;
  };
}
