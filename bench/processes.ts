/**
 * Several servers on one port, each in a process of its own.
 *
 * @module
 */

import { Child, endAll } from "./child.ts";
import { BEFORE, type Contender } from "./contenders.ts";
import type { Settings } from "./peers/contender.ts";
import type { Usage, WorkResult } from "./peers/workload.ts";
import type { Absence, ScenarioResult } from "./results.ts";
import {
  compared,
  leaveOut,
  type RowName,
  rowOf,
  type RunOptions,
} from "./rounds.ts";
import { median } from "./stats.ts";

/** How the scenario is chosen, and what it is. */
export const PROCESSES = {
  name: "processes",
  title:
    "One server process and two on the same port, called by two client processes",
  contenders: ["ours-native", "ours-node"],
};

const CLIENTS = 2;
/**
 * Of each client: the system gives each connection to one of the servers. Each
 * has one call at a time, so that neither server is without one, and few are
 * left over at the end of a turn.
 */
const CONNECTIONS = 8;

/**
 * How many numbers handlers look at: about ten milliseconds' work. Clients share
 * the cores with the servers. The less they have to do beside them, the nearer
 * is what is measured to what another server brings.
 */
const PRIMES = 100;

/** How many times as long as others a turn is: calls are few in a short one. */
const LONG_TURN = 8;

/** How many servers there are. */
const VARIANTS = [
  { suffix: "", servers: 1 },
  { suffix: "+second process", servers: 2 },
];

/** What one turn has shown. */
interface Turn {
  readonly rate: number;
  readonly clientUs: number;
  readonly serverUs: number;
}

/** Servers on one port, and the clients that call them. */
class Fleet {
  readonly row: RowName;
  readonly turns: Turn[] = [];
  readonly #servers: readonly Child[];
  readonly #clients: readonly Child[];

  private constructor(
    row: RowName,
    servers: readonly Child[],
    clients: readonly Child[],
  ) {
    this.row = row;
    this.#servers = servers;
    this.#clients = clients;
  }

  /** Starts all processes, and connects the clients. */
  static async start(
    contender: Contender,
    { suffix, servers: count }: typeof VARIANTS[number],
  ): Promise<Fleet> {
    const name = `${contender.name}${suffix}`;
    const servers: Child[] = [];
    let reusePort = 0;
    for (let i = 0; i < count; i++) {
      const settings: Settings = { reusePort, primes: PRIMES };
      const server = new Child(
        `server ${i} of ${name}`,
        contender.launch({ role: "server", settings }),
      );
      servers.push(server);
      reusePort = (await server.answer<{ port: number }>()).port;
    }
    const clients = Array.from({ length: CLIENTS }, (_, i) =>
      new Child(
        `client ${i} of ${name}`,
        contender.launch({ role: "client", port: reusePort, settings: {} }),
      ));
    for (const client of clients) {
      await client.answer();
      await client.ask({ do: "connect", count: CONNECTIONS - 1 });
    }
    const before = `${contender.name}${BEFORE}${suffix}`;
    return new Fleet(
      { name, base: contender.name, before },
      servers,
      clients,
    );
  }

  /** Lets all clients call for so long. */
  async turn(ms: number): Promise<Turn> {
    const before = await this.#serverUs();
    const call = { do: "call", work: "unary", concurrency: CONNECTIONS, ms };
    const results = await Promise.all(
      this.#clients.map((client) => client.ask<WorkResult>(call)),
    );
    const after = await this.#serverUs();
    const sum = (of: (result: WorkResult) => number) =>
      results.reduce((sum, result) => sum + of(result), 0);
    const calls = sum(({ operations }) => operations);
    return {
      rate: sum(({ operations, ms }) => operations / ms * 1000),
      clientUs: sum(({ cpuUs }) => cpuUs) / calls,
      serverUs: (after - before) / calls,
    };
  }

  /** The CPU time that all servers have taken. */
  async #serverUs(): Promise<number> {
    const all = await Promise.all(
      this.#servers.map((server) => server.ask<Usage>({ do: "usage" })),
    );
    return all.reduce((sum, { cpuUs }) => sum + cpuUs, 0);
  }
}

/** Runs the scenario, and ends all its processes. */
export async function runProcesses(
  { contenders, rounds, turnMs, warmUpMs, progress }: RunOptions,
): Promise<ScenarioResult> {
  const { name, title } = PROCESSES;
  const absent: Absence[] = [];
  const fleets: Fleet[] = [];
  progress(`${name}: starting`);
  try {
    for (const contender of contenders) {
      for (const variant of VARIANTS) {
        try {
          const fleet = await Fleet.start(contender, variant);
          // Twice: what is compiled in the first time is used in the second.
          await fleet.turn(warmUpMs * LONG_TURN);
          await fleet.turn(warmUpMs);
          fleets.push(fleet);
        } catch (error) {
          leaveOut(`${contender.name}${variant.suffix}`, error, absent);
        }
      }
    }
    for (let round = 0; round < rounds; round++) {
      progress(`${name}: round ${round + 1} of ${rounds}`);
      const order = [...fleets];
      if (round % 2 === 1) order.reverse();
      for (const fleet of order) {
        fleet.turns.push(await fleet.turn(turnMs * LONG_TURN));
      }
    }
  } finally {
    await endAll();
  }
  const rows = fleets.map(({ row, turns }) => ({
    ...rowOf(row.name, turns.map(({ rate }) => rate)),
    cpuUs: turns.map(({ clientUs, serverUs }) => clientUs + serverUs),
    clientUs: median(turns.map(({ clientUs }) => clientUs)),
    serverUs: median(turns.map(({ serverUs }) => serverUs)),
  }));
  return {
    name,
    title,
    processes: 2,
    points: [{
      label: "handlers that compute for about 10 ms",
      unit: "calls/s",
      ...compared(rows, fleets.map(({ row }) => row)),
    }],
    absent,
  };
}
