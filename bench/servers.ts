/**
 * Servers alone, all under the same client.
 *
 * @module
 */

import { Child, endAll } from "./child.ts";
import { BEFORE, type Contender } from "./contenders.ts";
import { CONNECTIONS, findLoader, type Loader, STREAMS } from "./load.ts";
import type { Usage } from "./peers/workload.ts";
import type { Absence, ScenarioResult } from "./results.ts";
import {
  compared,
  leaveOut,
  type RowName,
  rowOf,
  type RunOptions,
} from "./rounds.ts";
import { median } from "./stats.ts";

/** How the scenario is chosen. */
export const SERVERS = {
  name: "servers",
  title: "Servers alone, unary calls of 32 bytes",
};

/** What one turn has shown. */
interface Turn {
  readonly rate: number;
  readonly serverUs: number;
  readonly serverRss: number;
}

/** A server that calls are made to. */
class Target {
  readonly contender: Contender;
  readonly turns: Turn[] = [];
  readonly #process: Child;
  readonly #port: number;

  private constructor(contender: Contender, process: Child, port: number) {
    this.contender = contender;
    this.#process = process;
    this.#port = port;
  }

  /** Starts it. */
  static async start(contender: Contender): Promise<Target> {
    const process = new Child(
      `${contender.name}'s server`,
      contender.launch({ role: "server", settings: {} }),
    );
    try {
      const { port } = await process.answer<{ port: number }>();
      return new Target(contender, process, port);
    } catch (error) {
      await process.end();
      throw error;
    }
  }

  /** Lets calls be made to it for so long. */
  async turn(loader: Loader, ms: number): Promise<Turn> {
    const usage = { do: "usage" };
    const before = await this.#process.ask<Usage>(usage);
    const load = await loader.run(this.#port, ms);
    const after = await this.#process.ask<Usage>(usage);
    return {
      rate: load.calls / load.ms * 1000,
      serverUs: (after.cpuUs - before.cpuUs) / load.calls,
      serverRss: after.rssBytes / 2 ** 20,
    };
  }
}

/** Runs the scenario, and ends all its processes. */
export async function runServers(options: RunOptions): Promise<ScenarioResult> {
  const { contenders, rounds, progress } = options;
  // Of 250 calls at a time few come to an end in a short turn.
  const [turnMs, warmUpMs] = [options.turnMs * 2, options.warmUpMs * 2];
  const { name, title } = SERVERS;
  const absent: Absence[] = [];
  const loader = await findLoader();
  const targets = new Set<Target>();
  progress(`${name}: starting`);
  try {
    for (const contender of contenders) {
      try {
        const target = await Target.start(contender);
        // Twice: what is compiled in the first time is used in the second.
        await target.turn(loader, warmUpMs);
        await target.turn(loader, warmUpMs);
        targets.add(target);
      } catch (error) {
        leaveOut(contender.name, error, absent);
      }
    }
    for (let round = 0; round < rounds; round++) {
      progress(`${name}: round ${round + 1} of ${rounds}`);
      const order = [...targets];
      if (round % 2 === 1) order.reverse();
      for (const target of order) {
        try {
          target.turns.push(await target.turn(loader, turnMs));
        } catch (error) {
          leaveOut(target.contender.name, error, absent);
          targets.delete(target);
        }
      }
    }
  } finally {
    await endAll();
  }
  const all = [...targets];
  const rows = all.map(({ contender, turns }) => ({
    ...rowOf(contender.name, turns.map(({ rate }) => rate)),
    cpuUs: turns.map(({ serverUs }) => serverUs),
    serverUs: median(turns.map(({ serverUs }) => serverUs)),
    serverRss: turns.at(-1)!.serverRss,
  }));
  const names: RowName[] = all.map(({ contender }) => ({
    name: contender.name,
    base: "grpc-go",
    before: `${contender.name}${BEFORE}`,
  }));
  return {
    name,
    title: `${title}, called by ${loader.name}`,
    processes: 2,
    points: [{
      label: `${CONNECTIONS} connections, ${STREAMS} calls at a time on each`,
      unit: "calls/s",
      ...compared(rows, names),
    }],
    absent,
  };
}
