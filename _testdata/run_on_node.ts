/**
 * Bundles a program with all that it imports, and runs it under Node:
 *
 *     deno run -A _testdata/run_on_node.ts path/to/node program.ts [args]
 *
 * @module
 */

async function main(args: readonly string[]): Promise<number> {
  const [node, program, ...rest] = args;
  const bundle = await Deno.makeTempFile({ suffix: ".mjs" });
  try {
    const bundling = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["bundle", "--quiet", "--platform=browser", "--output", bundle],
        program!,
      ],
      stdout: "null",
    }).output();
    if (!bundling.success) {
      throw new Error(new TextDecoder().decode(bundling.stderr));
    }
    const { code } = await new Deno.Command(node!, {
      args: [bundle, ...rest],
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn().status;
    return code;
  } finally {
    await Deno.remove(bundle);
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
