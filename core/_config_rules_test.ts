// The options of a configuration are written down in three places: the rules,
// the documentation of the type, and the table in docs/configuration.md. These
// tests hold them together.

import { assert, assertEquals } from "@std/assert";
import { NAMES, needOf, type Rule, RULES } from "./_config_rules.ts";

/** What the documentation says of one option. */
interface Row {
  readonly client: string;
  readonly server: string;
  readonly unit: string;
  readonly range: string;
  readonly core: string;
}

/** Reads the table in docs/configuration.md. */
async function readTable(): Promise<Map<string, Row>> {
  const text = await Deno.readTextFile(
    new URL("../docs/configuration.md", import.meta.url),
  );
  const rows = text.matchAll(/^\| `(\w+)` +\|(.*)\|$/gm);
  return new Map(Array.from(rows, ([, name = "", rest = ""]) => {
    const [client = "", server = "", unit = "", range = "", core = ""] = rest
      .split("|").map((cell) => cell.trim().replaceAll("`", ""));
    return [name, { client, server, unit, range, core }];
  }));
}

/** Reads the documentation of each option. */
async function readComments(): Promise<Map<string, string>> {
  const text = await Deno.readTextFile(
    new URL("./_config_options.ts", import.meta.url),
  );
  const comments = text.matchAll(
    /\/\*\*((?:(?!\*\/)[^])*)\*\/\s+readonly (\w+)\?/g,
  );
  return new Map(Array.from(comments, ([, comment = "", name = ""]) => [
    name,
    comment.replace(/\s*\n\s*\* ?/g, " ").trim(),
  ]));
}

/** How a default is written. */
function shown(value: unknown): string {
  return value === undefined ? "none" : `${value}`;
}

/** How a range is written in the documentation of the type. */
function inWords({ kind, range }: Rule): string | undefined {
  if (range === undefined) return undefined;
  const { min, aboveMin, max, orInfinity } = range;
  const bits = Math.log2(max + 1);
  const most = `2${bits === 53 ? "⁵³" : bits === 32 ? "³²" : "³¹"} − 1`;
  const noun = kind === "integer" ? "an integer " : "";
  return aboveMin
    ? `more than ${min}, at most ${most}${orInfinity ? ", or Infinity" : ""}`
    : `${noun}from ${min} to ${most}${orInfinity ? ", or Infinity" : ""}`;
}

Deno.test("docs/configuration.md has every option, in the order of the rules", async () => {
  const table = await readTable();
  assertEquals([...table.keys()], [...NAMES]);
});

Deno.test("docs/configuration.md has the defaults of the rules", async () => {
  const table = await readTable();
  for (const name of NAMES) {
    const { client, server } = table.get(name)!;
    const { defaults }: Rule = RULES[name];
    // A dash says that the side does not read the option.
    assert(client !== "–" || server !== "–", name);
    if (client !== "–") assertEquals(client, shown(defaults.client), name);
    if (server !== "–") assertEquals(server, shown(defaults.server), name);
  }
});

Deno.test("docs/configuration.md has the units of the names and the ranges of the rules", async () => {
  const table = await readTable();
  for (const name of NAMES) {
    const { unit, range } = table.get(name)!;
    const rule: Rule = RULES[name];
    assertEquals(
      unit,
      /Ms$/.test(name) ? "ms" : /Size$|Bytes/.test(name) ? "bytes" : "–",
      name,
    );
    if (rule.range !== undefined) {
      assertEquals(range, needOf(rule.kind, rule.range), name);
    }
  }
});

Deno.test("ConfigurationOptions documents the sides, defaults and ranges that the table and the rules have", async () => {
  const [table, comments] = [await readTable(), await readComments()];
  assertEquals([...comments.keys()], [...NAMES]);
  for (const name of NAMES) {
    const comment = comments.get(name)!;
    const row = table.get(name)!;
    const rule: Rule = RULES[name];
    const { client, server } = rule.defaults;
    assertEquals(/^Of a server: /.test(comment), row.client === "–", name);
    assertEquals(/^Of a client: /.test(comment), row.server === "–", name);
    assertEquals(
      /@default (.*)$/.exec(comment)?.[1],
      client === server
        ? `{${client}}`
        : `{${client}} for a client, ${server} for a server`,
      name,
    );
    const words = inWords(rule);
    if (words !== undefined) {
      // With nothing behind it that would widen the range.
      assert(new RegExp(`${words}[.; ,](?! or Infinity)`).test(comment), name);
    }
    assertEquals(
      /\[`(grpc\.[\w.]+)`\]/.exec(comment)?.[1] ?? "–",
      row.core,
      name,
    );
  }
});

Deno.test("RULES has defaults that the rules allow", () => {
  for (const name of NAMES) {
    const { kind, range, defaults }: Rule = RULES[name];
    for (const value of [defaults.client, defaults.server]) {
      if (value === undefined) continue;
      assertEquals(typeof value, kind === "integer" ? "number" : kind, name);
      if (range === undefined) continue;
      const number = value as number;
      assert(
        number === Infinity
          ? range.orInfinity
          : number >= range.min && number <= range.max,
        name,
      );
    }
  }
});

Deno.test("RULES has delays whose names tell the unit", () => {
  for (const name of NAMES) {
    const { kind }: Rule = RULES[name];
    assertEquals(kind === "number", /Ms$/.test(name), name);
  }
});
