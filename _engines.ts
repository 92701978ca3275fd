/**
 * The HTTP/2 engines, by name: the only module that knows more than one.
 *
 * @module
 */

import type { Engine, HTTP2Engine } from "./_http2/engine.ts";
import { nativeEngine } from "./_http2/native/engine.ts";
import { nodeEngine } from "./_http2/node/engine.ts";

const ENGINES: ReadonlyMap<string, Engine> = new Map([
  [nodeEngine.name, nodeEngine],
  [nativeEngine.name, nativeEngine],
]);

let defaultEngine: HTTP2Engine = "node";

/** The engine of channels and servers that do not name one. */
export function getDefaultEngine(): HTTP2Engine {
  return defaultEngine;
}

/**
 * Sets the engine of channels and servers that do not name one. For the tests,
 * which run on every engine.
 */
export function setDefaultEngine(name: HTTP2Engine): void {
  defaultEngine = engineOf("Cannot set the default engine", name).name;
}

/**
 * Finds an engine.
 *
 * @param action What needs it, for the error.
 * @param name Its name.
 * @throws {TypeError} If there is none of this name.
 */
export function engineOf(
  action: string,
  name: HTTP2Engine = defaultEngine,
): Engine {
  const engine = ENGINES.get(name);
  if (engine !== undefined) return engine;
  const names = [...ENGINES.keys()].map((name) => `"${name}"`).join(" or ");
  throw new TypeError(
    `${action}: http2 must be ${names}, received ${JSON.stringify(name)}`,
  );
}
