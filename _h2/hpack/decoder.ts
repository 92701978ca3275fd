/**
 * What a peer's header blocks mean.
 *
 * @module
 */

import { BlockCache } from "./block_cache.ts";
import { BlockReader } from "./block_reader.ts";
import { DecoderTable } from "./decoder_table.ts";
import { HpackError } from "./error.ts";
import {
  DEFAULT_TABLE_SIZE,
  FIELD_OVERHEAD,
  type HeaderList,
  NO_FIELDS,
} from "./header_list.ts";
import { STATIC_COUNT, STATIC_NAMES, STATIC_VALUES } from "./static_table.ts";

/** Options for {@linkcode HpackDecoder}. */
export interface HpackDecoderOptions {
  /**
   * The SETTINGS_HEADER_TABLE_SIZE that this end sends first, in bytes. A size
   * below the default binds the peer from when it was acknowledged: see
   * {@linkcode HpackDecoder.setTableSize}.
   *
   * @default {4096}
   */
  readonly maxTableSize?: number;

  /**
   * The largest list of fields to keep, as SETTINGS_MAX_HEADER_LIST_SIZE counts
   * it: the bytes of names and values, and 32 more for each field.
   *
   * @default {65536}
   */
  readonly maxListSize?: number;

  /**
   * The most fields to keep.
   *
   * @default {Infinity}
   */
  readonly maxFields?: number;
}

/**
 * Decodes the header blocks of one direction of a connection, in the order they
 * came.
 *
 * Its memory is bounded: the dynamic table by the size this end said, the list
 * of a block by `maxListSize`, and the blocks it remembers by 64 KiB. Its time
 * is in proportion to the length of a block: an index costs the same whatever
 * it stands for, since strings are never copied. So a block that stands for
 * much more than its own bytes is decoded to its end, for the table's sake, and
 * costs no more than another one of its length.
 */
export class HpackDecoder {
  readonly #reader = new BlockReader();
  readonly #table = new DecoderTable();
  readonly #cache = new BlockCache();
  readonly #maxListSize: number;
  readonly #maxFields: number;

  /** The most that the peer may make of its table. */
  #maxTableSize: number;

  /** The size that the peer has to confirm before anything else, or -1. */
  #owedSize = -1;

  #tooLarge = false;

  /**
   * @param options What the peer has to keep to.
   */
  constructor(options: HpackDecoderOptions = {}) {
    const {
      maxTableSize = DEFAULT_TABLE_SIZE,
      maxListSize = 65_536,
      maxFields = Infinity,
    } = options;
    this.#maxTableSize = Math.max(maxTableSize, DEFAULT_TABLE_SIZE);
    this.#maxListSize = maxListSize;
    this.#maxFields = maxFields;
  }

  /**
   * Whether the last block was over `maxListSize` or `maxFields`. Such a block
   * is decoded to its end, so that the table stays in step, but its fields are
   * not kept: the stream has to be refused.
   */
  get tooLarge(): boolean {
    return this.#tooLarge;
  }

  /**
   * Takes note that the peer has acknowledged a SETTINGS_HEADER_TABLE_SIZE. If
   * its table is larger, its next block has to begin with an update.
   * https://www.rfc-editor.org/rfc/rfc7541#section-4.2
   *
   * @param bytes The size.
   */
  setTableSize(bytes: number): void {
    this.#maxTableSize = bytes;
    if (bytes < this.#table.maxSize) {
      this.#owedSize = this.#owedSize < 0
        ? bytes
        : Math.min(bytes, this.#owedSize);
    }
  }

  /**
   * Decodes one whole header block.
   *
   * @param bytes The array it is in; it is not kept.
   * @param start Where it begins.
   * @param end Where it ends.
   * @returns The fields: the same list again, as a rule, for a block that came
   * often before and means the same. None when it is {@linkcode tooLarge}.
   * @throws {HpackError} When the block is malformed. The decoder is of no use
   * after that, nor is the connection.
   */
  decode(bytes: Uint8Array, start: number, end: number): HeaderList {
    this.#tooLarge = false;
    if (this.#owedSize < 0) {
      const { generation } = this.#table;
      const known = this.#cache.find(bytes, start, end, generation);
      if (known !== undefined) return known;
    }
    return this.#decode(bytes, start, end);
  }

  #decode(bytes: Uint8Array, start: number, end: number): HeaderList {
    const reader = this.#reader;
    const table = this.#table;
    reader.open(bytes, start, end);
    if (start < end) this.#readSizeUpdates(reader);
    const updated = reader.at > start;
    const generation = table.generation;
    let dynamic = false; // whether an index of the dynamic table was used
    let fields: string[] = [];
    let listSize = 0;
    while (reader.at < end) {
      const first = bytes[reader.at]!;
      let name: string;
      let value: string;
      if (first >= 0x80) {
        // An indexed field.
        // https://www.rfc-editor.org/rfc/rfc7541#section-6.1
        const index = reader.integer(0x7f);
        if (index > STATIC_COUNT) {
          const place = table.place(index);
          name = table.name(place);
          value = table.value(place);
          dynamic = true;
        } else {
          if (index === 0) throw new HpackError("a field has index 0");
          name = STATIC_NAMES[index]!;
          value = STATIC_VALUES[index]!;
        }
      } else {
        // A literal, which enters the table, or does not, or never may: those
        // are the same to who does not pass it on.
        // https://www.rfc-editor.org/rfc/rfc7541#section-6.2
        const enters = first >= 0x40;
        if (!enters && first >= 0x20) {
          throw new HpackError("a table size update comes behind a field");
        }
        const index = reader.integer(enters ? 0x3f : 0x0f);
        if (index > STATIC_COUNT) {
          name = table.name(table.place(index));
          dynamic = true;
        } else {
          name = index === 0 ? reader.string() : STATIC_NAMES[index]!;
        }
        value = reader.string();
        if (enters) table.enter(name, value);
      }
      listSize += name.length + value.length + FIELD_OVERHEAD;
      if (this.#tooLarge) continue;
      fields.push(name, value);
      if (
        listSize > this.#maxListSize || fields.length > 2 * this.#maxFields
      ) {
        this.#tooLarge = true;
        fields = [];
      }
    }
    reader.close();
    if (this.#tooLarge) return NO_FIELDS;
    if (
      this.#cache.wanted && !updated && generation === table.generation
    ) {
      this.#cache.add(
        bytes.slice(start, end),
        fields,
        dynamic ? { listSize, generation } : { listSize },
      );
    }
    return fields;
  }

  /**
   * Reads the updates of the table's size, which are at the beginning.
   * https://www.rfc-editor.org/rfc/rfc7541#section-6.3
   */
  #readSizeUpdates(reader: BlockReader): void {
    while (
      reader.at < reader.end && (reader.bytes[reader.at]! & 0xe0) === 0x20
    ) {
      const size = reader.integer(0x1f);
      if (size > this.#maxTableSize) {
        throw new HpackError(
          `a table size update to ${size} is over the limit of ${this.#maxTableSize}`,
        );
      }
      // The smallest size that was asked for comes first, if there were many.
      if (size <= this.#owedSize) this.#owedSize = -1;
      this.#table.maxSize = size;
    }
    if (this.#owedSize >= 0) {
      throw new HpackError(
        `it has to begin with a table size update to at most ${this.#owedSize}`,
      );
    }
  }
}
