/**
 * A stream whose call is over because of its deadline, while the server is
 * about to end it for the same reason.
 *
 * @module
 */

import { type ByteStream, ResetCode } from "../byte_stream.ts";
import type { DeadlineEntry, DeadlineQueue } from "../deadline_queue.ts";

/** How long the server may take: the way there and back, and some more. */
const PATIENCE_MS = 500;

/** Waits for the end of a stream, and resets it if that does not come. */
export class DelayedReset implements DeadlineEntry, Disposable {
  readonly expiresAt: number;
  slot = -1;
  readonly #stream: ByteStream;
  readonly #deadlines: DeadlineQueue;

  /**
   * @param stream The stream; nobody reads what still comes on it.
   * @param deadlines What the time goes by.
   */
  constructor(stream: ByteStream, deadlines: DeadlineQueue) {
    this.#stream = stream;
    this.#deadlines = deadlines;
    this.expiresAt = deadlines.now() + PATIENCE_MS;
    deadlines.add(this);
  }

  onDeadline(): void {
    this.#stream.reset(ResetCode.CANCEL);
  }

  /** The stream has ended. */
  [Symbol.dispose](): void {
    this.#deadlines.remove(this);
  }
}
