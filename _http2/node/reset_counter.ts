/**
 * The RST_STREAM frames of a client, which `node:http2` tells in part: not those
 * of streams that are over. nghttp2 counts them all.
 *
 * @module
 */

/** The type of RST_STREAM frames. */
const RST_STREAM = 3;

/** The length of what a client's connection begins with. */
const PREFACE_BYTES = 24;

/** Counts the RST_STREAM frames of a client. */
export class ResetCounter {
  /** How many bytes there are up to the next frame. */
  #skip = PREFACE_BYTES;
  /** The length and the type of the frame, as far as they are there. */
  #head = 0;
  #headBytes = 0;

  /**
   * Takes bytes, cut anywhere.
   *
   * @returns How many such frames begin in them.
   */
  push(chunk: Uint8Array): number {
    let count = 0;
    for (let at = 0; at < chunk.length;) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      this.#head = this.#head << 8 | chunk[at++]!;
      if (++this.#headBytes < 4) continue;
      if ((this.#head & 0xff) === RST_STREAM) count++;
      // The rest of the frame's head of nine bytes, and its payload.
      this.#skip = 5 + (this.#head >>> 8);
      this.#head = this.#headBytes = 0;
    }
    return count;
  }
}
