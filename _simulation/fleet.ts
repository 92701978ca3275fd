/**
 * A simulated fleet: servers, clients that call them, and a name service.
 *
 * @module
 */

import {
  FirstPicker,
  LeastRequestPicker,
  type Picker,
  RoundRobinPicker,
} from "../_balance/picker.ts";
import type {
  RetryPolicy,
  ThrottlingPolicy,
} from "../_call/client/call_policy.ts";
import { readChannelRetry } from "../_call/client/method_options.ts";
import { Random } from "../_fuzz/random.ts";
import { Configuration } from "../core/config.ts";
import { Backend, type BackendOptions, BUCKET_MS } from "./backend.ts";
import {
  emptyTally,
  SimulatedClient,
  type SimulatedEndpoint,
  type Tally,
} from "./client.ts";
import { SimulatedClock } from "./clock.ts";

/** How many there are. */
export interface FleetSize {
  readonly clients: number;
  readonly backends: number;
}

/** How clients choose among servers. */
export type Policy = "pick_first" | "round_robin" | "least_request";

/** What a fleet is like. */
export interface FleetOptions extends FleetSize {
  readonly policy: Policy;
  readonly backend: BackendOptions;
  readonly callsPerSecond: number;
  readonly timeoutMs: number;
  /** As the channel's option of that name; no retries if it is left out. */
  readonly retry?: boolean | { readonly throttling: null };
  readonly seed: number;
}

/** How long clients take to begin, one after the other, in milliseconds. */
const RAMP_MS = 5_000;

/** How many servers `least_request` draws, as is the default. */
const CHOICES = 2;

/** How long the name service takes, in milliseconds. */
const LOOKUP_MS = 2;

/** A fleet with its clients. */
export class Fleet {
  readonly clock: SimulatedClock = new SimulatedClock();
  readonly backends: Backend[];
  /** What is counted of calls that begin now. */
  tally: Tally = emptyTally();
  readonly #options: FleetOptions;
  readonly #random: Random;
  /** What the name service says. */
  #endpoints: readonly SimulatedEndpoint[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.backends = [];
    for (let i = 0; i < options.backends; i++) this.addBackend();
    this.publish();
    const { policy, throttling } = retryOf(options.retry);
    const config = new Configuration().forClient();
    for (let i = 0; i < options.clients; i++) {
      const random = this.#random.fork();
      const client = new SimulatedClient({
        clock: this.clock,
        random,
        source: () => this.#lookUp(random),
        picker: pickerOf(options.policy, random),
        callsPerSecond: options.callsPerSecond,
        timeoutMs: options.timeoutMs,
        retry: policy,
        throttling,
        minResolutionIntervalMs: config.minResolutionIntervalMs,
        resolutionRefreshMs: config.resolutionRefreshMs,
        tally: () => this.tally,
      });
      this.clock.setTimeout(() => client.start(), random.next() * RAMP_MS);
    }
  }

  /** Adds a server, which the name service does not know yet. */
  addBackend(): Backend {
    const backend = new Backend(
      this.clock,
      this.#random.fork(),
      this.#options.backend,
    );
    this.backends.push(backend);
    return backend;
  }

  /** Tells the name service which servers there are. */
  publish(): void {
    this.#endpoints = this.backends.map((backend, i) => ({
      key: backend,
      name: `server ${i}`,
      backend,
    }));
  }

  /** Lets time pass, and counts the calls that begin in it. */
  async run(ms: number): Promise<Tally> {
    const tally = this.tally = emptyTally();
    await this.clock.runUntil(this.clock.now() + ms);
    return tally;
  }

  /** How many requests each server was sent in the last so many seconds. */
  arrivals(seconds: number): number[] {
    const end = Math.floor(this.clock.now() / BUCKET_MS);
    return this.backends.map(({ arrivals }) => {
      let sum = 0;
      for (let i = end - seconds; i < end; i++) sum += arrivals[i] ?? 0;
      return sum;
    });
  }

  #lookUp(random: Random): Promise<readonly SimulatedEndpoint[]> {
    const all = this.#endpoints;
    // With pick_first, a client has one server: the first of the answer, and
    // name services change the order.
    const answer = this.#options.policy === "pick_first"
      ? [random.pick(all)]
      : all;
    const { promise, resolve } = Promise.withResolvers<
      readonly SimulatedEndpoint[]
    >();
    this.clock.setTimeout(() => {
      resolve(answer);
      this.clock.settle();
    }, LOOKUP_MS);
    return promise;
  }
}

function pickerOf(policy: Policy, random: Random): Picker {
  const next = (): number => random.next();
  switch (policy) {
    case "pick_first":
      return new FirstPicker();
    case "round_robin":
      return new RoundRobinPicker(next);
    case "least_request":
      return new LeastRequestPicker(CHOICES, next);
  }
}

/** What the option of a channel comes to. */
function retryOf(
  retry: FleetOptions["retry"],
): { policy: RetryPolicy | null; throttling: ThrottlingPolicy | null } {
  const { policy, throttling } = readChannelRetry(retry, {
    action: "Cannot simulate channel",
    maxAttemptsLimit: Infinity,
  });
  return { policy: policy ?? null, throttling };
}
