/**
 * Flags of a command line, as gRPC's own tests have them.
 *
 * @module
 */

/** Reads `--name=value`, `--name value` and `--name` of a command line. */
export function flagsOf(args: readonly string[]): Record<string, string> {
  const flags: Record<string, string> = {};
  for (let i = 0; i < args.length; i++) {
    const [, name, value] = /^--?([a-z_]+)(?:=([^]*))?$/.exec(args[i]!) ?? [];
    if (name === undefined) {
      throw new Error(`Cannot read flags: "${args[i]}" is none`);
    }
    if (value !== undefined) flags[name] = value;
    else if (i + 1 < args.length && !args[i + 1]!.startsWith("-")) {
      flags[name] = args[++i]!;
    } else flags[name] = "true";
  }
  return flags;
}
