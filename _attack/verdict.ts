/**
 * Whether an attack did more than it may, and a table of all.
 *
 * @module
 */

import { table } from "../_tools/report.ts";
import type { Result } from "./play.ts";

const MIB = 1024 * 1024;

/** The most memory that a process may have more than before, in MiB. */
const MOST_GROWTH_MIB = 300;

/** The longest that 99 of 100 good calls may take, in milliseconds. */
const MOST_P99_MS = 1000;

/** The most that may be alive when all is over, beside what was, in MiB. */
const MOST_LEFT_MIB = 32;

/**
 * Says which bounds were broken.
 *
 * @param result What an attack did.
 * @param slack How many times the bounds may be reached.
 * @returns The bounds, in words; none when all was well.
 */
export function broken(result: Result, slack = 1): string[] {
  const { attack, rss, heap, good, status, errors, got, heldBytes } = result;
  const found: string[] = [];
  const growth = (rss.peak - rss.before) / MIB;
  if (status !== "alive") found.push(`victim ${status}`);
  if (growth > MOST_GROWTH_MIB * slack) {
    found.push(`grew by ${Math.round(growth)} MiB`);
  }
  if (good.p99 >= MOST_P99_MS * slack) found.push(`p99 ${good.p99} ms`);
  if (good.failures.length > 0) {
    found.push(`${good.failures.length} good calls failed`);
  }
  const isOver = heap.after > 0;
  const left = (heap.after - heap.before) / MIB;
  if (isOver && left > MOST_LEFT_MIB * slack) {
    found.push(`${Math.round(left)} MiB left`);
  }
  if (heldBytes !== null && attack.maxHeldMiB !== undefined) {
    const held = (heldBytes - heap.before) / MIB;
    if (held > attack.maxHeldMiB) found.push(`${held.toFixed(1)} MiB held`);
  }
  const { maxHandlers = Infinity } = attack;
  if (result.mostHandlers > maxHandlers) {
    found.push(`${result.mostHandlers} handlers at once`);
  }
  const ends = attack.ends === true || attack.ends === result.engine;
  if (ends && !result.ended) found.push("attacker not ended");
  if (/uncaught|unhandled|panicked/i.test(errors)) {
    found.push("unhandled error");
  }
  if (/^attacker failed|never served again/.test(got)) found.push(got);
  return found;
}

/** One line for people. */
export function lineOf(result: Result, slack = 1): string {
  const { attack, rss, heap, good, late, got, heldBytes } = result;
  const wrong = broken(result, slack);
  const mib = (bytes: number): number => Math.round(bytes / MIB);
  const words = [
    `rss ${mib(rss.before)} +${mib(rss.peak - rss.before)}`,
    `after ${mib(rss.after)}`,
    `heap ${mib(heap.before)} → ${mib(heap.after)} MiB`,
    ...heldBytes === null
      ? []
      : [`held ${((heldBytes - heap.before) / MIB).toFixed(1)} MiB`],
    `late ${late} ms`,
    `good ${good.p50}/${good.p99}/${good.max} ms of ${good.calls}`,
    `handlers ${result.mostHandlers}`,
    got,
  ];
  const head = `${wrong.length > 0 ? "BAD" : "ok "} ${attack.name}`;
  return `${head}: ${words.join(", ")}${
    wrong.length > 0 ? `\n    ${wrong.join(", ")}` : ""
  }${good.failures.length > 0 ? `\n    e.g. ${good.failures[0]}` : ""}${
    result.errors === "" ? "" : `\n    ${result.errors.slice(0, 300)}`
  }`;
}

/** The results as a table in Markdown. */
export function tableOf(results: readonly Result[]): string {
  const mib = (bytes: number): string => `${Math.round(bytes / MIB)}`;
  const head = [
    ...["attack", "engine", "RSS growth, MiB", "10 s after", "heap left"],
    ...["loop late, ms", "good p50 / p99 / max, ms", "attacker", "bounds"],
  ];
  return table([
    head,
    ...results.map((it) => {
      const { attack, engine, rss, heap, late, good, got, status } = it;
      const wrong = broken(it);
      const isDead = status !== "alive";
      return [
        attack.name,
        engine,
        `${isDead ? "> " : ""}${mib(rss.peak - rss.before)}`,
        isDead ? "dead" : mib(rss.after - rss.before),
        isDead ? "dead" : mib(heap.after - heap.before),
        isDead ? "dead" : `${late}`,
        [good.p50, good.p99, good.max]
          .map((ms) => ms === Infinity ? "–" : `${ms}`).join(" / "),
        got.replaceAll("|", "\\|"),
        wrong.length === 0 ? "inside" : wrong.join(", "),
      ];
    }),
  ]);
}
