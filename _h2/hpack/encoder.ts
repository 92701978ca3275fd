/**
 * Header blocks for a peer.
 *
 * @module
 */

import { type ByteWriter, NO_BYTES } from "../byte_writer.ts";
import { writeInteger, writeShortString, writeString } from "./block_writer.ts";
import { EncoderTable, type KnownName, sizeOf } from "./encoder_table.ts";
import {
  DEFAULT_TABLE_SIZE,
  type HeaderList,
  type HeaderParts,
  NO_FIELDS,
} from "./header_list.ts";

/** Options for {@linkcode HpackEncoder}. */
export interface HpackEncoderOptions {
  /**
   * The most to make of the dynamic table, in bytes, even when the peer allows
   * more.
   *
   * @default {4096}
   */
  readonly maxTableSize?: number;

  /**
   * Names, in lower case, whose values are never indexed, beside those that
   * always are secrets, such as `authorization`.
   *
   * @default {[]}
   */
  readonly neverIndexed?: readonly string[];
}

/**
 * Names whose values are secrets. They are literals that are never indexed: not
 * here, so that nobody who can make calls on the connection finds them out by
 * trying, and not by proxies on the way either.
 * https://www.rfc-editor.org/rfc/rfc7541#section-7.1.3
 */
const NEVER_INDEXED: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "set-cookie",
  "x-api-key",
  "x-auth-token",
  "x-csrf-token",
  "x-goog-api-key",
]);

/** How many lists are known, with their blocks. */
const MAX_SHARED = 128;

/**
 * How many fields may go without an index for want of room before the table is
 * filled again.
 */
const MAX_REFUSED = 1024;

/** How many different values of a name may enter because they came again. */
const MAX_VALUES = 8;

/** The longest value to compare with the next one, in bytes. */
const MAX_REPEATED = 256;

/** The first bytes of fields, and the bits of them that are an index. */
const INDEXED = 0x80; // https://www.rfc-editor.org/rfc/rfc7541#section-6.1
const INDEXED_MASK = 0x7f;
const ENTERING = 0x40; // https://www.rfc-editor.org/rfc/rfc7541#section-6.2.1
const ENTERING_MASK = 0x3f;
const LITERAL = 0x00; // https://www.rfc-editor.org/rfc/rfc7541#section-6.2.2
const SECRET = 0x10; // https://www.rfc-editor.org/rfc/rfc7541#section-6.2.3
const LITERAL_MASK = 0x0f;
const TABLE_SIZE = 0x20; // https://www.rfc-editor.org/rfc/rfc7541#section-6.3
const TABLE_SIZE_MASK = 0x1f;

/** The bytes of a list, as long as the table is what it was. */
interface SharedBlock {
  bytes: Uint8Array;
  /** The generation of the table that they are good for. */
  generation: number;
  /** How many fields of it found no room in the table. */
  refused: number;
}

/**
 * Encodes the header blocks of one direction of a connection, in the order they
 * are sent.
 *
 * Lists that many blocks begin with enter the dynamic table while there is
 * room, so from the second time on they are a few bytes, which are copied.
 * Nothing is evicted that is in use, as every field that enters changes all the
 * indexes behind it. When many fields found no room, all that are there are
 * given up, and those that are still in use enter again.
 */
export class HpackEncoder {
  readonly #table: EncoderTable;
  readonly #maxTableSize: number;
  readonly #blocks = new Map<HeaderList, SharedBlock>();

  #lastShared: HeaderList = NO_FIELDS;
  #lastBlock: SharedBlock = newBlock();

  /** How many fields found no room since the table was filled again. */
  #refused = 0;

  /** The smallest size of the table since the last block, if it changed. */
  #smallestSize = Infinity;

