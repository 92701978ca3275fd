/**
 * Bytes that wait for the end of the tick to be written together.
 *
 * @module
 */

/** The bytes of one stream, in as few pieces as can be had without a copy. */
export class WriteBuffer {
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  /** How many bytes wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds bytes. */
  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#bytes += bytes.length;
    const last = this.#chunks.length - 1;
    const before = this.#chunks[last];
    // Frames of one slab that follow each other are one piece of it.
    if (
      before !== undefined && before.buffer === bytes.buffer &&
      before.byteOffset + before.length === bytes.byteOffset
    ) {
      this.#chunks[last] = new Uint8Array(
        before.buffer,
        before.byteOffset,
        before.length + bytes.length,
      );
    } else {
      this.#chunks.push(bytes);
    }
  }

  /** Gives all that waits, which then waits no more. */
  take(): Uint8Array[] {
    if (this.#bytes === 0) return [];
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#bytes = 0;
    return chunks;
  }
}
