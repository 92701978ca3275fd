import { assertEquals, assertThrows } from "@std/assert";
import { enginesOf } from "./engine_option.ts";

Deno.test("enginesOf() is both, or the one that was asked for", () => {
  assertEquals(enginesOf([]), ["node", "native"]);
  assertEquals(enginesOf(["--report"]), ["node", "native"]);
  assertEquals(enginesOf(["--engine", "native"]), ["native"]);
  assertEquals(enginesOf(["--report", "--engine=node"]), ["node"]);
});

Deno.test("enginesOf() throws when there is no such engine", () => {
  for (const args of [["--engine"], ["--engine=other"], ["--engine", "x"]]) {
    assertThrows(() => enginesOf(args), Error, "--engine must be node or nat");
  }
});
