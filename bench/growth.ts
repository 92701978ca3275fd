/**
 * How cost grows: the memory of what is idle or waiting, of calls that are long
 * over, and the pauses for garbage.
 *
 * @module
 */

import { endAll } from "./child.ts";
import type { Contender } from "./contenders.ts";
import { BEFORE } from "./contenders.ts";
import { Pair } from "./pair.ts";
import type { Command } from "./peers/workload.ts";
import type { Usage, WorkResult } from "./peers/workload.ts";
import type { Absence, PointResult, Row, ScenarioResult } from "./results.ts";
import { median } from "./stats.ts";
import { compared, leaveOut, rowOf, type RunOptions } from "./rounds.ts";

/** Who takes part where nobody is chosen. */
const CONTENDERS = ["ours-native", "ours-node", "grpc-js"];

/** How the scenarios are chosen, and what they are. */
export const MEMORY = {
  name: "memory",
  title: "Memory of what does nothing, after garbage collection",
  contenders: CONTENDERS,
};

/** How the scenarios are chosen, and what they are. */
export const LEAK = {
  name: "leak",
  title: "Memory that stays when calls are over, after garbage collection",
  contenders: CONTENDERS,
};

/** How the scenarios are chosen, and what they are. */
export const PAUSES = {
  name: "pauses",
  title: "Pauses for garbage collection, unary calls of 32 bytes",
  contenders: CONTENDERS,
};

/** What a memory is compared with: what there was before. */
interface Measure {
  readonly label: string;
  readonly unit: "bytes" | "KiB" | "MiB";
  /** What is done before the first look, and between the two. */
  readonly before?: readonly Command[];
  readonly between: readonly Command[];
  /** What the growth is divided by. */
  readonly count: number;
}

const UNITS = { bytes: 1, KiB: 2 ** 10, MiB: 2 ** 20 };

const CALL = { do: "call", work: "unary", concurrency: 16 } as const;

const IDLE: readonly Measure[] = [
  {
    label: "an idle connection",
    unit: "KiB",
    between: [{ do: "connect", count: 1_000 }],
    count: 1_000,
  },
  {
    label: "an idle stream",
    unit: "bytes",
    between: [{ do: "open", count: 10_000 }],
    count: 10_000,
  },
  {
    label: "a call that waits for its answer",
    unit: "bytes",
    between: [{ do: "wait", count: 10_000 }],
    count: 10_000,
  },
];

/** Runs the scenario of what is idle, and ends all its processes. */
export function runMemory(options: RunOptions): Promise<ScenarioResult> {
  return runMeasures(MEMORY, IDLE, options);
}

/** Runs the scenario of what is over, and ends all its processes. */
export function runLeak(options: RunOptions): Promise<ScenarioResult> {
  const [few, many] = options.long ? [500_000, 5_000_000] : [2_500, 11_500];
  const measure: Measure = {
    label: `after ${many} calls, beyond what there was after ${few}`,
    unit: "MiB",
    before: [{ ...CALL, count: few }],
    between: Array.from({ length: 9 }, () => ({
      ...CALL,
      count: (many - few) / 9,
    })),
    count: 1,
  };
  return runMeasures(LEAK, [measure], options);
}

async function runMeasures(
  { name, title }: { name: string; title: string },
  measures: readonly Measure[],
  options: RunOptions,
): Promise<ScenarioResult> {
  const { contenders, progress } = options;
  const absent: Absence[] = [];
  const points: PointResult[] = [];
  for (const measure of measures) {
    const rows: Row[] = [];
    for (const contender of contenders) {
      progress(`${name}: ${measure.label}, ${contender.name}`);
      try {
        rows.push(await grow(contender, measure));
      } catch (error) {
        leaveOut(contender.name, error, absent);
      } finally {
        await endAll();
      }
    }
    const { label, unit } = measure;
    points.push({ label, unit, lessIsBetter: true, ...compare(rows) });
  }
  return { name, title, processes: 2, points, absent };
}

/** What becomes more when something is done. */
async function grow(contender: Contender, measure: Measure): Promise<Row> {
  const pair = await Pair.start({
    contender,
    processes: 2,
    settings: {},
    v8Flags: ["--expose-gc"],
  });
  const { before = [], between, count, unit } = measure;
  const act = async (commands: readonly Command[]) => {
    for (const command of commands) await pair.client.ask(command);
  };
  const look = async () => [
    await pair.client.ask<Usage>({ do: "collect" }),
    await pair.server!.ask<Usage>({ do: "collect" }),
  ];
  // What is compiled and allocated once is no part of it.
  await act([{ ...CALL, ms: 300 }, ...before]);
  const first = await look();
  await act(between);
  const last = await look();
  const grown = (side: 0 | 1, key: "heapBytes" | "rssBytes") =>
    (last[side]![key] - first[side]![key]) / count / UNITS[unit];
  const ends = [grown(0, "heapBytes"), grown(1, "heapBytes")];
  return {
    ...rowOf(contender.name, [ends[0]! + ends[1]!]),
    more: {
      "client": ends[0]!,
      "server": ends[1]!,
      "RSS client": grown(0, "rssBytes"),
      "RSS server": grown(1, "rssBytes"),
    },
  };
}

/** Runs the scenario of pauses, and ends all its processes. */
export async function runPauses(options: RunOptions): Promise<ScenarioResult> {
  const { contenders, progress, rounds, turnMs } = options;
  const absent: Absence[] = [];
  const rows: Row[] = [];
  for (const contender of contenders) {
    progress(`${PAUSES.name}: ${contender.name}`);
    try {
      rows.push(await pauses(contender, rounds * turnMs));
    } catch (error) {
      leaveOut(contender.name, error, absent);
    } finally {
      await endAll();
    }
  }
  return {
    ...PAUSES,
    processes: 2,
    points: [{
      label: "16 at a time",
      unit: "ms at most",
      lessIsBetter: true,
      ...compare(rows),
    }],
    absent,
  };
}

async function pauses(contender: Contender, ms: number): Promise<Row> {
  const pair = await Pair.start({
    contender,
    processes: 2,
    settings: {},
    v8Flags: ["--trace-gc"],
  });
  await pair.client.ask({ ...CALL, ms: 500 });
  const processes = [pair.client, pair.server!];
  const look = () =>
    Promise.all(processes.map((it) => it.ask<Usage>({ do: "usage" })));
  const first = await look();
  const result = await pair.client.ask<WorkResult>({ ...CALL, ms });
  const last = await look();
  await pair.end();
  const [client = [], server = []] = processes.map(({ pauses }, i) =>
    pauses.filter(({ atMs }) => atMs > first[i]!.nowMs && atMs < last[i]!.nowMs)
      .map(({ ms }) => ms)
  );
  const share = (values: readonly number[]) =>
    values.reduce((a, b) => a + b, 0) / result.ms * 100;
  const all = [...client, ...server];
  return {
    ...rowOf(contender.name, [Math.max(0, ...all)]),
    ...(result.p50 === undefined ? {} : { p50: result.p50 }),
    ...(result.p99 === undefined ? {} : { p99: result.p99 }),
    more: {
      "median ms": median(all),
      "pauses/s": all.length / result.ms * 1000,
      "% of time, client": share(client),
      "server": share(server),
    },
  };
}

function compare(rows: readonly Row[]): Pick<PointResult, "base" | "rows"> {
  return compared(
    rows,
    rows.map(({ contender }) => ({
      name: contender,
      before: `${contender}${BEFORE}`,
    })),
    true,
  );
}
