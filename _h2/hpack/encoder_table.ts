/**
 * The dynamic table, as an encoder needs it.
 * https://www.rfc-editor.org/rfc/rfc7541#section-2.3.2
 *
 * @module
 */

import { DEFAULT_TABLE_SIZE, FIELD_OVERHEAD } from "./header_list.ts";
import { STATIC_BY_NAME, STATIC_COUNT } from "./static_table.ts";

/** How many names are known before those without a field are forgotten. */
const MAX_NAMES = 512;

/** A field in the table. */
interface Entry {
  readonly name: KnownName;
  readonly value: string;
  /** How many were entered before it. */
  readonly serial: number;
  /** Whether it may be referred to. If not it waits for its eviction. */
  live: boolean;
  /** The live fields with its name that were entered before and behind it. */
  older: Entry | null;
  newer: Entry | null;
}

/** What is known of a name. */
export interface KnownName {
  readonly name: string;
  /** The index of its first field in the static table, or 0. */
  readonly staticIndex: number;
  /** The values of the fields from there on. */
  readonly staticValues: readonly string[];
  /** Whether its values are secrets, which are never indexed. */
  readonly secret: boolean;
  /** The newest of its live fields in the table, and how many there are. */
  newest: Entry | null;
  count: number;
  /** The value that came last with a block of its own, if it was not too long. */
  lastValue: string | undefined;
}

/** The fields that were entered, and where to find them. */
export class EncoderTable {
  readonly #secrets: ReadonlySet<string>;
  readonly #names = new Map<string, KnownName>();
  readonly #entries: Entry[] = []; // the oldest first
  #entered = 0;

  /** The size of all entries, and of those that are live. */
  #size = 0;
  #liveSize = 0;

  #maxSize = DEFAULT_TABLE_SIZE;

  /** Another number whenever a field would be written differently. */
  generation = 0;

  /**
   * @param secrets The names that never enter.
   */
  constructor(secrets: ReadonlySet<string>) {
    this.#secrets = secrets;
  }

  /** What the fields may count, in bytes. */
  get maxSize(): number {
    return this.#maxSize;
  }

  /** https://www.rfc-editor.org/rfc/rfc7541#section-4.3 */
  set maxSize(bytes: number) {
    if (bytes > this.#maxSize) this.generation++; // for what had no room
    this.#maxSize = bytes;
    this.#evictUntil(bytes);
  }

  /** What the fields count that may be referred to, in bytes. */
  get liveSize(): number {
    return this.#liveSize;
  }

  /** Finds what is known of a name, and begins to know it. */
  name(name: string): KnownName {
    return this.#names.get(name) ?? this.#learn(name);
  }

  #learn(name: string): KnownName {
    const { index = 0, values = [] } = STATIC_BY_NAME.get(name) ?? {};
    const known: KnownName = {
      name,
      staticIndex: index,
      staticValues: values,
      secret: this.#secrets.has(name),
      newest: null,
      count: 0,
      lastValue: undefined,
    };
    if (this.#names.size >= MAX_NAMES) {
      for (const [name, { count }] of this.#names) {
        if (count === 0) this.#names.delete(name);
      }
    }
    this.#names.set(name, known);
    return known;
  }

  /**
   * Finds a field in either table.
   *
   * @returns Its index, or 0.
   */
  indexOf(known: KnownName, value: string): number {
    const { staticValues } = known;
    for (let i = 0; i < staticValues.length; i++) {
      if (staticValues[i] === value) return known.staticIndex + i;
    }
    for (let at = known.newest; at !== null; at = at.older) {
      if (at.value === value) return this.#index(at);
    }
    return 0;
  }

  /**
   * Finds a field with a name in either table.
   *
   * @returns Its index, or 0.
   */
  indexOfName({ staticIndex, newest }: KnownName): number {
    if (staticIndex !== 0) return staticIndex;
    return newest === null ? 0 : this.#index(newest);
  }

  /** https://www.rfc-editor.org/rfc/rfc7541#section-2.3.3 */
  #index({ serial }: Entry): number {
    return STATIC_COUNT + this.#entered - serial;
  }

  /** Whether a field may enter without driving out a live one. */
  hasRoom(size: number): boolean {
    return this.#liveSize + size <= this.#maxSize;
  }

  /**
   * Enters a field, after evicting as many as needed.
   * https://www.rfc-editor.org/rfc/rfc7541#section-4.4
   */
  enter(name: KnownName, value: string): void {
    const size = sizeOf(name, value);
    this.#evictUntil(this.#maxSize - size);
    const { newest: older } = name;
    const serial = this.#entered++;
    const entry = { name, value, serial, live: true, older, newer: null };
    this.#entries.push(entry);
    if (older !== null) older.newer = entry;
    name.newest = entry;
    name.count++;
    this.#size += size;
    this.#liveSize += size;
    this.generation++;
  }

  #evictUntil(size: number): void {
    while (this.#size > size) {
      const oldest = this.#entries.shift()!;
      const bytes = sizeOf(oldest.name, oldest.value);
      this.#size -= bytes;
      if (!oldest.live) continue;
      this.#liveSize -= bytes;
      const { name, newer } = oldest;
      if (newer === null) name.newest = null;
      else newer.older = null;
      name.count--;
      this.generation++;
    }
  }

  /**
   * Refers to none of the fields any more. They are evicted as others come, on
   * both ends.
   */
  forget(): void {
    for (const entry of this.#entries) {
      entry.live = false;
      entry.older = entry.newer = null;
      entry.name.newest = null;
      entry.name.count = 0;
    }
    this.#liveSize = 0;
    this.generation++;
  }
}

/** https://www.rfc-editor.org/rfc/rfc7541#section-4.1 */
export function sizeOf({ name }: KnownName, value: string): number {
  return name.length + value.length + FIELD_OVERHEAD;
}
