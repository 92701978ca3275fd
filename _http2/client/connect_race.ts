/**
 * One attempt to connect to a server that has several addresses: one is tried
 * after the other, and each for a while alone, until one is connected. That is
 * when the SETTINGS of the server are there, for what takes connections may be
 * a proxy with nobody behind it.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8305#section-5}
 * @see {@link https://github.com/grpc/proposal/blob/master/A61-IPv4-IPv6-dualstack-backends.md}
 * @module
 */

import type { CloseReason } from "../../_call/byte_stream.ts";
import type { Clock, ClockTimer } from "../../core/clock.ts";
import {
  type Address,
  type AddressSource,
  type ConnectFailure,
  interleaved,
} from "./addresses.ts";
import type { ClientConnection } from "./connection.ts";
import { reasonOfFailures, reasonOfLoss } from "../reset.ts";

/** What a race needs to know. */
export interface RaceOptions {
  /** What the server is called. */
  readonly target: string;
  readonly addresses: AddressSource;
  readonly clock: Clock;
  /** How long an address is tried alone, in milliseconds. */
  readonly headStartMs: number;
  /** How long to look for addresses, in milliseconds. */
  readonly lookupTimeoutMs: number;
}

/** Who wants a connection. */
export interface RaceOwner {
  /** Makes a connection; the race is told what becomes of it. */
  openConnection(address: Address): ClientConnection;
  /** No address could be connected to. */
  onRaceLost(why: CloseReason): void;
}

/** Attempts to connect, one beside the other. */
export class ConnectRace {
  readonly #options: RaceOptions;
  readonly #owner: RaceOwner;
  readonly #running = new Map<ClientConnection, Address>();
  readonly #failures: ConnectFailure[] = [];
  /** Those that are still to be tried; undefined until they are found. */
  #addresses: Address[] | undefined;
  #timer: ClockTimer | undefined;
  #last: CloseReason | undefined;
  #awaited = true;
  #over = false;

  constructor(options: RaceOptions, owner: RaceOwner) {
    this.#options = options;
    this.#owner = owner;
  }

  /** Begins. */
  start(): void {
    const { addresses, lookupTimeoutMs, target } = this.#options;
    addresses((found, failures) => {
      if (this.#over || this.#addresses !== undefined) return;
      this.#stopTimer();
      this.#addresses = interleaved(found);
      this.#failures.push(...failures);
      this.#tryNext();
    });
    if (this.#addresses !== undefined || this.#over) return;
    this.#startTimer(lookupTimeoutMs, () => {
      this.#lose(reasonOfLoss(
        `Cannot connect to ${target}`,
        `no address within ${lookupTimeoutMs} ms`,
        true,
      ));
    });
  }

  /** Says whether somebody waits, so that the process has to live on. */
  set awaited(awaited: boolean) {
    this.#awaited = awaited;
    for (const connection of this.#running.keys()) connection.awaited = awaited;
    this.#setRef();
  }

  /** Whether a connection takes part. */
  has(connection: ClientConnection): boolean {
    return this.#running.has(connection);
  }

  /** A connection is ready: it has won. */
  onReady(connection: ClientConnection): void {
    this.#running.delete(connection);
    this.cancel();
  }

  /** A connection has failed: the next is tried at once. */
  onClosed(connection: ClientConnection, why: CloseReason): void {
    const address = this.#running.get(connection)!;
    this.#running.delete(connection);
    this.#failures.push({ name: address.name, cause: why.cause });
    this.#last = why;
    this.#stopTimer();
    this.#tryNext();
  }

  /** Gives up all attempts; the owner is told nothing. */
  cancel(): void {
    this.#over = true;
    this.#stopTimer();
    const losers = [...this.#running.keys()];
    this.#running.clear();
    for (const connection of losers) {
      connection.destroy(
        reasonOfLoss("Another address was connected", undefined, true),
      );
    }
  }

  #tryNext(): void {
    const address = this.#addresses!.shift();
    if (address === undefined) {
      if (this.#running.size === 0) this.#loseAll();
      return;
    }
    const connection = this.#owner.openConnection(address);
    this.#running.set(connection, address);
    connection.awaited = this.#awaited;
    if (this.#addresses!.length === 0) return;
    this.#startTimer(this.#options.headStartMs, () => this.#tryNext());
  }

  #loseAll(): void {
    const { target } = this.#options;
    // With one address, whose connection knows best how to say it.
    const isOnly = this.#failures.length === 1 && this.#last !== undefined;
    this.#lose(isOnly ? this.#last! : reasonOfFailures(target, this.#failures));
  }

  #lose(why: CloseReason): void {
    this.#over = true;
    this.#owner.onRaceLost(why);
  }

  #startTimer(delayMs: number, onTimer: () => void): void {
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#timer = undefined;
      onTimer();
    }, delayMs);
    this.#setRef();
  }

  #stopTimer(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #setRef(): void {
    if (this.#awaited) this.#timer?.ref();
    else this.#timer?.unref();
  }
}
