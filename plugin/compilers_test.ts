/**
 * Runs the generator for real, under both compilers, over `testdata/`, and has
 * Deno judge what comes out.
 *
 * What the repository holds of it in `testdata/gen/` is what the other tests
 * use; here it is made again.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Compiled } from "../_tools/compile.ts";

const TESTDATA = new URL("testdata/", import.meta.url).pathname;
const COMPILE = new URL("../_tools/compile.ts", import.meta.url).pathname;

/** What Deno said. */
interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function deno(...args: readonly string[]): Promise<Output> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

/** Compiles one of the folders in `testdata/`. */
function compile(
  compiler: "buf" | "protoc",
  folder: string,
  options: string,
): Promise<Output> {
  const permissions = ["--allow-read", "--allow-write", "--allow-run"];
  const args = [compiler, `${TESTDATA}${folder}`, options];
  return deno("run", "--no-prompt", ...permissions, COMPILE, ...args);
}

async function compiled(
  ...args: Parameters<typeof compile>
): Promise<Compiled> {
  const { code, stdout, stderr } = await compile(...args);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

/** What the repository holds, without what protoc-gen-es has made. */
async function held(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  async function read(prefix: string): Promise<void> {
    for await (const entry of Deno.readDir(`${TESTDATA}${folder}${prefix}`)) {
      const path = `${prefix}/${entry.name}`;
      if (entry.isDirectory) await read(path);
      else if (/_grpc\.(ts|js|d\.ts)$/.test(path)) {
        const text = await Deno.readTextFile(`${TESTDATA}${folder}${path}`);
        files[path.slice(1)] = text;
      }
    }
  }
  await read("");
  return files;
}

for (const compiler of ["buf", "protoc"] as const) {
  const probe = await compile(compiler, "js", "target=ts");
  const ignore = probe.code === 69;
  const name = ignore ? `${compiler} (${probe.stderr.trim()})` : compiler;

  Deno.test(`protoc-gen-grpclib makes TypeScript under ${name}`, {
    ignore,
  }, async () => {
    const options = "target=ts,import_extension=ts";
    const { files, skipped } = await compiled(compiler, "proto", options);
    const expected = await held("gen");
    for (const path of skipped) {
      delete expected[path.replace(/\.proto$/, "_grpc.ts")];
    }
    assertEquals(files, expected);
    assert(skipped.every((path) => path.startsWith("editions/")));
  });

  Deno.test(`protoc-gen-grpclib makes JavaScript under ${name}`, {
    ignore,
  }, async () => {
    const options = "target=js+dts,import_extension=ts";
    const { files } = await compiled(compiler, "js", options);
    assertEquals(files, await held("js/gen"));
  });

  Deno.test(`protoc-gen-grpclib refuses unknown options under ${name}`, {
    ignore,
  }, async () => {
    const { code, stderr } = await compile(compiler, "js", "target=ts,foo=1");
    assertEquals(code, 1);
    assertStringIncludes(stderr, 'unknown option "foo"');
  });
}

/** Has Deno judge the generated files, with the settings of a strict user. */
async function judge(...command: readonly string[]): Promise<void> {
  const folders = ["gen", "js/gen"];
  const files = await Promise.all(folders.map(async (folder) => {
    const names = Object.keys(await held(folder));
    return names.map((name) => `${TESTDATA}${folder}/${name}`);
  }));
  const config = `--config=${TESTDATA}strict.json`;
  const { code, stderr } = await deno(...command, config, ...files.flat());
  assertEquals({ code, stderr: code === 0 ? "" : stderr }, {
    code: 0,
    stderr: "",
  });
}

Deno.test("protoc-gen-grpclib passes deno lint, and makes no slow types", async () => {
  await judge("lint");
});

Deno.test("protoc-gen-grpclib makes what deno check accepts", async () => {
  await judge("check");
});

Deno.test("strict.json lists all generated files, for which it looks for slow types", async () => {
  const text = await Deno.readTextFile(`${TESTDATA}strict.json`);
  const { exports } = JSON.parse(text) as {
    readonly exports: Readonly<Record<string, string>>;
  };
  const names = Object.keys(await held("gen")).map((name) => `./gen/${name}`);
  assertEquals(Object.values(exports).toSorted(), names.toSorted());
});
