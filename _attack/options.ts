/**
 * The options of the attacks, on their command line.
 *
 * @module
 */

import type { HTTP2Engine } from "../client.ts";
import { enginesOf } from "../_tools/engine_option.ts";
import type { Attack } from "./attack.ts";
import { ATTACKS } from "./catalogue.ts";

/** What is done. */
export interface Options {
  readonly engines: readonly HTTP2Engine[];
  readonly attacks: readonly Attack[];
  /** Whether servers are attacked over TLS. */
  readonly isTLS: boolean;
  /** Whether it has to be over within a minute. */
  readonly isShort: boolean;
  /** Where the table is written to, if anywhere. */
  readonly report: string | null;
  /** How long traffic of all kinds goes on, in seconds, if it is to. */
  readonly mix: number | null;
  /** How many connections are opened and closed, if any. */
  readonly churn: number | null;
}

const NAMES = ["engine", "only", "tls", "short", "report", "mix", "churn"];

/** How long the traffic goes on if nobody says, in seconds. */
const MIX_SECONDS = 600;

/** How many connections are opened if nobody says. */
const CHURN_CONNECTIONS = 10_000;

/**
 * Reads the options, each as `--name` or `--name=value`.
 *
 * @throws {RangeError} If one is unknown, or its value is.
 */
export function parseOptions(args: readonly string[]): Options {
  const values = new Map<string, string>();
  for (const arg of args) {
    const [, name, value = ""] = /^--(\w+)(?:=(.*))?$/.exec(arg) ?? [];
    if (name === undefined || !NAMES.includes(name)) {
      throw new RangeError(
        `There is no option ${arg}: there are --${NAMES.join(", --")}`,
      );
    }
    values.set(name, value);
  }
  const isShort = values.has("short");
  const only = values.get("only")?.split(",");
  const isTLS = values.has("tls");
  const attacks = ATTACKS.filter(({ name, on, shortSeconds }) =>
    !(isTLS && on === "client") &&
    (only === undefined
      ? !isShort || shortSeconds !== undefined
      : only.some((it) => name.includes(it)))
  );
  if (attacks.length === 0) {
    throw new RangeError(
      `--only must be part of a name, received ${only}; there are ${
        ATTACKS.map(({ name }) => name).join(", ")
      }`,
    );
  }
  const count = (name: string, otherwise: number): number | null => {
    const value = values.get(name);
    if (value === undefined) return null;
    const number = value === "" ? otherwise : Number(value);
    if (Number.isInteger(number) && number > 0) return number;
    throw new RangeError(
      `--${name} must be a positive integer, received ${value}`,
    );
  };
  return {
    engines: enginesOf(args),
    attacks,
    isTLS,
    isShort,
    report: values.has("report")
      ? values.get("report") || "attack-report.md"
      : null,
    mix: count("mix", MIX_SECONDS),
    churn: count("churn", CHURN_CONNECTIONS),
  };
}