  /**
   * @param options What to index.
   */
  constructor(options: HpackEncoderOptions = {}) {
    const { maxTableSize = DEFAULT_TABLE_SIZE, neverIndexed = [] } = options;
    this.#maxTableSize = maxTableSize;
    this.#table = new EncoderTable(
      neverIndexed.length === 0
        ? NEVER_INDEXED
        : new Set([...NEVER_INDEXED, ...neverIndexed]),
    );
    this.setPeerTableSize(DEFAULT_TABLE_SIZE);
  }

  /**
   * Takes note of the peer's SETTINGS_HEADER_TABLE_SIZE. The next block begins
   * with an update, if it changes the size of the table.
   * https://www.rfc-editor.org/rfc/rfc7541#section-4.2
   *
   * @param bytes The size.
   */
  setPeerTableSize(bytes: number): void {
    const size = Math.min(bytes, this.#maxTableSize);
    if (size === this.#table.maxSize) return;
    this.#smallestSize = Math.min(this.#smallestSize, size);
    this.#table.maxSize = size;
  }

  /**
   * Writes one header block.
   *
   * @param out Where to; what it has stays before it.
   * @param shared The first fields, in a list that many blocks begin with. It is
   * known by its identity: the same list again costs a copy of few bytes.
   * @param own The other fields, which are of this block alone.
   * @param more What comes behind these, if there is more.
   * @throws {TypeError} When a name or value has a character above U+00FF.
   * Nothing was written then, and the next block is as good as any.
   */
  encode(
    out: ByteWriter,
    shared: HeaderList,
    own: HeaderList = NO_FIELDS,
    more: HeaderParts | null = null,
  ): void {
    const { length } = out;
    const { generation } = this.#table;
    const smallestSize = this.#smallestSize;
    try {
      if (smallestSize !== Infinity) this.#writeTableSize(out);
      this.#writeShared(out, shared);
      this.#writeAllOwn(out, own);
      for (let part = more; part !== null; part = part.next) {
        this.#writeShared(out, part.shared);
        this.#writeAllOwn(out, part.own);
      }
    } catch (error) {
      out.length = length;
      // Fields may have entered the table that the peer will never see.
      const changed = this.#table.generation !== generation;
      this.#smallestSize = changed ? 0 : smallestSize;
      throw error;
    }
  }

  /**
   * Writes that the size of the table changed. If it was smaller meanwhile the
   * peer may have evicted fields then, and has to be told of that size too. It
   * is told of none at all: a decoder in Go takes a second update only while
   * its table is empty.
   * https://www.rfc-editor.org/rfc/rfc7541#section-4.2
   */
  #writeTableSize(out: ByteWriter): void {
    const table = this.#table;
    const { maxSize } = table;
    if (this.#smallestSize < maxSize) {
      table.maxSize = 0;
      writeInteger(out, 0, TABLE_SIZE_MASK, TABLE_SIZE);
      table.maxSize = maxSize;
    }
    writeInteger(out, maxSize, TABLE_SIZE_MASK, TABLE_SIZE);
    this.#smallestSize = Infinity;
  }

  #writeShared(out: ByteWriter, fields: HeaderList): void {
    if (fields.length === 0) return;
    const block = fields === this.#lastShared
      ? this.#lastBlock
      : this.#blockOf(fields);
    const table = this.#table;
    const { generation } = table;
    if (block.generation === generation) {
      copy(out, block.bytes);
    } else {
      const start = out.length;
      block.refused = 0;
      for (let i = 0; i < fields.length; i += 2) {
        if (!this.#writeKnown(out, fields[i]!, fields[i + 1]!)) block.refused++;
      }
      if (table.generation === generation) {
        block.bytes = out.bytes.slice(start, out.length);
        block.generation = generation;
      }
    }
    if (block.refused > 0) this.#refuse(block.refused);
  }

  #blockOf(fields: HeaderList): SharedBlock {
    let block = this.#blocks.get(fields);
    if (block === undefined) {
      if (this.#blocks.size === MAX_SHARED) {
        this.#blocks.delete(this.#blocks.keys().next().value!);
      }
      block = newBlock();
      this.#blocks.set(fields, block);
    }
    this.#lastShared = fields;
    this.#lastBlock = block;
    return block;
  }

  /**
   * Counts fields that found no room. After many the table is given up, so that
   * what fills it makes way for what is in use.
   */
  #refuse(count: number): void {
    this.#refused += count;
    if (this.#refused < MAX_REFUSED) return;
    this.#refused = 0;
    this.#table.forget();
  }

  /**
   * Writes a field of many blocks, which enters the table if it can.
   *
   * @returns Whether there was room, if it was needed.
   */
  #writeKnown(out: ByteWriter, name: string, value: string): boolean {
    const table = this.#table;
    const known = table.name(name);
    if (known.secret) {
      this.#writeLiteral(out, known, SECRET);
      writeShortString(out, value);
      return true;
    }
    const index = table.indexOf(known, value);
    if (index !== 0) {
      writeInteger(out, index, INDEXED_MASK, INDEXED);
      return true;
    }
    const size = sizeOf(known, value);
    const enters = table.hasRoom(size);
    this.#writeLiteral(out, known, enters ? ENTERING : LITERAL);
    writeShortString(out, value);
    if (enters) table.enter(known, value);
    return enters || size > table.maxSize;
  }

  #writeAllOwn(out: ByteWriter, own: HeaderList): void {
    for (let i = 0; i < own.length; i += 2) {
      this.#writeOwn(out, own[i]!, own[i + 1]!);
    }
  }

  /**
   * Writes a field of this block. It enters the table only when that pays: when
   * its value came the last time too, or to give its name an index. That is for
   * half of the table, the other half is for lists.
   */
  #writeOwn(out: ByteWriter, name: string, value: string): void {
    const table = this.#table;
    const known = table.name(name);
    if (known.secret) {
      this.#writeLiteral(out, known, SECRET);
      writeString(out, value);
      return;
    }
    const index = table.indexOf(known, value);
    if (index !== 0) {
      writeInteger(out, index, INDEXED_MASK, INDEXED);
      return;
    }
    const enters = this.#pays(known, value);
    this.#writeLiteral(out, known, enters ? ENTERING : LITERAL);
    writeString(out, value);
    if (enters) table.enter(known, value);
  }

  #pays(known: KnownName, value: string): boolean {
    if (value.length > MAX_REPEATED) return false;
    const { lastValue } = known;
    known.lastValue = value;
    if (lastValue === undefined) return false; // the name is new
    const { count } = known;
    return (count === 0 && known.staticIndex === 0 ||
      count < MAX_VALUES && value === lastValue) &&
      this.#table.hasRoom(sizeOf(known, value) + this.#table.maxSize / 2);
  }

  /** Writes what comes before the value of a literal. */
  #writeLiteral(out: ByteWriter, known: KnownName, first: number): void {
    const mask = first === ENTERING ? ENTERING_MASK : LITERAL_MASK;
    const index = this.#table.indexOfName(known);
    writeInteger(out, index, mask, first);
    if (index === 0) writeShortString(out, known.name);
  }
}

function newBlock(): SharedBlock {
  return { bytes: NO_BYTES, generation: -1, refused: 0 };
}

/** Writes bytes one by one, which is faster than a call when they are few. */
function copy(out: ByteWriter, from: Uint8Array): void {
  const { length } = from;
  out.reserve(length);
  const { bytes, length: at } = out;
  if (length > 64) bytes.set(from, at);
  else for (let i = 0; i < length; i++) bytes[at + i] = from[i]!;
  out.length = at + length;
}
