/**
 * The channel's way to the server: connects when a call needs it, once for all
 * that wait, and hands out streams.
 *
 * ```text
 *          claim                 SETTINGS
 *   idle ────────▶ connecting ───────────▶ ready
 *    ▲                 │                     │
 *    └─────────────────┴──── closed, GOAWAY ─┘        shut down: from any, for good
 * ```
 *
 * A connection that the server bade farewell to goes on until its streams end,
 * beside the one that takes its place.
 *
 * @module
 */

import type {
  CloseReason,
  StreamClaim,
  StreamSource,
} from "../_call/byte_stream.ts";
import type { Configuration } from "../core/config.ts";
import { Status } from "../core/status.ts";
import {
  ClientConnection,
  type ConnectionListener,
  type Endpoint,
} from "./client_connection.ts";

type State =
  | { readonly name: "idle" }
  | { readonly name: "connecting"; readonly connection: ClientConnection }
  | { readonly name: "ready"; readonly connection: ClientConnection }
  | { readonly name: "shut down" };

const IDLE: State = { name: "idle" };
const SHUT_DOWN: State = { name: "shut down" };

const CHANNEL_CLOSED: CloseReason = {
  clean: false,
  status: Status.CANCELLED,
  message: "Channel is closed",
  unprocessed: true,
};

/** The connections of a channel. */
export class ClientSession implements StreamSource, ConnectionListener {
  readonly #endpoint: Endpoint;
  readonly #config: Configuration;
  /** Calls that wait for a stream, in the order they came. */
  readonly #queue = new Set<StreamClaim>();
  /** Connections that are not gone, draining ones included. */
  readonly #connections = new Set<ClientConnection>();
  #state: State = IDLE;

  constructor(endpoint: Endpoint, config: Configuration) {
    this.#endpoint = endpoint;
    this.#config = config;
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

  claim(claim: StreamClaim): void {
    const state = this.#state;
    if (state.name === "shut down") return claim.onClose(CHANNEL_CLOSED);
    if (
      state.name === "ready" && this.#queue.size === 0 &&
      state.connection.hasRoom
    ) {
      return state.connection.open(claim);
    }
    this.#queue.add(claim);
    if (state.name === "idle") this.#connect();
  }

  withdraw(claim: StreamClaim): void {
    this.#queue.delete(claim);
  }

  /** Ends all calls and connections, for good; resolves when they are gone. */
  async close(): Promise<void> {
    this.#state = SHUT_DOWN;
    this.#refuseQueue(CHANNEL_CLOSED);
    const connections = [...this.#connections];
    for (const connection of connections) connection.destroy(CHANNEL_CLOSED);
    await Promise.all(connections.map(({ closed }) => closed));
  }

  onReady(connection: ClientConnection): void {
    if (!this.#isCurrent(connection)) return;
    this.#state = { name: "ready", connection };
    this.#serveQueue();
  }

  onRoom(connection: ClientConnection): void {
    if (this.#queue.size > 0 && this.#isCurrent(connection)) this.#serveQueue();
  }

  onDraining(connection: ClientConnection): void {
    if (!this.#isCurrent(connection)) return;
    this.#state = IDLE;
    if (this.#queue.size > 0) this.#connect();
  }

  onClosed(connection: ClientConnection, why: CloseReason): void {
    this.#connections.delete(connection);
    if (!this.#isCurrent(connection)) return;
    const connected = this.#state.name === "ready";
    this.#state = IDLE;
    // Calls that only waited for their turn can have it elsewhere; those that
    // waited for this connection learn why there is none.
    if (!connected) this.#refuseQueue(why);
    else if (this.#queue.size > 0) this.#connect();
  }

  #connect(): void {
    const connection = new ClientConnection(
      this.#endpoint,
      this.#config,
      this,
    );
    this.#connections.add(connection);
    this.#state = { name: "connecting", connection };
  }

  #isCurrent(connection: ClientConnection): boolean {
    const state = this.#state;
    return (state.name === "ready" || state.name === "connecting") &&
      state.connection === connection;
  }

  #serveQueue(): void {
    for (const claim of this.#queue) {
      const state = this.#state;
      if (state.name !== "ready" || !state.connection.hasRoom) return;
      this.#queue.delete(claim);
      state.connection.open(claim);
    }
  }

  #refuseQueue(why: CloseReason): void {
    const claims = [...this.#queue];
    this.#queue.clear();
    for (const claim of claims) claim.onClose(why);
  }
}
