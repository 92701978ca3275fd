/**
 * Endpoints that fail more calls than the others are left out for a while:
 * outlier detection.
 *
 * Calls are counted by endpoint. Now and then the counts are compared, and an
 * endpoint is ejected whose rate of success is far below the mean of all, or
 * whose percentage of failures is above a threshold. It comes back after a time
 * that grows with how often that has happened.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A50-xds-outlier-detection.md}
 * @module
 */

import type {
  ByteStream,
  CloseReason,
  StreamClaim,
} from "../_call/byte_stream.ts";
import type { Context } from "../_context.ts";
import type { ResolvedOutlierDetection } from "../core/balancing.ts";
import type { Clock, ClockTimer } from "../core/clock.ts";
import type { ConnectivityState } from "../core/connectivity.ts";
import type { Peer } from "../core/peer.ts";
import { Status } from "../core/status.ts";
import { reasonOfLoss } from "../_http2/reset.ts";
import type { RawHeaders } from "../_wire/headers.ts";
import { parseOutcome } from "../_wire/outcome.ts";
import type { BalancedSubchannel, SubchannelOwner } from "./subchannel.ts";
import {
  type SubchannelMaker,
  SubchannelWrapper,
} from "./subchannel_wrapper.ts";

/**
 * The statuses that speak against a server. The others, such as NOT_FOUND, are
 * about the request, and would be the same anywhere.
 */
const FAILURES: ReadonlySet<Status> = new Set([
  Status.UNKNOWN,
  Status.DEADLINE_EXCEEDED,
  Status.RESOURCE_EXHAUSTED,
  Status.UNIMPLEMENTED,
  Status.INTERNAL,
  Status.UNAVAILABLE,
  Status.DATA_LOSS,
]);

/** What is known of the calls of an endpoint. */
class Endpoint {
  readonly subchannels = new Set<OutlierSubchannel>();
  successes = 0;
  failures = 0;
  /** When it was ejected, by the clock; null if it is not. */
  ejectedAt: number | null = null;
  /** How often it was, less the sweeps since that found it well. */
  multiplier = 0;

  /** How many of its calls have ended since the last sweep. */
  get volume(): number {
    return this.successes + this.failures;
  }
}

/** What is known of all endpoints of a channel. */
export class OutlierDetector {
  readonly #options: ResolvedOutlierDetection;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #endpoints = new Map<unknown, Endpoint>();
  #timer: ClockTimer | undefined;

  /** @param random Gives a number from 0 to below 1. */
  constructor(
    options: ResolvedOutlierDetection,
    clock: Clock,
    random: () => number = Math.random,
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Makes a subchannel whose calls count.
   *
   * @param key What its endpoint is known by.
   */
  watch(
    key: unknown,
    make: SubchannelMaker,
    owner: SubchannelOwner,
  ): BalancedSubchannel {
    let endpoint = this.#endpoints.get(key);
    if (endpoint === undefined) {
      this.#endpoints.set(key, endpoint = new Endpoint());
    }
    const subchannel = new OutlierSubchannel(make, owner, {
      endpoint,
      clock: this.#clock,
      forget: () => this.#forget(key, subchannel),
    });
    endpoint.subchannels.add(subchannel);
    this.#timer ??= this.#startTimer();
    return subchannel;
  }

  #forget(key: unknown, subchannel: OutlierSubchannel): void {
    const endpoint = this.#endpoints.get(key);
    endpoint?.subchannels.delete(subchannel);
    if (endpoint?.subchannels.size === 0) this.#endpoints.delete(key);
    if (this.#endpoints.size > 0) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #startTimer(): ClockTimer {
    const timer = this.#clock.setTimeout(() => {
      this.#timer = this.#startTimer();
      this.#sweep();
    }, this.#options.intervalMs);
    timer.unref();
    return timer;
  }

