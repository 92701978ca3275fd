/**
 * What a call has sent, kept for its further attempts.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md#memory-management-buffering}
 * @module
 */

import type { ByteStream } from "../byte_stream.ts";

/** How many bytes the calls of a channel keep together. */
export class RetryBudget {
  readonly #max: number;
  #used = 0;

  /** @param max How many bytes there may be. */
  constructor(max: number) {
    this.#max = max;
  }

  /** How many bytes there are. */
  get used(): number {
    return this.#used;
  }

  /** Whether there is room for so many more bytes. */
  hasRoom(bytes: number): boolean {
    return this.#used + bytes <= this.#max;
  }

  /** Counts bytes; negative for fewer. */
  add(bytes: number): void {
    this.#used += bytes;
  }
}

/** The frames of one call's requests, encoded and compressed. */
export class RetryBuffer {
  readonly #budget: RetryBudget;
  readonly #maxBytes: number;
  readonly #frames: Uint8Array[] = [];
  #bytes = 0;
  #isEnded = false;
  #isReleased = false;

  /**
   * @param budget That of the channel.
   * @param maxBytes How many bytes there may be.
   */
  constructor(budget: RetryBudget, maxBytes: number) {
    this.#budget = budget;
    this.#maxBytes = maxBytes;
  }

  /** Whether nothing was sent. */
  get isEmpty(): boolean {
    return this.#frames.length === 0;
  }

  /** Whether END_STREAM is among them. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Whether there is room for so many more bytes. */
  hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= this.#maxBytes && this.#budget.hasRoom(bytes);
  }

  /** Keeps a frame, whether there is room or not. */
  keep(frame: Uint8Array, end: boolean): void {
    if (this.#isReleased) return;
    this.#frames.push(frame);
    this.#isEnded = end;
    this.#bytes += frame.length;
    this.#budget.add(frame.length);
  }

  /** Sends all there is; gives a promise if the caller should pause then. */
  sendOn(stream: ByteStream): void | Promise<void> {
    const last = this.#frames.length - 1;
    let wait: void | Promise<void> = undefined;
    for (const [i, frame] of this.#frames.entries()) {
      wait = stream.send(frame, this.#isEnded && i === last);
    }
    return wait;
  }

  /** There is no further attempt: what is kept is of no use. */
  release(): void {
    this.#isReleased = true;
    this.#frames.length = 0;
    this.#budget.add(-this.#bytes);
    this.#bytes = 0;
  }
}
