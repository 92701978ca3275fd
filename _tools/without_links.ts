/**
 * Uses the real packages of JSR instead of the stand-ins in `_std/` that
 * `"links"` in deno.json points at. It needs a machine that can reach JSR.
 *
 *     deno task without-links     runs the tests
 *     deno task publish           publishes the package
 *
 * The lock file is left out, too: it knows the stand-ins. More arguments are
 * handed on.
 *
 * @module
 */

import { type Config, runWithConfig } from "./with_config.ts";

/**
 * Makes the configuration that uses the real packages.
 *
 * @param config What is in deno.json.
 * @param path The name of the file that it will be in.
 * @returns The same without the links, and with a task `test` that uses it.
 * @throws {Error} When the task `test` does not run `deno test`.
 */
export function withoutLinks(config: Config, path: string): unknown {
  const { links: _, ...rest } = config;
  const command = config.tasks.test?.command ?? "";
  if (!command.startsWith("deno test ")) {
    throw new Error(
      `Cannot leave out links: task "test" must begin with "deno test", received "${command}"`,
    );
  }
  const flags = `deno test --config=${path} `;
  const test = { command: command.replace("deno test ", flags) };
  return { ...rest, lock: false, tasks: { test } };
}

if (import.meta.main) {
  const path = "deno.without_links.json";
  const publish = Deno.args[0] === "publish";
  Deno.exitCode = await runWithConfig({
    path,
    change: withoutLinks,
    args: publish
      ? ["publish", `--config=${path}`, ...Deno.args.slice(1)]
      : ["task", `--config=${path}`, "test", ...Deno.args],
  });
}
