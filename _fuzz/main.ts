/**
 * Fuzzes calls: plays rounds of random calls and random trouble, and looks at
 * what is left of them.
 *
 *     deno task fuzz --seeds 1000 --from 1 --transport tcp
 *
 * Without a transport it goes through all of them. Each runs in a process of
 * its own, where freed memory is not what it was: an engine that goes wrong may
 * take its process along, and that is a finding, too.
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import { formatOptions, type FuzzOptions, parseOptions } from "./options.ts";
import type { RoundReport } from "./program.ts";
import { TRANSPORTS } from "./world.ts";

/** How long a single round may take, in milliseconds. */
const LIMIT_MS = 180_000;

/** Plays the seeds of one transport; gives how many of them had findings. */
async function play(options: FuzzOptions): Promise<number> {
  const { transport, engine, from, seeds, verbose } = options;
  const end = from + seeds;
  const start = performance.now();
  let failed = 0;
  // After a finding its process ends, and the next one goes on behind it.
  for (let next = from; next < end;) {
    const rest = { ...options, from: next, seeds: end - next };
    const { last, findings } = await playUntilFinding(rest);
    next = last + 1;
    if (findings.length === 0) continue;
    failed++;
    console.log(`Seed ${last} over ${transport}:`);
    for (const finding of findings) console.log(`  - ${finding}`);
    const again = { ...options, from: last, seeds: 1, verbose: true };
    console.log(`  deno task fuzz ${formatOptions(again).join(" ")}`);
  }
  const seconds = Math.round((performance.now() - start) / 1000);
  if (!verbose) {
    console.log(
      `${transport}, http2: ${engine}: ${seeds} seeds, ${failed} with findings (${seconds} s)`,
    );
  }
  return failed;
}

/** Plays seeds up to the first with findings; gives the last one played. */
async function playUntilFinding(
  options: FuzzOptions,
): Promise<{ last: number; findings: readonly string[] }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--allow-net=127.0.0.1"],
      import.meta.resolve("./program.ts"),
      ...formatOptions(options),
    ],
    env: { MALLOC_PERTURB_: "165" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = textOf(child.stderr);
  let last = options.from - 1;
  let isLate = false;
  const late = (): void => {
    isLate = true;
    child.kill("SIGKILL");
  };
  let timer = setTimeout(late, LIMIT_MS);
  for await (const line of linesOf(child.stdout)) {
    if (line.startsWith("#")) {
      console.log(line);
      continue;
    }
    clearTimeout(timer);
    timer = setTimeout(late, LIMIT_MS);
    const { seed, findings } = JSON.parse(line) as RoundReport;
    last = seed;
    if (findings.length > 0) {
      clearTimeout(timer);
      await Promise.all([child.status, errors]);
      return { last, findings };
    }
  }
  clearTimeout(timer);
  const { code, signal } = await child.status;
  const said = (await errors).trim();
  const ended = isLate
    ? `the round did not end within ${LIMIT_MS} ms`
    : `the process ended with code ${code}${signal ? `, ${signal}` : ""}`;
  if (code === 0) return { last, findings: [] };
  return {
    last: last + 1,
    findings: [said === "" ? ended : `${ended}: ${said}`],
  };
}

async function* linesOf(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<string> {
  let rest = "";
  for await (
    const text of stream.pipeThrough(
      new TextDecoderStream() as TransformStream<Uint8Array, string>,
    )
  ) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>)
    .text();
}

if (import.meta.main) {
  const options = parseOptions(Deno.args);
  const transports = Deno.args.includes("--transport")
    ? [options.transport]
    : TRANSPORTS;
  let failed = 0;
  for (const transport of transports) {
    failed += await play({ ...options, transport });
  }
  Deno.exit(failed === 0 ? 0 : 1);
}
