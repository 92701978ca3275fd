/**
 * What a client call has sent, kept until the server is known to have taken the
 * call up: a call that it has certainly not begun to work on is retried transparently.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md#transparent-retries}
 * @module
 */

import { frameSizeAt } from "../../_wire/frame.ts";
import type { ByteStream } from "../byte_stream.ts";

/** A call that has sent more is not retried transparently: memory is not for that. */
const MAX_KEPT_BYTES = 1024 * 1024;

/** Frames that lie in memory one behind the other. */
interface Run {
  readonly buffer: ArrayBufferLike;
  readonly start: number;
  end: number;
  /** How many there are. */
  frames: number;
  /** Whether the last one ends the requests. */
  ends: boolean;
}

/** The frames of a call's requests. */
export class Outbox {
  #isWhole = true;
  /** The first frame, which is the only one of most calls, and the others. */
  #first: Uint8Array | null = null;
  #firstEnds = false;
  #others: Run[] | null = null;
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
    } else this.#join(this.#others ??= [], bytes, end);
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
    for (const { buffer, start, end, frames, ends } of this.#others) {
      let at = start;
      for (let left = frames; left > 1; left--) {
        const rest = new Uint8Array(buffer, at, end - at);
        const size = frameSizeAt(rest, 0);
        stream.send(rest.subarray(0, size), false);
        at += size;
      }
      stream.send(new Uint8Array(buffer, at, end - at), ends);
    }
  }

  /** The server has taken the call up, or it is over. */
  forget(): void {
    this.#isWhole = false;
    this.#first = this.#others = null;
    this.#bytes = 0;
  }

  /**
   * Adds a frame to those there are. Small ones are cut from the same memory
   * one after the other, and a mebibyte of them are as many as 30 000: to keep
   * none of these as an object makes a stream of requests up to a tenth cheaper.
   */
  #join(
    runs: Run[],
    { buffer, byteOffset, length }: Uint8Array,
    ends: boolean,
  ): void {
    const last = runs[runs.length - 1];
    if (
      last !== undefined && last.buffer === buffer && last.end === byteOffset
    ) {
      last.end += length;
      last.frames++;
      last.ends = ends;
      return;
    }
    runs.push({
      buffer,
      start: byteOffset,
      end: byteOffset + length,
      frames: 1,
      ends,
    });
  }
}
