/**
 * Sets up and tears down channels in memory, with calls cut in the middle, and
 * tells what is there before and after:
 *
 *     deno run --v8-flags=--expose-gc _testdata/churn_program.ts <rounds>
 *
 * @module
 */

import process from "node:process";
import { deadlines } from "../_call/cancellation.ts";
import { createStub } from "../client.ts";
import { openConnections } from "../_http2/open_connections.ts";
import { ChannelFor, Faults } from "../testing/mod.ts";
import { echo } from "./echo_service.ts";
import { Echo } from "./gen/echo_pb.ts";
import { turns } from "./waiting.ts";

/** What there is at a moment, by name. */
export type Inventory = Readonly<Record<string, number>>;

/** What the program tells. */
export interface ChurnReport {
  readonly before: Inventory;
  readonly after: Inventory;
  /** How the calls ended, by their kind. */
  readonly ends: Readonly<Record<string, number>>;
  /** How long the rounds took, in milliseconds. */
  readonly ms: number;
}

/** What goes wrong, round by round. */
const FAULTS: readonly ((faults: Faults) => void)[] = [
  (faults) => faults.cut({ atFrame: 2 }),
  (faults) => faults.cut({ from: "client", atFrame: 2 }),
  (faults) => faults.cut({ afterBytes: 700 }),
  (faults) => faults.reset({ atFrame: 2 }),
  (faults) => faults.goaway({ code: 2, atFrame: 1 }),
  (faults) => faults.stall({ atFrame: 2 }),
  (faults) => faults.truncate(),
  () => {},
];

const ends: Record<string, number> = { well: 0, badly: 0 };

async function round(index: number): Promise<void> {
  const faults = new Faults({ seed: index });
  await using channel = new ChannelFor([echo], { faults });
  const stub = createStub(Echo, channel);
  FAULTS[index % FAULTS.length]!(faults);
  const calls: Promise<unknown>[] = [
    stub.unary({ text: "a" }, { timeoutMs: 60_000 }),
    Array.fromAsync(stub.serverStream({ count: 5 })),
    stub.clientStream([{ text: "a" }, { text: "b" }]),
    Array.fromAsync(stub.bidi([{ count: 3 }])),
    // This one is still under way at the end.
    stub.unary({ delayMs: 60_000 }),
  ];
  const ended = calls.map((call) =>
    call.then(() => ends["well"]!++, () => ends["badly"]!++)
  );
  // Some have ended then, and the others are in any state.
  await Promise.race([...ended, turns(3)]);
  await channel.close();
  await Promise.all(ended);
}

async function takeInventory(): Promise<Inventory> {
  const { gc } = globalThis as unknown as { gc: () => void };
  for (let i = 0; i < 4; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    "connections": openConnections.size,
    "deadlines": deadlines.size,
    "active resources": process.getActiveResourcesInfo().length,
    "KiB of heap": Math.round(process.memoryUsage().heapUsed / 1024),
    "KiB in all": Math.round(process.memoryUsage().rss / 1024),
  };
}

async function main(rounds: number): Promise<ChurnReport> {
  // What is made once is made before the start.
  for (let i = 0; i < 64; i++) await round(i);
  const before = await takeInventory();
  ends["well"] = ends["badly"] = 0;
  const start = performance.now();
  for (let i = 0; i < rounds; i++) await round(i);
  const ms = Math.round(performance.now() - start);
  return { before, after: await takeInventory(), ends, ms };
}

if (import.meta.main) {
  const report = await main(Number(Deno.args[0]));
  const text = `${JSON.stringify(report)}\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
