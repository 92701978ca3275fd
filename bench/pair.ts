/**
 * A contender at work: the processes of its client and its server.
 *
 * @module
 */

import { Child } from "./child.ts";
import type { Contender, Role } from "./contenders.ts";
import type { Settings } from "./peers/contender.ts";
import type { Usage, WorkResult } from "./peers/workload.ts";
import type { Point } from "./scenarios.ts";

/** What one turn has shown. */
export interface Turn {
  /** Calls, messages or megabytes per second. */
  readonly rate: number;
  /** CPU time per call or message, in microseconds. */
  readonly clientUs: number;
  /** The same of the server; of one process, `clientUs` is of both. */
  readonly serverUs?: number;
  readonly p50?: number;
  readonly p99?: number;
  /** Memory of the processes, in bytes. */
  readonly clientRss: number;
  readonly serverRss?: number;
}

/** How a pair is set up. */
export interface PairOptions {
  readonly contender: Contender;
  readonly processes: 1 | 2;
  readonly settings: Settings;
  readonly v8Flags?: readonly string[];
}

/** The fewest messages of a stream that is measured. */
const LEAST_MESSAGES = 20;

/** How much longer than on a quiet machine things may take. */
const PATIENCE = 8;

/** A client and its server. */
export class Pair {
  readonly contender: Contender;
  readonly client: Child;
  readonly server: Child | undefined;
  /** How many messages fill a turn, by what is done. */
  readonly #counts = new Map<Point, number>();

  private constructor(
    contender: Contender,
    client: Child,
    server: Child | undefined,
  ) {
    this.contender = contender;
    this.client = client;
    this.server = server;
  }

  /**
   * Starts the processes, and waits until they are ready.
   *
   * @throws {Skipped} If the contender cannot do it.
   */
  static async start(options: PairOptions): Promise<Pair> {
    const { contender, processes, settings, v8Flags = [] } = options;
    const { name } = contender;
    const start = { settings, v8Flags };
    const children: Child[] = [];
    const launch = (title: string, role: Role, port?: number): Child => {
      const launch = contender.launch({
        ...start,
        role,
        ...(port === undefined ? {} : { port }),
      });
      const child = new Child(title, launch);
      children.push(child);
      return child;
    };
    try {
      if (processes === 1) {
        const both = launch(name, "both");
        await both.answer();
        return new Pair(contender, both, undefined);
      }
      const server = launch(`${name}'s server`, "server");
      const { port } = await server.answer<{ port: number }>();
      const client = launch(`${name}'s client`, "client", port);
      await client.answer();
      return new Pair(contender, client, server);
    } catch (error) {
      await Promise.all(children.map((child) => child.end()));
      throw error;
    }
  }

  /**
   * Makes it as fast as it will be, and learns what fills a turn. On a machine
   * with other work that may take longer: it is the CPU time that counts.
   */
  async warmUp(
    point: Point,
    { warmUpMs, turnMs }: { warmUpMs: number; turnMs: number },
  ): Promise<void> {
    const { kind, work, concurrency } = point;
    const latest = performance.now() + warmUpMs * PATIENCE;
    let count = Math.max(LEAST_MESSAGES, concurrency);
    for (let cpuMs = 0;;) {
      const result = await this.client.ask<WorkResult>({
        ...{ do: kind, work, concurrency },
        ...(kind === "call" ? { ms: warmUpMs } : { count }),
      });
      const { operations, ms, cpuUs } = result;
      cpuMs += cpuUs / 1000;
      // What a turn needs if nobody disturbs; not more than it may take.
      const most = operations / ms * turnMs * PATIENCE;
      const full = Math.max(
        LEAST_MESSAGES,
        Math.ceil(Math.min(operations / cpuUs * 1000 * turnMs, most)),
      );
      // A few messages tell little of how fast many are.
      const isKnown = kind === "call" || full < count * 2;
      const isWarm = cpuMs > warmUpMs / 3;
      if ((isKnown && isWarm) || performance.now() > latest) {
        this.#counts.set(point, full);
        return;
      }
      count = Math.min(full, count * 8);
    }
  }

  /** Lets it work for about so long. */
  async turn(point: Point, ms: number): Promise<Turn> {
    const { kind, work, concurrency, unit, bytes = 0 } = point;
    const before = await this.#serverUsage();
    const result = await this.client.ask<WorkResult>(
      kind === "call"
        ? { do: "call", work, concurrency, ms }
        : { do: "stream", work, concurrency, count: this.#counts.get(point) },
    );
    const after = await this.#serverUsage();
    const { rssBytes } = await this.client.ask<Usage>({ do: "usage" });
    const { operations, p50, p99 } = result;
    const rate = operations / result.ms * 1000;
    return {
      rate: unit === "MB/s" ? rate * bytes / 1e6 : rate,
      clientUs: result.cpuUs / operations,
      clientRss: rssBytes,
      ...(before === undefined || after === undefined ? {} : {
        serverUs: (after.cpuUs - before.cpuUs) / operations,
        serverRss: after.rssBytes,
      }),
      ...(p50 === undefined ? {} : { p50 }),
      ...(p99 === undefined ? {} : { p99 }),
    };
  }

  /** Ends its processes. */
  async end(): Promise<void> {
    await this.client.end();
    await this.server?.end();
  }

  async #serverUsage(): Promise<Usage | undefined> {
    return await this.server?.ask<Usage>({ do: "usage" });
  }
}
