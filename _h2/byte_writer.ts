/**
 * Bytes that are written one after the other.
 *
 * @module
 */

/** A growing row of bytes. Who writes reserves room first, then moves the end. */
export class ByteWriter {
  /** What was written, and room behind it; replaced when the room runs out. */
  bytes: Uint8Array;

  /** How many bytes were written: where the next one goes. */
  length = 0;

  /**
   * @param capacity The room to begin with, in bytes.
   */
  constructor(capacity = 1024) {
    this.bytes = new Uint8Array(capacity);
  }

  /**
   * Makes room behind the end; {@linkcode bytes} may be another array after it.
   *
   * @param count How many bytes are going to be written.
   */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
