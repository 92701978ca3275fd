/**
 * One client for all servers: h2load, where it is installed, or else the client
 * of this library.
 *
 * @see {@link https://nghttp2.org/documentation/h2load-howto.html}
 * @module
 */

import { Child } from "./child.ts";
import { CONTENDERS } from "./contenders.ts";
import type { WorkResult } from "./peers/workload.ts";
import { TEXT } from "./peers/contender.ts";

/** How many connections there are. */
export const CONNECTIONS = 5;

/** How many calls there are at a time on each. */
export const STREAMS = 50;

/** What a server was given to do. */
export interface Load {
  readonly calls: number;
  readonly ms: number;
}

/** What gives servers something to do. */
export interface Loader {
  /** What it is called. */
  readonly name: string;
  /** Calls for so long. */
  run(port: number, ms: number): Promise<Load>;
}

/** Finds a client for all servers. */
export async function findLoader(): Promise<Loader> {
  const version = await runH2load(["--version"]).catch(() => undefined);
  return version === undefined ? ownLoader() : h2load(version.trim());
}

/** How long there may be no answer. */
const MOST_MS = 5_000;

async function runH2load(args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("h2load", {
    args: [...args],
    stdin: "null",
    signal: AbortSignal.timeout(60_000),
  }).output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new Error(`h2load failed: ${decoder.decode(stderr).slice(-200)}`);
}

function h2load(version: string): Loader {
  const frame = new Uint8Array([
    ...[0, 0, 0, 0, TEXT.length + 2, 10, TEXT.length],
    ...new TextEncoder().encode(TEXT),
  ]);
  return {
    name: version,
    async run(port, atLeastMs) {
      const path = await Deno.makeTempFile();
      try {
        await Deno.writeFile(path, frame);
        // What is slow may have answered nothing at the end of the time.
        for (let ms = atLeastMs;; ms *= 2) {
          const output = await runH2load([
            ...["-c", `${CONNECTIONS}`, "-m", `${STREAMS}`, "-D", `${ms}ms`],
            ...["-d", path, "-H", "content-type: application/grpc"],
            ...["-H", "te: trailers"],
            `http://127.0.0.1:${port}/grpclib.bench.Bench/Unary`,
          ]);
          const isNothing = / 0 done,.* 0 failed/.test(output);
          if (!isNothing || ms > MOST_MS) return readLoad(output);
        }
      } finally {
        await Deno.remove(path);
      }
    },
  };
}

/**
 * Reads what h2load has found.
 *
 * @throws {Error} If a call failed, or there was none.
 */
export function readLoad(output: string): Load {
  const rate = Number(/, ([\d.]+) req\/s/.exec(output)?.[1]);
  const counts = /(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored/
    .exec(output)?.slice(1).map(Number) ?? [];
  const [done = 0, succeeded = 0, failed = 0] = counts;
  const [, right = 0] = /status codes: (\d+) 2xx/.exec(output)?.map(Number) ??
    [];
  if (!(rate > 0) || succeeded !== done || failed > 0 || right < succeeded) {
    throw new Error(`h2load found ${succeeded} good answers of ${done}`);
  }
  return { calls: done, ms: done / rate * 1000 };
}

function ownLoader(): Loader {
  return {
    name: "the client of this library",
    async run(port, ms) {
      const ours = CONTENDERS.find(({ name }) => name === "ours-node")!;
      const client = new Child(
        "load",
        ours.launch({ role: "client", port, settings: {} }),
      );
      try {
        await client.answer();
        await client.ask({ do: "connect", count: CONNECTIONS - 1 });
        const concurrency = CONNECTIONS * STREAMS;
        const call = { do: "call", work: "unary", concurrency };
        await client.ask({ ...call, ms: 200 });
        const result = await client.ask<WorkResult>({ ...call, ms });
        return { calls: result.operations, ms: result.ms };
      } finally {
        await client.end();
      }
    },
  };
}
