/**
 * Flow control: how much either side may send.
 *
 * **Receiving.** Credit for a stream goes back when the application has taken
 * the bytes: what the peer may send and what nobody has taken yet are together
 * never more than the window of the stream. A slow reader slows its writer.
 *
 * The connection has a pool: the bytes of all streams that nobody has taken
 * yet. While the pool is not full the peer may always send a whole connection
 * window more, so that streams nobody reads do not stop those that are read;
 * only when all of them together fill the pool does the connection stop, until
 * some of it is taken. So the memory of a connection is bounded by its pool,
 * whatever the number of streams, and a stream that stalls can hold no more of
 * it than its own window.
 *
 * WINDOW_UPDATE is sent when a quarter of a window is due.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-5.2}
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.9}
 * @module
 */

/** The largest window. */
export const MAX_WINDOW_SIZE = 0x7fff_ffff;

/** What every window is until the peer says otherwise. */
export const DEFAULT_WINDOW_SIZE = 65_535;

/**
 * Says how much credit a window is due.
 *
 * @param size The most that the peer should be allowed to send, in bytes.
 * @param left What it is allowed to send now, in bytes; may be negative.
 * @param batch Below how many bytes it is not worth a frame.
 * @returns The increment of a WINDOW_UPDATE, in bytes, or 0 for none yet.
 */
export function creditDue(size: number, left: number, batch: number): number {
  const due = size - left;
  return due > 0 && due >= batch ? due : 0;
}

/**
 * Says below how many bytes a WINDOW_UPDATE is not worth a frame.
 *
 * @param size The window, in bytes.
 * @returns A quarter of it.
 */
export function batchOf(size: number): number {
  return size >>> 2;
}

/** The window of a connection, as its receiver sees it, and the pool. */
export class ReceivePool {
  readonly #size: number;
  readonly #capacity: number;
  readonly #batch: number;
  #left: number = DEFAULT_WINDOW_SIZE;
  #held = 0;

  /**
   * @param size The window, in bytes.
   * @param capacity How many bytes may wait to be taken, in all streams.
   */
  constructor(size: number, capacity: number) {
    this.#size = size;
    this.#capacity = Math.max(size, capacity);
    this.#batch = batchOf(size);
  }

  /** How many bytes nobody has taken yet. */
  get heldBytes(): number {
    return this.#held;
  }

  /** How many bytes the peer may send now. */
  get left(): number {
    return this.#left;
  }

  /**
   * Takes account of a DATA frame, even of one that nobody wants.
   *
   * @param length The length of its payload, in bytes.
   * @returns Whether the window allowed it.
   */
  receive(length: number): boolean {
    this.#left -= length;
    return this.#left >= 0;
  }

  /** Notes bytes that wait to be taken. */
  hold(bytes: number): void {
    this.#held += bytes;
  }

  /** Notes that bytes were taken, or dropped. */
  release(bytes: number): void {
    this.#held -= bytes;
  }

  /**
   * Gives what credit is due.
   *
   * @returns The increment to send, in bytes, or 0 for none yet.
   */
  grant(): number {
    const size = Math.min(this.#size, this.#capacity - this.#held);
    const due = creditDue(size, this.#left, this.#batch);
    this.#left += due;
    return due;
  }
}
