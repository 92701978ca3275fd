/**
 * Runs a compiler of .proto files, with the plugins that this repository uses.
 *
 *     deno run -A _tools/compile.ts <buf|protoc> <folder> [options]
 *
 * As a program it takes the options of this repository's own plugin, runs that
 * one alone, and prints what comes out, as a {@linkcode Compiled} in JSON. Where
 * the compiler cannot be had it says so on stderr and exits with 69.
 *
 * buf comes from npm. protoc is the one on the PATH, or the one that
 * `deno task plugin:tools` has installed.
 *
 * @module
 */

const BUF = "npm:@bufbuild/buf@1.70.0";
const PROTOC_GEN_ES = "npm:@bufbuild/protoc-gen-es@2.17.0";

/** The first version of protoc for each edition. */
const EDITIONS: readonly (readonly [edition: string, protoc: number])[] = [
  ["2023", 27],
  ["2024", 32],
];

/** A file that comes with protoc. */
const WELL_KNOWN = "google/protobuf/any.proto";

/** The folder that `deno task plugin:tools` installs grpcio-tools into. */
export const PYTHON_PACKAGES: URL = new URL("../.protoc/", import.meta.url);

/** A plugin and its options. */
export interface PluginRun {
  /** The plugin: that of protobuf-es, or this repository's own. */
  readonly plugin: "es" | "grpclib";
  /** Its options, such as `target=ts,import_extension=ts`. */
  readonly options: string;
}

/** Something to compile. */
export interface Compilation {
  /** The folder that the names of the .proto files are relative to. */
  readonly root: string;
  /** The folder to write to. */
  readonly out: string;
  /** What to run. */
  readonly plugins: readonly PluginRun[];
}

/** What came out. */
export interface Compiled {
  /** The generated files, by their names. */
  readonly files: Readonly<Record<string, string>>;
  /** The .proto files that are too new for the compiler. */
  readonly skipped: readonly string[];
}

/** A compiler that cannot be had here. */
export class MissingCompilerError extends Error {
  override readonly name = "MissingCompilerError";
}

/**
 * Compiles with buf.
 *
 * @param compilation What to compile.
 * @throws {MissingCompilerError} If npm does not give it.
 * @throws {Error} If it fails.
 */
export async function compileWithBuf(compilation: Compilation): Promise<void> {
  const { root, out, plugins } = compilation;
  const buf = ["run", "-A", "--no-lock", BUF];
  const version = await outputOf(Deno.execPath(), [...buf, "--version"]);
  if (version === undefined) {
    throw new MissingCompilerError(`npm does not give ${BUF}`);
  }
  const template = {
    version: "v2",
    plugins: plugins.map(({ plugin, options }) => ({
      local: [Deno.execPath(), ...argumentsOf(plugin)],
      out: ".",
      opt: options,
    })),
  };
  await run(Deno.execPath(), [
    ...[...buf, "generate", root],
    ...["--template", JSON.stringify(template), "--output", out],
  ]);
}

/**
 * Compiles with protoc.
 *
 * @param compilation What to compile.
 * @returns The files that are too new for it.
 * @throws {MissingCompilerError} If there is none.
 * @throws {Error} If it fails.
 */
export async function compileWithProtoc(
  compilation: Compilation,
): Promise<string[]> {
  const { root, out, plugins } = compilation;
  const protoc = await findProtoc();
  if (protoc === undefined) {
    throw new MissingCompilerError(
      'there is none; "deno task plugin:tools" installs one',
    );
  }
  const files: string[] = [];
  const skipped: string[] = [];
  for (const name of (await namesUnder(root)).sort()) {
    if (!name.endsWith(".proto")) continue;
    const [, edition] = /^edition = "(\d+)"/m.exec(
      await Deno.readTextFile(`${root}/${name}`),
    ) ?? [];
    const [, needed = 0] = EDITIONS.find(([name]) => name === edition) ?? [];
    (protoc.version < needed ? skipped : files).push(name);
  }

  const scripts = await Deno.makeTempDir({ prefix: "grpclib_protoc_" });
  try {
    const args = [`--proto_path=${root}`];
    for (const { plugin, options } of plugins) {
      // protoc runs programs without arguments.
      const script = `${scripts}/protoc-gen-${plugin}`;
      const command = [Deno.execPath(), ...argumentsOf(plugin)]
        .map((part) => `'${part}'`).join(" ");
      await Deno.writeTextFile(script, `#!/bin/sh\nexec ${command}\n`, {
        mode: 0o755,
      });
      args.push(
        `--plugin=protoc-gen-${plugin}=${script}`,
        `--${plugin}_out=${out}`,
        `--${plugin}_opt=${options}`,
      );
    }
    await run(protoc.command, [...protoc.args, ...args, ...files]);
  } finally {
    await Deno.remove(scripts, { recursive: true });
  }
  return skipped;
}

