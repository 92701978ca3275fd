/**
 * Measures what a server bears for long, on both HTTP/2 engines or on that of
 * `--engine`: 10 000 connections that do nothing, 20 000 calls that wait, and
 * 200 calls a second that are cancelled, for a minute, with others beside them.
 *
 *     deno task soak [--engine native|node] [--seconds 60]
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import { setDefaultEngine } from "../_engines.ts";
import { measureCalls, measureConnections, storm } from "../_testdata/soak.ts";
import { enginesOf } from "./engine_option.ts";

const CONNECTIONS = 10_000;
const CALLS = 20_000;
const CANCELS_PER_SECOND = 200;

/** The most that an idle connection and an idle call may cost, in bytes. */
const MOST_PER_CONNECTION = 32 * 1024;
const MOST_PER_CALL = 4 * 1024;

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;

async function main(args: readonly string[]): Promise<number> {
  const at = args.indexOf("--seconds");
  const seconds = at < 0 ? 60 : Number(args[at + 1]);
  let failed = 0;
  for (const engine of enginesOf(args)) {
    setDefaultEngine(engine);
    const { bytes, rss } = await measureConnections(CONNECTIONS);
    console.log(
      `${engine}: ${CONNECTIONS} idle connections, each ${
        kib(bytes)
      } of heap, ${kib(rss)} of the process`,
    );
    const call = await measureCalls(CALLS);
    console.log(`${engine}: ${CALLS} calls that wait, each ${kib(call)}`);
    const result = await storm(CANCELS_PER_SECOND, seconds);
    const { cancelled, served, messages, hurt } = result;
    console.log(
      `${engine}: ${cancelled} cancels in ${seconds} s, ${served} calls and ${messages} messages beside them, ${hurt.length} hurt`,
    );
    for (const how of new Set(hurt)) console.log(`  ${how}`);
    // The other engine's ceilings are known.
    if (engine !== "native") continue;
    if (bytes > MOST_PER_CONNECTION) failed++;
    if (call > MOST_PER_CALL) failed++;
    failed += hurt.length;
  }
  return failed > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
