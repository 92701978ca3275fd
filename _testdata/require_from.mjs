/**
 * What peers need that are npm packages: Node does not look where Deno has put
 * these, and Deno dies of GOAWAY.
 *
 * @module
 */

import http2 from "node:http2";
import { createRequire, Module } from "node:module";
import process from "node:process";

/**
 * Makes a `require()` that finds the packages, and has them find each other.
 * Under Deno the sessions that they make are hardened.
 *
 * @param packages Where they are, by name, as JSON: what `run_peer.ts` gives to a
 *   peer.
 */
export async function requireFrom(packages) {
  if (process.versions.deno) await hardenSessions();
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

async function hardenSessions() {
  const { harden } = await import("../_http2/node/harden.ts");
  const { connect } = http2;
  http2.connect = (...args) => {
    const session = connect(...args);
    harden(session);
    return session;
  };
  for (const name of ["createServer", "createSecureServer"]) {
    const create = http2[name];
    http2[name] = (...args) => {
      const server = create(...args);
      server.prependListener("session", harden);
      return server;
    };
  }
}
