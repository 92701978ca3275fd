/**
 * Subchannels for tests of what balances calls over them.
 *
 * @module
 */

import type { CloseReason, StreamClaim } from "../_call/byte_stream.ts";
import type { ConnectivityState } from "../core/connectivity.ts";
import { reasonOfLoss } from "../_http2/reset.ts";
import type {
  BalancedSubchannel,
  SubchannelOwner,
} from "../_balance/subchannel.ts";

/** A subchannel that is in the state that a test says. */
export class FakeSubchannel implements BalancedSubchannel {
  state: ConnectivityState = "IDLE";
  failure: CloseReason | null = null;
  callCount = 0;
  unusedSince = -Infinity;
  isWanted = false;
  maxStreams = 100;
  /** Whether a stream can be opened while it is READY. */
  hasRoom = true;
  isWatched = false;
  readonly paths: string[] = [];
  /** The calls that it was given. */
  readonly opened: StreamClaim[] = [];
  /** Those that are none of the user's. */
  readonly background: StreamClaim[] = [];
  readonly counts = { connections: 0, streams: 0 };
  readonly #owner: SubchannelOwner;

  constructor(owner: SubchannelOwner) {
    this.#owner = owner;
  }

  get figures(): never {
    throw new Error("nobody looks");
  }

  /** @param why The reason of a failure. */
  become(state: ConnectivityState, why = "Refused"): void {
    this.state = state;
    this.failure = state === "TRANSIENT_FAILURE"
      ? reasonOfLoss("Cannot connect", new Error(why), true)
      : null;
    this.#owner.onState(this);
  }

  connect(): void {
    if (this.state === "IDLE") this.become("CONNECTING");
  }

  checkRoom(): boolean {
    return this.state === "READY" && this.hasRoom;
  }

  open(claim: StreamClaim): void {
    this.callCount++;
    this.opened.push(claim);
  }

  openInBackground(claim: StreamClaim): void {
    this.background.push(claim);
  }

  /** A call ended, or the server allows another number of streams. */
  tellRoom(): void {
    this.#owner.onRoom(this);
  }

  retire(): Promise<void> {
    this.state = "SHUTDOWN";
    return Promise.resolve();
  }

  close(): Promise<void> {
    return this.retire();
  }
}
