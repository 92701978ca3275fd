/**
 * The seam for whoever follows the states and connections of a channel or a
 * server: as `_call_trace.ts`, for what no call is about.
 *
 * @module
 */

import type { Change } from "./_figures.ts";

/** What has states. */
export type StateKind = "channel" | "subchannel" | "server";

/** What becomes of a connection. */
export type ConnectionStep =
  /** A channel begins to connect. */
  | "connecting"
  /** It is there: for a channel, the server has sent its SETTINGS. */
  | "connected"
  /** It takes no more calls, and those there are go on. */
  | "draining"
  /** It is not served, or was ended, for what the client did. */
  | "failed"
  /** It is gone, or has never come about. */
  | "closed";

/** Follows states and connections. Nothing here may throw, or wait. */
export interface ConnectivityObserver {
  /** Something is in another state. */
  state(kind: StateKind, name: string, change: Change<string>): void;
  /**
   * Endpoints were looked up.
   *
   * @param target What was looked up.
   * @param endpoints How many there are; null if there was no answer.
   * @param reason Why there was none, for people.
   */
  resolution(
    target: string,
    endpoints: number | null,
    reason: string | null,
  ): void;
  /**
   * Something has become of a connection.
   *
   * @param connection What it is called, as a string.
   * @param step What has become of it.
   * @param reason Why, for people; null if that is plain.
   */
  connection(
    connection: { toString(): string },
    step: ConnectionStep,
    reason: string | null,
  ): void;
}

const NOBODY: readonly ConnectivityObserver[] = [];

/** All who follow one channel or server: mostly nobody. */
export class ConnectivityObservers implements ConnectivityObserver {
  #all: Set<ConnectivityObserver> | null = null;

  /** Adds one. */
  observe(observer: ConnectivityObserver): Disposable {
    const all = this.#all ??= new Set();
    all.add(observer);
    return { [Symbol.dispose]: () => void all.delete(observer) };
  }

  state(kind: StateKind, name: string, change: Change<string>): void {
    for (const one of this.#all ?? NOBODY) one.state(kind, name, change);
  }

  resolution(
    target: string,
    endpoints: number | null,
    reason: string | null,
  ): void {
    for (const one of this.#all ?? NOBODY) {
      one.resolution(target, endpoints, reason);
    }
  }

  connection(
    connection: { toString(): string },
    step: ConnectionStep,
    reason: string | null,
  ): void {
    for (const one of this.#all ?? NOBODY) {
      one.connection(connection, step, reason);
    }
  }
}
