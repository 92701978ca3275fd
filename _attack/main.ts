/**
 * Attacks servers and clients, one attack at a time, and measures what becomes
 * of them, of others, and of the attacker:
 *
 *     deno task attack [--engine=node|native] [--only=name,name] [--tls]
 *         [--short] [--report[=path]] [--mix[=seconds]] [--churn[=connections]]
 *
 * Each victim and each attacker has a process of its own, on loopback. The code
 * is 1 when a bound is broken; in the short form with slack, and twice in a row,
 * because the machines it runs on do other things as well.
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import { memoryOf } from "./child.ts";
import { churnConnections } from "./churn.ts";
import { playMix } from "./mix.ts";
import { parseOptions } from "./options.ts";
import { play, type Result } from "./play.ts";
import { broken, lineOf, type Slack, tableOf } from "./verdict.ts";

/** How long after an attack memory is measured, in milliseconds. */
const SETTLE_MS = 10_000;
const SHORT_SETTLE_MS = 500;

/** The slack of the short form: how long others wait depends on the machine. */
const SHORT_SLACK: Slack = { memory: 2, time: 10 };

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (memoryOf(Deno.pid) === 0) {
    console.log("Cannot tell the memory of processes: no growth is seen.");
  }
  const { engines, attacks, isTLS, isShort, report, mix, churn } = options;
  if (mix !== null || churn !== null) {
    const wrong: string[] = [];
    for (const engine of engines) {
      if (churn !== null) {
        const outcome = await churnConnections(engine, churn);
        console.log(`http2: ${engine}, ${outcome.line}`);
        wrong.push(...outcome.wrong);
      }
      if (mix !== null) {
        const outcome = await playMix(engine, mix, console.log);
        console.log(`http2: ${engine}, ${outcome.line}`);
        wrong.push(...outcome.wrong);
      }
    }
    for (const what of wrong) console.log(`BAD ${what}`);
    return wrong.length > 0 ? 1 : 0;
  }
  const slack = isShort ? SHORT_SLACK : undefined;
  const results: Result[] = [];
  for (const engine of engines) {
    console.log(`http2: ${engine}`);
    for (const attack of attacks) {
      const { seconds, shortSeconds = seconds } = attack;
      const how = {
        engine,
        isTLS,
        ms: (isShort ? shortSeconds : seconds) * 1000,
        settleMs: isShort ? SHORT_SETTLE_MS : SETTLE_MS,
      };
      let result = await play(attack, how);
      console.log(lineOf(result, slack));
      if (isShort && broken(result, slack).length > 0) {
        result = await play(attack, how);
        console.log(lineOf(result, slack));
      }
      results.push(result);
      if (report !== null) await Deno.writeTextFile(report, tableOf(results));
    }
  }
  const bad = results.filter((it) => broken(it, slack).length > 0);
  console.log(
    `${results.length} attacks, ${bad.length} with a bound broken`,
  );
  return bad.length > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
