/**
 * Where what a socket received waits for its turn.
 *
 * A chunk may hold some thousand requests, or the last bytes of as many messages:
 * to take it keeps the event loop for some ten milliseconds, and there may be one
 * for each connection. Then they wait for one another, in turn.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import { clearTimeout, setTimeout } from "node:timers";
import { type Taker, turns } from "../_turns.ts";

/** What is smaller is taken at once: it cannot take long, and seldom waits. */
const MIN_BYTES = 4096;

/** Chunks weigh one more for each so many bytes. */
const WEIGHED_BYTES = 256;

/**
 * While a connection wants no more it is given something now and then: else it
 * would never learn that its peer has left.
 */
const PROBE_MS = 1000;

/** Gives a connection the chunks of its socket. */
export class ReadGate implements Taker {
  readonly party: object;
  readonly #socket: Duplex;
  readonly #read: (chunk: Uint8Array) => void;
  readonly #waiting: Uint8Array[] = [];
  /** Whether the connection wants no more for now. */
  #isHeld = false;
  #isPaused = false;
  /** Whether the next chunk is taken all the same. */
  #isProbing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param party The connection, as it takes turns with others.
   * @param read Takes a chunk.
   */
  constructor(
    socket: Duplex,
    party: object,
    read: (chunk: Uint8Array) => void,
  ) {
    this.#socket = socket;
    this.party = party;
    this.#read = read;
  }

  /** The socket received something. */
  onData(chunk: Uint8Array): void {
    const { length } = chunk;
    if (this.#isProbing) {
      this.#isProbing = false;
      this.#pause();
      return this.#read(chunk);
    }
    if (this.#waiting.length === 0 && !this.#isHeld) {
      if (length < MIN_BYTES) return this.#read(chunk);
      if (turns.mayTake(length / WEIGHED_BYTES)) return this.#read(chunk);
    }
    this.#waiting.push(chunk);
    this.#pause();
    if (this.#waiting.length === 1 && !this.#isHeld) turns.wait(this);
  }

  takeTurn(): void {
    if (this.#isHeld) return;
    const chunk = this.#waiting.shift();
    if (chunk === undefined) return;
    this.#read(chunk);
    if (this.#waiting.length > 0) turns.wait(this);
    else this.#pause();
  }

  /** Has the socket read no further, or again. */
  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    if (!isHeld && this.#waiting.length > 0) turns.wait(this);
    clearTimeout(this.#timer);
    this.#isProbing = false;
    if (isHeld) this.#probeLater();
    this.#pause();
  }

  #probeLater(): void {
    this.#timer = setTimeout(() => {
      const chunk = this.#waiting.shift();
      if (chunk !== undefined) this.#read(chunk);
      else {
        this.#isProbing = true;
        this.#pause();
      }
      if (this.#isHeld) this.#probeLater();
    }, PROBE_MS);
    this.#timer.unref();
  }

  /** Gives all that waits at once: nothing more will come. */
  flush(): void {
    this.#isHeld = false;
    clearTimeout(this.#timer);
    for (const chunk of this.#waiting.splice(0)) this.#read(chunk);
  }

  #pause(): void {
    const isPaused = !this.#isProbing &&
      (this.#isHeld || this.#waiting.length > 0);
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
  }
}
