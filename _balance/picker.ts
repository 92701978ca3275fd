/**
 * Which subchannel takes a call: pure choices among those that are READY.
 *
 * @module
 */

import type { BalancedSubchannel } from "./subchannel.ts";

/** Chooses among subchannels, synchronously: once for each call. */
export interface Picker {
  /** Whether what is lost is connected again, though nobody calls. */
  readonly keepsConnected: boolean;
  /** Others are READY than before. */
  update(ready: readonly BalancedSubchannel[]): void;
  /** One of them that has room, or null if none has. */
  pick(): BalancedSubchannel | null;
}

/** Another picker at another time. */
export class ReplaceablePicker implements Picker {
  #picker: Picker;
  #ready: readonly BalancedSubchannel[] = [];

  constructor(picker: Picker) {
    this.#picker = picker;
  }

  get keepsConnected(): boolean {
    return this.#picker.keepsConnected;
  }

  /** Goes on with another one. */
  replace(picker: Picker): void {
    picker.update(this.#ready);
    this.#picker = picker;
  }

  update(ready: readonly BalancedSubchannel[]): void {
    this.#ready = ready;
    this.#picker.update(ready);
  }

  pick(): BalancedSubchannel | null {
    return this.#picker.pick();
  }
}

/** The first that has room. */
export class FirstPicker implements Picker {
  readonly keepsConnected = false;
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
 * One after the other. The start is random, and another one whenever a server is
 * new: those of a channel connect one by one, and many clients that all went on
 * from the first would go around together.
 */
export class RoundRobinPicker implements Picker {
  readonly keepsConnected = true;
  readonly #random: () => number;
  #ready: readonly BalancedSubchannel[] = [];
  /** The place of the one that is next. */
  #next = 0;

  /** @param random Gives a number from 0 to below 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  update(ready: readonly BalancedSubchannel[]): void {
    const before = this.#ready;
    this.#ready = ready;
    if (ready.length === 0) return;
    const known = new Set(before);
    if (!ready.every((it) => known.has(it))) {
      this.#next = Math.floor(this.#random() * ready.length);
      return;
    }
    // Goes on behind the one that was last, or the nearest before it that is
    // still there: the loss of a server must not favour the head of the list.
    for (let back = 1; back <= before.length; back++) {
      const place = (this.#next - back + before.length) % before.length;
      const found = ready.indexOf(before[place]!);
      if (found < 0) continue;
      this.#next = (found + 1) % ready.length;
      return;
    }
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

/**
 * The one with the fewest calls, of a few that are drawn at random: with all of
 * them, many clients would go to the same server at once.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A48-xds-least-request-lb-policy.md}
 */
export class LeastRequestPicker implements Picker {
  readonly keepsConnected = true;
  readonly #choiceCount: number;
  readonly #random: () => number;
  #ready: readonly BalancedSubchannel[] = [];

  /**
   * @param choiceCount How many are drawn.
   * @param random Gives a number from 0 to below 1.
   */
  constructor(choiceCount: number, random: () => number = Math.random) {
    this.#choiceCount = choiceCount;
    this.#random = random;
  }

  update(ready: readonly BalancedSubchannel[]): void {
    this.#ready = ready;
  }

  pick(): BalancedSubchannel | null {
    const ready = this.#ready;
    let best: BalancedSubchannel | null = null;
    for (let i = 0; i < this.#choiceCount && ready.length > 0; i++) {
      const drawn = ready[Math.floor(this.#random() * ready.length)]!;
      if (best === null || drawn.callCount < best.callCount) best = drawn;
    }
    return best?.checkRoom() ? best : this.#leastWithRoom();
  }

  #leastWithRoom(): BalancedSubchannel | null {
    let best: BalancedSubchannel | null = null;
    for (const subchannel of this.#ready) {
      if (best !== null && subchannel.callCount >= best.callCount) continue;
      if (subchannel.checkRoom()) best = subchannel;
    }
    return best;
  }
}