/** How Deno runs a plugin. */
function argumentsOf(plugin: "es" | "grpclib"): string[] {
  if (plugin === "es") return ["run", "-A", "--no-lock", PROTOC_GEN_ES];
  const main = new URL("../plugin/main.ts", import.meta.url);
  return ["run", "--no-prompt", main.pathname];
}

/** A way to run protoc. */
export interface Protoc {
  /** The command. */
  readonly command: string;
  /** The arguments that come before those for protoc. */
  readonly args: readonly string[];
  /** The version; the many that were 3.something count as 3. */
  readonly version: number;
}

/**
 * Finds protoc.
 *
 * @returns How to run it, or `undefined` if there is none.
 */
export async function findProtoc(): Promise<Protoc | undefined> {
  const python = `import sys; sys.path.insert(0, sys.argv.pop(1))
from grpc_tools import protoc; import pathlib
proto = pathlib.Path(protoc.__file__).parent / "_proto"
sys.exit(protoc.main([*sys.argv, f"--proto_path={proto}"]))`;
  const candidates: [command: string, ...args: string[]][] = [
    ["protoc"],
    ["python3", "-c", python, PYTHON_PACKAGES.pathname],
  ];
  for (const [command, ...args] of candidates) {
    const output = await outputOf(command, [...args, "--version"]);
    const [, version] = /^libprotoc (\d+)/.exec(output ?? "") ?? [];
    // Debian has the well-known types in another package.
    const whole = ["--descriptor_set_out=/dev/null", WELL_KNOWN];
    if (await outputOf(command, [...args, ...whole]) === undefined) continue;
    return { command, args, version: Number(version) };
  }
  return undefined;
}

/**
 * Reads all files under a folder.
 *
 * @param dir The folder.
 * @returns Their texts, by path relative to the folder.
 */
export async function readFiles(dir: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of await namesUnder(dir)) {
    files.set(name, await Deno.readTextFile(`${dir}/${name}`));
  }
  return files;
}

async function namesUnder(dir: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (!isDirectory) names.push(name);
    else {
      const inside = await namesUnder(`${dir}/${name}`);
      names.push(...inside.map((file) => `${name}/${file}`));
    }
  }
  return names;
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command(command, {
    args: [...args],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code === 0) return;
  throw new Error(
    `Cannot generate code: ${new TextDecoder().decode(stderr).trim()}`,
  );
}

/**
 * Runs a command that may not be there.
 *
 * @param command The command.
 * @param args Its arguments.
 * @returns What it prints, or `undefined` if it is not there or fails.
 */
export async function outputOf(
  command: string,
  args: readonly string[],
): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, {
      args: [...args],
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Compiles a folder with this repository's plugin. */
async function main(
  [compiler = "", root = "", options = ""]: readonly string[],
): Promise<number> {
  const out = await Deno.makeTempDir({ prefix: "grpclib_compile_" });
  try {
    const plugins = [{ plugin: "grpclib", options }] as const;
    const compilation = { root, out, plugins };
    const skipped = compiler === "buf"
      ? (await compileWithBuf(compilation), [])
      : await compileWithProtoc(compilation);
    const files = Object.fromEntries(await readFiles(out));
    const compiled: Compiled = { files, skipped };
    console.log(JSON.stringify(compiled));
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return error instanceof MissingCompilerError ? 69 : 1;
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
