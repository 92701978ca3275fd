/**
 * What a run has found, as it stands in `results.json`.
 *
 * @module
 */

import type { Confidence, Spread } from "./stats.ts";

/** A run. */
export interface Results {
  readonly date: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly turnMs: number;
  readonly scenarios: readonly ScenarioResult[];
  /** Who was left out of all of it. */
  readonly absent: readonly Absence[];
}

/** Where a run was made. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  /** How many processes wanted to run in the minute before the run. */
  readonly load: number;
  readonly memoryGiB: number;
  readonly os: string;
  /** Versions of what took part, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** A contender that was left out, and why. */
export interface Absence {
  readonly contender: string;
  readonly reason: string;
}

/** What one scenario has shown. */
export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  /** What CPU time there is: of both ends together, or of each. */
  readonly processes: 1 | 2;
  readonly points: readonly PointResult[];
  readonly absent: readonly Absence[];
}

/** One measurement of all contenders. */
export interface PointResult {
  readonly label: string;
  readonly unit: string;
  /** Whether more of it is worse, as of memory. */
  readonly lessIsBetter?: boolean;
  /** Whom all are compared with; none if each has another one. */
  readonly base?: string;
  readonly rows: readonly Row[];
}

/** One measurement of one contender. */
export interface Row {
  readonly contender: string;
  /** In each round. */
  readonly values: readonly number[];
  readonly median: number;
  /** Round by round, how many times what the base has. */
  readonly ratio?: Spread;
  /** How many times what the other checkout has. */
  readonly change?: Change;
  /** CPU time per operation of all processes, in each round. */
  readonly cpuUs?: readonly number[];
  /** How many times the CPU time of the other checkout. */
  readonly cpuChange?: Change;
  /** CPU time per operation, in microseconds. */
  readonly clientUs?: number;
  readonly serverUs?: number;
  /** Latencies, in milliseconds. */
  readonly p50?: number;
  readonly p99?: number;
  /** Memory at the end of the turns, in MiB. */
  readonly clientRss?: number;
  readonly serverRss?: number;
  /** What else there is to tell, by the head of its column. */
  readonly more?: Readonly<Record<string, number>>;
}

/** What became of something, round by round. */
export interface Change extends Spread {
  readonly confidence: Confidence;
  /**
   * The same of the best quarters alone: what disturbs a machine makes things
   * worse, so that the best turns are those that were disturbed least.
   */
  readonly best: number;
}
