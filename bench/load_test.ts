import { assertEquals, assertThrows } from "@std/assert";
import { readLoad } from "./load.ts";

const OUTPUT = `
finished in 406.50ms, 2000.00 req/s, 131.80KB/s
requests: 800 total, 1050 started, 800 done, 800 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 800 2xx, 0 3xx, 0 4xx, 0 5xx
`;

Deno.test("readLoad() reads what h2load writes", () => {
  assertEquals(readLoad(OUTPUT), { calls: 800, ms: 400 });
});

Deno.test("readLoad() refuses calls that failed", () => {
  for (
    const bad of [
      OUTPUT.replace("800 succeeded, 0 failed", "790 succeeded, 10 failed"),
      OUTPUT.replace("800 2xx, 0 3xx, 0 4xx", "799 2xx, 0 3xx, 1 4xx"),
      OUTPUT.replace("2000.00 req/s", "0.00 req/s"),
      "",
    ]
  ) {
    assertThrows(() => readLoad(bad), Error, "good answers");
  }
});
