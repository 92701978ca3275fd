/**
 * Header fields by chance, some of which come often.
 *
 * @module
 */

import { STATIC_NAMES, STATIC_VALUES } from "../_h2/hpack/static_table.ts";

/** Makes lists of fields. */
export class RandomFields {
  readonly #random: () => number;

  /** @param random Numbers from 0 to 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Makes a list of up to 12 fields. */
  list(): string[] {
    return Array.from({ length: this.#below(13) }, () => this.#field()).flat();
  }

  #field(): [name: string, value: string] {
    const kind = this.#random();
    if (kind < 0.2) {
      const index = 1 + this.#below(61);
      return [STATIC_NAMES[index]!, STATIC_VALUES[index]!];
    }
    if (kind < 0.4) {
      return [STATIC_NAMES[1 + this.#below(61)]!, this.#text()];
    }
    if (kind < 0.7) return [`x-${this.#below(20)}`, `${this.#below(3)}`];
    if (kind < 0.9) return [`x-${this.#below(20)}`, this.#text()];
    return [this.#text(), this.#text()];
  }

  /** Bytes of one of several kinds, and mostly few of them. */
  #text(): string {
    const long = this.#random();
    const length = this.#below(long < 0.9 ? 30 : long < 0.99 ? 200 : 3000);
    const [from, count] =
      ([[0, 256], [0x61, 26], [0x30, 10], [0x20, 95]] as const)[
        this.#below(4)
      ]!;
    let text = "";
    for (let i = 0; i < length; i++) {
      text += String.fromCharCode(from + this.#below(count));
    }
    return text;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}
