/**
 * Measuring in turns: everybody in each round, so that what disturbs the
 * machine disturbs all alike.
 *
 * @module
 */

import { Authority } from "../_testdata/certificates.ts";
import { endAll, Skipped } from "./child.ts";
import { BEFORE, type Contender, nameOf } from "./contenders.ts";
import { isChosen } from "./options.ts";
import { Pair, type Turn } from "./pair.ts";
import type { Settings } from "./peers/contender.ts";
import type {
  Absence,
  Change,
  PointResult,
  Row,
  ScenarioResult,
} from "./results.ts";
import type { Point, Scenario, VariantSettings } from "./scenarios.ts";
import { confidenceOf, median, quantile, ratios, spreadOf } from "./stats.ts";

/** How much is measured. */
export interface Effort {
  readonly rounds: number;
  /** How long one turn takes, in milliseconds. */
  readonly turnMs: number;
  /**
   * How long everybody runs before what is measured, in milliseconds; longer
   * after the start.
   */
  readonly warmUpMs: number;
}

/** What a scenario is run with. */
export interface RunOptions extends Effort {
  readonly contenders: readonly Contender[];
  /** Whether memory is looked at after millions of calls. */
  readonly long?: boolean;
  /** Told what is going on. */
  readonly progress: (text: string) => void;
}

/** One who takes part, in one way. */
interface Entry {
  readonly row: RowName;
  readonly pair: Pair;
  readonly work: string | undefined;
}

/** What a row is called, and what it is compared with. */
export interface RowName {
  readonly name: string;
  /** The row to compare with; none for the first one. */
  readonly base?: string | undefined;
  /** The row of the other checkout. */
  readonly before: string;
}

/** Runs a scenario, and ends all its processes. */
export async function runScenario(
  scenario: Scenario,
  options: RunOptions,
): Promise<ScenarioResult> {
  const { name, title, processes } = scenario;
  const absent: Absence[] = [];
  try {
    const entries = await startAll(scenario, options, absent);
    const points: PointResult[] = [];
    for (const point of scenario.points) {
      points.push(
        await runPoint(scenario, point, { ...options, entries, absent }),
      );
    }
    return { name, title, processes, points, absent };
  } finally {
    await endAll();
  }
}

async function startAll(
  scenario: Scenario,
  options: RunOptions,
  absent: Absence[],
): Promise<Entry[]> {
  options.progress(`${scenario.name}: starting`);
  const entries: Entry[][] = [];
  const waiting = options.contenders.entries();
  // Nothing is measured yet, so as many at a time as there are cores.
  await Promise.all(
    Array.from({ length: navigator.hardwareConcurrency }, async () => {
      for (const [i, contender] of waiting) {
        entries[i] = await startOne(scenario, contender, absent);
      }
    }),
  );
  return entries.flat();
}

/** Starts a contender in all the ways in which it takes part. */
async function startOne(
  { processes, variants = [], base, settings }: Scenario,
  contender: Contender,
  absent: Absence[],
): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const variant of [undefined, ...variants]) {
    const suffix = variant?.suffix ?? "";
    const row: RowName = {
      name: `${contender.name}${suffix}`,
      base: variants.length > 0 ? contender.name : base,
      before: `${contender.name}${BEFORE}${suffix}`,
    };
    try {
      const pair = await Pair.start({
        contender,
        processes,
        settings: settingsOf({ ...settings, ...variant?.settings }),
      });
      entries.push({ row, pair, work: variant?.work });
      const { prepare } = variant ?? {};
      if (prepare !== undefined) await pair.client.ask(prepare);
    } catch (error) {
      leaveOut(row.name, error, absent);
      // It cannot take part at all.
      if (variant === undefined) break;
    }
  }
  return entries;
}

/** The complete settings, with certificates that are made for them. */
function settingsOf({ tls, ...rest }: VariantSettings): Settings {
  if (!tls) return rest;
  const authority = new Authority();
  const pair = authority.issue({
    commonName: "server",
    hosts: ["localhost", "127.0.0.1"],
  });
  return { ...rest, tls: { ...pair, ca: authority.cert } };
}

/** What cannot take part is told once, and does not end the others. */
export function leaveOut(
  contender: string,
  error: unknown,
  absent: Absence[],
): void {
  const text = error instanceof Error ? error.message : String(error);
  const reason = error instanceof Skipped ? text : `failed: ${text}`;
  if (absent.some((it) => it.contender === contender)) return;
  absent.push({ contender, reason });
}

/** How many times longer the first warm-up is of what is compiled as it runs. */
const LONG_WARM_UP = 6;

