import { assertEquals, assertThrows } from "@std/assert";
import { ATTACKS } from "./catalogue.ts";
import { parseOptions } from "./options.ts";

const names = (args: readonly string[]): string[] =>
  parseOptions(args).attacks.map(({ name }) => name);

Deno.test("parseOptions() chooses all attacks, those of the short form, or some by name", () => {
  assertEquals(names([]), ATTACKS.map(({ name }) => name));
  assertEquals(
    names(["--short"]),
    ATTACKS.filter((it) => it.shortSeconds !== undefined).map((it) => it.name),
  );
  assertEquals(names(["--only=D6,rapid", "--short"]), [
    ...["D6-halves", "rapid-reset", "client-D6-halves"],
  ]);
});

Deno.test("parseOptions() attacks servers alone over TLS", () => {
  assertEquals(
    names(["--tls"]),
    ATTACKS.filter((it) => it.on !== "client").map((it) => it.name),
  );
  assertEquals(parseOptions(["--tls"]).isTLS, true);
  assertEquals(parseOptions([]).isTLS, false);
});

Deno.test("parseOptions() has defaults for what an option leaves out", () => {
  const { mix, churn, report, engines } = parseOptions([]);
  assertEquals([mix, churn, report], [null, null, null]);
  assertEquals(engines, ["node", "native"]);
  assertEquals(parseOptions(["--mix"]).mix, 600);
  assertEquals(parseOptions(["--mix=5"]).mix, 5);
  assertEquals(parseOptions(["--churn"]).churn, 10_000);
  assertEquals(parseOptions(["--report=a.md"]).report, "a.md");
  assertEquals(parseOptions(["--engine=native"]).engines, ["native"]);
});

for (const arg of ["--none", "none", "--only=none", "--mix=-1", "--churn=x"]) {
  Deno.test(`parseOptions() refuses ${arg}`, () => {
    assertThrows(() => parseOptions([arg]), RangeError);
  });
}

Deno.test("ATTACKS have names of their own", () => {
  assertEquals(new Set(ATTACKS.map(({ name }) => name)).size, ATTACKS.length);
});
