/**
 * The states of a channel.
 *
 * @module
 */

import type { CloseReason, StreamClaim } from "../../_call/byte_stream.ts";
import type { Clock, ClockTimer } from "../../core/clock.ts";
import type { History } from "../../core/_figures.ts";
import type { Backoff } from "../../core/_backoff.ts";
import type { ConnectivityState } from "../../core/connectivity.ts";
import type { Address } from "./addresses.ts";
import { ConnectRace, type RaceOwner } from "./connect_race.ts";
import type { ClientConnection } from "./connection.ts";
import type { Dialing } from "./dialing.ts";
import { reasonOfFailedConnect } from "../reset.ts";

/** What the states of a channel have in common. */
export interface ConnectivityOwner {
  readonly backoff: Backoff;
  readonly dialing: Dialing;
  /** The states it was in. */
  readonly history: History<ConnectivityState>;
  /** How many connections in a row were lost soon, and before any reply. */
  fruitless: number;
  /** When the last attempt to connect began, by the channel's clock. */
  attemptedAt: number;
  /** Whether calls wait for a stream. */
  readonly isAwaited: boolean;
  /** Whether somebody waits for another state. */
  readonly isWatched: boolean;
  /** Leaves the state for another, for a reason if that is not plain. */
  become(state: State, why?: CloseReason): void;
  /** Makes a connection, whose events go to the state of the moment. */
  openConnection(address: Address): ClientConnection;
  /** Has a call wait for a stream. */
  enqueue(claim: StreamClaim): void;
  /** Gives the calls that wait their streams, as far as there is room. */
  serveQueue(connection: ClientConnection): void;
  /** There is room on the connection that takes calls, for those that wait. */
  onRoom(connection: ClientConnection): void;
  /** Fails the calls that wait, unless they are "wait for ready". */
  failQueue(why: CloseReason): void;
}

/** What a channel does in a state. What it does not expect there, it ignores. */
export abstract class State {
  abstract readonly name: ConnectivityState;

  /** The connection that takes calls, if there is one. */
  get connection(): ClientConnection | null {
    return null;
  }

  /** Why there is none, if an attempt has failed. */
  get failure(): CloseReason | null {
    return null;
  }

  /** How long it waits before the next attempt, if that is what it does. */
  get nextAttemptMs(): number | null {
    return null;
  }

  /** A call wants a stream. */
  abstract claim(claim: StreamClaim): void;

  enter(): void {}
  leave(): void {}
  /** Whether calls wait for a stream may be otherwise than before. */
  onNeed(): void {}
  onReady(_connection: ClientConnection): void {}
  onRoom(_connection: ClientConnection): void {}
  onDraining(_connection: ClientConnection): void {}
  onClosed(_connection: ClientConnection, _why: CloseReason): void {}
}

/** No connection, and no need of one. */
export class Idle extends State {
  readonly name = "IDLE";
  readonly #owner: ConnectivityOwner;

  constructor(owner: ConnectivityOwner) {
    super();
    this.#owner = owner;
  }

  claim(claim: StreamClaim): void {
    this.#owner.enqueue(claim);
    this.#owner.become(new Connecting(this.#owner));
  }
}

/** An attempt to connect, one for all calls that wait. */
export class Connecting extends State implements RaceOwner {
  readonly name = "CONNECTING";
  readonly #owner: ConnectivityOwner;
  readonly #race: ConnectRace;

