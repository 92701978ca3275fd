/**
 * Writes one section of docs/conformance.md: what a suite of tests has found.
 *
 * A section stands between two comments, which name it; the rest of the page is
 * left as it is.
 *
 * @module
 */

const PAGE = "docs/conformance.md";

/**
 * Replaces a section of a page.
 *
 * @param page The page.
 * @param section The name of the section.
 * @param text What it says now.
 * @returns The page with it.
 * @throws {Error} If there is no such section.
 */
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
    throw new Error(`Cannot write report: there is no section "${section}"`);
  }
  const head = page.slice(0, from + begin.length);
  return `${head}\n\n${text.trim()}\n\n${page.slice(to)}`;
}

/** Writes a section of the page, dated. */
export async function report(section: string, text: string): Promise<void> {
  const page = await Deno.readTextFile(PAGE);
  const [date] = new Date().toISOString().split("T");
  const dated = `${text.trim()}\n\nRun on ${date}, Deno ${Deno.version.deno}.`;
  await Deno.writeTextFile(PAGE, replaceSection(page, section, dated));
}

/**
 * Makes a table in Markdown.
 *
 * @param rows The rows, the first one being its head.
 * @returns The table.
 */
export function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows;
  const widths = head.map((_, column) =>
    Math.max(3, ...rows.map((row) => row[column]!.length))
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(head), rule, ...body.map(line)].join("\n");
}
