/**
 * Field blocks that come in pieces: HEADERS and its CONTINUATION frames.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.10}
 * @module
 */

import { connectionError, ErrorCode, type Violation } from "./errors.ts";
import type { Limits } from "./limits.ts";

/** The pieces of one field block. */
export class FieldBlock {
  readonly #limits: Limits;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #streamId = 0;
  #isEnd = false;

  /** @param limits How much of it there may be. */
  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** The stream whose block has begun and not ended; 0 for none. */
  get streamId(): number {
    return this.#streamId;
  }

  /** Whether the stream ends with it. */
  get isEnd(): boolean {
    return this.#isEnd;
  }

  /**
   * Begins one.
   *
   * @param streamId The stream.
   * @param isEnd Whether it ends with it.
   * @param piece The first piece, which is copied.
   * @returns What is too much, or null.
   */
  begin(streamId: number, isEnd: boolean, piece: Uint8Array): Violation | null {
    this.#streamId = streamId;
    this.#isEnd = isEnd;
    return this.add(piece);
  }

  /**
   * Adds a piece.
   *
   * @param piece The piece, which is copied.
   * @returns What is too much, or null.
   */
  add(piece: Uint8Array): Violation | null {
    this.#bytes += piece.length;
    const { maxFieldBlockBytes, maxContinuations } = this.#limits;
    if (this.#bytes > maxFieldBlockBytes) {
      return tooMuch(`more than ${maxFieldBlockBytes} bytes`);
    }
    if (this.#pieces.length > maxContinuations) {
      return tooMuch(`more than ${maxContinuations} CONTINUATION frames`);
    }
    this.#pieces.push(piece.slice());
    return null;
  }

  /**
   * Takes the block, which is whole.
   *
   * @returns Its bytes.
   */
  take(): Uint8Array {
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#pieces.length = this.#bytes = this.#streamId = 0;
    return whole;
  }
}

function tooMuch(found: string): Violation {
  const message = `Field block of ${found}`;
  return connectionError(ErrorCode.ENHANCE_YOUR_CALM, message);
}