async function runPoint(
  { name, points: all }: Scenario,
  point: Point,
  options: RunOptions & { entries: Entry[]; absent: Absence[] },
): Promise<PointResult> {
  const { entries, absent, rounds, turnMs, warmUpMs, progress } = options;
  const turns = new Map<Entry, Turn[]>();
  const attempt = async (entry: Entry, act: () => Promise<void>) => {
    try {
      await act();
    } catch (error) {
      turns.delete(entry);
      // It has no such work, but may have the next.
      if (error instanceof Skipped) return;
      leaveOut(entry.row.name, error, absent);
      // Whatever state it is in after a failure: it does not go on.
      entries.splice(entries.indexOf(entry), 1);
    }
  };
  const { contenders = [] } = point;
  const taking = entries.filter(({ pair: { contender } }) =>
    isChosen(nameOf(contender), contenders)
  );
  progress(`${name}: ${point.label}, warming up`);
  const isFirst = point === all[0];
  const points = new Map(
    taking.map((entry) => [
      entry,
      entry.work === undefined ? point : { ...point, work: entry.work },
    ]),
  );
  // Thousands of calls are needed before all is compiled that will be.
  const concurrency = Math.max(...all.map((it) => it.concurrency));
  for (const [entry, point] of points) {
    await attempt(entry, async () => {
      if (isFirst && entry.pair.contender.isJit) {
        await entry.pair.warmUp({ ...point, concurrency }, {
          warmUpMs: warmUpMs * LONG_WARM_UP,
          turnMs,
        });
      }
      await entry.pair.warmUp(point, { warmUpMs, turnMs });
      turns.set(entry, []);
    });
  }
  for (let round = 0; round < rounds; round++) {
    progress(`${name}: ${point.label}, round ${round + 1} of ${rounds}`);
    // Back and forth, so that nobody always has the same one before it.
    const order = [...turns.keys()];
    if (round % 2 === 1) order.reverse();
    for (const entry of order) {
      await attempt(entry, async () => {
        const turn = await entry.pair.turn(points.get(entry)!, turnMs);
        turns.get(entry)!.push(turn);
      });
    }
  }
  const { label, unit } = point;
  const rows = rowsOf([...turns].map(([{ row }, turns]) => ({ row, turns })));
  return { label, unit, ...rows };
}

/** Makes rows of turns. */
function rowsOf(
  all: readonly { row: RowName; turns: readonly Turn[] }[],
): Pick<PointResult, "base" | "rows"> {
  const middle = (turns: readonly Turn[], key: keyof Turn) => {
    const values = turns.flatMap((turn) => turn[key] ?? []);
    return values.length === 0 ? undefined : median(values);
  };
  const rows = all.map(({ row, turns }) => ({
    ...rowOf(row.name, turns.map(({ rate }) => rate)),
    cpuUs: turns.map(({ clientUs, serverUs = 0 }) => clientUs + serverUs),
    ...defined({
      clientUs: middle(turns, "clientUs"),
      serverUs: middle(turns, "serverUs"),
      p50: middle(turns, "p50"),
      p99: middle(turns, "p99"),
      clientRss: mebibytes(turns.at(-1)?.clientRss),
      serverRss: mebibytes(turns.at(-1)?.serverRss),
    }),
  }));
  return compared(rows, all.map(({ row }) => row));
}

/** A row of nothing but values. */
export function rowOf(contender: string, values: readonly number[]): Row {
  return { contender, values, median: median(values) };
}

/**
 * Adds what rows are compared with, and tells what that is: one for all, or
 * with variants each contender without them.
 */
export function compared(
  rows: readonly Row[],
  names: readonly RowName[],
  lessIsBetter = false,
): Pick<PointResult, "base" | "rows"> {
  const best = lessIsBetter ? .25 : .75;
  const find = (name: string | undefined) =>
    rows.find(({ contender }) => contender === name);
  const bases = names.map(({ base }) => find(base) ?? rows[0]!);
  const base = new Set(bases).size === 1 ? bases[0]!.contender : undefined;
  return {
    ...(base === undefined ? {} : { base }),
    rows: rows.map((row, i) => {
      const before = find(names[i]!.before);
      return {
        ...row,
        ratio: spreadOf(ratios(row.values, bases[i]!.values)),
        ...(before && { change: changeOf(row.values, before.values, best) }),
        ...(before?.cpuUs && row.cpuUs &&
          { cpuChange: changeOf(row.cpuUs, before.cpuUs, .25) }),
      };
    }),
  };
}

function changeOf(
  values: readonly number[],
  before: readonly number[],
  best: number,
): Change {
  const all = ratios(values, before);
  return {
    ...spreadOf(all),
    confidence: confidenceOf(all),
    best: quantile(values, best) / quantile(before, best),
  };
}

function mebibytes(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / 2 ** 20;
}

/** Without what is undefined. */
function defined<T extends Record<string, number | undefined>>(
  values: T,
): { [K in keyof T]?: number } {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as { [K in keyof T]?: number };
}
