import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Bar, drawChart } from "./chart.ts";

function chartOf(...bars: Partial<Bar>[]): string {
  return drawChart({
    title: "Calls <fast> & slow",
    unit: "calls/s",
    groups: [{
      title: "1 at a time",
      bars: bars.map((bar) => ({
        ...{ title: "a", value: 1, low: 1, high: 1, text: "1", look: "other" },
        ...bar,
      })),
    }],
  });
}

function widths(svg: string): number[] {
  return [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, it]) =>
    Number(it)
  );
}

Deno.test("drawChart() makes bars as long as their values", () => {
  const [long = 0, short = 0, none = 0] = widths(
    chartOf({ value: 100, high: 100 }, { value: 25, high: 25 }, { value: 0 }),
  );
  assertEquals(long / short, 4);
  // What is there can be seen.
  assertEquals(none, 1);
});

Deno.test("drawChart() escapes what is text", () => {
  assertStringIncludes(chartOf({}), "Calls &#60;fast&#62; &#38; slow");
});

Deno.test("drawChart() has colours for dark ground", () => {
  assertMatch(chartOf({}), /prefers-color-scheme: dark/);
});

Deno.test("drawChart() shows the spread where there is one", () => {
  const spread = /class="spread"/;
  assertEquals(spread.test(chartOf({ value: 9, low: 8, high: 10 })), true);
  assertEquals(spread.test(chartOf({ value: 9, low: 9, high: 9 })), false);
});
