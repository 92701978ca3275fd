import { assertEquals } from "@std/assert";
import { differences, protoRoot } from "./gen.ts";

const roots: [path: string, dir: string, out: string][] = [
  ["echo.proto", ".", "gen"],
  ["examples/a/a.proto", "examples/a", "examples/a/gen"],
  ["health/proto/grpc/health/v1/health.proto", "health/proto", "health/gen"],
];

for (const [path, dir, out] of roots) {
  Deno.test(`protoRoot() puts what comes from ${path} into ${out}`, () => {
    assertEquals(protoRoot(path), { dir, out });
  });
}

Deno.test("differences() tells what is missing, outdated and stale", () => {
  const actual = new Map([["c", "1"], ["b", "1"], ["a", "1"]]);
  const generated = new Map([["a", "1"], ["b", "2"], ["d", "1"]]);
  assertEquals(differences(actual, generated), [
    { path: "b", reason: "outdated" },
    { path: "c", reason: "stale" },
    { path: "d", reason: "missing" },
  ]);
});
