/**
 * Tables for the terminal.
 *
 * @module
 */

import { verdictOf } from "./stats.ts";
import type { Change, PointResult, Row, ScenarioResult } from "./results.ts";

/** A number with three digits that mean something, or all before the point. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, " ");
}

/** A ratio with its spread: `1.30 (1.25–1.34)`. */
export function ratioText(row: Row): string {
  const { ratio } = row;
  if (ratio === undefined) return "";
  const [median, low, high] = [ratio.median, ratio.low, ratio.high].map((it) =>
    it.toFixed(2)
  );
  return `${median} (${low}–${high})`;
}

/** The cells of one measurement, its heads first. */
export function cellsOf(
  { unit, base, rows }: PointResult,
  processes: 1 | 2,
): string[][] {
  const has = (key: keyof Row) => rows.some((row) => row[key] !== undefined);
  const columns: [string, (row: Row) => string][] = [
    ["", (row) => row.contender],
    [unit, (row) => short(row.median)],
    [base === undefined ? "× without" : `× ${base}`, ratioText],
  ];
  const number = (
    title: string,
    key: "clientUs" | "serverUs" | "p50" | "p99",
  ) => has(key) && columns.push([title, (row) => short(row[key] ?? NaN)]);
  number(processes === 1 ? "CPU µs" : "CPU µs client", "clientUs");
  number(has("clientUs") ? "server" : "CPU µs server", "serverUs");
  number("p50 ms", "p50");
  number("p99 ms", "p99");
  if (has("clientRss") || has("serverRss")) {
    columns.push([
      "RSS MiB",
      ({ clientRss, serverRss }) =>
        [clientRss, serverRss].flatMap((it) => it?.toFixed(0) ?? [])
          .join(" + "),
    ]);
  }
  for (const title of Object.keys(rows[0]?.more ?? {})) {
    columns.push([title, (row) => short(row.more?.[title] ?? NaN)]);
  }
  return [
    columns.map(([title]) => title),
    ...rows.map((row) => columns.map(([, cell]) => cell(row))),
  ];
}

/** Columns of text, the first one to the left and the others to the right. */
export function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]!.length))
  );
  return rows.map((row) =>
    `  ${
      row.map((cell, column) =>
        column === 0
          ? cell.padEnd(widths[column]!)
          : cell.padStart(widths[column]!)
      ).join("  ").trimEnd()
    }`
  ).join("\n");
}

/** What differs between two checkouts, a line for each kind of number. */
export function changeTexts(
  row: Row,
  { unit, lessIsBetter }: PointResult,
): string[] {
  const text = (
    what: string,
    change: Change | undefined,
    lessIsBetter: boolean,
  ) => {
    if (change === undefined) return [];
    const { median, confidence, best } = change;
    const [low, high] = [confidence.low.toFixed(3), confidence.high.toFixed(3)];
    const sure = (confidence.level * 100).toFixed(0);
    const verdict = verdictOf(confidence);
    const judgement = verdict === "as much"
      ? "no difference seen"
      : (verdict === "less") === lessIsBetter
      ? "better"
      : "worse";
    return [
      `${row.contender}, ${what}: × ${
        median.toFixed(3)
      } of the other checkout (${low}–${high} at ${sure} %; best quarters ${
        best.toFixed(3)
      }): ${judgement}`,
    ];
  };
  return [
    ...text(unit, row.change, lessIsBetter ?? false),
    ...text("CPU", row.cpuChange, true),
  ];
}

/** All that a scenario has shown. */
export function scenarioText(result: ScenarioResult): string {
  const lines = [`\n${result.title}  [${result.name}]`];
  for (const point of result.points) {
    lines.push(`\n  ${point.label}`);
    if (point.rows.length > 0) {
      lines.push(align(cellsOf(point, result.processes)));
    }
    for (const row of point.rows) {
      for (const text of changeTexts(row, point)) lines.push(`  ${text}`);
    }
  }
  for (const { contender, reason } of result.absent) {
    const [line = ""] = reason.split("\n");
    lines.push(`  ${contender} is left out: ${line.slice(0, 200)}`);
  }
  return lines.join("\n");
}
