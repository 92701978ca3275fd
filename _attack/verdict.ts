/**
 * Whether an attack did more than it may, and a table of all.
 *
 * @module
 */

import type { HTTP2Engine } from "../client.ts";
import { table } from "../_tools/report.ts";
import type { Result } from "./play.ts";

const MIB = 1024 * 1024;

const ENGINES: readonly HTTP2Engine[] = ["node", "native"];

/** The most memory that a process may have more than before, in MiB. */
const MOST_GROWTH_MIB = 300;

/** The longest that 99 of 100 good calls may take, in milliseconds. */
const MOST_P99_MS = 1000;

/** The most that may be alive when all is over, beside what was, in MiB. */
const MOST_LEFT_MIB = 32;

/** How many times the bounds may be reached. */
export interface Slack {
  readonly memory: number;
  readonly time: number;
}

const NO_SLACK: Slack = { memory: 1, time: 1 };

/**
 * Says which bounds were broken.
 *
 * @param result What an attack did.
 * @param slack How many times they may be reached.
 * @returns The bounds, in words; none when all was well.
 */
export function broken(result: Result, slack: Slack = NO_SLACK): string[] {
  const { attack, rss, heap, good, status, errors, got, heldBytes } = result;
  const found: string[] = [];
  const growth = (rss.peak - rss.before) / MIB;
  if (status !== "alive") found.push(`victim ${status}`);
  if (growth > MOST_GROWTH_MIB * slack.memory) {
    found.push(`grew by ${Math.round(growth)} MiB`);
  }
  if (good.p99 >= MOST_P99_MS * slack.time) found.push(`p99 ${good.p99} ms`);
  if (good.failures.length > 0) {
    found.push(`${good.failures.length} good calls failed`);
  }
  const isOver = heap.after > 0;
  const left = (heap.after - heap.before) / MIB;
  if (isOver && left > MOST_LEFT_MIB * slack.memory) {
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
export function lineOf(result: Result, slack: Slack = NO_SLACK): string {
  const { attack, rss, heap, good, late, got, heldBytes } = result;
  const wrong = broken(result, slack);
  const mib = (bytes: number): number => Math.round(bytes / MIB);
  const words = [
    `rss ${mib(rss.before)} MiB, most ${signed(rss.peak - rss.before)}`,
    `after ${signed(rss.after - rss.before)}`,
    `heap ${mib(heap.before)} MiB, after ${signed(heap.after - heap.before)}`,
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

/**
 * The results as a table in Markdown, as it is in `docs/security.md`: a line for
 * each attack.
 */
export function tableOf(results: readonly Result[]): string {
  const names = new Set(results.map(({ attack }) => attack.name));
  return table([
    [
      ...["attack", "what it does"],
      ...ENGINES.flatMap((it) => [it, `${it}, 10 s after`, "the attacker"]),
      "outside of the bounds",
    ],
    ...[...names].map((name) => {
      const found = results.filter(({ attack }) => attack.name === name);
      const wrong = found.flatMap((it) =>
        broken(it).map((what) => `${it.engine}: ${what}`)
      );
      return [
        `\`${name}\``,
        found[0]!.attack.what,
        ...ENGINES.flatMap((engine) =>
          cellsOf(found.find((it) => it.engine === engine))
        ),
        wrong.join("; "),
      ].map((cell) => cell.replaceAll("|", "\\|"));
    }),
  ]);
}

/** What an engine made of an attack: during it, after it, and of the attacker. */
function cellsOf(result: Result | undefined): readonly string[] {
  if (result === undefined) return ["–", "–", "–"];
  const { rss, heap, good, got, status } = result;
  if (status !== "alive") return ["dead", "dead", got];
  const wait = good.p99 === Infinity ? "no calls" : `${good.p99} ms`;
  return [
    `${signed(rss.peak - rss.before)} MiB, ${wait}`,
    `${signed(rss.after - rss.before)} MiB, heap ${
      signed(heap.after - heap.before)
    }`,
    got,
  ];
}

/** A difference in MiB, with its sign. */
function signed(bytes: number): string {
  const mib = Math.round(bytes / MIB);
  return mib < 0 ? `−${-mib}` : `+${mib}`;
}
