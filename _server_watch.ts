/**
 * What a server looks at now and then: requests that stand still, calls that
 * have waited for too long, clients that take nothing, and whether the event
 * loop keeps up.
 *
 * @module
 */

import {
  type Clock,
  type ClockTimer,
  startBackgroundTimer,
} from "./core/clock.ts";
import type { ResolvedConfiguration } from "./core/config.ts";
import { systemClock } from "./_http2/system_clock.ts";

/** A call, as it is looked at. */
export interface WatchedCall {
  isStuck(now: number, timeoutMs: number): boolean;
  giveUp(timeoutMs: number): void;
}

/** The server. */
export interface WatchedServer {
  /** Its calls. */
  readonly calls: Iterable<WatchedCall>;
  /** Whether there is anything to look at. */
  isUsed(): boolean;
  /** Refuses the calls that have waited for too long. */
  expireQueue(): void;
  /** Ends connections whose clients take nothing. */
  endStuck(now: number, timeoutMs: number): void;
}

/** How often it looks at most. */
const PERIOD_MS = 1000;

/** So many times in succession has the event loop to be late. */
const LATE_TIMES = 2;

/** Looks at a server, while it is used. */
export class ServerWatch {
  /** Whether the event loop is late. */
  isLate = false;
  readonly #server: WatchedServer;
  readonly #clock: Clock;
  readonly #config: ResolvedConfiguration;
  readonly #periodMs: number;
  #timer: ClockTimer | undefined;
  #dueAt = 0;
  #lateTimes = 0;
  #isOver = false;

  constructor(
    server: WatchedServer,
    config: ResolvedConfiguration,
    clock: Clock,
  ) {
    this.#server = server;
    this.#config = config;
    this.#clock = clock;
    const { requestTimeoutMs, maxQueueTimeMs, maxEventLoopDelayMs } = config;
    this.#periodMs = Math.max(
      10,
      Math.min(
        PERIOD_MS,
        requestTimeoutMs / 2,
        maxQueueTimeMs / 2,
        maxEventLoopDelayMs,
      ),
    );
  }

  /** The server is used, from now on until it says otherwise. */
  start(): void {
    if (this.#timer !== undefined || this.#isOver) return;
    this.#lateTimes = 0;
    this.isLate = false;
    this.#schedule();
  }

  /** The server is closed. */
  stop(): void {
    this.#isOver = true;
    systemClock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    this.#dueAt = performance.now() + this.#periodMs;
    // The system's timer, whatever the server's clock is: that is asked what the
    // time is, and need not ring.
    this.#timer = startBackgroundTimer(
      systemClock,
      () => this.#look(),
      this.#periodMs,
    );
  }

  #look(): void {
    this.#timer = undefined;
    const lateMs = performance.now() - this.#dueAt;
    if (lateMs <= this.#config.maxEventLoopDelayMs) this.#lateTimes = 0;
    else this.#lateTimes++;
    this.isLate = this.#lateTimes >= LATE_TIMES;
    if (!this.#server.isUsed()) return;
    const now = this.#clock.now();
    const { requestTimeoutMs } = this.#config;
    this.#server.expireQueue();
    this.#server.endStuck(now, requestTimeoutMs);
    this.#endStuckCalls(now);
    if (!this.#isOver) this.#schedule();
  }

  #endStuckCalls(now: number): void {
    const { requestTimeoutMs } = this.#config;
    for (const call of [...this.#server.calls]) {
      if (call.isStuck(now, requestTimeoutMs)) call.giveUp(requestTimeoutMs);
    }
  }
}
