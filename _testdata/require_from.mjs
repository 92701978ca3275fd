/**
 * How peers that run under Node find their npm packages: Deno has put these where
 * Node does not look.
 *
 * @module
 */

import { createRequire, Module } from "node:module";

/**
 * Makes a `require()` that finds the packages, and has them find each other.
 *
 * @param packages Where they are, by name, as JSON: what `run_peer.ts` gives to a
 *   peer.
 */
export function requireFrom(packages) {
  const pathOf = JSON.parse(packages);
  const resolve = Module._resolveFilename;
  Module._resolveFilename = (request, ...rest) => {
    const [name] = /^(@[^/]+\/)?[^/]+/.exec(request) ?? [];
    const path = pathOf[name];
    return resolve(
      path === undefined ? request : path + request.slice(name.length),
      ...rest,
    );
  };
  return createRequire(import.meta.url);
}
