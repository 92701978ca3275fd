/**
 * Loads `@bufbuild/protoplugin` without any permission.
 *
 * @module
 */

import process from "node:process";
import type * as module from "@bufbuild/protoplugin";

type Protoplugin = typeof module;

const protoplugin = await load();

/** Makes a code generator of functions that print. */
export const createEcmaScriptPlugin: Protoplugin["createEcmaScriptPlugin"] =
  protoplugin.createEcmaScriptPlugin;

/**
 * Protoplugin brings a TypeScript compiler, to make JavaScript of TypeScript.
 * This generator prints JavaScript itself and never runs it. But as it loads,
 * the compiler looks through the environment and into the file system, which
 * would cost permissions, unless it believes itself in a browser.
 */
async function load(): Promise<Protoplugin> {
  const { env } = process;
  process.env = {};
  Object.defineProperty(process, "browser", {
    value: true,
    configurable: true,
  });
  try {
    return await import("@bufbuild/protoplugin");
  } finally {
    Reflect.deleteProperty(process, "browser");
    process.env = env;
  }
}
