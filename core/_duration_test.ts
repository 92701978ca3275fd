import { assertEquals } from "@std/assert";
import { parseDuration } from "./_duration.ts";

for (
  const [text, ms] of [
    ["1s", 1_000],
    ["0s", 0],
    ["0.1s", 100],
    [".01s", 10],
    ["1.000340012s", 1_000.340012],
    ["0.000000001s", 0.000001],
    ["315576000000s", 315_576_000_000_000],
    ["315576000001s", null],
    ["", null],
    ["s", null],
    [".s", null],
    ["1", null],
    ["1.s", null],
    ["1.0000000001s", null],
    ["-1s", null],
    ["+1s", null],
    [" 1s", null],
    ["1s ", null],
    ["1e3s", null],
    ["3c", null],
    ["1ms", null],
  ] as const
) {
  Deno.test(`parseDuration() makes ${ms} of ${JSON.stringify(text)}`, () => {
    assertEquals(parseDuration(text), ms);
  });
}
