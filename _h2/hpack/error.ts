/**
 * The mistake of a peer that ends a connection.
 *
 * @module
 */

/**
 * A header block that cannot be decoded. What follows on the connection cannot
 * be either, since the tables of the two ends may differ now.
 *
 * "A decoding error in a field block MUST be treated as a connection error of
 * type COMPRESSION_ERROR."
 * https://www.rfc-editor.org/rfc/rfc9113#section-4.3
 */
export class HpackError extends Error {
  /**
   * @param found What is wrong with the block.
   */
  constructor(found: string) {
    super(`Cannot decode header block: ${found}`);
    this.name = "HpackError";
  }
}
