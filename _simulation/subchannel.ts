/**
 * A connection of the simulation, in the place of one of the network.
 *
 * @module
 */

import type {
  BalancedSubchannel,
  SubchannelOwner,
} from "../_balance/subchannel.ts";
import type { CloseReason, StreamClaim } from "../_call/byte_stream.ts";
import { Backoff } from "../core/_backoff.ts";
import type { ConnectivityState } from "../core/connectivity.ts";
import { reasonOfLoss } from "../_http2/reset.ts";
import type { Backend, Connection } from "./backend.ts";
import type { SimulatedClock } from "./clock.ts";

/** How long it takes to connect, in milliseconds. */
const CONNECT_MS = 3;

/** A call that can be sent on a simulated connection. */
export interface SimulatedClaim extends StreamClaim {
  /** It is sent. */
  sendOn(subchannel: SimulatedSubchannel): void;
}

/** What a subchannel is made of. */
export interface SubchannelOptions {
  readonly backend: Backend;
  readonly clock: SimulatedClock;
  readonly owner: SubchannelOwner;
  /** Gives a number from 0 to below 1. */
  readonly random: () => number;
}

/** A connection to a server, which comes back when it is lost. */
export class SimulatedSubchannel implements BalancedSubchannel, Connection {
  readonly backend: Backend;
  readonly paths: string[] = [];
  state: ConnectivityState = "IDLE";
  failure: CloseReason | null = null;
  callCount = 0;
  isWanted = false;
  maxStreams = 100;
  isWatched = false;
  readonly #clock: SimulatedClock;
  readonly #owner: SubchannelOwner;
  readonly #backoff: Backoff;
  #isRetired = false;

  constructor({ backend, clock, owner, random }: SubchannelOptions) {
    this.backend = backend;
    this.#clock = clock;
    this.#owner = owner;
    this.#backoff = new Backoff({
      initialReconnectBackoffMs: 1_000,
      maxReconnectBackoffMs: 120_000,
    }, random);
  }

  get figures(): never {
    throw new Error("Nobody looks inside a simulation");
  }

  get unusedSince(): number {
    return this.callCount > 0 ? Infinity : this.#clock.now();
  }

  get counts(): { connections: number; streams: number } {
    const connections = this.state === "READY" ? 1 : 0;
    return { connections, streams: this.callCount };
  }

  checkRoom(): boolean {
    return this.state === "READY";
  }

  open(claim: StreamClaim): void {
    this.callCount++;
    (claim as SimulatedClaim).sendOn(this);
  }

  openInBackground(claim: StreamClaim): void {
    this.open(claim);
  }

  /** A call has ended. */
  onCallEnd(): void {
    this.callCount--;
    if (!this.#isRetired) this.#owner.onRoom(this);
  }

  connect(): void {
    if (this.state !== "IDLE" || this.#isRetired) return;
    this.#become("CONNECTING");
    this.#clock.setTimeout(() => this.#onConnected(), CONNECT_MS);
  }

  /** The server asks for no more calls; those there are go on. */
  onGoaway(): void {
    if (!this.#isRetired) this.#become("IDLE");
  }

  retire(): Promise<void> {
    this.#isRetired = true;
    this.backend.connections.delete(this);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.retire();
  }

  #onConnected(): void {
    if (this.#isRetired) return;
    if (this.backend.isUp) {
      this.failure = null;
      this.#backoff.reset();
      this.backend.connections.add(this);
      return this.#become("READY");
    }
    this.failure = reasonOfLoss("Cannot connect", "refused", true);
    this.#become("TRANSIENT_FAILURE");
    this.#clock.setTimeout(() => {
      if (!this.#isRetired) this.#become("IDLE");
    }, this.#backoff.fail());
  }

  #become(state: ConnectivityState): void {
    this.state = state;
    this.#owner.onState(this);
  }
}
