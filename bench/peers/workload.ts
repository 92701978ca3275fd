/**
 * The work a client is given, and the measuring of it.
 *
 * @module
 */

import process from "node:process";
import { type BenchClient, Unsupported } from "./contender.ts";

/** A command, and what of it there may be. */
export interface Command {
  /**
   * - `call`: make calls, `concurrency` at a time, for `ms` or `count` of them;
   * - `stream`: let `count` messages through, over `concurrency` streams;
   * - `open`: leave `count` calls open, each with one message answered;
   * - `wait`: leave `count` calls waiting for their answer;
   * - `connect`: make `count` connections more, and call once on each;
   * - `usage`: tell the CPU time and the memory; `collect`: after gc.
   */
  readonly do:
    | "call"
    | "stream"
    | "open"
    | "wait"
    | "connect"
    | "usage"
    | "collect";
  readonly work?: string;
  readonly concurrency?: number;
  readonly ms?: number;
  readonly count?: number;
}

/** What came of some work. */
export interface WorkResult {
  /** How many calls or messages. */
  readonly operations: number;
  /** How long it took, in milliseconds. */
  readonly ms: number;
  /** The CPU time of this process, in microseconds. */
  readonly cpuUs: number;
  /** Latencies of calls, in milliseconds. */
  readonly p50?: number;
  readonly p99?: number;
}

/** What a process has used. */
export interface Usage {
  /** When that was, in milliseconds since the process began. */
  readonly nowMs: number;
  /** CPU time of all threads since it began, in microseconds. */
  readonly cpuUs: number;
  /** Memory that the system has given it. */
  readonly rssBytes: number;
  /** Memory in use: the heap, and what is outside of it. */
  readonly heapBytes: number;
}

/** How many latencies are kept: the last ones. */
const SAMPLES = 1 << 18;

/** Does what it is told. */
export class Workload {
  readonly #client: BenchClient | undefined;
  readonly #connect: () => Promise<BenchClient>;
  readonly #latencies = new Float64Array(SAMPLES);
  /** What stays open. */
  readonly #open: unknown[] = [];
  readonly #clients: BenchClient[] = [];

  /**
   * @param client The client; without one it can only tell what it has used.
   * @param connect Makes another one.
   */
  constructor(
    client: BenchClient | undefined,
    connect: () => Promise<BenchClient>,
  ) {
    this.#client = client;
    this.#connect = connect;
  }

  /** Does what a command says. */
  async run(command: Command): Promise<unknown> {
    const { work = "", concurrency = 1, count = 0 } = command;
    switch (command.do) {
      case "call":
        return await this.#call(work, command);
      case "stream":
        return await this.#stream(work, concurrency, count);
      case "open":
        return await this.#openStreams(count);
      case "wait":
        return await this.#waitCalls(count);
      case "connect":
        return await this.#addConnections(count);
      case "usage":
        return usage();
      case "collect":
        return await collect();
    }
  }

  async #call(
    work: string,
    { concurrency = 1, ms = Infinity, count = Infinity }: Command,
  ): Promise<WorkResult> {
    const call = known(work, this.#client?.calls);
    // With more connections they are used in turn.
    const calls = [call, ...this.#clients.map(({ calls }) => calls[work]!)];
    const latencies = this.#latencies;
    let operations = 0;
    let begun = 0;
    const cpu = cpuUs();
    const start = performance.now();
    const end = start + ms;
    await Promise.all(Array.from({ length: concurrency }, async (_, i) => {
      let before = performance.now();
      for (let k = i; before < end && begun < count; k += concurrency) {
        begun++;
        await calls[k % calls.length]!();
        const now = performance.now();
        latencies[operations++ % SAMPLES] = now - before;
        before = now;
      }
    }));
    const elapsed = performance.now() - start;
    const used = cpuUs() - cpu;
    const sorted = latencies.slice(0, Math.min(operations, SAMPLES)).sort();
    const at = (p: number) => sorted[Math.floor(sorted.length * p)] ?? 0;
    return {
      operations,
      ms: elapsed,
      cpuUs: used,
      p50: at(.5),
      p99: at(.99),
    };
  }

  async #stream(
    work: string,
    concurrency: number,
    count: number,
  ): Promise<WorkResult> {
    const stream = known(work, this.#client?.streams);
    const each = Math.ceil(count / concurrency);
    const cpu = cpuUs();
    const start = performance.now();
    const got = await Promise.all(
      Array.from({ length: concurrency }, () => stream(each)),
    );
    const ms = performance.now() - start;
    const wrong = got.find((it) => it !== each);
    if (wrong !== undefined) {
      throw new Error(`Stream of ${each} messages had ${wrong}`);
    }
    return { operations: each * concurrency, ms, cpuUs: cpuUs() - cpu };
  }

  async #openStreams(count: number): Promise<Usage> {
    const open = this.#client?.open;
    if (open === undefined) throw new Unsupported("it leaves no call open");
    await inTurns(count, async () => void this.#open.push(await open()));
    return usage();
  }

  async #waitCalls(count: number): Promise<Usage> {
    const { wait, calls } = this.#client ?? {};
    if (wait === undefined) throw new Unsupported("it lets no call wait");
    for (let i = 0; i < count; i++) {
      wait();
      // Goes behind the others on the connection: so they have arrived.
      if (i % 100 === 99 || i === count - 1) await calls!.unary!();
    }
    return usage();
  }

  async #addConnections(count: number): Promise<Usage> {
    await inTurns(count, async () => {
      const client = await this.#connect();
      await client.calls.unary!();
      this.#clients.push(client);
    });
    return usage();
  }
}

/** Finds some work by its name. */
function known<W>(
  name: string,
  works: Readonly<Record<string, W>> | undefined,
): W {
  const work = works?.[name];
  if (work === undefined) throw new Unsupported(`there is no "${name}"`);
  return work;
}

/** Does something many times, a few at a time. */
async function inTurns(
  count: number,
  act: () => Promise<void>,
): Promise<void> {
  let left = count;
  await Promise.all(Array.from({ length: 50 }, async () => {
    while (left-- > 0) await act();
  }));
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function usage(): Usage {
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    nowMs: performance.now(),
    cpuUs: cpuUs(),
    rssBytes: rss,
    heapBytes: heapUsed + external,
  };
}

/** What is used once all garbage is gone. */
async function collect(): Promise<Usage> {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Unsupported("gc is not exposed");
  for (let i = 0; i < 4; i++) {
    gc();
    // What is held by tasks that wait is free only after them.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  gc();
  return usage();
}
