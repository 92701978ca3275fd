/**
 * Bytes that are written one after the other.
 *
 * @module
 */

/** What there is before anything is written. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** A growing row of bytes. Who writes reserves room first, then moves the end. */
export class ByteWriter {
  /** What was written, and room behind it; replaced when the room runs out. */
  bytes: Uint8Array = NO_BYTES;

  /** How many bytes were written: where the next one goes. */
  length = 0;

  /** How much room is made at first, in bytes. */
  capacity: number;

  /**
   * @param capacity How much room is made when something is written, in bytes.
   */
  constructor(capacity = 1024) {
    this.capacity = capacity;
  }

  /**
   * Makes room behind the end; {@linkcode bytes} may be another array after it.
   *
   * @param count How many bytes are going to be written.
   */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const room = Math.max(needed, this.bytes.length * 2, this.capacity);
    const grown = new Uint8Array(room);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}
