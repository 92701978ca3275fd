/**
 * Checks that the package can be published, without doing so.
 *
 *     deno task publish:check
 *
 * As long as `"links"` puts the stand-ins of `_std/` in the place of packages
 * of JSR, Deno takes them for modules of this package, and complains that they
 * are excluded. So in this rehearsal they are not; all else is as in deno.json.
 * It cannot do without the links, as `deno task publish` does, for then it would
 * need JSR, and every change is to be checked where that cannot be reached. Where
 * it can, `deno task publish --dry-run` rehearses with the very configuration
 * that the package is published with.
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