  #sweep(): void {
    const { successRate, failurePercentage } = this.#options;
    const before = new Map<Endpoint, boolean>();
    for (const endpoint of this.#endpoints.values()) {
      before.set(endpoint, endpoint.ejectedAt !== null);
    }
    if (successRate !== null) this.#ejectUnlikely(successRate);
    if (failurePercentage !== null) this.#ejectFailing(failurePercentage);
    for (const endpoint of this.#endpoints.values()) {
      endpoint.successes = endpoint.failures = 0;
      this.#forgive(endpoint);
    }
    for (const [endpoint, wasEjected] of before) {
      if (wasEjected === (endpoint.ejectedAt !== null)) continue;
      for (const subchannel of [...endpoint.subchannels]) {
        subchannel.onEjection();
      }
    }
  }

  /** Ejects those whose rate of success is far below the mean. */
  #ejectUnlikely(
    { stdevFactor, minimumHosts, requestVolume, enforcementPercentage }:
      NonNullable<ResolvedOutlierDetection["successRate"]>,
  ): void {
    const busy = this.#withVolume(requestVolume);
    if (busy.length < minimumHosts) return;
    const rates = busy.map(({ successes, volume }) => successes / volume);
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) /
      rates.length;
    const least = mean - Math.sqrt(variance) * (stdevFactor / 1000);
    busy.forEach((endpoint, i) => {
      if (rates[i]! < least) this.#eject(endpoint, enforcementPercentage);
    });
  }

  /** Ejects those of whose calls too many fail. */
  #ejectFailing(
    { threshold, minimumHosts, requestVolume, enforcementPercentage }:
      NonNullable<ResolvedOutlierDetection["failurePercentage"]>,
  ): void {
    const busy = this.#withVolume(requestVolume);
    if (busy.length < minimumHosts) return;
    for (const endpoint of busy) {
      const percentage = (100 * endpoint.failures) / endpoint.volume;
      if (percentage > threshold) this.#eject(endpoint, enforcementPercentage);
    }
  }

  #withVolume(requestVolume: number): Endpoint[] {
    return [...this.#endpoints.values()]
      .filter(({ volume }) => volume >= requestVolume);
  }

  #eject(endpoint: Endpoint, enforcementPercentage: number): void {
    if (endpoint.ejectedAt !== null) return;
    const all = [...this.#endpoints.values()];
    const ejected = all.filter(({ ejectedAt }) => ejectedAt !== null).length;
    const { maxEjectionPercent } = this.#options;
    // One may always go, however few there are.
    if ((100 * ejected) / all.length >= maxEjectionPercent) return;
    if (this.#random() * 100 >= enforcementPercentage) return;
    endpoint.ejectedAt = this.#clock.now();
    endpoint.multiplier++;
  }

  /** Lets an endpoint back in when its time is over. */
  #forgive(endpoint: Endpoint): void {
    const { ejectedAt } = endpoint;
    if (ejectedAt === null) {
      endpoint.multiplier = Math.max(0, endpoint.multiplier - 1);
      return;
    }
    const { baseEjectionTimeMs, maxEjectionTimeMs } = this.#options;
    const lastsMs = Math.min(
      baseEjectionTimeMs * endpoint.multiplier,
      Math.max(baseEjectionTimeMs, maxEjectionTimeMs),
    );
    if (this.#clock.now() >= ejectedAt + lastsMs) endpoint.ejectedAt = null;
  }
}

/** What a subchannel that counts calls needs to know. */
interface Counting {
  readonly endpoint: Endpoint;
  readonly clock: Clock;
  forget(): void;
}

/** A subchannel whose calls count, and that may be ejected. */
class OutlierSubchannel extends SubchannelWrapper {
  readonly #counting: Counting;

  constructor(
    make: SubchannelMaker,
    owner: SubchannelOwner,
    counting: Counting,
  ) {
    super(make, owner);
    this.#counting = counting;
  }

  override get state(): ConnectivityState {
    return this.#isOut ? "TRANSIENT_FAILURE" : super.state;
  }

  override get failure(): CloseReason | null {
    return this.#isOut
      ? reasonOfLoss(
        "Endpoint is ejected",
        "more of its calls fail than of others",
      )
      : super.failure;
  }

  get #isOut(): boolean {
    // Without a connection there is other work to do first.
    return this.#counting.endpoint.ejectedAt !== null &&
      this.inner.state === "READY";
  }

  override open(claim: StreamClaim): void {
    super.open(new CountedClaim(claim, this.#counting));
  }

  protected override onStop(): void {
    this.#counting.forget();
  }

  /** It was ejected, or is let in again. */
  onEjection(): void {
    if (this.inner.state === "READY") this.tellState();
  }
}

/** A call that counts. */
class CountedClaim implements StreamClaim {
  readonly #claim: StreamClaim;
  readonly #counting: Counting;
  #isCounted = false;

  constructor(claim: StreamClaim, counting: Counting) {
    this.#claim = claim;
    this.#counting = counting;
  }

  get waitForReady(): boolean {
    return this.#claim.waitForReady;
  }

  get context(): Context | undefined {
    return this.#claim.context;
  }

  get expiresAt(): number {
    return this.#claim.expiresAt ?? Infinity;
  }

  onStream(stream: ByteStream, peer: Peer): void {
    this.#claim.onStream(stream, peer);
  }

  onHead(raw: RawHeaders, end: boolean): void {
    if (end) this.#countTrailers(raw);
    this.#claim.onHead(raw, end);
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.#claim.onData(bytes, start, end);
  }

  onStop(isOver: boolean): void {
    this.#claim.onStop(isOver);
  }

  onEnd(trailers: RawHeaders): void {
    this.#countTrailers(trailers);
    this.#claim.onEnd(trailers);
  }

  onClose(why: CloseReason): void {
    const { clock } = this.#counting;
    if (clock.now() >= this.expiresAt) {
      this.#count(Status.DEADLINE_EXCEEDED);
    } else if (!why.clean && !why.unprocessed) {
      this.#count(why.status);
    }
    // Else this side has cancelled it, as the caller wished or because of another
    // attempt, or the server leaves and has not looked at it.
    this.#claim.onClose(why);
  }

  #countTrailers(raw: RawHeaders): void {
    this.#count(parseOutcome(raw).status);
  }

  #count(status: Status): void {
    if (this.#isCounted) return;
    this.#isCounted = true;
    const { endpoint } = this.#counting;
    if (FAILURES.has(status)) endpoint.failures++;
    else endpoint.successes++;
  }
}