  constructor(owner: ConnectivityOwner) {
    super();
    this.#owner = owner;
    const { target, addresses, clock, config } = owner.dialing;
    this.#race = new ConnectRace({
      target,
      addresses,
      clock,
      headStartMs: config.connectionAttemptDelayMs,
      lookupTimeoutMs: config.connectTimeoutMs,
    }, this);
  }

  override enter(): void {
    this.#owner.attemptedAt = this.#owner.dialing.clock.now();
    this.onNeed();
    this.#race.start();
  }

  override leave(): void {
    this.#race.cancel();
  }

  /** What nobody waits for should not keep the process from its end. */
  override onNeed(): void {
    const { isAwaited, isWatched } = this.#owner;
    this.#race.awaited = isAwaited || isWatched;
  }

  openConnection(address: Address): ClientConnection {
    return this.#owner.openConnection(address);
  }

  onRaceLost(why: CloseReason): void {
    this.#owner.become(new TransientFailure(this.#owner, why), why);
  }

  claim(claim: StreamClaim): void {
    this.#owner.enqueue(claim);
  }

  override onReady(connection: ClientConnection): void {
    if (!this.#race.has(connection)) return;
    this.#race.onReady(connection);
    this.#owner.become(new Ready(this.#owner, connection));
  }

  override onClosed(connection: ClientConnection, why: CloseReason): void {
    if (this.#race.has(connection)) this.#race.onClosed(connection, why);
  }
}

/** A connection that takes calls. */
export class Ready extends State {
  readonly name = "READY";
  readonly #owner: ConnectivityOwner;
  readonly #connection: ClientConnection;

  constructor(owner: ConnectivityOwner, connection: ClientConnection) {
    super();
    this.#owner = owner;
    this.#connection = connection;
  }

  override get connection(): ClientConnection {
    return this.#connection;
  }

  override enter(): void {
    this.#owner.serveQueue(this.#connection);
  }

  override onNeed(): void {
    this.#connection.awaited = this.#owner.isAwaited;
  }

  claim(claim: StreamClaim): void {
    const connection = this.#connection;
    // A connection may be silent because it is dead, as after a sleep of the
    // machine; then it has no room until it has acknowledged a PING.
    connection.verifyIfSilent();
    if (connection.hasRoom && !this.#owner.isAwaited) {
      connection.open(claim);
    } else {
      this.#owner.enqueue(claim);
    }
  }

  override onRoom(connection: ClientConnection): void {
    if (connection === this.#connection) this.#owner.onRoom(connection);
  }

  override onDraining(connection: ClientConnection): void {
    if (connection === this.#connection) this.#lose(connection);
  }

  override onClosed(connection: ClientConnection, why: CloseReason): void {
    if (connection === this.#connection) this.#lose(connection, why);
  }

  #lose(connection: ClientConnection, why?: CloseReason): void {
    const owner = this.#owner;
    const lastedMs = owner.dialing.clock.now() - owner.attemptedAt;
    if (connection.wasUseful || lastedMs > owner.backoff.nextMs) {
      owner.backoff.reset();
      owner.fruitless = 0;
    } else {
      owner.fruitless++;
    }
    // A server that takes connections and drops them is no better than none:
    // calls must not drive the channel round and round.
    if (owner.fruitless > 1) {
      const reason = why ?? connection.lossReason;
      owner.become(new TransientFailure(owner, reason), reason);
    } else {
      owner.become(
        owner.isAwaited ? new Connecting(owner) : new Idle(owner),
        why ?? connection.endReason ?? undefined,
      );
    }
  }
}

/** A failed attempt to connect, and the time until the next. */
export class TransientFailure extends State {
  readonly name = "TRANSIENT_FAILURE";
  readonly #owner: ConnectivityOwner;
  readonly #why: CloseReason;
  readonly #clock: Clock;
  #timer: ClockTimer | undefined;
  #nextAt = 0;

  constructor(owner: ConnectivityOwner, why: CloseReason) {
    super();
    this.#owner = owner;
    this.#clock = owner.dialing.clock;
    this.#why = why;
  }

  override get nextAttemptMs(): number {
    return Math.max(0, this.#nextAt - this.#clock.now());
  }

  override get failure(): CloseReason {
    return this.#story();
  }

  override enter(): void {
    const owner = this.#owner;
    const now = this.#clock.now();
    // The time that the attempt took counts.
    const next = Math.max(now, owner.attemptedAt + owner.backoff.fail());
    this.#nextAt = next;
    this.#timer = this.#clock.setTimeout(() => this.#onTimer(), next - now);
    owner.failQueue(this.#story());
    this.onNeed();
  }

  /** What nobody waits for should not keep the process from its end. */
  override onNeed(): void {
    const { isAwaited, isWatched } = this.#owner;
    if (isAwaited || isWatched) this.#timer?.ref();
    else this.#timer?.unref();
  }

  override leave(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  claim(claim: StreamClaim): void {
    if (!claim.waitForReady) return claim.onClose(this.#story());
    this.#owner.enqueue(claim);
  }

  #onTimer(): void {
    const owner = this.#owner;
    owner.become(
      owner.isAwaited ? new Connecting(owner) : new Idle(owner),
    );
  }

  #story(): CloseReason {
    return reasonOfFailedConnect(
      this.#why,
      this.#owner.backoff.attempts,
      Math.max(0, this.#nextAt - this.#clock.now()),
      this.#before(),
    );
  }

  /** Why the attempts failed that were made since there was a connection. */
  #before(): string[] {
    const { changes } = this.#owner.history;
    const ready = changes.findLastIndex(({ state }) => state === "READY");
    return changes.slice(ready + 1)
      .filter(({ state }) => state === this.name)
      .map(({ reason }) => reason ?? "");
  }
}

/** Closed for good. */
export class ShutDown extends State {
  readonly name = "SHUTDOWN";
  readonly #why: CloseReason;

  constructor(why: CloseReason) {
    super();
    this.#why = why;
  }

  claim(claim: StreamClaim): void {
    claim.onClose(this.#why);
  }
}
