/**
 * The two things that header blocks are made of.
 *
 * @module
 */

import { HpackError } from "./error.ts";
import { decodeHuffman } from "./huffman.ts";
import { latin1 } from "./latin1.ts";

const NOTHING = new Uint8Array(0);

/**
 * How many bytes an integer may have behind its prefix: enough for 2³².
 * "Integer encodings that exceed implementation limits -- in value or octet
 * length -- MUST be treated as decoding errors."
 * https://www.rfc-editor.org/rfc/rfc7541#section-5.1
 */
const MAX_CONTINUATION = 5;

/** Reads integers and strings from a header block. */
export class BlockReader {
  /** The bytes with the block in them. */
  bytes: Uint8Array = NOTHING;

  /** Where the next thing begins. */
  at = 0;

  /** Where the block ends. */
  end = 0;

  /** Begins with a block. */
  open(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  /** Lets go of the bytes. */
  close(): void {
    this.bytes = NOTHING;
  }

  /**
   * Reads an integer, of which at least one byte has to be there.
   * https://www.rfc-editor.org/rfc/rfc7541#section-5.1
   *
   * @param mask The bits of the first byte that are its prefix.
   */
  integer(mask: number): number {
    const prefix = this.bytes[this.at++]! & mask;
    return prefix < mask ? prefix : this.#continued(mask);
  }

  /** Reads what does not fit in the prefix: seven bits a byte, lowest first. */
  #continued(prefix: number): number {
    let value = prefix;
    let unit = 1;
    for (let count = 0; count < MAX_CONTINUATION; count++, unit *= 128) {
      if (this.at >= this.end) {
        throw new HpackError("it ends within an integer");
      }
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
    throw new HpackError("an integer is longer than 6 bytes");
  }

  /**
   * Reads a string: its length, and its bytes as they are or in Huffman code.
   * https://www.rfc-editor.org/rfc/rfc7541#section-5.2
   */
  string(): string {
    if (this.at >= this.end) {
      throw new HpackError("it ends where a string has to begin");
    }
    const inHuffman = this.bytes[this.at]! >= 0x80;
    const length = this.integer(0x7f);
    const start = this.at;
    if (length > this.end - start) {
      throw new HpackError(
        `a string of ${length} bytes begins ${
          this.end - start
        } bytes before its end`,
      );
    }
    this.at = start + length;
    return inHuffman
      ? decodeHuffman(this.bytes, start, this.at)
      : latin1(this.bytes, start, this.at);
  }
}
