import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { render, replaceSection } from "./page.ts";
import type { Results } from "./results.ts";
import { compared, rowOf } from "./rounds.ts";

const PAGE = `Words.

<!-- run: begin -->
old
<!-- run: end -->

<!-- unary-two: begin -->
<!-- unary-two: end -->

More words.
`;

function results(): Results {
  const rows = [rowOf("bare", [10_000]), rowOf("ours-node", [12_500])];
  const names = rows.map(({ contender: name }) => ({ name, before: "" }));
  return {
    date: "2026-01-02T03:04:05Z",
    machine: {
      cpu: "a CPU",
      cores: 2,
      load: 0,
      memoryGiB: 4,
      os: "an OS",
      versions: {},
    },
    rounds: 1,
    turnMs: 100,
    absent: [{ contender: "tonic", reason: "it is not installed" }],
    scenarios: [{
      name: "unary-two",
      title: "Unary calls",
      processes: 2,
      points: [
        { label: "1 at a time", unit: "calls/s", ...compared(rows, names) },
      ],
      absent: [],
    }],
  };
}

Deno.test("render() puts tables and charts where they belong", () => {
  const { page, charts } = render(PAGE, results());
  assertStringIncludes(page, "Run on 2026-01-02: 2 cores of a CPU");
  assertStringIncludes(page, "Left out: `tonic` (it is not installed).");
  assertStringIncludes(page, "![Unary calls](performance/unary-two.svg)");
  assertStringIncludes(
    page,
    "| `ours-node` | 12 500 | 1.25 (1.25–1.25) |",
  );
  assertEquals(page.includes("old"), false);
  assertEquals(page.startsWith("Words."), true);
  assertEquals(page.endsWith("More words.\n"), true);
  assertStringIncludes(
    charts.get("unary-two") ?? "",
    "this library, node:http2",
  );
});

Deno.test("render() says when the machine had other work", () => {
  const { machine, ...rest } = results();
  const busy = { ...rest, machine: { ...machine, load: 3 } };
  assertStringIncludes(render(PAGE, busy).page, "had other work");
  assertEquals(render(PAGE, results()).page.includes("other work"), false);
});

Deno.test("render() twice is the same as once", () => {
  const { page } = render(PAGE, results());
  assertEquals(render(page, results()).page, page);
});

Deno.test("replaceSection() refuses a page without the section", () => {
  assertThrows(
    () => replaceSection(PAGE, "tls", ""),
    Error,
    'there is no section "tls"',
  );
});
