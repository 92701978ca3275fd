/**
 * Writes what a run has found: as JSON, and into the documentation.
 *
 * @module
 */

import { render } from "./page.ts";
import { fromFileUrl } from "./paths.ts";
import type { Results } from "./results.ts";

const RESULTS = new URL("./results.json", import.meta.url);
const PAGE = new URL("../docs/performance.md", import.meta.url);
const CHARTS = new URL("../docs/performance/", import.meta.url);

/**
 * The JSON of results: with no more digits than mean something, and the values
 * of all rounds on one line.
 */
export function toJson(results: Results): string {
  const text = JSON.stringify(
    results,
    (_, value) =>
      typeof value === "number" && !Number.isInteger(value)
        ? Number(value.toPrecision(4))
        : value,
    2,
  );
  return text.replace(
    /\[[-\d.,e+\s]+\]/g,
    (values) =>
      values.replace(/\s+/g, " ").replace("[ ", "[").replace(" ]", "]"),
  );
}

/** Writes `results.json`, the page and its charts. */
export async function writeAll(results: Results): Promise<void> {
  await Deno.writeTextFile(RESULTS, toJson(results));
  await format([RESULTS]);
  await writePage(results);
}

/** Writes the page and its charts again, from `results.json`. */
export async function renderAgain(): Promise<void> {
  await writePage(JSON.parse(await Deno.readTextFile(RESULTS)) as Results);
}

async function writePage(results: Results): Promise<void> {
  const { page, charts } = render(await Deno.readTextFile(PAGE), results);
  await Deno.writeTextFile(PAGE, page);
  await Deno.mkdir(CHARTS, { recursive: true });
  const files = [PAGE];
  for (const [name, chart] of charts) {
    const file = new URL(`${name}.svg`, CHARTS);
    await Deno.writeTextFile(file, chart);
    files.push(file);
  }
  await format(files);
}

/** Has files look as `deno fmt` wants them to. */
async function format(files: readonly URL[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", ...files.map(fromFileUrl)],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
