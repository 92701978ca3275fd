/**
 * The channel's way to the server: one object per state, and what they share.
 *
 * ```text
 *              claim                  SETTINGS
 *   idle ────────────▶ connecting ─────────────▶ ready
 *    ▲  ▲                  │ failed                │
 *    │  │ nobody waits     ▼                       │
 *    │  └──────── transient failure                │
 *    │                     │ backoff is over, calls wait: connecting
 *    └──────── GOAWAY, connection lost, idle time ─┘
 *
 *   shut down: from any state, for good
 * ```
 *
 * A connection that got a GOAWAY is draining: it goes on until
 * its streams end, beside the one that takes its place.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/connectivity-semantics-and-api.md}
 * @module
 */

import type { CloseReason, StreamClaim } from "../../_call/byte_stream.ts";
import { noContext } from "../../_context.ts";
import { Backoff } from "../../core/_backoff.ts";
import { CallCounts, History } from "../../core/_figures.ts";
import type { ConnectivityState, Endpoint } from "../../core/connectivity.ts";
import { ClaimQueue, reasonOfWait } from "../../_balance/claim_queue.ts";
import type {
  BalancedSubchannel,
  ConnectionSource,
  SubchannelFigures,
  SubchannelOwner,
} from "../../_balance/subchannel.ts";
import type { Address } from "./addresses.ts";
import { CHANNEL_CLOSED } from "../reset.ts";
import { ClientConnection, type ConnectionOwner } from "./connection.ts";
import {
  Connecting,
  type ConnectivityOwner,
  Idle,
  ShutDown,
  type State,
} from "./connectivity.ts";
import type { Dialing } from "./dialing.ts";

