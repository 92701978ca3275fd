/**
 * What `deno task bench` can be told.
 *
 * @module
 */

import { parseArgs } from "node:util";

/** The help. */
export const USAGE = `Measures this library and others.

  deno task bench [options]

  --quick              the main scenarios only, in less than a minute
  --only a,b           scenarios whose names begin so
  --contenders a,b     contenders of these names; "ours-*" is all that begin so
  --against folder     another checkout of this library, in the same rounds
  --rounds n           rounds of each measurement (default 5)
  --turn-ms n          how long one turn takes (default 100)
  --long               looks at memory after 5 million calls, not 11 500
  --json file          where the results go as JSON
  --render             write docs/performance.md from bench/results.json again
  --list               names of scenarios and contenders
  --help               this

Without --quick, --only, --contenders and --against it writes
bench/results.json and docs/performance.md.`;

/** The options, as they were given. */
export interface Options {
  readonly quick: boolean;
  readonly only: readonly string[];
  readonly contenders: readonly string[];
  readonly against: string | undefined;
  readonly rounds: number | undefined;
  readonly turnMs: number | undefined;
  readonly long: boolean;
  readonly json: string | undefined;
  readonly render: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

/**
 * Reads the options.
 *
 * @throws {TypeError} If there is one that does not exist.
 * @throws {RangeError} If a number is none, or less than 1.
 */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true },
      contenders: { type: "string", multiple: true },
      against: { type: "string" },
      rounds: { type: "string" },
      "turn-ms": { type: "string" },
      long: { type: "boolean", default: false },
      json: { type: "string" },
      render: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  return {
    quick: values.quick,
    only: names(values.only),
    contenders: names(values.contenders),
    against: values.against,
    rounds: count("--rounds", values.rounds),
    turnMs: count("--turn-ms", values["turn-ms"]),
    long: values.long,
    json: values.json,
    render: values.render,
    list: values.list,
    help: values.help,
  };
}

/**
 * Whether a name is one of those that were asked for: the same, or with a `*`
 * at the end all that begin so. When nothing was asked for all are.
 */
export function isChosen(name: string, patterns: readonly string[]): boolean {
  return patterns.length === 0 ||
    patterns.some((pattern) =>
      pattern.endsWith("*")
        ? name.startsWith(pattern.slice(0, -1))
        : name === pattern
    );
}

function names(lists: readonly string[] = []): string[] {
  return lists.flatMap((list) => list.split(",")).filter((it) => it !== "");
}

function count(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new RangeError(
    `Cannot read ${option}: needs an integer of at least 1, received "${text}"`,
  );
}
