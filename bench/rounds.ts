/**
 * Measuring in turns: everybody in each round, so that what disturbs the
 * machine disturbs all alike.
 *
 * @module
 */

import { endAll, Skipped } from "./child.ts";
import type { Contender } from "./contenders.ts";
import { Pair, type Turn } from "./pair.ts";
import type { Settings } from "./peers/contender.ts";
import type {
  Absence,
  Change,
  PointResult,
  Row,
  ScenarioResult,
} from "./results.ts";
import type { Point, Scenario } from "./scenarios.ts";
import { confidenceOf, median, ratios, spreadOf } from "./stats.ts";

/** How much is measured. */
export interface Effort {
  readonly rounds: number;
  /** How long one turn takes, in milliseconds. */
  readonly turnMs: number;
  /** How long everybody runs before what is measured, in milliseconds. */
  readonly warmUpMs: number;
}

/** What a scenario is run with. */
export interface RunOptions extends Effort {
  readonly contenders: readonly Contender[];
  /** The settings of the scenario, complete. */
  readonly settings: Settings;
  /** Told what is going on. */
  readonly progress: (text: string) => void;
}

/** The name of the same contender in another checkout. */
export function beforeOf(name: string): string {
  return `${name}:before`;
}

/** Runs a scenario, and ends all its processes. */
export async function runScenario(
  scenario: Scenario,
  options: RunOptions,
): Promise<ScenarioResult> {
  const { name, title, processes } = scenario;
  const absent: Absence[] = [];
  try {
    const pairs = await startPairs(scenario, options, absent);
    const points: PointResult[] = [];
    for (const point of scenario.points) {
      points.push(
        await runPoint(scenario, point, { ...options, pairs, absent }),
      );
    }
    return { name, title, processes, points, absent };
  } finally {
    await endAll();
  }
}

async function startPairs(
  scenario: Scenario,
  options: RunOptions,
  absent: Absence[],
): Promise<Pair[]> {
  const { contenders, settings, progress } = options;
  progress(`${scenario.name}: starting`);
  const pairs: Pair[] = [];
  for (const contender of contenders) {
    const { processes } = scenario;
    try {
      pairs.push(await Pair.start({ contender, processes, settings }));
    } catch (error) {
      leaveOut(contender, error, absent);
    }
  }
  return pairs;
}

/** What cannot take part is told once, and does not end the others. */
function leaveOut(
  { name }: Contender,
  error: unknown,
  absent: Absence[],
): void {
  const text = error instanceof Error ? error.message : String(error);
  const reason = error instanceof Skipped ? text : `failed: ${text}`;
  if (absent.some((it) => it.contender === name && it.reason === reason)) {
    return;
  }
  absent.push({ contender: name, reason });
}

async function runPoint(
  { name }: Scenario,
  point: Point,
  options: RunOptions & { pairs: Pair[]; absent: Absence[] },
): Promise<PointResult> {
  const { pairs, absent, rounds, turnMs, warmUpMs, progress } = options;
  const turns = new Map<Pair, Turn[]>();
  const failed = (pair: Pair, error: unknown): void => {
    leaveOut(pair.contender, error, absent);
    turns.delete(pair);
    if (error instanceof Skipped) return;
    // Whatever state it is in: it does not go on.
    pairs.splice(pairs.indexOf(pair), 1);
  };
  progress(`${name}: ${point.label}, warming up`);
  for (const pair of [...pairs]) {
    try {
      await pair.warmUp(point, warmUpMs);
      turns.set(pair, []);
    } catch (error) {
      failed(pair, error);
    }
  }
  for (let round = 0; round < rounds; round++) {
    progress(`${name}: ${point.label}, round ${round + 1} of ${rounds}`);
    // Back and forth, so that nobody always has the same one before it.
    const order = [...turns.keys()];
    if (round % 2 === 1) order.reverse();
    for (const pair of order) {
      try {
        turns.get(pair)!.push(await pair.turn(point, turnMs));
      } catch (error) {
        failed(pair, error);
      }
    }
  }
  return {
    label: point.label,
    unit: point.unit,
    rows: rowsOf(
      [...turns].map(([{ contender }, turns]) => ({
        contender: contender.name,
        turns,
      })),
    ),
  };
}

/** Makes rows of turns. */
function rowsOf(
  all: readonly { contender: string; turns: readonly Turn[] }[],
): Row[] {
  const middle = (turns: readonly Turn[], key: keyof Turn) => {
    const values = turns.flatMap((turn) => turn[key] ?? []);
    return values.length === 0 ? undefined : median(values);
  };
  const rows = all.map(({ contender, turns }) => ({
    ...rowOf(contender, turns.map(({ rate }) => rate)),
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
  return compared(rows);
}

/** A row of nothing but values. */
export function rowOf(contender: string, values: readonly number[]): Row {
  return { contender, values, median: median(values) };
}

/** Adds what rows are compared with: the first one, and another checkout. */
export function compared(rows: readonly Row[]): Row[] {
  const [base] = rows;
  return rows.map((row) => {
    const before = rows.find((it) => it.contender === beforeOf(row.contender));
    return {
      ...row,
      ...(base && { ratio: spreadOf(ratios(row.values, base.values)) }),
      ...(before && { change: changeOf(row.values, before.values) }),
      ...(before?.cpuUs && row.cpuUs &&
        { cpuChange: changeOf(row.cpuUs, before.cpuUs) }),
    };
  });
}

function changeOf(
  values: readonly number[],
  before: readonly number[],
): Change {
  const all = ratios(values, before);
  return { ...spreadOf(all), confidence: confidenceOf(all) };
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