/** A channel's connections to its server. */
export class Subchannel
  implements
    ConnectionSource,
    BalancedSubchannel,
    SubchannelFigures,
    ConnectivityOwner {
  readonly backoff: Backoff;
  readonly history: History<ConnectivityState>;
  readonly dialing: Dialing;
  /** A look-up is a part of each attempt to connect. */
  readonly resolution = null;
  /** How many connections in a row were lost soon, and before any reply. */
  fruitless = 0;
  /** When the last attempt to connect began, by the channel's clock. */
  attemptedAt = 0;
  /** Calls that wait for a stream, in the order they came. */
  readonly #queue = new ClaimQueue();
  readonly #owner: SubchannelOwner | null;
  /** Connections that are not gone, draining ones included. */
  readonly #connections = new Set<ClientConnection>();
  #state: State = new Idle(this);
  /** How many calls there were on connections that are gone. */
  readonly #goneCalls = new CallCounts();
  #changed: PromiseWithResolvers<void> | undefined;
  /** What the time of keepalive is multiplied with: the server's complaints. */
  #calm = 1;
  #isWanted = false;
  #isWatchedByOwner = false;

  /**
   * @param dialing How to connect.
   * @param owner Who balances calls between it and others, if somebody does.
   */
  constructor(dialing: Dialing, owner: SubchannelOwner | null = null) {
    this.dialing = dialing;
    this.#owner = owner;
    this.history = new History((change) => {
      const { connectivity, endpoint, target } = dialing;
      // One that nobody balances is what its channel is.
      const kind = owner === null ? "channel" : "subchannel";
      connectivity?.state(kind, endpoint ?? target, change);
    });
    this.backoff = new Backoff(dialing.config);
  }

  /** The state of the channel, in gRPC's words. */
  get state(): ConnectivityState {
    return this.#state.name;
  }

  /** Resolves when the state is another one than now. */
  get changed(): Promise<void> {
    this.#changed ??= Promise.withResolvers();
    this.#state.onNeed();
    return this.#changed.promise;
  }

  /** The paths of the methods that are called. */
  get paths(): string[] {
    return [...this.#connections].flatMap(({ paths }) => paths);
  }

  /** How many connections there are, how many streams, how many calls wait. */
  get counts(): { connections: number; streams: number; waiting: number } {
    let streams = 0;
    for (const { streamCount } of this.#connections) streams += streamCount;
    return {
      connections: this.#connections.size,
      streams,
      waiting: this.#queue.size,
    };
  }

  get endpoints(): Endpoint[] {
    const { connection } = this.#state;
    return [{
      address: this.name,
      state: this.state,
      connections: connection === null ? 0 : 1,
      calls: this.callCount,
    }];
  }

  get callCounts(): CallCounts {
    const counts = this.#goneCalls.copy();
    for (const { account } of this.#connections) counts.add(account.traffic);
    return counts;
  }

  get waitReason(): string {
    return reasonOfWait(this.history);
  }

  get nextAttemptMs(): number | null {
    return this.#state.nextAttemptMs;
  }

  get name(): string {
    return this.connectedTo ?? this.dialing.target;
  }

  get figures(): SubchannelFigures {
    return this;
  }

  get subchannels(): readonly SubchannelFigures[] {
    return [this];
  }

  get connections(): Iterable<ClientConnection> {
    return this.#connections;
  }

  /** Whether calls wait for a stream. */
  get isAwaited(): boolean {
    return this.#queue.size > 0 || this.#isWanted;
  }

  /** Whether somebody waits for another state. */
  get isWatched(): boolean {
    return this.#changed !== undefined || this.#isWatchedByOwner;
  }

  set isWatched(isWatched: boolean) {
    if (isWatched === this.#isWatchedByOwner) return;
    this.#isWatchedByOwner = isWatched;
    this.#state.onNeed();
  }

  claim(claim: StreamClaim): void {
    this.#state.claim(claim);
  }

  withdraw(claim: StreamClaim): void {
    if (this.#queue.delete(claim) && !this.isAwaited) this.#state.onNeed();
  }

  // For a balancer

  get failure(): CloseReason | null {
    return this.#state.failure;
  }

  /** The address it is connected to, if it is READY. */
  get connectedTo(): string | null {
    return this.#state.connection?.address ?? null;
  }

  get callCount(): number {
    return this.#state.connection?.callCount ?? 0;
  }

  get maxStreams(): number {
    return this.#state.connection?.maxStreams ?? 0;
  }

  get unusedSince(): number {
    return this.#state.connection?.unusedSince ?? -Infinity;
  }

  set isWanted(isWanted: boolean) {
    if (isWanted === this.#isWanted) return;
    this.#isWanted = isWanted;
    this.#state.onNeed();
  }

  checkRoom(): boolean {
    const { connection } = this.#state;
    if (connection === null) return false;
    connection.verifyIfSilent();
    return connection.hasRoom;
  }

  open(claim: StreamClaim): void {
    this.#state.connection!.open(claim);
  }

  openInBackground(claim: StreamClaim): void {
    this.#state.connection!.openInBackground(claim);
  }

  async retire(): Promise<void> {
    if (this.state !== "SHUTDOWN") this.become(new ShutDown(CHANNEL_CLOSED));
    const connections = [...this.#connections];
    for (const connection of connections) connection.close();
    await Promise.all(connections.map(({ closed }) => closed));
  }

  /** Connects now, rather than when a call needs it. */
  connect(): void {
    if (this.#state instanceof Idle) this.become(new Connecting(this));
  }

  /** Ends all calls and connections, for good; resolves when they are gone. */
  async close(): Promise<void> {
    if (this.state !== "SHUTDOWN") {
      this.become(new ShutDown(CHANNEL_CLOSED), CHANNEL_CLOSED);
    }
    this.#queue.failAll(CHANNEL_CLOSED);
    const connections = [...this.#connections];
    for (const connection of connections) connection.destroy(CHANNEL_CLOSED);
    await Promise.all(connections.map(({ closed }) => closed));
  }

  // For the states

  become(state: State, why?: CloseReason): void {
    this.#state.leave();
    this.#state = state;
    this.history.add(state.name, why?.message ?? null);
    state.enter();
    this.#changed?.resolve();
    this.#changed = undefined;
    this.#owner?.onState(this);
  }

  /** Makes a connection, whose events go to the state of the moment. */
  openConnection(address: Address): ClientConnection {
    const { connectivity } = this.dialing;
    const owner: ConnectionOwner = {
      onReady: (connection) => {
        connectivity?.connection(connection, "connected", null);
        this.#state.onReady(connection);
      },
      onRoom: (connection) => this.#state.onRoom(connection),
      onDraining: (connection) => {
        const reason = connection.drainReason;
        connectivity?.connection(connection, "draining", reason);
        this.#state.onDraining(connection);
      },
      onTooManyPings: () => {
        this.#calm *= 2;
      },
      onClosed: (connection, why) => {
        this.#connections.delete(connection);
        this.#goneCalls.add(connection.account.traffic);
        connectivity?.connection(connection, "closed", why.message);
        this.#state.onClosed(connection, why);
      },
    };
    // It serves many calls, and would keep the context of the first.
    const connection = noContext(() =>
      new ClientConnection(this.dialing, address, this.#calm, owner)
    );
    this.#connections.add(connection);
    connectivity?.connection(connection, "connecting", null);
    return connection;
  }

  enqueue(claim: StreamClaim): void {
    this.#queue.add(claim);
    if (this.#queue.size === 1) this.#state.onNeed();
  }

  serveQueue(connection: ClientConnection): void {
    this.#queue.serve(() => connection.hasRoom ? connection : null);
    this.#state.onNeed();
  }

  onRoom(connection: ClientConnection): void {
    if (this.#queue.size > 0) this.serveQueue(connection);
    this.#owner?.onRoom(this);
  }

  failQueue(why: CloseReason): void {
    this.#queue.failHasty(why);
  }
}
