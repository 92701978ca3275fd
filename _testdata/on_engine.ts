/**
 * What tests expect of one HTTP/2 engine and not of the other.
 *
 * @module
 */

import { getDefaultEngine } from "../_engines.ts";
import type { HTTP2Engine } from "../_http2/engine.ts";

/** The engine that the tests run on. */
export const ENGINE: HTTP2Engine = getDefaultEngine();

/** Gives what is right on the engine that the tests run on. */
export function onEngine<T>(values: Readonly<Record<HTTP2Engine, T>>): T {
  return values[ENGINE];
}
