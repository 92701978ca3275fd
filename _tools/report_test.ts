import { assertEquals, assertThrows } from "@std/assert";
import { replaceSection, table } from "./report.ts";

const PAGE = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n";

Deno.test("replaceSection() leaves the rest of the page as it is", () => {
  const page = replaceSection(PAGE, "x", "new\n");
  assertEquals(page, "a\n<!-- x: begin -->\n\nnew\n\n<!-- x: end -->\nb\n");
  assertEquals(replaceSection(page, "x", "new"), page);
});

Deno.test("replaceSection() throws when there is no such section", () => {
  assertThrows(() => replaceSection(PAGE, "y", ""), Error, '"y"');
});

Deno.test("table() makes columns of one width", () => {
  assertEquals(
    table([["name", "n"], ["a", "1234"]]),
    "| name | n    |\n| ---- | ---- |\n| a    | 1234 |",
  );
});
