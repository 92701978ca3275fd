/**
 * A server of the simulation: some workers, and a queue before them.
 *
 * @module
 */

import type { Random } from "../_fuzz/random.ts";
import { Status } from "../core/status.ts";
import type { SimulatedClock } from "./clock.ts";

/** What a server is like. */
export interface BackendOptions {
  /** How many requests it works on at a time. */
  readonly workers: number;
  /** How long one takes on average, in milliseconds; chance is exponential. */
  readonly serviceMs: number;
  /** How many more may wait; the next is refused with UNAVAILABLE. */
  readonly maxQueue: number;
}

/** A request on a server. */
export interface Work {
  /** Nobody waits for it any more. */
  readonly isOver: boolean;
  /** The reply is sent. */
  reply(status: Status): void;
}

/** A connection, as the server knows it. */
export interface Connection {
  /** The server shuts down gracefully. */
  onGoaway(): void;
}

/** How finely the requests are counted, in milliseconds. */
export const BUCKET_MS = 1000;

/** One server. */
export class Backend {
  /** How long a request takes on average, in milliseconds. */
  serviceMs: number;
  /** Whether it listens. */
  isUp = true;
  /** The requests that came, in each second. */
  readonly arrivals: number[] = [];
  /** The connections to it. */
  readonly connections = new Set<Connection>();
  readonly #clock: SimulatedClock;
  readonly #random: Random;
  readonly #options: BackendOptions;
  readonly #queue: Work[] = [];
  /** Where the queue begins. */
  #first = 0;
  #busy = 0;

  constructor(clock: SimulatedClock, random: Random, options: BackendOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#options = options;
    this.serviceMs = options.serviceMs;
  }

  /** How many requests it has. */
  get load(): number {
    return this.#busy + this.#queue.length - this.#first;
  }

  /** Takes on a request, also while it drains: GOAWAY comes in two steps. */
  take(work: Work): void {
    const second = Math.floor(this.#clock.now() / BUCKET_MS);
    this.arrivals[second] = (this.arrivals[second] ?? 0) + 1;
    if (this.#busy < this.#options.workers) return this.#start(work);
    if (this.#queue.length - this.#first >= this.#options.maxQueue) {
      return work.reply(Status.UNAVAILABLE);
    }
    this.#queue.push(work);
  }

  /** Shuts down gracefully: finishes what it has, and listens no more. */
  stop(): void {
    this.isUp = false;
    const connections = [...this.connections];
    this.connections.clear();
    for (const connection of connections) connection.onGoaway();
  }

  /** Listens again. */
  start(): void {
    this.isUp = true;
  }

  #start(work: Work): void {
    this.#busy++;
    const workMs = -Math.log(1 - this.#random.next()) * this.serviceMs;
    this.#clock.setTimeout(() => {
      this.#busy--;
      work.reply(Status.OK);
      this.#next();
    }, workMs);
  }

  #next(): void {
    while (this.#first < this.#queue.length) {
      const work = this.#queue[this.#first++]!;
      // What was begun is finished, but what nobody wants is not begun.
      if (work.isOver) continue;
      this.#start(work);
      break;
    }
    if (this.#first > 1000 || this.#first === this.#queue.length) {
      this.#queue.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
