/**
 * Measures this library and others:
 *
 *     deno task bench --help
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import { endAll } from "./child.ts";
import {
  type Contender,
  contenderOf,
  CONTENDERS,
  nameOf,
} from "./contenders.ts";
import {
  LEAK,
  MEMORY,
  PAUSES,
  runLeak,
  runMemory,
  runPauses,
} from "./growth.ts";
import { IMPORTS, runImports } from "./imports.ts";
import { isChosen, type Options, readOptions, USAGE } from "./options.ts";
import { folderUrl } from "./paths.ts";
import { scenarioText } from "./print.ts";
import { machine } from "./machine.ts";
import type { Absence, Results, ScenarioResult } from "./results.ts";
import { type Effort, type RunOptions, runScenario } from "./rounds.ts";
import { PROCESSES, runProcesses } from "./processes.ts";
import { SCENARIOS } from "./scenarios.ts";
import { renderAgain, toJson, writeAll } from "./write.ts";
import { runServers, SERVERS } from "./servers.ts";

/** What `--quick` is about. */
const QUICK = {
  scenarios: ["unary-two", "streaming-two"],
  contenders: ["bare", "ours-native", "ours-node", "grpc-js"],
};

/** The contenders that were asked for, each beside its other checkout. */
function chooseContenders(options: Options): Contender[] {
  const patterns = options.contenders.length === 0 && options.quick
    ? QUICK.contenders
    : options.contenders;
  for (const pattern of patterns) {
    if (!CONTENDERS.some(({ name }) => isChosen(name, [pattern]))) {
      throw new RangeError(`Cannot find contender: there is no "${pattern}"`);
    }
  }
  const chosen = CONTENDERS.filter(({ name }) => isChosen(name, patterns));
  const { against } = options;
  if (against === undefined) return chosen;
  const root = folderUrl(against);
  Deno.statSync(new URL("deno.json", root));
  return chosen.flatMap((contender) =>
    contender.root ? [contenderOf(root, contender), contender] : [contender]
  );
}

/** Something that can be run. */
interface Runnable {
  readonly name: string;
  readonly title: string;
  /** Who takes part; everybody if there is no list. */
  readonly contenders?: readonly string[];
  run(options: RunOptions): Promise<ScenarioResult>;
}

/** All there is, in the order it is run. */
const RUNNABLES: readonly Runnable[] = [
  { ...SERVERS, run: runServers },
  ...SCENARIOS.map((scenario) => ({
    ...scenario,
    run: (options: RunOptions) => runScenario(scenario, options),
  })),
  { ...PROCESSES, run: runProcesses },
  { ...MEMORY, run: runMemory },
  { ...LEAK, run: runLeak },
  { ...PAUSES, run: runPauses },
  { ...IMPORTS, run: runImports },
];

function chooseRunnables({ only, quick }: Options): Runnable[] {
  const patterns = only.length === 0 && quick
    ? QUICK.scenarios
    : only.flatMap((name) => [name, `${name}-*`]);
  const chosen = RUNNABLES.filter(({ name }) => isChosen(name, patterns));
  if (chosen.length > 0) return chosen;
  throw new RangeError(`Cannot find scenario: there is no "${only.join()}"`);
}

/**
 * Tells what is going on: on one line that is written again, where that can be
 * done, and otherwise a line for each scenario.
 */
function progress(text: string): void {
  if (!Deno.stderr.isTerminal()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${text}`));
}

async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  if (options.help) return console.log(USAGE);
  if (options.list) {
    for (const { name, title } of [...RUNNABLES, ...CONTENDERS]) {
      console.log(`${name.padEnd(20)} ${title}`);
    }
    return;
  }
  if (options.render) return await renderAgain();
  const { quick } = options;
  const effort: Effort = {
    rounds: options.rounds ?? (quick ? 3 : 5),
    turnMs: options.turnMs ?? (quick ? 150 : 100),
    warmUpMs: quick ? 150 : 100,
  };
  const contenders = chooseContenders(options);
  const results: ScenarioResult[] = [];
  const runnables = chooseRunnables(options);
  const where = await machine();
  const begin = performance.now();
  for (const [i, runnable] of runnables.entries()) {
    const place = `[${i + 1}/${runnables.length}] `;
    if (!Deno.stderr.isTerminal()) console.error(`${place}${runnable.name}`);
    const result = await runnable.run({
      ...effort,
      contenders: contenders.filter((contender) =>
        isChosen(nameOf(contender), runnable.contenders ?? [])
      ),
      long: options.long,
      progress: (text) => progress(`${place}${text}`),
    });
    progress("");
    results.push(result);
    console.log(scenarioText(result));
  }
  const seconds = Math.round((performance.now() - begin) / 1000);
  console.log(`\nMeasured in ${seconds} s`);
  const found: Results = {
    date: new Date().toISOString(),
    machine: where,
    rounds: effort.rounds,
    turnMs: effort.turnMs,
    scenarios: results,
    absent: everywhere(results),
  };
  if (options.json !== undefined) {
    await Deno.writeTextFile(options.json, toJson(found));
  }
  if (isComplete(options)) {
    await writeAll(found);
    console.log("Written: bench/results.json, docs/performance.md");
  }
}

/** Whether nothing was chosen, so that the page is about all there is. */
function isComplete(options: Options): boolean {
  const { quick, only, contenders, against } = options;
  return !quick && only.length === 0 && contenders.length === 0 &&
    against === undefined;
}

/** Who was left out of every scenario for the same reason. */
function everywhere(results: readonly ScenarioResult[]): Absence[] {
  const counts = new Map<string, { absence: Absence; count: number }>();
  for (const absence of results.flatMap(({ absent }) => absent)) {
    const key = `${absence.contender}: ${absence.reason}`;
    const { count } = counts.get(key) ?? { count: 0 };
    counts.set(key, { absence, count: count + 1 });
  }
  return [...counts.values()].filter(({ count }) => count > 1)
    .map(({ absence }) => absence);
}

if (import.meta.main) {
  const leave = () => endAll().finally(() => Deno.exit(130));
  Deno.addSignalListener("SIGINT", leave);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", leave);
  try {
    await main(Deno.args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exitCode = 1;
  } finally {
    await endAll();
  }
  Deno.exit();
}
