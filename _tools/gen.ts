/**
 * Generates the TypeScript of every .proto file of the repository.
 *
 *     deno task gen            writes the files
 *     deno task gen --check    writes nothing, fails when a file is not up to date
 *
 * `x.proto` becomes `gen/x_pb.ts`, and `gen/x_grpc.ts` if it has services, in
 * the folder beside it. Where the path of a file matters, because it is part of
 * the descriptor, the tree of files stands in a folder named `proto`, and `gen`
 * is its neighbour: `health/proto/grpc/health/v1/health.proto` becomes
 * `health/gen/grpc/health/v1/health_pb.ts`.
 *
 * The compiler is buf, and the plugins are protoc-gen-es and that of `plugin/`.
 * All run on the Deno that runs this program; buf and protoc-gen-es come from
 * npm. Where npm does not give buf, `--check` says so and passes.
 *
 * @module
 */

import {
  compileWithBuf,
  MissingCompilerError,
  type PluginRun,
} from "./compile.ts";

/** The files that come from the plugins. */
const GENERATED = /_(pb|grpc)\.(ts|js|d\.ts)$/;

/** Folders that hold no sources of this repository. */
const SKIPPED = new Set(["gen", "node_modules", "coverage"]);

/** What both plugins are told. */
const OPTIONS = "target=ts,import_extension=ts";

/** What this repository's plugin is told instead, by the folder it is for. */
const OTHER_OPTIONS: Readonly<Record<string, string>> = {
  "plugin/testdata/js": "target=js+dts,import_extension=ts",
};

/**
 * The folders that get no classes: nobody needs them there, or the library has
 * services there of its own, and imports nothing by its own name.
 */
const MESSAGES_ONLY = new Set([
  "_protobuf/testdata/proto",
  "admin/proto",
  "bench",
  "health/proto",
  "interop/conformance/proto",
  "interop/proto",
  "reflection/proto",
]);

/** A folder that import paths of .proto files are relative to. */
export interface ProtoRoot {
  /** The folder with the .proto files, relative to the repository. */
  readonly dir: string;
  /** The folder for what is generated from them. */
  readonly out: string;
}

/** What has to happen to a generated file. */
export interface Difference {
  /** The file, relative to the repository. */
  readonly path: string;
  /** Why it is not as it should be. */
  readonly reason: "missing" | "outdated" | "stale";
}

/**
 * Finds the folder that a .proto file is named relative to.
 *
 * @param path The path of the file, relative to the repository.
 * @returns The folder, and the one for what is generated.
 */
export function protoRoot(path: string): ProtoRoot {
  const folders = path.split("/").slice(0, -1);
  const proto = folders.indexOf("proto");
  const dir = proto < 0 ? folders : folders.slice(0, proto + 1);
  const parent = proto < 0 ? folders : folders.slice(0, proto);
  return { dir: dir.join("/") || ".", out: [...parent, "gen"].join("/") };
}

/**
 * Compares what is there with what was generated.
 *
 * @param actual The files that are there, by path.
 * @param generated The files as they have to be, by path.
 * @returns What differs, by path.
 */
export function differences(
  actual: ReadonlyMap<string, string>,
  generated: ReadonlyMap<string, string>,
): Difference[] {
  const found: Difference[] = [];
  for (const [path, text] of generated) {
    const old = actual.get(path);
    if (old === undefined) found.push({ path, reason: "missing" });
    else if (old !== text) found.push({ path, reason: "outdated" });
  }
  for (const path of actual.keys()) {
    if (!generated.has(path)) found.push({ path, reason: "stale" });
  }
  return found.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** The paths of all files under a folder, itself left out. */
async function* walk(dir: string, prefix = ""): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    if (!isDirectory) yield prefix + name;
    else if (!name.startsWith(".") && !SKIPPED.has(name)) {
      yield* walk(`${dir}/${name}`, `${prefix}${name}/`);
    }
  }
}

/** The text of all files under a folder, by path with a prefix. */
async function readTree(
  dir: string,
  prefix: string,
): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  try {
    for await (const path of walk(dir)) {
      files.set(prefix + path, await Deno.readTextFile(`${dir}/${path}`));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return files;
}

/** Runs the compiler over one root. */
async function generate(root: ProtoRoot, out: string): Promise<void> {
  const plugins: PluginRun[] = [{ plugin: "es", options: OPTIONS }];
  if (!MESSAGES_ONLY.has(root.dir)) {
    const options = OTHER_OPTIONS[root.dir] ?? OPTIONS;
    plugins.push({ plugin: "grpclib", options });
  }
  await compileWithBuf({ root: root.dir, out, plugins });
}

/** Writes one file, or takes it away when it is no longer generated. */
async function mend(
  path: string,
  generated: ReadonlyMap<string, string>,
): Promise<void> {
  const text = generated.get(path);
  if (text === undefined) return await Deno.remove(path);
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(path, text);
}

/** Generates, and then writes or only compares. */
async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => arg !== "--check");
  if (unknown !== undefined) {
    console.error(`Cannot generate code: unknown argument "${unknown}"`);
    return 2;
  }
  const roots = new Map<string, ProtoRoot>();
  for await (const path of walk(".")) {
    if (!path.endsWith(".proto")) continue;
    const root = protoRoot(path);
    roots.set(root.dir, root);
  }

  const check = args.includes("--check");
  const actual = new Map<string, string>();
  const generated = new Map<string, string>();
  const temp = await Deno.makeTempDir({ prefix: "grpclib_gen_" });
  try {
    for (const [index, root] of [...roots.values()].entries()) {
      await generate(root, `${temp}/${index}`);
      const files = await readTree(`${temp}/${index}`, `${root.out}/`);
      for (const [path, text] of files) generated.set(path, text);
      for (const [path, text] of await readTree(root.out, `${root.out}/`)) {
        if (GENERATED.test(path)) actual.set(path, text);
      }
    }
  } catch (error) {
    if (!(error instanceof MissingCompilerError)) throw error;
    console.error(
      `Generated code is not ${check ? "checked" : "made"}: ${error.message}`,
    );
    return check ? 0 : 1;
  } finally {
    await Deno.remove(temp, { recursive: true });
  }

  const found = differences(actual, generated);
  for (const { path, reason } of found) {
    console.log(`${reason.padEnd(8)}  ${path}`);
    if (!check) await mend(path, generated);
  }
  const count = `${generated.size} generated files`;
  if (found.length === 0) console.log(`${count} are up to date`);
  else if (check) {
    console.error(`Run "deno task gen": ${found.length} of ${count} differ`);
  }
  return check && found.length > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
