/**
 * Runs a foreign program:
 *
 *     deno run -A _testdata/run_tool.ts [--limit=ms] [--input] path [args]
 *
 * With `--input` it has this process' input, and should leave when that ends;
 * otherwise it is ended then. It is also ended after the limit, and by SIGTERM.
 *
 * @module
 */

/** Runs the program, and gives its code. */
async function main(args: string[]): Promise<number> {
  let limitMs: number | undefined;
  let hasInput = false;
  while (args[0]?.startsWith("--")) {
    const [option, value] = args.shift()!.split("=");
    if (option === "--limit") limitMs = Number(value);
    else hasInput = true;
  }
  const [path, ...rest] = args;
  const child = new Deno.Command(path!, {
    args: rest,
    stdin: hasInput ? "inherit" : "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const end = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // It has ended already.
    }
  };
  if (limitMs !== undefined) setTimeout(() => end("SIGKILL"), limitMs);
  if (Deno.build.os !== "windows") {
    Deno.addSignalListener("SIGTERM", () => end("SIGTERM"));
  }
  if (!hasInput) {
    Deno.stdin.readable.pipeTo(new WritableStream()).finally(() => {
      end("SIGTERM");
      setTimeout(() => end("SIGKILL"), 2_000);
    });
  }
  return (await child.status).code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
