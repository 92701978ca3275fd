/**
 * What h2spec found, from the file that it writes.
 *
 * @module
 */

/** What became of one case. */
export interface Outcome {
  /** The section, and the number of the case in it, such as `http2/5.1 8`. */
  readonly id: string;
  /** What the case does. */
  readonly title: string;
  readonly passed: boolean;
  /** What was expected and found, if it failed. */
  readonly found: string;
}

const CASE =
  /<testcase package="([^"]*)" classname="([^"]*)"[^>]*?(?:\/>|>([^]*?)<\/testcase>)/g;

/**
 * Reads the report of h2spec, which is that of JUnit. A case that was skipped
 * counts as failed.
 *
 * @param xml The report.
 * @returns What became of each case, in order.
 */
export function casesOf(xml: string): Outcome[] {
  const counts = new Map<string, number>();
  return [...xml.matchAll(CASE)].map(([, section = "", title = "", body]) => {
    const count = (counts.get(section) ?? 0) + 1;
    counts.set(section, count);
    const found = (body ?? "").replaceAll(/<[^>]*>/g, "").trim();
    const passed = !/<(error|failure|skipped)/.test(body ?? "");
    return {
      id: `${section} ${count}`,
      title: unescape(title),
      passed,
      found: unescape(found).replaceAll(/\s+/g, " "),
    };
  });
}

function unescape(text: string): string {
  return text.replaceAll("&#34;", '"').replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}
