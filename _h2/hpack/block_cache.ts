/**
 * Header blocks that came before, and what they meant.
 *
 * @module
 */

import type { HeaderList } from "./header_list.ts";

/**
 * How many blocks are kept at most, and how many at first, for most peers send
 * few: powers of two.
 */
const SLOTS = 128;
const SLOTS_AT_FIRST = 8;

/** The longest block that is kept, in bytes: it may have a token in it. */
const MAX_BLOCK_BYTES = 4096;

/** What all blocks that are kept may count, with their fields, in bytes. */
const MAX_BYTES = 65_536;

/** The generation of a block that has no index of the dynamic table in it. */
const ANY = -1;

/** The most that one block may count of it. */
const MAX_COST = MAX_BYTES / 8;

interface Block {
  readonly bytes: Uint8Array;
  readonly hash: number;
  readonly generation: number;
  readonly fields: HeaderList;
  readonly cost: number;
}

/**
 * The blocks of a connection that came twice, by their bytes. A peer that sends
 * the same fields again sends the same bytes, once all of them are indexed, and
 * they mean the same until the dynamic table changes.
 *
 * Each block has one slot. It is kept when it has the same hash as the one that
 * was looked for there before, so those that differ in every call do not drive
 * out the others. When two blocks want the same slot there are twice as many, up
 * to the most there may be. The hash leaves out bytes of long blocks: one that
 * differs in these alone costs a copy that is of no use.
 */
export class BlockCache {
  #blocks: (Block | null)[] = new Array(SLOTS_AT_FIRST).fill(null);

  /** The hash that each slot was last looked for in vain; 0 for none. */
  #missed: number[] = new Array(SLOTS_AT_FIRST).fill(0);

  /** What all blocks count. */
  #cost = 0;

  #hash = 0;
  #wanted = false;

  /** Whether it is time to {@linkcode add} the block that was not found. */
  get wanted(): boolean {
    return this.#wanted;
  }

  /**
   * Finds what a block means.
   *
   * @param bytes The array it is in.
   * @param start Where it begins.
   * @param end Where it ends.
   * @param generation That of the dynamic table.
   */
  find(
    bytes: Uint8Array,
    start: number,
    end: number,
    generation: number,
  ): HeaderList | undefined {
    const length = end - start;
    if (length > MAX_BLOCK_BYTES) {
      this.#wanted = false;
      return undefined;
    }
    let hash = length;
    const step = (length >> 6) + 1;
    for (let i = start; i < end; i += step) {
      hash = Math.imul(hash, 31) + bytes[i]! | 0;
    }
    const slot = slotOf(hash, this.#blocks.length);
    const block = this.#blocks[slot]!;
    if (
      block !== null && block.bytes.length === length &&
      (block.generation === generation || block.generation === ANY)
    ) {
      const known = block.bytes;
      let i = 0;
      while (i < length && known[i] === bytes[start + i]) i++;
      if (i === length) return block.fields;
    }
    const missed = this.#missed[slot]!;
    this.#wanted = missed === hash;
    this.#hash = hash;
    if (!this.#wanted && missed !== 0 && this.#blocks.length < SLOTS) {
      this.#grow();
    }
    this.#missed[slotOf(hash, this.#missed.length)] = hash;
    return undefined;
  }

  /**
   * Keeps the block that {@linkcode find} has just not found, and that had no
   * effect on the dynamic table.
   *
   * @param block A copy of it.
   * @param fields What it means.
   * @param options What it counts, `listSize`, as SETTINGS_MAX_HEADER_LIST_SIZE
   * does, and the `generation` of the dynamic table, if it has an index of that
   * in it.
   */
  add(
    block: Uint8Array,
    fields: HeaderList,
    options: { readonly listSize: number; readonly generation?: number },
  ): void {
    const cost = block.length + options.listSize;
    if (cost > MAX_COST) return;
    const hash = this.#hash;
    const slot = slotOf(hash, this.#blocks.length);
    this.#cost += cost - (this.#blocks[slot]?.cost ?? 0);
    if (this.#cost > MAX_BYTES) {
      this.#blocks.fill(null);
      this.#cost = cost;
    }
    const { generation = ANY } = options;
    this.#blocks[slot] = { bytes: block, hash, generation, fields, cost };
  }

  #grow(): void {
    const count = 2 * this.#blocks.length;
    const blocks: (Block | null)[] = new Array(count).fill(null);
    const missed: number[] = new Array(count).fill(0);
    for (const block of this.#blocks) {
      if (block !== null) blocks[slotOf(block.hash, count)] = block;
    }
    for (const hash of this.#missed) {
      if (hash !== 0) missed[slotOf(hash, count)] = hash;
    }
    this.#blocks = blocks;
    this.#missed = missed;
  }
}

/** Which of so many slots is that of a hash. */
function slotOf(hash: number, count: number): number {
  return (hash ^ hash >>> 7 ^ hash >>> 14) & count - 1;
}
