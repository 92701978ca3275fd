/**
 * Runs all checks but the tests, whatever fails, and says at the end what did.
 *
 *     deno task ok
 *
 * @module
 */

/** The checks, as arguments of `deno`. */
const CHECKS: readonly string[] = [
  ...["fmt --check", "lint", "check ."],
  ...["task consumer:check", "task layers", "task words"],
  ...["task doc:lint", "task publish:check"],
];

const failed: string[] = [];
for (const check of CHECKS) {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: check.split(" "),
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) failed.push(`deno ${check}`);
}
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join(", ")}`);
  Deno.exit(1);
}
