/**
 * A client of the simulation: the balancer and the retries of a channel, over
 * simulated connections.
 *
 * @module
 */

import { type BalancedEndpoint, Balancer } from "../_balance/balancer.ts";
import type { Picker } from "../_balance/picker.ts";
import { type EndpointSource, Resolution } from "../_balance/resolution.ts";
import type { CloseReason } from "../_call/byte_stream.ts";
import { type AttemptPlan, planOf } from "../_call/client/attempt_plan.ts";
import type {
  RetryPolicy,
  ThrottlingPolicy,
} from "../_call/client/call_policy.ts";
import { RetryThrottle } from "../_call/client/retry_throttle.ts";
import type { Random } from "../_fuzz/random.ts";
import type { ClockTimer } from "../core/clock.ts";
import { Status } from "../core/status.ts";
import type { Backend, Work } from "./backend.ts";
import type { SimulatedClock } from "./clock.ts";
import { type SimulatedClaim, SimulatedSubchannel } from "./subchannel.ts";

/** How long a message is on its way, in milliseconds. */
const NETWORK_MS = 0.5;

/** A server, as the name service knows it. */
export interface SimulatedEndpoint extends BalancedEndpoint {
  readonly backend: Backend;
}

/** What is counted of the calls of all clients. */
export interface Tally {
  /** Calls that began, and requests that were sent for them. */
  calls: number;
  attempts: number;
  succeeded: number;
  failed: number;
  /** How long those took that succeeded, in milliseconds. */
  latencies: number[];
}

/** Makes a tally of nothing. */
export function emptyTally(): Tally {
  return { calls: 0, attempts: 0, succeeded: 0, failed: 0, latencies: [] };
}

/** What a client is like. */
export interface ClientOptions {
  readonly clock: SimulatedClock;
  readonly random: Random;
  /** The name service. */
  readonly source: EndpointSource<SimulatedEndpoint>;
  readonly picker: Picker;
  /** How many calls it makes in a second, at random moments. */
  readonly callsPerSecond: number;
  readonly timeoutMs: number;
  /** When it tries again; null for never. */
  readonly retry: RetryPolicy | null;
  readonly throttling: ThrottlingPolicy | null;
  /** When it asks the name service again, as by `config`, in milliseconds. */
  readonly minResolutionIntervalMs: number;
  readonly resolutionRefreshMs: number;
  /** Where its calls are counted at the moment. */
  readonly tally: () => Tally;
}

/** One client, with a channel. */
export class SimulatedClient {
  readonly #options: ClientOptions;
  readonly #balancer: Balancer<SimulatedEndpoint>;
  readonly #throttle: RetryThrottle | null;
  readonly #random: () => number;

  constructor(options: ClientOptions) {
    const { clock, random, source, picker, throttling } = options;
    this.#options = options;
    this.#random = () => random.next();
    this.#throttle = throttling === null ? null : new RetryThrottle(throttling);
    this.#balancer = new Balancer<SimulatedEndpoint>({
      target: "dns:///fleet",
      clock,
      picker,
      connectionsPerAddress: 1,
      idleTimeoutMs: Infinity,
      isResolved: true,
      find: (owner) =>
        new Resolution({
          target: "dns:///fleet",
          source,
          clock,
          minIntervalMs: options.minResolutionIntervalMs,
          refreshMs: options.resolutionRefreshMs,
          timeoutMs: 20_000,
          backoff: {
            initialReconnectBackoffMs: 1_000,
            maxReconnectBackoffMs: 120_000,
          },
        }, owner),
      makeSubchannel: ({ backend }, owner) =>
        new SimulatedSubchannel({
          backend,
          clock,
          owner,
          random: this.#random,
        }),
    });
  }

  /** Begins to call. */
  start(): void {
    this.#balancer.connect();
    this.#callLater();
  }

  #callLater(): void {
    const { clock, callsPerSecond } = this.#options;
    const waitMs = -Math.log(1 - this.#random()) / callsPerSecond * 1000;
    clock.setTimeout(() => {
      this.#callLater();
      this.#call();
    }, waitMs);
  }

  #call(): void {
    const { clock, retry, timeoutMs } = this.#options;
    const tally = this.#options.tally();
    tally.calls++;
    const plan = retry === null
      ? null
      : planOf(retry, this.#throttle, this.#random);
    new SimulatedCall({ clock, plan, timeoutMs, tally, source: this.#balancer })
      .attempt();
  }
}

/** What a call is made of. */
interface CallOptions {
  readonly clock: SimulatedClock;
  readonly plan: AttemptPlan | null;
  readonly timeoutMs: number;
  readonly tally: Tally;
  readonly source: Balancer<SimulatedEndpoint>;
}

/** One call, with one attempt after another. */
class SimulatedCall {
  readonly options: CallOptions;
  isOver = false;
  readonly #startedAt: number;
  readonly #deadline: ClockTimer;
  #made = 0;
  #current: SimulatedAttempt | null = null;

  constructor(options: CallOptions) {
    const { clock, timeoutMs } = options;
    this.options = options;
    this.#startedAt = clock.now();
    this.#deadline = clock.setTimeout(() => this.#end(false), timeoutMs);
  }

  attempt(): void {
    if (this.isOver) return;
    this.#made++;
    this.options.tally.attempts++;
    this.#current = new SimulatedAttempt(this);
    this.options.source.claim(this.#current);
  }

  onReply(status: Status): void {
    const { plan, clock } = this.options;
    if (this.isOver) return;
    if (status === Status.OK || plan === null) {
      plan?.onEnd(status);
      return this.#end(status === Status.OK);
    }
    const sequel = plan.after({ status, pushbackMs: undefined }, this.#made);
    if (typeof sequel !== "number") return this.#end(false);
    clock.setTimeout(() => this.attempt(), sequel);
  }

  #end(isOK: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    const { clock, tally, source } = this.options;
    clock.clearTimeout(this.#deadline);
    if (this.#current !== null) {
      source.withdraw(this.#current);
      this.#current.release();
    }
    if (!isOK) {
      tally.failed++;
      return;
    }
    tally.succeeded++;
    tally.latencies.push(clock.now() - this.#startedAt);
  }
}

/** One attempt, on its way to a server and back. */
class SimulatedAttempt implements SimulatedClaim, Work {
  readonly waitForReady = false;
  readonly #call: SimulatedCall;
  #subchannel: SimulatedSubchannel | null = null;

  constructor(call: SimulatedCall) {
    this.#call = call;
  }

  get isOver(): boolean {
    return this.#call.isOver;
  }

  sendOn(subchannel: SimulatedSubchannel): void {
    this.#subchannel = subchannel;
    this.#call.options.clock.setTimeout(
      () => subchannel.backend.take(this),
      NETWORK_MS,
    );
  }

  reply(status: Status): void {
    this.#call.options.clock.setTimeout(() => {
      this.release();
      this.#call.onReply(status);
    }, NETWORK_MS);
  }

  /** Its stream has ended, by its trailers or by RST_STREAM. */
  release(): void {
    this.#subchannel?.onCallEnd();
    this.#subchannel = null;
  }

  onClose(why: CloseReason): void {
    this.#call.onReply(why.status);
  }

  // There is no stream beneath it.

  onStream(): void {}
  onHead(): void {}
  onData(): void {}
  onStop(): void {}
  onEnd(): void {}
}
