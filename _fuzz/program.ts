/**
 * Plays rounds, in a process of its own, and writes one line of JSON for each:
 * its seed, and what it found.
 *
 * @module
 */

import process from "node:process";
import { parseOptions } from "./options.ts";
import { playRound } from "./round.ts";

/** What a round found. */
export interface RoundReport {
  readonly seed: number;
  readonly findings: readonly string[];
}

const { transport, engine, from, seeds, verbose } = parseOptions(Deno.args);
const encoder = new TextEncoder();

function write(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

for (let seed = from; seed < from + seeds; seed++) {
  const start = performance.now();
  const findings = await playRound({
    seed,
    transport,
    engine,
    say: verbose
      ? (what) => write(`# ${(performance.now() - start).toFixed(1)} ${what}`)
      : () => {},
  });
  write(JSON.stringify({ seed, findings } satisfies RoundReport));
  // What is left would be found again in the next round.
  if (findings.length > 0) process.exit(1);
}
