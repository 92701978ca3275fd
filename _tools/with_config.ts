/**
 * Runs Deno with a configuration that differs a little from deno.json.
 *
 * @module
 */

/** What is in deno.json, as far as it is read here. */
export interface Config {
  /** The packages that stand in for others. */
  readonly links?: readonly string[];
  /** The commands. */
  readonly tasks: Readonly<Record<string, { readonly command: string }>>;
  /** What is published. */
  readonly publish: { readonly exclude: readonly string[] };
}

/** A way to run Deno with another configuration. */
export interface Variant {
  /** The name of the file that holds the configuration meanwhile. */
  readonly path: string;
  /** Makes the configuration from that of deno.json. */
  readonly change: (config: Config, path: string) => unknown;
  /** The arguments to run Deno with. */
  readonly args: readonly string[];
}

/**
 * Writes a changed configuration beside deno.json, runs Deno with it, and
 * takes it away again.
 *
 * It has to be beside deno.json because the paths in it are relative to it.
 *
 * @param variant What to change and what to run.
 * @returns The exit code.
 */
export async function runWithConfig(variant: Variant): Promise<number> {
  const { path, change, args } = variant;
  const config = JSON.parse(await Deno.readTextFile("deno.json")) as Config;
  const text = JSON.stringify(change(config, path), null, 2);
  await Deno.writeTextFile(path, `${text}\n`);
  try {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: [...args],
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    return code;
  } finally {
    await Deno.remove(path);
  }
}
