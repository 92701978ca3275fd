/**
 * Checks the types of the package as a program sees them that uses it: by the
 * compiler options that Deno has by itself, and not those of deno.json.
 *
 *     deno task consumer:check
 *
 * What is stricter here can be wrong there, as `exactOptionalPropertyTypes` is,
 * for the sources of a package are checked with those who import it.
 *
 * @module
 */

import { type Config, runWithConfig } from "./with_config.ts";

/** What is in deno.json, as far as it is read here. */
export interface ConsumerConfig extends Config {
  /** The entry points, by their names. */
  readonly exports: Readonly<Record<string, string>>;
  /** What the compiler is told. */
  readonly compilerOptions?: unknown;
}

/** Makes the configuration of a program that has no wishes. */
export function asConsumer(config: ConsumerConfig): unknown {
  const { compilerOptions: _, ...rest } = config;
  return { ...rest, lock: { path: "./deno.lock", frozen: true } };
}

if (import.meta.main) {
  const path = "deno.consumer_check.json";
  const text = await Deno.readTextFile("deno.json");
  const { exports } = JSON.parse(text) as ConsumerConfig;
  Deno.exitCode = await runWithConfig({
    path,
    change: (config) => asConsumer(config as ConsumerConfig),
    args: ["check", `--config=${path}`, ...Object.values(exports)],
  });
}
