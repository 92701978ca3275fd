/**
 * Tells how long it takes to import a module, in a process of its own; a file
 * is taken for CommonJS:
 *
 *     deno run -A bench/peers/import.ts @grpclib/grpclib
 *
 * @module
 */

import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";

const specifier = process.argv[2] ?? "";
const before = performance.now();
if (specifier.startsWith("file:")) {
  createRequire(specifier)(fileURLToPath(specifier));
} else {
  await import(specifier);
}
const ms = performance.now() - before;
const { rss } = process.memoryUsage();
process.stdout.write(`${JSON.stringify({ ms, rssBytes: rss })}\n`);
process.exit();
