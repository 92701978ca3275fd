/**
 * Keepalive: PING frames that find out whether the peer is still there.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/keepalive.md}
 * @module
 */

import {
  type Clock,
  type ClockTimer,
  startBackgroundTimer,
} from "../core/clock.ts";

/** Settings of keepalive, as in `Configuration`. */
export interface KeepaliveOptions {
  /** The silence after which a PING is sent, in milliseconds; Infinity: never. */
  readonly keepaliveTimeMs: number;
  /** How long the acknowledgement may take, in milliseconds. */
  readonly keepaliveTimeoutMs: number;
  /** Whether PINGs are sent while there is no call. */
  readonly keepalivePermitWithoutCalls: boolean;
  /** How many PINGs may follow each other without a frame of a call; 0: any. */
  readonly http2MaxPingsWithoutData: number;
  /** The least time between PINGs without a frame of a call, in milliseconds. */
  readonly http2MinSentPingIntervalWithoutDataMs: number;
}

/** The connection that is kept alive. */
export interface KeepaliveOwner {
  /** Whether there are calls. */
  hasStreams(): boolean;
  /** Sends a PING; `onAck` is called when it is acknowledged. */
  ping(onAck: () => void): void;
  /** The peer is not there any more: it acknowledged nothing in time. */
  onDead(): void;
}

/** The keepalive of one connection. */
export class Keepalive {
  readonly #owner: KeepaliveOwner;
  readonly #options: KeepaliveOptions;
  readonly #timeMs: number;
  readonly #clock: Clock;
  #timer: ClockTimer | undefined;
  #ackTimer: ClockTimer | undefined;
  #lastReceived: number;
  #lastPing = -Infinity;
  #pingsWithoutData = 0;
  #stopped = false;

  /**
   * @param owner The connection.
   * @param options The settings, which many connections share.
   * @param clock What the times go by.
   * @param calm What the time of keepalive is multiplied with, because the peer
   *   complained of too many PINGs.
   */
  constructor(
    owner: KeepaliveOwner,
    options: KeepaliveOptions,
    clock: Clock,
    calm = 1,
  ) {
    this.#owner = owner;
    this.#options = options;
    this.#timeMs = options.keepaliveTimeMs * calm;
    this.#clock = clock;
    this.#lastReceived = this.#clock.now();
    this.#schedule();
  }

  /** How long nothing has come in, in milliseconds. */
  get silenceMs(): number {
    return this.#clock.now() - this.#lastReceived;
  }

  /** Something came in: the peer is there. */
  onReceived(): void {
    this.#lastReceived = this.#clock.now();
  }

  /** A frame of a call, HEADERS or DATA, goes out. */
  onSent(): void {
    this.#pingsWithoutData = 0;
    this.#lastPing = -Infinity;
    // While there was no call there may have been no timer.
    if (this.#timer === undefined && !this.#stopped) this.#schedule();
  }

  /** Asks the peer at once whether it is there, unless it was asked already. */
  verify(): void {
    if (this.#stopped || this.#ackTimer !== undefined) return;
    this.#ping();
  }

  /** Stops for good. */
  stop(): void {
    this.#stopped = true;
    this.#clock.clearTimeout(this.#timer);
    this.#clock.clearTimeout(this.#ackTimer);
    this.#timer = this.#ackTimer = undefined;
  }

  #schedule(): void {
    if (this.#timeMs === Infinity) return;
    const wait = Math.max(0, this.#timeMs - this.silenceMs);
    this.#startTimer(wait);
  }

  #onTimer(): void {
    this.#timer = undefined;
    if (this.silenceMs < this.#timeMs) return this.#schedule();
    if (
      !this.#owner.hasStreams() && !this.#options.keepalivePermitWithoutCalls
    ) {
      // The next call starts the timer again.
      return;
    }
    if (this.#mayPing()) this.#ping();
    this.#startTimer(this.#timeMs);
  }

  #startTimer(ms: number): void {
    this.#timer = this.#after(ms, () => this.#onTimer());
  }

  /** A timer that keeps no process alive: that is up to the connection. */
  #after(ms: number, callback: () => void): ClockTimer {
    return startBackgroundTimer(this.#clock, callback, ms);
  }

  #mayPing(): boolean {
    if (this.#ackTimer !== undefined) return false;
    const {
      http2MaxPingsWithoutData: max,
      http2MinSentPingIntervalWithoutDataMs: interval,
    } = this.#options;
    if (max !== 0 && this.#pingsWithoutData >= max) return false;
    return this.#clock.now() - this.#lastPing >= interval;
  }

  #ping(): void {
    this.#pingsWithoutData++;
    this.#lastPing = this.#clock.now();
    this.#ackTimer = this.#after(this.#options.keepaliveTimeoutMs, () => {
      this.#ackTimer = undefined;
      this.stop();
      this.#owner.onDead();
    });
    this.#owner.ping(() => {
      this.#clock.clearTimeout(this.#ackTimer);
      this.#ackTimer = undefined;
      this.onReceived();
    });
  }
}
