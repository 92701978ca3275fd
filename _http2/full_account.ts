/**
 * A connection that is not read, because too much is held for its peer.
 *
 * @module
 */

import type { Account, Holder } from "../_call/account.ts";
import {
  type Clock,
  type ClockTimer,
  startBackgroundTimer,
} from "../core/clock.ts";

/** How often it is looked at. */
const PERIOD_MS = 1000;

const NOTHING: ReadonlyMap<Holder, number> = new Map();

/**
 * Ends calls when what is held is messages that are not whole, and never will
 * be: the connection waits until less is held, and the messages for the
 * connection. What is whole is the application's to take, and may take its time.
 */
export class FullAccount {
  readonly #account: Account;
  readonly #clock: Clock;
  #timer: ClockTimer | undefined;
  /** How much there was of each message when it was looked at last. */
  #seen = NOTHING;

  constructor(account: Account, clock: Clock) {
    this.#account = account;
    this.#clock = clock;
  }

  /** The account is full, or not any more. */
  onFull(isFull: boolean): void {
    if (!isFull) return this.stop();
    if (this.#timer === undefined) this.#wait();
  }

  /** Looks no more. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    const account = this.#account;
    this.#seen = new Map(
      [...account.holders].map((holder) => [holder, holder.arrivedBytes]),
    );
    this.#timer = startBackgroundTimer(
      this.#clock,
      () => this.#look(),
      PERIOD_MS,
    );
  }

  #look(): void {
    this.#timer = undefined;
    const account = this.#account;
    // The newest first, and no more than it takes.
    for (const holder of [...account.holders].reverse()) {
      if (!account.hasExcess || !account.isUnfinished) break;
      const isStuck = holder.unfinishedBytes > 0 &&
        this.#seen.get(holder) === holder.arrivedBytes;
      if (!isStuck) continue;
      account.holders.delete(holder);
      holder.evict();
    }
    if (account.isFull) this.#wait();
  }
}
