/**
 * Runs h2spec against a server on each HTTP/2 engine, or on that of `--engine`:
 *
 *     deno task interop:tools   installs h2spec
 *     deno task h2spec          runs it; --report writes docs/conformance.md
 *
 * A case may fail only if it is explained here, or passes when all are run once
 * more: each has but a few seconds. Where h2spec is not installed that is said in
 * one line, and is no failure.
 *
 * @see {@link https://github.com/summerwind/h2spec}
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import type { HTTP2Engine } from "../_http2/engine.ts";
import { ChildProcess } from "../_testdata/child_process.ts";
import { tool } from "../_testdata/tools.ts";
import { enginesOf } from "./engine_option.ts";
import { casesOf, type Outcome } from "./h2spec_cases.ts";
import { report, table } from "./report.ts";

const PRIORITY =
  "RFC 9113 has done away with priorities (5.3.2): it is ignored";
const CLOSED = "nghttp2 ignores frames on streams that it has closed, as 5.1 " +
  "allows for a while";

/** The cases that fail, and why that is right, or cannot be helped. */
const EXPLAINED: Readonly<
  Record<HTTP2Engine, Readonly<Record<string, string>>>
> = {
  native: {
    "http2/5.3.1 1": PRIORITY,
    "http2/5.3.1 2": PRIORITY,
  },
  node: {
    "http2/5.1 8": CLOSED,
    "http2/5.1 9": CLOSED,
    "http2/5.1 11": CLOSED,
    "http2/5.1 12": CLOSED,
    "http2/5.1.1 2": `${CLOSED}; it takes such a stream for a closed one`,
    "http2/5.3.1 2": PRIORITY,
    "http2/6.3 1": PRIORITY,
    "http2/6.9.1 3": "Deno closes the connection, where resetting would do",
  },
};

interface Result {
  readonly engine: HTTP2Engine;
  readonly cases: readonly Outcome[];
}

async function run(h2spec: string, engine: HTTP2Engine): Promise<Result> {
  const server = new ChildProcess([
    ...["--allow-net=127.0.0.1", "--allow-read=."],
    ...["_testdata/h2spec_server.ts", engine],
  ]);
  const file = await Deno.makeTempFile({ suffix: ".xml" });
  try {
    const port = await server.line();
    await new Deno.Command(h2spec, {
      args: ["-p", `${port}`, "-o", "3", "-j", file],
      stdout: "null",
      signal: AbortSignal.timeout(240_000),
    }).output();
    return { engine, cases: casesOf(await Deno.readTextFile(file)) };
  } finally {
    await Deno.remove(file);
    server.kill("SIGTERM");
    await server.status;
  }
}

/** Runs all cases, and once more if one fails that is not explained. */
async function runTwice(h2spec: string, engine: HTTP2Engine): Promise<Result> {
  const { cases } = await run(h2spec, engine);
  const isWell = ({ id, passed }: Outcome): boolean =>
    passed || id in EXPLAINED[engine];
  if (cases.length > 0 && cases.every(isWell)) return { engine, cases };
  const again = await run(h2spec, engine);
  const passed = new Set(
    cases.filter((it) => it.passed).map(({ id }) => id),
  );
  return {
    engine,
    cases: again.cases.map((it) => ({
      ...it,
      passed: it.passed || passed.has(it.id),
    })),
  };
}

/** Says what is not as it was explained; how many cases that is. */
function tell({ engine, cases }: Result): number {
  const explained = EXPLAINED[engine];
  const failed = cases.filter(({ passed }) => !passed);
  const surprises = failed.filter(({ id }) => !(id in explained));
  for (const { id, title, found } of surprises) {
    console.log(`FAILED ${id}: ${title}\n  ${found}`);
  }
  console.log(
    `${engine}: ${cases.length - failed.length} of ${cases.length} passed, ${
      failed.length - surprises.length
    } explained, ${surprises.length} failed`,
  );
  return cases.length === 0 ? 1 : surprises.length;
}

function reportOf(results: readonly Result[]): string {
  const counts = results.map(({ engine, cases }) => [
    engine,
    `${cases.filter(({ passed }) => passed).length}`,
    `${cases.filter(({ passed }) => !passed).length}`,
  ]);
  const reasons = results.flatMap(({ engine, cases }) =>
    cases.filter(({ passed }) => !passed).map(({ id, title }) => [
      engine,
      id,
      title,
      EXPLAINED[engine][id] ?? "",
    ])
  );
  return [
    table([["engine", "passed", "failed"], ...counts]),
    table([["engine", "case", "what it does", "why it fails"], ...reasons]),
  ].join("\n\n");
}

async function main(args: readonly string[]): Promise<number> {
  const h2spec = tool("h2spec");
  if (h2spec === null) {
    console.log("Skipped: no h2spec (deno task interop:tools)");
    return 0;
  }
  const results: Result[] = [];
  let failed = 0;
  for (const engine of enginesOf(args)) {
    const result = await runTwice(h2spec, engine);
    results.push(result);
    failed += tell(result);
  }
  if (args.includes("--report")) await report("h2spec", reportOf(results));
  return failed > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
