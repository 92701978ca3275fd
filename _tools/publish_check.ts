/**
 * Checks that the package can be published, without doing so.
 *
 *     deno task publish:check
 *
 * As long as `"links"` puts the stand-ins of `_std/` in the place of packages
 * of JSR, Deno takes them for modules of this package, and complains that they
 * are excluded. So in this rehearsal they are not; `deno publish` itself runs
 * without links, where JSR can be reached.
 *
 * @module
 */

import { type Config, runWithConfig } from "./with_config.ts";

/**
 * Makes the configuration that leaves linked packages in.
 *
 * @param config What is in deno.json.
 * @returns The same, with the folder of the stand-ins no longer excluded.
 */
export function withStandIns(config: Config): unknown {
  const exclude = config.publish.exclude.filter((path) => path !== "_std/");
  return { ...config, publish: { ...config.publish, exclude } };
}

if (import.meta.main) {
  const path = "deno.publish_check.json";
  Deno.exitCode = await runWithConfig({
    path,
    change: withStandIns,
    args: ["publish", `--config=${path}`, "--dry-run", "--allow-dirty"],
  });
}
