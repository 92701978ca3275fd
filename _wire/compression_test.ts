import { assertEquals } from "@std/assert";
import { acceptEncodingOf, acceptsEncoding } from "./compression.ts";

Deno.test("acceptEncodingOf() names identity first", () => {
  assertEquals(acceptEncodingOf([]), "identity");
  assertEquals(acceptEncodingOf(["gzip", "br"]), "identity,gzip,br");
});

Deno.test("acceptsEncoding() looks for the name in the list when there is one", () => {
  const cases: [string | null, string, boolean][] = [
    [null, "gzip", false],
    [null, "identity", true],
    ["", "gzip", false],
    ["deflate", "identity", true],
    ["identity,deflate,gzip", "gzip", true],
    ["identity, gzip ,br", "gzip", true],
    ["gzipped", "gzip", false],
    ["GZIP", "gzip", false],
  ];
  for (const [list, name, expected] of cases) {
    assertEquals(acceptsEncoding(list, name), expected, `${list} ${name}`);
  }
});
