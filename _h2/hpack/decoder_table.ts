/**
 * The dynamic table, as a decoder needs it.
 * https://www.rfc-editor.org/rfc/rfc7541#section-2.3.2
 *
 * @module
 */

import { HpackError } from "./error.ts";
import { DEFAULT_TABLE_SIZE, FIELD_OVERHEAD } from "./header_list.ts";
import { STATIC_COUNT } from "./static_table.ts";

/** The fields that the peer entered, first in, first out. */
export class DecoderTable {
  /** Rings of a length that is a power of two. */
  #names: string[] = new Array(16).fill("");
  #values: string[] = new Array(16).fill("");

  /** How many fields were ever entered: where the next one goes. */
  #entered = 0;

  /** How many of them are there. */
  #count = 0;

  #size = 0;
  #maxSize = DEFAULT_TABLE_SIZE;

  /** Another number whenever an index means something else than before. */
  generation = 0;

  /** What the fields may count, in bytes. */
  get maxSize(): number {
    return this.#maxSize;
  }

  /** https://www.rfc-editor.org/rfc/rfc7541#section-4.3 */
  set maxSize(bytes: number) {
    this.#maxSize = bytes;
    if (this.#size <= bytes) return;
    this.#evictUntil(bytes);
    this.generation++;
  }

  /**
   * Finds the field at an index behind the static table; the newest is first.
   * https://www.rfc-editor.org/rfc/rfc7541#section-2.3.3
   *
   * @returns Its place, for {@linkcode name} and {@linkcode value}.
   * @throws {HpackError} When there is none.
   */
  place(index: number): number {
    const back = index - STATIC_COUNT;
    if (back > this.#count) {
      throw new HpackError(
        `index ${index} is beyond the tables, which end at ${
          STATIC_COUNT + this.#count
        }`,
      );
    }
    return this.#entered - back & this.#names.length - 1;
  }

  /** The name at a place. */
  name(place: number): string {
    return this.#names[place]!;
  }

  /** The value at a place. */
  value(place: number): string {
    return this.#values[place]!;
  }

  /**
   * Enters a field, after evicting as many as needed. One that is larger than
   * the table leaves it empty.
   * https://www.rfc-editor.org/rfc/rfc7541#section-4.4
   */
  enter(name: string, value: string): void {
    this.generation++;
    const size = name.length + value.length + FIELD_OVERHEAD;
    if (this.#size + size > this.#maxSize) {
      this.#evictUntil(this.#maxSize - size);
      if (size > this.#maxSize) return;
    }
    if (this.#count === this.#names.length) this.#grow();
    const place = this.#entered++ & this.#names.length - 1;
    this.#names[place] = name;
    this.#values[place] = value;
    this.#size += size;
    this.#count++;
  }

  #evictUntil(size: number): void {
    while (this.#size > size && this.#count > 0) {
      const place = this.#entered - this.#count-- & this.#names.length - 1;
      this.#size -= this.#names[place]!.length + this.#values[place]!.length +
        FIELD_OVERHEAD;
      this.#names[place] = this.#values[place] = "";
    }
  }

  #grow(): void {
    const names = new Array<string>(this.#names.length * 2).fill("");
    const values = new Array<string>(names.length).fill("");
    for (let back = 1; back <= this.#count; back++) {
      const from = this.#entered - back & this.#names.length - 1;
      const to = this.#entered - back & names.length - 1;
      names[to] = this.#names[from]!;
      values[to] = this.#values[from]!;
    }
    this.#names = names;
    this.#values = values;
  }
}
