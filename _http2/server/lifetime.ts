/**
 * How long a client's connection may last: until its first SETTINGS, without
 * calls, in all, and after it was told to end.
 *
 * @module
 */

import {
  type Clock,
  type ClockTimer,
  startBackgroundTimer,
} from "../../core/clock.ts";
import { systemClock } from "../system_clock.ts";

/** Settings of {@linkcode ServerLifetime}, as in `Configuration`. */
export interface LifetimeOptions {
  /** How long the client may take to send its SETTINGS, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** How long the connection is kept without calls, in milliseconds. */
  readonly maxConnectionIdleMs: number;
  /** How old it becomes, in milliseconds, a tenth more or less. */
  readonly maxConnectionAgeMs: number;
  /** How long calls may go on then, in milliseconds. */
  readonly maxConnectionAgeGraceMs: number;
}

/** The connection. */
export interface LifetimeOwner {
  /** The client's SETTINGS did not come. */
  onSilent(): void;
  /** The connection is of no use any more: no new calls from now on. */
  onExpired(): void;
  /** The calls that were still running had time enough. */
  onOverdue(): void;
}

/** The age varies, or all clients of a new server would come back at once. */
const JITTER = 0.1;

/**
 * The lifetime of one connection, with one timer for all of it, which looks now
 * and then and keeps no process alive.
 */
export class ServerLifetime {
  readonly #owner: LifetimeOwner;
  readonly #options: LifetimeOptions;
  readonly #clock: Clock;
  #timer: ClockTimer | undefined;
  /** Points in time; Infinity for what does not apply. */
  #silentAt: number;
  #oldAt: number;
  #overdueAt = Infinity;
  /** When the last call ended, or Infinity while there is one. */
  #idleSince: number;

  /**
   * @param clock What its times go by.
   * @param random Gives numbers from 0 to 1.
   */
  constructor(
    owner: LifetimeOwner,
    options: LifetimeOptions,
    clock: Clock = systemClock,
    random: () => number = Math.random,
  ) {
    this.#owner = owner;
    this.#options = options;
    this.#clock = clock;
    const now = clock.now();
    this.#silentAt = now + options.connectTimeoutMs;
    this.#oldAt = now +
      options.maxConnectionAgeMs * (1 + JITTER * (2 * random() - 1));
    this.#idleSince = now;
    this.#schedule();
  }

  /** The client's SETTINGS are in. */
  onReady(): void {
    this.#silentAt = Infinity;
    this.#schedule();
  }

  /** There is a call. */
  onUsed(): void {
    this.#idleSince = Infinity;
  }

  /** The last call ended. */
  onUnused(): void {
    this.#idleSince = this.#clock.now();
  }

  /** Stops for good. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#silentAt = this.#oldAt = this.#overdueAt = Infinity;
    this.#idleSince = NaN;
  }

  #schedule(): void {
    this.#clock.clearTimeout(this.#timer);
    const now = this.#clock.now();
    const next = Math.min(
      this.#silentAt,
      this.#oldAt,
      this.#overdueAt,
      this.#idleAt(now),
    );
    if (next === Infinity) return;
    this.#timer = startBackgroundTimer(
      this.#clock,
      () => this.#look(),
      // A timer may be a little early, and must not turn in circles then.
      Math.max(1, Math.ceil(next - now)),
    );
  }

  /** When to look for idleness: with a call running, after a whole period. */
  #idleAt(now: number): number {
    const { maxConnectionIdleMs } = this.#options;
    if (Number.isNaN(this.#idleSince)) return Infinity;
    return Math.min(this.#idleSince, now) + maxConnectionIdleMs;
  }

  #look(): void {
    const now = this.#clock.now();
    if (now >= this.#overdueAt) {
      this.stop();
      return this.#owner.onOverdue();
    }
    if (now >= this.#silentAt) {
      this.stop();
      return this.#owner.onSilent();
    }
    if (now >= this.#oldAt || now >= this.#idleAt(now)) this.#expire(now);
    this.#schedule();
  }

  #expire(now: number): void {
    this.#oldAt = Infinity;
    this.#idleSince = NaN;
    this.#overdueAt = now + this.#options.maxConnectionAgeGraceMs;
    this.#owner.onExpired();
  }
}
