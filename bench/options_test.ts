import { assertEquals, assertThrows } from "@std/assert";
import { isChosen, readOptions } from "./options.ts";

Deno.test("readOptions() takes lists with commas, and options twice", () => {
  const { only, contenders, rounds, turnMs, quick } = readOptions([
    ...["--only", "unary,tls", "--only", "gzip", "--contenders", "ours-*"],
    ...["--rounds", "7"],
  ]);
  assertEquals(only, ["unary", "tls", "gzip"]);
  assertEquals(contenders, ["ours-*"]);
  assertEquals([rounds, turnMs, quick], [7, undefined, false]);
});

Deno.test("readOptions() refuses what is no count", () => {
  for (const text of ["0", "-1", "2.5", "many"]) {
    assertThrows(
      () => readOptions([`--rounds=${text}`]),
      RangeError,
      "integer of at least 1",
    );
  }
});

Deno.test("readOptions() refuses an option that there is not", () => {
  assertThrows(() => readOptions(["--round", "7"]), TypeError, "--round");
});

Deno.test("isChosen() knows names, beginnings, and all", () => {
  assertEquals(isChosen("ours-node", ["bare", "ours-node"]), true);
  assertEquals(isChosen("ours-node", ["ours-*"]), true);
  assertEquals(isChosen("ours-node", ["ours"]), false);
  assertEquals(isChosen("ours-node", []), true);
});
