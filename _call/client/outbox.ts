/**
 * What a client call has sent, kept until the server is known to have taken the
 * call up: a call that it has certainly not begun to work on is retried transparently.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md#transparent-retries}
 * @module
 */

import type { ByteStream } from "../byte_stream.ts";

/** A call that has sent more is not retried transparently: memory is not for that. */
const MAX_KEPT_BYTES = 1024 * 1024;

interface Frame {
  readonly bytes: Uint8Array;
  readonly end: boolean;
}

/** The frames of a call's requests. */
export class Outbox {
  #isWhole = true;
  /** The first frame, which is the only one of most calls, and the others. */
  #first: Uint8Array | null = null;
  #firstEnds = false;
  #others: Frame[] | null = null;
  #bytes = 0;

  /** Whether all that was sent is still there, to be sent again. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Keeps a frame that waits for a stream to be sent on. */
  hold(bytes: Uint8Array, end: boolean): void {
    if (!this.#isWhole) return;
    this.#bytes += bytes.length;
    if (this.#first === null) {
      this.#first = bytes;
      this.#firstEnds = end;
    } else {
      (this.#others ??= []).push({ bytes, end });
    }
  }

  /** Keeps a frame that was sent, unless that is too much to keep. */
  keep(bytes: Uint8Array, end: boolean): void {
    // A single message is there anyway as long as its call is.
    if (this.#bytes > MAX_KEPT_BYTES) this.forget();
    else this.hold(bytes, end);
  }

  /** Sends all there is. */
  sendOn(stream: ByteStream): void {
    if (this.#first === null) return;
    stream.send(this.#first, this.#firstEnds);
    if (this.#others === null) return;
    for (const { bytes, end } of this.#others) stream.send(bytes, end);
  }

  /** The server has taken the call up, or it is over. */
  forget(): void {
    this.#isWhole = false;
    this.#first = this.#others = null;
    this.#bytes = 0;
  }
}
