/**
 * The page `docs/performance.md`: what a run has found takes its places between
 * comments, and the words around them stay as they are.
 *
 * @module
 */

import { type Bar, type Chart, drawChart, type Look } from "./chart.ts";
import { CONTENDERS } from "./contenders.ts";
import { cellsOf, short } from "./print.ts";
import type {
  Absence,
  PointResult,
  Results,
  Row,
  ScenarioResult,
} from "./results.ts";
import { quantile } from "./stats.ts";

/** What is written: the page, and the charts by their names. */
export interface Rendered {
  readonly page: string;
  readonly charts: ReadonlyMap<string, string>;
}

/** The scenarios that are drawn. */
const DRAWN = new Set([
  ...["unary-two", "unary-one", "servers", "streaming-two", "large"],
  ...["memory"],
]);

/**
 * Puts what a run has found into the page.
 *
 * @throws {Error} If the page has no place for it.
 */
export function render(page: string, results: Results): Rendered {
  const charts = new Map<string, string>();
  let text = replaceSection(page, "run", runText(results));
  for (const scenario of results.scenarios) {
    const { name } = scenario;
    if (DRAWN.has(name)) charts.set(name, drawChart(chartOf(scenario)));
    const absent = scenario.absent.filter((it) => !isIn(results.absent, it));
    text = replaceSection(text, name, scenarioText({ ...scenario, absent }));
  }
  return { page: text, charts };
}

function isIn(
  all: readonly Absence[],
  { contender, reason }: Absence,
): boolean {
  return all.some((it) => it.contender === contender && it.reason === reason);
}

/** Replaces what stands between two comments that name a section. */
export function replaceSection(
  page: string,
  section: string,
  text: string,
): string {
  const begin = `<!-- ${section}: begin -->`;
  const end = `<!-- ${section}: end -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) {
    throw new Error(`Cannot write page: there is no section "${section}"`);
  }
  const head = page.slice(0, from + begin.length);
  return `${head}\n\n${text.trim()}\n\n${page.slice(to)}`;
}

function runText({ date, machine, rounds, turnMs, absent }: Results): string {
  const { cpu, cores, load, memoryGiB, os, versions } = machine;
  const known = Object.entries(versions).map(([name, version]) =>
    `${name} ${version}`
  );
  const lines = [
    `Run on ${
      date.slice(0, 10)
    }: ${cores} cores of ${cpu}, ${memoryGiB} GiB, ${os}; ${rounds} rounds of ${turnMs} ms.`,
    `With ${known.join(", ")}.`,
  ];
  if (load > cores / 4) {
    lines.push(
      `**The machine had other work meanwhile, a load of ${
        load.toFixed(1)
      } when the run began: these numbers say little.**`,
    );
  }
  if (absent.length > 0) lines.push(absenceText(absent));
  return lines.join("\n\n");
}

function absenceText(absent: readonly Absence[]): string {
  const list = absent.map(({ contender, reason }) =>
    `\`${contender}\` (${reason.split("\n")[0]})`
  );
  return `Left out: ${list.join(", ")}.`;
}

function scenarioText(scenario: ScenarioResult): string {
  const { name, title, points, absent, processes } = scenario;
  const parts: string[] = [];
  if (DRAWN.has(name)) parts.push(`![${title}](performance/${name}.svg)`);
  else parts.push(`**${title}**`);
  for (const point of points) {
    if (point.rows.length === 0) continue;
    parts.push(`${capital(point.label)}:`, markdown(cellsOf(point, processes)));
  }
  if (absent.length > 0) parts.push(absenceText(absent));
  return parts.join("\n\n");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function markdown(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(head),
    line(head.map((_, i) => i === 0 ? "---" : "--:")),
    ...body.map(([name = "", ...cells]) => line([`\`${name}\``, ...cells])),
  ].join("\n");
}

function chartOf({ title, points }: ScenarioResult): Chart {
  const units = new Set(points.map(({ unit }) => unit));
  return {
    title,
    unit: units.size === 1 ? [...units].join() : "",
    groups: points.filter(({ rows }) => rows.length > 0).map((point) => ({
      title: capital(
        units.size === 1 ? point.label : `${point.label}, ${point.unit}`,
      ),
      bars: sorted(point).map(barOf),
    })),
  };
}

/** The rows, the best one first. */
function sorted({ rows, lessIsBetter }: PointResult): Row[] {
  const sign = lessIsBetter ? 1 : -1;
  return rows.toSorted((a, b) => sign * (a.median - b.median));
}

function barOf({ contender, values, median }: Row): Bar {
  const [name = ""] = contender.split(/[+:]/);
  const known = CONTENDERS.find((it) => it.name === name);
  return {
    title: `${known?.title ?? name}${contender.slice(name.length)}`,
    value: Math.max(0, median),
    low: Math.max(0, quantile(values, .25)),
    high: Math.max(0, quantile(values, .75)),
    text: short(median),
    look: lookOf(name),
  };
}

function lookOf(name: string): Look {
  return name.startsWith("ours") ? "ours" : name === "bare" ? "bare" : "other";
}
