/**
 * How long it takes to import a library.
 *
 * @module
 */

import { Child, endAll } from "./child.ts";
import { BEFORE } from "./contenders.ts";
import { fromFileUrl } from "./paths.ts";
import type { Absence, Row, ScenarioResult } from "./results.ts";
import {
  compared,
  leaveOut,
  type RowName,
  rowOf,
  type RunOptions,
} from "./rounds.ts";
import { PACKAGES } from "./tools.ts";
import { median } from "./stats.ts";

/** How the scenario is chosen. */
export const IMPORTS = {
  name: "imports",
  title: "Importing a library, in a new process on Deno",
};

const PROGRAM = new URL("./peers/import.ts", import.meta.url);
const ROOT = new URL("../", import.meta.url);

/** Packages of npm, by the contender that has them. */
const OTHERS: Readonly<Record<string, string>> = {
  "grpc-js": "@grpc/grpc-js",
  "nice-grpc": "nice-grpc",
  "connect-node": "@connectrpc/connect-node",
};

/** Something that is imported. */
interface Module {
  readonly name: RowName;
  /** What it is imported by. */
  readonly specifier: string;
  /** The checkout that says what specifiers mean. */
  readonly root: URL;
  readonly times: number[];
  readonly memories: number[];
}

/** Runs the scenario, and ends all its processes. */
export async function runImports(options: RunOptions): Promise<ScenarioResult> {
  const { contenders, rounds, progress } = options;
  const absent: Absence[] = [];
  const modules: Module[] = [];
  for (const { name, root } of contenders) {
    const other = OTHERS[name];
    if (other !== undefined) {
      try {
        modules.push(moduleOf(other, { specifier: pathOf(other) }));
      } catch (error) {
        leaveOut(name, error, absent);
      }
    }
    // The entry points are the same for all engines and runtimes.
    if (root === undefined || modules.some((it) => it.root === root)) continue;
    const suffix = name.endsWith(BEFORE) ? BEFORE : "";
    for (const entry of await entryPoints(root)) {
      modules.push(moduleOf(entry, { root, suffix }));
    }
  }
  try {
    // In the first round Deno writes what it has compiled into its cache.
    for (let round = -1; round < rounds; round++) {
      progress(`${IMPORTS.name}: round ${round + 1} of ${rounds}`);
      const order = [...modules];
      if (round % 2 === 1) order.reverse();
      for (const module of order) {
        const { ms, rssBytes } = await importOnce(module);
        if (round < 0) continue;
        module.times.push(ms);
        module.memories.push(rssBytes / 2 ** 20);
      }
    }
  } finally {
    await endAll();
  }
  const rows: Row[] = modules.map(({ name, times, memories }) => ({
    ...rowOf(name.name, times),
    clientRss: median(memories),
  }));
  return {
    ...IMPORTS,
    processes: 1,
    points: [{
      label: "each with what it needs",
      unit: "ms",
      lessIsBetter: true,
      ...compared(rows, modules.map(({ name }) => name), true),
    }],
    absent,
  };
}

function moduleOf(
  specifier: string,
  options: { specifier?: string; root?: URL; suffix?: string },
): Module {
  const { root = ROOT, suffix = "" } = options;
  return {
    name: {
      name: `${specifier}${suffix}`,
      before: `${specifier}${BEFORE}`,
    },
    specifier: options.specifier ?? specifier,
    root,
    times: [],
    memories: [],
  };
}

/** What can be imported of this library, programs left out. */
async function entryPoints(root: URL): Promise<string[]> {
  const config = await Deno.readTextFile(new URL("deno.json", root));
  const { name, exports } = JSON.parse(config) as {
    readonly name: string;
    readonly exports: Readonly<Record<string, string>>;
  };
  return Object.entries(exports)
    .filter(([, path]) => !path.endsWith("/main.ts"))
    .map(([entry]) => `${name}${entry.slice(1)}`);
}

/** The main module of an installed package. */
function pathOf(name: string): string {
  const folder = new URL(`node_modules/${name}/`, PACKAGES);
  const file = Deno.readTextFileSync(new URL("package.json", folder));
  const { main } = JSON.parse(file) as { readonly main: string };
  return new URL(main, folder).href;
}

async function importOnce(
  { specifier, root }: Module,
): Promise<{ ms: number; rssBytes: number }> {
  const child = new Child(specifier, {
    command: Deno.execPath(),
    args: [
      ...["run", "--quiet", "--no-prompt", "--allow-all"],
      `--config=${fromFileUrl(new URL("deno.json", root))}`,
      ...[PROGRAM.href, specifier],
    ],
  });
  try {
    return await child.answer();
  } finally {
    await child.end();
  }
}
