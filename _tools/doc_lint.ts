/**
 * Checks that everything public is documented.
 *
 *     deno task doc:lint
 *
 * It runs `deno doc --lint` on all entry points of deno.json. That takes a
 * type of an npm package for a private one of this package, wherever it shows
 * in a signature; these findings are left out. So is generated code, which has
 * the comments of its .proto file, or none where that has none.
 *
 * @module
 */

/** One thing that `deno doc --lint` found. */
export interface Finding {
  /** The whole text. */
  readonly text: string;
  /** The module it is in. */
  readonly path: string;
  /** The type that it takes for private, if it is about that. */
  readonly privateType: string | undefined;
}

/**
 * Takes the output of `deno doc --lint` apart.
 *
 * @param output The output, without colours.
 * @returns What it found.
 */
export function parseFindings(output: string): Finding[] {
  return output.split(/^(?=error\[)/m).filter((text) => /^error\[/.test(text))
    .map((text) => ({
      // Behind the last one stands how many there are.
      text: text.replace(/^error: Found [^]*/m, "").trim(),
      path: /^\s*--> (.+):\d+:\d+$/m.exec(text)?.[1] ?? "",
      privateType: /references private type '(.+)'$/m.exec(text)?.[1],
    }));
}

/**
 * Finds the names that a module imports from packages.
 *
 * @param source The source of the module.
 * @returns The names, as the packages call them.
 */
export function packageNames(source: string): Set<string> {
  const imports =
    /^(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s+from\s+"(?!\.)[^"]+"/gm;
  const names = [...source.matchAll(imports)].flatMap(([, list = ""]) =>
    list.split(",").map((item) =>
      item.trim().replace(/^type\s+/, "").replace(/\s+as\s+[^]*/, "")
    )
  );
  return new Set(names.filter((name) => name !== ""));
}

if (import.meta.main) {
  const { exports } = JSON.parse(await Deno.readTextFile("deno.json")) as {
    readonly exports: Readonly<Record<string, string>>;
  };
  const entryPoints = Object.values(exports);
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", ...entryPoints],
    env: { NO_COLOR: "1" },
  }).output();
  const output = new TextDecoder().decode(stderr);
  const all = parseFindings(output);
  const own: Finding[] = [];
  for (const finding of all) {
    const { path, privateType } = finding;
    const foreign = privateType !== undefined &&
      packageNames(await Deno.readTextFile(path)).has(privateType);
    if (!foreign && !path.includes("/gen/")) own.push(finding);
  }
  if (!success && all.length === 0) {
    console.error(output);
    Deno.exit(1);
  }
  own.forEach(({ text }) => console.error(`${text}\n`));
  if (own.length > 0) {
    console.error(`${own.length} findings in the documentation`);
    Deno.exit(1);
  }
  console.log(`${entryPoints.length} entry points are documented`);
}
