/**
 * Chance that can be had again: the same seed gives the same numbers.
 *
 * @module
 */

/** Numbers by chance, from a seed. */
export class Random {
  #state: number;

  /** @param seed Any integer. */
  constructor(seed: number) {
    this.#state = seed | 0;
    // The first numbers of neighbouring seeds are alike.
    for (let i = 0; i < 8; i++) this.next();
  }

  /** A number from 0 to below 1: mulberry32. */
  next(): number {
    this.#state = this.#state + 0x6d2b79f5 | 0;
    const state = this.#state;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  }

  /** An integer from one to another, both included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  /** Whether something happens that happens so often, from 0 to 1. */
  chance(often: number): boolean {
    return this.next() < often;
  }

  /** One of several. */
  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.next() * choices.length)]!;
  }

  /** Another source of chance, which this one's later numbers do not touch. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 2 ** 32));
  }
}
