/**
 * Bytes that came for a call that does not want them yet.
 *
 * @module
 */

/** A view of less than this part of its memory is copied when it is kept. */
const KEPT_PART = 0.5;

/** Pieces of fewer bytes are joined, in memory of this size at most. */
const JOINED_BYTES = 16 * 1024;

/** How much memory the first small piece gets, in bytes. */
const MIN_JOINED_BYTES = 512;

/**
 * A queue of bytes that costs no more memory than there are bytes, nearly:
 * neither do a few bytes keep the chunk that they came in, nor is each of many
 * small pieces an object of its own.
 */
export class ReceivedBytes {
  #pieces: Uint8Array[] = [];
  #next = 0;
  /** The memory of the last piece, if more may join it. */
  #memory: Uint8Array | null = null;
  #memoryUsed = 0;

  /** Whether there is nothing. */
  get isEmpty(): boolean {
    return this.#next === this.#pieces.length;
  }

  /** Adds bytes, which do not change any more. */
  push(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length >= bytes.buffer.byteLength * KEPT_PART) {
      this.#pieces.push(bytes);
      this.#memory = null;
    } else if (length >= JOINED_BYTES) {
      this.#pieces.push(bytes.slice());
      this.#memory = null;
    } else this.#join(bytes);
  }

  /** Takes the first piece, if there is one. */
  shift(): Uint8Array | null {
    if (this.isEmpty) return null;
    const piece = this.#pieces[this.#next++]!;
    if (this.isEmpty) this.clear();
    return piece;
  }

  /** Drops all. */
  clear(): void {
    this.#pieces = [];
    this.#next = 0;
    this.#memory = null;
  }

  #join(bytes: Uint8Array): void {
    const { length } = bytes;
    const used = this.#memory === null ? 0 : this.#memoryUsed;
    if (this.#memory !== null && used + length <= this.#memory.length) {
      this.#memory.set(bytes, used);
      this.#memoryUsed = used + length;
      this.#pieces[this.#pieces.length - 1] = this.#memory.subarray(
        0,
        this.#memoryUsed,
      );
      return;
    }
    const last = this.#memory?.length ?? MIN_JOINED_BYTES / 2;
    const size = Math.min(JOINED_BYTES, 2 * Math.max(last, length));
    this.#memory = new Uint8Array(size);
    this.#memory.set(bytes);
    this.#memoryUsed = length;
    this.#pieces.push(this.#memory.subarray(0, length));
  }
}
