/**
 * Where what a socket received waits for its turn.
 *
 * A chunk may hold some thousand requests, or the last bytes of as many messages:
 * to take it keeps the event loop for some ten milliseconds, and there may be one
 * for each connection. Then they wait for one another, in turn, and each is taken
 * in parts that take as long as a turn may, as far as the one before has told.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import { clearTimeout, setTimeout } from "node:timers";
import { SLICE_MS, SLICE_WEIGHT, type Taker, turns } from "../_turns.ts";
import { pauseReceiving } from "./pause_receiving.ts";

/** What is smaller is taken at once: it cannot take long, and seldom waits. */
const MIN_BYTES = 4096;

/** Chunks weigh one more for each so many bytes. */
const WEIGHED_BYTES = 256;

/** The smallest part of a chunk, in bytes. */
const MIN_PART_BYTES = 2048;

/**
 * While a connection wants no more it is given something now and then: else it
 * would never learn that its peer has left.
 */
const PROBE_MS = 1000;

/** What is supposed of connections of which nothing is known, in bytes. */
let firstPartBytes = Infinity;

/** Gives a connection the chunks of its socket. */
export class ReadGate implements Taker {
  readonly party: object;
  readonly #socket: Duplex;
  readonly #give: (chunk: Uint8Array) => void;
  readonly #waiting: Uint8Array[] = [];
  /** How much may be taken without keeping others for long, in bytes. */
  #partBytes = Infinity;
  /** Whether that is not known of this connection yet. */
  #isFirst = true;
  /** Whether the connection wants no more for now. */
  #isHeld = false;
  #isPaused = false;
  /** Whether the socket may not be paused. */
  #isOpen = false;
  #isStopped = false;
  /** Whether the next chunk is taken all the same. */
  #isProbing = false;
  /** Whether it waits for its turn. */
  #isAwaitingTurn = false;
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
    this.#give = read;
  }

  /** The socket received something. */
  onData(chunk: Uint8Array): void {
    if (this.#isStopped) return;
    const { length } = chunk;
    if (this.#isProbing) {
      this.#isProbing = false;
      this.#pause();
      return this.#give(chunk);
    }
    if (this.#waiting.length === 0 && !this.#isHeld) {
      if (length < MIN_BYTES) return this.#give(chunk);
      if (this.#isFirst) this.#partBytes = firstPartBytes;
      if (
        length <= this.#partBytes && turns.mayTake(length / WEIGHED_BYTES)
      ) return this.#read(chunk);
    }
    this.#waiting.push(chunk);
    this.#pause();
    if (this.#waiting.length === 1 && !this.#isHeld) this.#wait();
  }

  #wait(): void {
    // Held meanwhile, and not any more: the turn it waits for does.
    if (this.#isAwaitingTurn) return;
    this.#isAwaitingTurn = true;
    const { length } = this.#waiting[0]!;
    const partBytes = this.#partBytes;
    // As far as is known, a part takes as long as a turn may.
    const weight = length < partBytes
      ? length * Math.max(1 / WEIGHED_BYTES, SLICE_WEIGHT / partBytes)
      : SLICE_WEIGHT;
    turns.wait(this, weight);
  }

  /** Reads, and sees how long that takes, with what others make of it. */
  #read(chunk: Uint8Array): void {
    const start = performance.now();
    this.#give(chunk);
    queueMicrotask(() => {
      const ms = performance.now() - start;
      const { length } = chunk;
      if (ms > SLICE_MS) {
        this.#partBytes = Math.max(MIN_PART_BYTES, length * SLICE_MS / ms);
        firstPartBytes = this.#partBytes;
      } else if (length >= this.#partBytes / 2) {
        this.#partBytes *= 2;
        // Others' first ones are as this one was.
        if (this.#isFirst) {
          firstPartBytes = Math.max(firstPartBytes, this.#partBytes);
        }
      }
      this.#isFirst = false;
    });
  }

  takeTurn(): void {
    this.#isAwaitingTurn = false;
    if (this.#isHeld || this.#isStopped) return;
    const chunk = this.#waiting.shift();
    if (chunk === undefined) return;
    const partBytes = Math.floor(this.#partBytes);
    if (chunk.length > partBytes) {
      this.#waiting.unshift(chunk.subarray(partBytes));
      this.#read(chunk.subarray(0, partBytes));
    } else this.#read(chunk);
    if (this.#waiting.length > 0) {
      if (!this.#isHeld) this.#wait();
    } else this.#pause();
  }

  /** Has the socket read no further, or again. */
  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld || this.#isStopped) return;
    this.#isHeld = isHeld;
    if (!isHeld && this.#waiting.length > 0) this.#wait();
    clearTimeout(this.#timer);
    this.#isProbing = false;
    if (isHeld) this.#probeLater();
    this.#pause();
  }

  /** Whether the socket goes on while chunks wait: not for longer than a tick. */
  keepOpen(isOpen: boolean): void {
    this.#isOpen = isOpen;
    this.#pause();
  }

  #probeLater(): void {
    // What is given may have the connection held again.
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const chunk = this.#waiting.shift();
      if (chunk !== undefined) this.#give(chunk);
      else {
        this.#isProbing = true;
        this.#pause();
      }
      if (this.#isHeld) this.#probeLater();
    }, PROBE_MS);
    this.#timer.unref();
  }

  /** Reads no more, for good. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting.length = 0;
    this.#leave();
    clearTimeout(this.#timer);
    this.#pause();
  }

  /** Gives all that waits at once: nothing more will come. */
  flush(): void {
    this.#isHeld = false;
    this.#leave();
    clearTimeout(this.#timer);
    for (const chunk of this.#waiting.splice(0)) this.#give(chunk);
  }

  #leave(): void {
    if (!this.#isAwaitingTurn) return;
    this.#isAwaitingTurn = false;
    turns.leave(this);
  }

  #pause(): void {
    const isPaused = this.#isStopped ||
      !this.#isProbing && (this.#isHeld || this.#waiting.length > 0);
    if (this.#isOpen || isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    pauseReceiving(this.#socket, isPaused);
  }
}
