/**
 * Runs the conformance suite of connectrpc against this client and server, on
 * both HTTP/2 engines or on that of `--engine`:
 *
 *     deno task interop:tools   installs the suite
 *     deno task conformance     runs it; --report writes docs/conformance.md
 *
 * Where the suite is not installed that is said in one line, and is no failure.
 *
 * @see {@link https://github.com/connectrpc/conformance}
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import { tool } from "../_testdata/tools.ts";
import type { HTTP2Engine } from "../_http2/engine.ts";
import { engineArgs, enginesOf } from "./engine_option.ts";
import { report, table } from "./report.ts";

/** What one mode of the suite found. */
interface Result {
  readonly mode: string;
  readonly engine: HTTP2Engine;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

async function run(
  runner: string,
  mode: string,
  engine: HTTP2Engine,
): Promise<Result> {
  const start = performance.now();
  const { stdout, stderr } = await new Deno.Command(runner, {
    args: [
      ...["--mode", mode, "--conf", "interop/conformance/config.yaml", "--"],
      ...[Deno.execPath(), "run", "--no-prompt", "--allow-net=127.0.0.1"],
      ...engineArgs(engine),
      `interop/conformance/${mode}.ts`,
    ],
    signal: AbortSignal.timeout(280_000),
  }).output();
  const decoder = new TextDecoder();
  const output = decoder.decode(stdout) + decoder.decode(stderr);
  const counts = /^(\d+) passed, (\d+) failed/m.exec(output);
  if (counts?.[2] !== "0") console.log(output.slice(-20_000));
  return {
    mode,
    engine,
    passed: Number(counts?.[1] ?? 0),
    failed: Number(counts?.[2] ?? 1),
    seconds: Math.round((performance.now() - start) / 1000),
  };
}

async function main(args: readonly string[]): Promise<number> {
  const runner = tool("connectconformance");
  if (runner === null) {
    console.log("Skipped: no connectconformance (deno task interop:tools)");
    return 0;
  }
  const results: Result[] = [];
  for (const engine of enginesOf(args)) {
    for (const mode of ["client", "server"]) {
      const result = await run(runner, mode, engine);
      results.push(result);
      const { passed, failed, seconds } = result;
      console.log(
        `${mode}, ${engine}: ${passed} passed, ${failed} failed (${seconds} s)`,
      );
    }
  }
  if (args.includes("--report")) {
    await report(
      "conformance",
      table([
        ["under test", "engine", "passed", "failed"],
        ...results.map(({ mode, engine, passed, failed }) => [
          mode,
          engine,
          `${passed}`,
          `${failed}`,
        ]),
      ]),
    );
  }
  const passed = results.reduce((sum, one) => sum + one.passed, 0);
  const failed = results.reduce((sum, one) => sum + one.failed, 0);
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
