/**
 * Which subchannel takes a call: pure choices among those that are READY.
 *
 * @module
 */

import type { BalancedSubchannel } from "./subchannel.ts";

/** Chooses among subchannels, synchronously: once for each call. */
export interface Picker {
  /** Others are READY than before. */
  update(ready: readonly BalancedSubchannel[]): void;
  /** One of them that has room, or null if none has. */
  pick(): BalancedSubchannel | null;
}

/** The first that has room. */
export class FirstPicker implements Picker {
  #ready: readonly BalancedSubchannel[] = [];

  update(ready: readonly BalancedSubchannel[]): void {
    this.#ready = ready;
  }

  pick(): BalancedSubchannel | null {
    for (const subchannel of this.#ready) {
      if (subchannel.checkRoom()) return subchannel;
    }
    return null;
  }
}

/**
 * One after the other. The start is random, so that clients that begin at the
 * same time do not go to the same server.
 */
export class RoundRobinPicker implements Picker {
  readonly #random: () => number;
  #ready: readonly BalancedSubchannel[] = [];
  /** The place of the one that is next. */
  #next = -1;

  /** @param random Gives a number from 0 to below 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  update(ready: readonly BalancedSubchannel[]): void {
    // Goes on behind the one that was last, or the nearest before it that is
    // still there: an update must not favour the head of the list.
    const before = this.#ready;
    this.#ready = ready;
    if (ready.length === 0) return;
    if (this.#next < 0) {
      this.#next = Math.floor(this.#random() * ready.length);
      return;
    }
    for (let back = 1; back <= before.length; back++) {
      const place = (this.#next - back + before.length) % before.length;
      const found = ready.indexOf(before[place]!);
      if (found < 0) continue;
      this.#next = (found + 1) % ready.length;
      return;
    }
    this.#next %= ready.length;
  }

  pick(): BalancedSubchannel | null {
    const ready = this.#ready;
    const count = ready.length;
    for (let tries = 0; tries < count; tries++) {
      const subchannel = ready[this.#next]!;
      this.#next = this.#next + 1 === count ? 0 : this.#next + 1;
      if (subchannel.checkRoom()) return subchannel;
    }
    return null;
  }
}
