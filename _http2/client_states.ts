/**
 * The states of a channel.
 *
 * @module
 */

import type { CloseReason, StreamClaim } from "../_call/byte_stream.ts";
import type { Clock, ClockTimer } from "../core/clock.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { ClientSession } from "./client_session.ts";
import { reasonOfFailedConnect } from "./reset.ts";

/**
 * The state of a channel, in gRPC's words: `"IDLE"` without a connection and
 * without need of one, `"CONNECTING"`, `"READY"` with a connection,
 * `"TRANSIENT_FAILURE"` while it waits after a failed attempt to connect,
 * `"SHUTDOWN"` when it was closed.
 */
export type ConnectivityState =
  | "IDLE"
  | "CONNECTING"
  | "READY"
  | "TRANSIENT_FAILURE"
  | "SHUTDOWN";

/** What a channel does in a state. What it does not expect there, it ignores. */
export abstract class State {
  abstract readonly name: ConnectivityState;

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
  readonly #session: ClientSession;

  constructor(session: ClientSession) {
    super();
    this.#session = session;
  }

  claim(claim: StreamClaim): void {
    this.#session.enqueue(claim);
    this.#session.become(new Connecting(this.#session));
  }
}

/** An attempt to connect, one for all calls that wait. */
export class Connecting extends State {
  readonly name = "CONNECTING";
  readonly #session: ClientSession;
  #connection: ClientConnection | undefined;

  constructor(session: ClientSession) {
    super();
    this.#session = session;
  }

  override enter(): void {
    this.#connection = this.#session.openConnection();
    this.onNeed();
  }

  /** What nobody waits for should not keep the process from its end. */
  override onNeed(): void {
    const { isAwaited, isWatched } = this.#session;
    if (this.#connection === undefined) return;
    this.#connection.awaited = isAwaited || isWatched;
  }

  claim(claim: StreamClaim): void {
    this.#session.enqueue(claim);
  }

  override onReady(connection: ClientConnection): void {
    if (connection !== this.#connection) return;
    this.#session.become(new Ready(this.#session, connection));
  }

  override onClosed(connection: ClientConnection, why: CloseReason): void {
    if (connection !== this.#connection) return;
    this.#session.become(new TransientFailure(this.#session, why));
  }
}

/** A connection that takes calls. */
export class Ready extends State {
  readonly name = "READY";
  readonly #session: ClientSession;
  readonly #connection: ClientConnection;

  constructor(session: ClientSession, connection: ClientConnection) {
    super();
    this.#session = session;
    this.#connection = connection;
  }

  override enter(): void {
    this.#session.serveQueue(this.#connection);
  }

  override onNeed(): void {
    this.#connection.awaited = this.#session.isAwaited;
  }

  claim(claim: StreamClaim): void {
    const connection = this.#connection;
    // A connection may be silent because it is dead, as after a sleep of the
    // machine; then it has no room until it has answered.
    connection.verifyIfSilent();
    if (connection.hasRoom && !this.#session.isAwaited) {
      connection.open(claim);
    } else {
      this.#session.enqueue(claim);
    }
  }

  override onRoom(connection: ClientConnection): void {
    if (connection !== this.#connection || !this.#session.isAwaited) return;
    this.#session.serveQueue(connection);
  }

  override onDraining(connection: ClientConnection): void {
    if (connection === this.#connection) this.#lose(connection);
  }

  override onClosed(connection: ClientConnection, why: CloseReason): void {
    if (connection === this.#connection) this.#lose(connection, why);
  }

  #lose(connection: ClientConnection, why?: CloseReason): void {
    const session = this.#session;
    const lastedMs = session.dialing.clock.now() - session.attemptedAt;
    if (connection.wasUseful || lastedMs > session.backoff.nextMs) {
      session.backoff.reset();
      session.fruitless = 0;
    } else {
      session.fruitless++;
    }
    // A server that takes connections and drops them is no better than none:
    // calls must not drive the channel round and round.
    if (session.fruitless > 1) {
      session.become(
        new TransientFailure(session, why ?? connection.lossReason),
      );
    } else {
      session.become(
        session.isAwaited ? new Connecting(session) : new Idle(session),
      );
    }
  }
}

/** A failed attempt to connect, and the time until the next. */
export class TransientFailure extends State {
  readonly name = "TRANSIENT_FAILURE";
  readonly #session: ClientSession;
  readonly #why: CloseReason;
  readonly #clock: Clock;
  #timer: ClockTimer | undefined;
  #nextAt = 0;

  constructor(session: ClientSession, why: CloseReason) {
    super();
    this.#session = session;
    this.#clock = session.dialing.clock;
    this.#why = why;
  }

  override enter(): void {
    const session = this.#session;
    const now = this.#clock.now();
    // The time that the attempt took counts.
    const next = Math.max(now, session.attemptedAt + session.backoff.fail());
    this.#nextAt = next;
    this.#timer = this.#clock.setTimeout(() => this.#onTimer(), next - now);
    session.refuseHasty(this.#story());
    this.onNeed();
  }

  /** What nobody waits for should not keep the process from its end. */
  override onNeed(): void {
    const { isAwaited, isWatched } = this.#session;
    if (isAwaited || isWatched) this.#timer?.ref();
    else this.#timer?.unref();
  }

  override leave(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  claim(claim: StreamClaim): void {
    if (!claim.waitForReady) return claim.onClose(this.#story());
    this.#session.enqueue(claim);
  }

  #onTimer(): void {
    const session = this.#session;
    session.become(
      session.isAwaited ? new Connecting(session) : new Idle(session),
    );
  }

  #story(): CloseReason {
    return reasonOfFailedConnect(
      this.#why,
      this.#session.backoff.attempts,
      Math.max(0, this.#nextAt - this.#clock.now()),
    );
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
