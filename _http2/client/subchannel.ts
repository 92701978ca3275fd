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

import type {
  CloseReason,
  StreamClaim,
  StreamSource,
} from "../../_call/byte_stream.ts";
import { currentContext, noContext } from "../../_context.ts";
import type { Address } from "./addresses.ts";
import { Backoff } from "./backoff.ts";
import { CHANNEL_CLOSED } from "../reset.ts";
import { ClientConnection, type ConnectionListener } from "./connection.ts";
import {
  Connecting,
  type ConnectivityOwner,
  type ConnectivityState,
  Idle,
  ShutDown,
  type State,
} from "./connectivity.ts";
import type { Dialing } from "./dialing.ts";

/** A channel's connections to its server. */
export class Subchannel implements StreamSource, ConnectivityOwner {
  readonly backoff: Backoff;
  readonly dialing: Dialing;
  /** How many connections in a row were lost soon, and before any answer. */
  fruitless = 0;
  /** When the last attempt to connect began, by the channel's clock. */
  attemptedAt = 0;
  /** Calls that wait for a stream, in the order they came. */
  readonly #queue = new Set<StreamClaim>();
  /** Connections that are not gone, draining ones included. */
  readonly #connections = new Set<ClientConnection>();
  #state: State = new Idle(this);
  #changed: PromiseWithResolvers<void> | undefined;
  /** What the time of keepalive is multiplied with: the server's complaints. */
  #calm = 1;

  constructor(dialing: Dialing) {
    this.dialing = dialing;
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

  /** Whether calls wait for a stream. */
  get isAwaited(): boolean {
    return this.#queue.size > 0;
  }

  /** Whether somebody waits for another state. */
  get isWatched(): boolean {
    return this.#changed !== undefined;
  }

  claim(claim: StreamClaim): void {
    this.#state.claim(claim);
  }

  withdraw(claim: StreamClaim): void {
    if (this.#queue.delete(claim) && !this.isAwaited) this.#state.onNeed();
  }

  /** Connects now, rather than when a call needs it. */
  connect(): void {
    if (this.#state instanceof Idle) this.become(new Connecting(this));
  }

  /** Ends all calls and connections, for good; resolves when they are gone. */
  async close(): Promise<void> {
    if (this.state !== "SHUTDOWN") this.become(new ShutDown(CHANNEL_CLOSED));
    this.#failAll(CHANNEL_CLOSED);
    const connections = [...this.#connections];
    for (const connection of connections) connection.destroy(CHANNEL_CLOSED);
    await Promise.all(connections.map(({ closed }) => closed));
  }

  // For the states

  become(state: State): void {
    this.#state.leave();
    this.#state = state;
    state.enter();
    this.#changed?.resolve();
    this.#changed = undefined;
  }

  /** Makes a connection, whose events go to the state of the moment. */
  openConnection(address: Address): ClientConnection {
    const listener: ConnectionListener = {
      onReady: (connection) => this.#state.onReady(connection),
      onRoom: (connection) => this.#state.onRoom(connection),
      onDraining: (connection) => this.#state.onDraining(connection),
      onTooManyPings: () => {
        this.#calm *= 2;
      },
      onClosed: (connection, why) => {
        this.#connections.delete(connection);
        this.#state.onClosed(connection, why);
      },
    };
    // It serves many calls, and would keep the context of the first.
    const connection = noContext(() =>
      new ClientConnection(this.dialing, address, this.#calm, listener)
    );
    this.#connections.add(connection);
    return connection;
  }

  enqueue(claim: StreamClaim): void {
    // Whoever makes room for it later does so in a context of its own.
    claim.context ??= currentContext();
    this.#queue.add(claim);
    if (this.#queue.size === 1) this.#state.onNeed();
  }

  /** Gives the calls that wait their streams, as far as there is room. */
  serveQueue(connection: ClientConnection): void {
    for (const claim of this.#queue) {
      if (!connection.hasRoom) break;
      this.#queue.delete(claim);
      claim.context!(() => connection.open(claim));
    }
    this.#state.onNeed();
  }

  /** Fails the calls that wait, unless they are "wait for ready". */
  failQueue(why: CloseReason): void {
    for (const claim of [...this.#queue]) {
      if (claim.waitForReady) continue;
      this.#queue.delete(claim);
      claim.context!(() => claim.onClose(why));
    }
  }

  /** Tells all calls that wait that there will be no connection. */
  #failAll(why: CloseReason): void {
    const claims = [...this.#queue];
    this.#queue.clear();
    for (const claim of claims) claim.context!(() => claim.onClose(why));
  }
}
