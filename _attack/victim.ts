/**
 * What both kinds of victims have in common: they watch their loop, and tell
 * what they measured.
 *
 * @module
 */

import process from "node:process";
import type { VictimSample } from "./attack.ts";

declare const gc: () => void;

/** How often the loop is looked at, in milliseconds. */
const BEAT_MS = 10;

/** Writes a line of JSON. */
export function tell(event: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(event)}\n`));
}

/** Sees how late the loop is. */
export class LoopWatch {
  #last = performance.now();
  #most = 0;

  constructor() {
    setInterval(() => this.#look(), BEAT_MS);
  }

  /** How late it was at most since this was asked last, in milliseconds. */
  takeLate(): number {
    this.#look();
    const late = this.#most;
    this.#most = 0;
    return Math.round(late);
  }

  #look(): void {
    const now = performance.now();
    this.#most = Math.max(this.#most, now - this.#last - BEAT_MS);
    this.#last = now;
  }
}

/** Gives what is alive, in bytes, once what is not was collected. */
async function collect(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/**
 * Answers each line of the input with a sample, to its end.
 *
 * @param rest Gives what is in it beside the heap.
 * @param then Called when a sample was written, with how many there were.
 */
export async function answerSamples(
  rest: () => Omit<VictimSample, "heap">,
  then: (count: number) => void = () => {},
): Promise<void> {
  let count = 0;
  for await (const _ of Deno.stdin.readable) {
    const measured = rest();
    tell({ ...measured, heap: await collect() } satisfies VictimSample);
    then(++count);
  }
}
