/**
 * A subchannel that is what another is, but for what it adds.
 *
 * @module
 */

import type { CloseReason, StreamClaim } from "../_call/byte_stream.ts";
import type { ConnectivityState } from "../core/connectivity.ts";
import type {
  BalancedSubchannel,
  SubchannelFigures,
  SubchannelOwner,
} from "./subchannel.ts";

/** Makes a subchannel that tells its owner what becomes of it. */
export type SubchannelMaker = (
  owner: SubchannelOwner,
) => BalancedSubchannel;

/** Passes everything on, from the balancer to a subchannel and back. */
export abstract class SubchannelWrapper
  implements BalancedSubchannel, SubchannelOwner {
  readonly #owner: SubchannelOwner;
  readonly #inner: BalancedSubchannel;

  constructor(make: SubchannelMaker, owner: SubchannelOwner) {
    this.#owner = owner;
    this.#inner = make(this);
  }

  /** The subchannel that it wraps. */
  protected get inner(): BalancedSubchannel {
    return this.#inner;
  }

  get figures(): SubchannelFigures {
    return this.#inner.figures;
  }

  get state(): ConnectivityState {
    return this.#inner.state;
  }

  get failure(): CloseReason | null {
    return this.#inner.failure;
  }

  get callCount(): number {
    return this.#inner.callCount;
  }

  get maxStreams(): number {
    return this.#inner.maxStreams;
  }

  get unusedSince(): number {
    return this.#inner.unusedSince;
  }

  get paths(): string[] {
    return this.#inner.paths;
  }

  get counts(): { connections: number; streams: number } {
    return this.#inner.counts;
  }

  set isWanted(isWanted: boolean) {
    this.#inner.isWanted = isWanted;
  }

  set isWatched(isWatched: boolean) {
    this.#inner.isWatched = isWatched;
  }

  checkRoom(): boolean {
    return this.#inner.checkRoom();
  }

  open(claim: StreamClaim): void {
    this.#inner.open(claim);
  }

  openInBackground(claim: StreamClaim): void {
    this.#inner.openInBackground(claim);
  }

  connect(): void {
    this.#inner.connect();
  }

  retire(): Promise<void> {
    this.onStop();
    return this.#inner.retire();
  }

  close(): Promise<void> {
    this.onStop();
    return this.#inner.close();
  }

  onState(_inner: BalancedSubchannel): void {
    this.tellState();
  }

  onRoom(_inner: BalancedSubchannel): void {
    this.#owner.onRoom(this);
  }

  /** Tells the balancer that the state is, or may be, another. */
  protected tellState(): void {
    this.#owner.onState(this);
  }

  /** No more calls come: once at least, before it retires or closes. */
  protected onStop(): void {}
}
