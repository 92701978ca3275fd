/**
 * What is simulated, and what is looked at.
 *
 * @module
 */

import type { Backend } from "./backend.ts";
import type { Tally } from "./client.ts";
import {
  Fleet,
  type FleetOptions,
  type FleetSize,
  type Policy,
} from "./fleet.ts";

/** What all scenarios begin with. */
const USUAL: Omit<FleetOptions, keyof FleetSize> = {
  policy: "round_robin",
  // 100 requests a second each, at most.
  backend: { workers: 2, serviceMs: 20, maxQueue: 20 },
  callsPerSecond: 40,
  timeoutMs: 1_000,
  seed: 1,
};

/** How long a fleet runs before it is looked at, in milliseconds. */
const SETTLE_MS = 10_000;

/** How much a fleet does, of what it could do. */
const USUAL_LOAD = 0.5;

/** The calls a second of each client at a load. */
function rateAt(load: number, { clients, backends }: FleetSize): number {
  const { workers, serviceMs } = USUAL.backend;
  return load * backends * workers / serviceMs * 1000 / clients;
}

/** A fleet that has run for a while. */
async function settledFleet(
  size: FleetSize,
  options: Partial<FleetOptions> & { readonly load?: number } = {},
): Promise<Fleet> {
  const { load = USUAL_LOAD, ...rest } = options;
  const fleet = new Fleet({
    ...USUAL,
    callsPerSecond: rateAt(load, size),
    ...size,
    ...rest,
  });
  await fleet.run(SETTLE_MS);
  return fleet;
}

/** How evenly calls are spread over servers that are all alike. */
export interface Spread {
  readonly policy: Policy;
  /** The server with the most requests in a time, and the one with the fewest, to the mean. */
  readonly most: number;
  readonly fewest: number;
  /** The standard deviation to the mean. */
  readonly deviation: number;
  readonly p50: number;
  readonly p99: number;
}

/** Simulates servers that are all alike, for ten seconds. */
export async function spread(
  size: FleetSize,
  policy: Policy,
): Promise<Spread> {
  const fleet = await settledFleet(size, { policy });
  const tally = await fleet.run(10_000);
  const arrivals = fleet.arrivals(10);
  const mean = meanOf(arrivals);
  const variance = meanOf(arrivals.map((it) => (it - mean) ** 2));
  return {
    policy,
    most: Math.max(...arrivals) / mean,
    fewest: Math.min(...arrivals) / mean,
    deviation: Math.sqrt(variance) / mean,
    ...latencies(tally),
  };
}

/** What one slow server does to the calls. */
export interface Slow {
  readonly policy: Policy;
  readonly clients: number;
  /** The requests of the slow server, to the mean of the others. */
  readonly share: number;
  readonly failed: number;
  readonly p99: number;
}

/** Simulates one server that becomes ten times as slow, for ten seconds. */
export async function slowServer(
  size: FleetSize,
  policy: Policy,
): Promise<Slow> {
  const fleet = await settledFleet(size, { policy });
  const [slow] = fleet.backends;
  slow!.serviceMs *= 10;
  await fleet.run(5_000);
  const tally = await fleet.run(10_000);
  const [own, ...others] = fleet.arrivals(10);
  return {
    policy,
    clients: size.clients,
    share: own! / meanOf(others),
    failed: tally.failed / tally.calls,
    p99: latencies(tally).p99,
  };
}

/** How soon servers have their share. */
export interface Arrival {
  /** What was done. */
  readonly what: string;
  /** After how many seconds half of the new ones had nine tenths of it, and all. */
  readonly half: number;
  readonly all: number;
  readonly failed: number;
}

/** Simulates servers that are added, and those that are restarted. */
export async function newServers(size: FleetSize): Promise<Arrival[]> {
  const count = Math.max(1, size.backends / 10);
  return [
    await arrivalOf(size, `${count} servers are added`, async (fleet) => {
      const added = Array.from({ length: count }, () => fleet.addBackend());
      fleet.publish();
      await Promise.resolve();
      return added;
    }),
    await arrivalOf(
      size,
      `${count} servers are away for 5 s`,
      async (fleet) => {
        const restarted = fleet.backends.slice(0, count);
        for (const backend of restarted) backend.stop();
        await fleet.run(5_000);
        for (const backend of restarted) backend.start();
        return restarted;
      },
    ),
  ];
}

async function arrivalOf(
  size: FleetSize,
  what: string,
  act: (fleet: Fleet) => Promise<Backend[]>,
): Promise<Arrival> {
  const fleet = await settledFleet(size);
  const fresh = new Set(await act(fleet));
  const since = new Map<Backend, number>();
  let failed = 0;
  let calls = 0;
  for (let second = 1; second <= 180 && since.size < fresh.size; second++) {
    const tally = await fleet.run(1_000);
    failed += tally.failed;
    calls += tally.calls;
    const arrivals = fleet.arrivals(1);
    const others = meanOf(
      arrivals.filter((_, i) => !fresh.has(fleet.backends[i]!)),
    );
    fleet.backends.forEach((backend, i) => {
      if (!fresh.has(backend) || since.has(backend)) return;
      if (arrivals[i]! >= 0.9 * others) since.set(backend, second);
    });
  }
  const seconds = [...since.values()].sort((a, b) => a - b);
  return {
    what,
    half: seconds[Math.ceil(fresh.size / 2) - 1] ?? Infinity,
    all: seconds[fresh.size - 1] ?? Infinity,
    failed: failed / calls,
  };
}

/** What an overload comes to. */
export interface Overload {
  readonly retries: string;
  /** The requests that are sent, to the calls that are made. */
  readonly offered: number;
  /** The calls that fail while it lasts. */
  readonly failed: number;
  /** After how many seconds fewer than one call in a hundred fails. */
  readonly recovery: number;
}

/** How clients may try again in an overload. */
const RETRIES: readonly {
  readonly retries: string;
  readonly retry?: FleetOptions["retry"];
}[] = [
  { retries: "none" },
  { retries: "without throttling", retry: { throttling: null } },
  { retries: "with throttling", retry: true },
];

/**
 * Simulates half of the servers dying, of a fleet that has four fifths to do,
 * and coming back after half a minute.
 */
export async function overload(size: FleetSize): Promise<Overload[]> {
  const results: Overload[] = [];
  for (const { retries, retry = false } of RETRIES) {
    const fleet = await settledFleet(size, { load: 0.8, retry });
    const dying = fleet.backends.slice(0, size.backends / 2);
    for (const backend of dying) backend.stop();
    const during = await fleet.run(30_000);
    for (const backend of dying) backend.start();
    results.push({
      retries,
      offered: during.attempts / during.calls,
      failed: during.failed / during.calls,
      recovery: await recoveryOf(fleet),
    });
  }
  return results;
}

/** After how many seconds all is well again. */
async function recoveryOf(fleet: Fleet): Promise<number> {
  for (let second = 1; second <= 180; second++) {
    const { failed, calls } = await fleet.run(1_000);
    if (failed < calls / 100) return second;
  }
  return Infinity;
}

function latencies({ latencies }: Tally): { p50: number; p99: number } {
  const sorted = Float64Array.from(latencies).sort();
  const at = (part: number) => sorted[Math.floor(part * sorted.length)] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, it) => sum + it, 0) / values.length;
}
