/**
 * File descriptors: every connection takes one, and there is a limit.
 *
 * @module
 */

import process from "node:process";

/**
 * Whether the process may open one more file descriptor, as far as can be told.
 *
 * No runtime has an answer for that, and none tells when it could not accept a
 * connection for want of one: `node:net` says nothing on Deno, and on Node
 * closes the connection. But on Linux both look up the memory of the process in
 * a file, without a permission: with no descriptor left Deno finds nothing in
 * it, and Node throws. Elsewhere the answer is always yes.
 */
export function hasDescriptor(): boolean {
  try {
    return process.memoryUsage.rss() > 0;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    return code !== "EMFILE" && code !== "ENFILE";
  }
}
