import { assertEquals } from "@std/assert";
import { compared, type RowName, rowOf } from "./rounds.ts";

function name(name: string, base?: string): RowName {
  return { name, base, before: `${name}:before` };
}

Deno.test("compared() compares all with the base, round by round", () => {
  const { base, rows } = compared(
    [rowOf("a", [10, 20]), rowOf("b", [30, 80])],
    [name("a"), name("b")],
  );
  assertEquals(base, "a");
  assertEquals(rows.map(({ ratio }) => ratio?.median), [1, 3.5]);
});

Deno.test("compared() takes the base that is asked for, if it is there", () => {
  const rows = [rowOf("a", [10]), rowOf("b", [20])];
  assertEquals(compared(rows, [name("a", "b"), name("b", "b")]).base, "b");
  assertEquals(compared(rows, [name("a", "c"), name("b", "c")]).base, "a");
});

Deno.test("compared() has no base where each has its own", () => {
  const rows = [rowOf("a", [10]), rowOf("b", [20]), rowOf("b+tls", [10])];
  const names = [name("a", "a"), name("b", "b"), name("b+tls", "b")];
  const { base, rows: found } = compared(rows, names);
  assertEquals(base, undefined);
  assertEquals(found.map(({ ratio }) => ratio?.median), [1, 1, .5]);
});

Deno.test("compared() finds the other checkout, and the best quarters", () => {
  const { rows: [before, after] } = compared(
    [rowOf("a:before", [10, 10, 10]), rowOf("a", [11, 12, 4])],
    [name("a:before"), name("a")],
  );
  assertEquals(before?.change, undefined);
  assertEquals(after?.change?.median, 1.1);
  assertEquals(after?.change?.best, 1.15);
});
