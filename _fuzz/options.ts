/**
 * The options of the fuzzer, on its command line.
 *
 * @module
 */

import type { HTTP2Engine } from "../client.ts";
import { ENGINES, type Transport, TRANSPORTS } from "./world.ts";

/** What is played. */
export interface FuzzOptions {
  readonly transport: Transport;
  readonly engine: HTTP2Engine;
  /** The first seed. */
  readonly from: number;
  /** How many seeds. */
  readonly seeds: number;
  /** Whether every step is written out. */
  readonly verbose: boolean;
}

/**
 * Reads the options, each as `--name value`.
 *
 * @throws {RangeError} If one of them is unknown, or its value is.
 */
export function parseOptions(args: readonly string[]): FuzzOptions {
  const values = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const name = args[i]!;
    if (!NAMES.includes(name)) throw new RangeError(`Unknown option: ${name}`);
    values.set(name, name === "--verbose" ? "yes" : args[++i] ?? "");
  }
  return {
    transport: choose("--transport", values, TRANSPORTS),
    engine: choose("--http2", values, ENGINES),
    from: count("--from", values, 1),
    seeds: count("--seeds", values, 20),
    verbose: values.has("--verbose"),
  };
}

const NAMES = ["--transport", "--http2", "--from", "--seeds", "--verbose"];

/** Makes the command line of the options. */
export function formatOptions(options: FuzzOptions): string[] {
  const { transport, engine, from, seeds, verbose } = options;
  return [
    ...["--transport", transport, "--http2", engine],
    ...["--from", `${from}`, "--seeds", `${seeds}`],
    ...(verbose ? ["--verbose"] : []),
  ];
}

function choose<T extends string>(
  name: string,
  values: ReadonlyMap<string, string>,
  choices: readonly T[],
): T {
  const value = values.get(name) ?? choices[0];
  const choice = choices.find((it) => it === value);
  if (choice !== undefined) return choice;
  throw new RangeError(
    `${name} must be one of ${choices.join(", ")}, received ${value}`,
  );
}

function count(
  name: string,
  values: ReadonlyMap<string, string>,
  otherwise: number,
): number {
  const value = Number(values.get(name) ?? otherwise);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new RangeError(
    `${name} must be an integer of at least 1, received ${values.get(name)}`,
  );
}
