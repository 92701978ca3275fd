/**
 * One contender in a process of its own, under Deno or Node:
 *
 *     deno run -A bench/peers/peer.ts '{"module":"./ours.ts","role":"server"}'
 *
 * It reads commands from its standard input and answers each on its standard
 * output, one JSON object a line, and leaves when its input ends.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import type { BenchClient, Contender, Settings } from "./contender.ts";
import { type Command, Workload } from "./workload.ts";

/** What the process is to be. */
export interface PeerOptions {
  /** The module of the contender. */
  readonly module: string;
  /** A server, a client of the server on `port`, or both in one. */
  readonly role: "server" | "client" | "both";
  readonly port?: number;
  readonly settings?: Settings;
}

function tell(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function failure(error: unknown): object {
  return error instanceof Error && error.name === "Unsupported"
    ? { unsupported: error.message }
    : { error: error instanceof Error ? error.stack : String(error) };
}

async function main(): Promise<void> {
  const options = JSON.parse(process.argv[2] ?? "{}") as PeerOptions;
  const { module, role, settings = {} } = options;
  const contender = await import(module) as Contender;
  const port = role !== "client" && !settings.inMemory
    ? await contender.serve(settings)
    : options.port ?? 0;
  const connect = (): Promise<BenchClient> => contender.connect(port, settings);
  const client = role === "server" ? undefined : await connect();
  const workload = new Workload(client, connect);
  const commands = createInterface({ input: process.stdin });
  commands.on("line", (line) => {
    workload.run(JSON.parse(line) as Command).then(tell, (error) => {
      tell(failure(error));
    });
  });
  commands.on("close", () => process.exit());
  tell({ port });
}

main().catch((error) => {
  tell(failure(error));
  process.stdin.on("end", () => process.exit());
  process.stdin.resume();
});
