/**
 * The HTTP/2 engines that a suite of tests runs on.
 *
 * @module
 */

import type { HTTP2Engine } from "../_http2/engine.ts";

const ENGINES: readonly HTTP2Engine[] = ["node", "native"];

/**
 * Says which engines a suite is to run on: that of `--engine`, or else both.
 *
 * @param args The arguments of the program.
 * @returns The engines.
 * @throws {Error} If there is none of that name.
 */
export function enginesOf(args: readonly string[]): readonly HTTP2Engine[] {
  const at = args.findIndex((arg) => /^--engine(=|$)/.test(arg));
  if (at < 0) return ENGINES;
  const value = args[at]!.split("=")[1] ?? args[at + 1];
  const chosen = ENGINES.filter((engine) => engine === value);
  if (chosen.length > 0) return chosen;
  throw new Error(
    `--engine must be ${ENGINES.join(" or ")}, received ${value ?? "nothing"}`,
  );
}

/** The arguments of `deno run` that put a program on an engine. */
export function engineArgs(engine: HTTP2Engine): string[] {
  return engine === "node" ? [] : [`--preload=_testdata/${engine}_engine.ts`];
}
