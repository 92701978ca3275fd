/**
 * Who sends next.
 *
 * Frames of streams are made only while the output is small, so that the
 * backpressure of the socket reaches the streams: what does not go into the
 * output waits in its stream. Streams that wait take turns, one DATA frame at a
 * time, in the order they came. What waits for the window of its stream alone
 * is in no list, and what waits for the window of the connection is in a list
 * of its own.
 *
 * @module
 */

import { DEFAULT_WINDOW_SIZE } from "./flow_control.ts";
import type { Output } from "./output.ts";
import { type Linked, StreamList } from "./stream_list.ts";

/** How many bytes may be in the output when a stream adds to it. */
const OUTPUT_BYTES = 128 * 1024;

/** What a stream has left to do after its turn. */
export const Turn = {
  /** Nothing, or nothing that the window of the stream allows. */
  DONE: 0,
  /** More of the same. */
  MORE: 1,
  /** DATA, which the window of the connection does not allow. */
  BLOCKED: 2,
} as const;

/** One of the values of {@linkcode Turn}. */
export type Turn = typeof Turn[keyof typeof Turn];

/** A stream that takes turns. */
export interface Scheduled<S extends Scheduled<S>> extends Linked<S> {
  /** Sends what it may in one turn. */
  takeTurn(): Turn;
  /** Tells its owner that the queue is short again, if somebody waits for it. */
  tellDrain(): void;
}

/** The connection that the streams send on. */
export interface SchedulerOwner {
  readonly output: Output;
  /** Whether nothing is sent any more. */
  readonly isOver: boolean;
}

/** The streams of a connection that have something to send. */
export class Scheduler<S extends Scheduled<S>> {
  /** How much DATA the peer takes on the connection, in bytes. */
  window: number = DEFAULT_WINDOW_SIZE;
  /** How many bytes wait in all streams. */
  queuedBytes = 0;
  /** How many bytes are kept for that: a chunk stays whole until all is sent. */
  keptBytes = 0;
  readonly #connection: SchedulerOwner;
  readonly #ready: StreamList<S> = new StreamList();
  readonly #blocked: StreamList<S> = new StreamList();
  #isPumping = false;

  constructor(connection: SchedulerOwner) {
    this.#connection = connection;
  }

  /** Whether a stream may send at once: there is room, and nobody waits. */
  get isFree(): boolean {
    return this.#ready.first === null &&
      this.#connection.output.bytes < OUTPUT_BYTES;
  }

  /** Whether streams wait for the output to be written. */
  get isBacklogged(): boolean {
    return this.#connection.output.bytes >= OUTPUT_BYTES;
  }

  /** Lists a stream that has something to send, unless it is listed. */
  enqueue(stream: S): void {
    if (stream.list === null) this.#ready.push(stream);
  }

  /** Takes a stream out of its list. */
  withdraw(stream: S): void {
    stream.list?.remove(stream);
  }

  /** The streams whose HEADERS wait to be sent. */
  unopened(): S[] {
    const found: S[] = [];
    for (let at = this.#ready.first; at !== null; at = at.next) {
      if (at.id === 0) found.push(at);
    }
    return found;
  }

  /** The peer takes more on the connection. */
  unblock(): void {
    for (let at = this.#blocked.first; at !== null; at = this.#blocked.first) {
      this.#blocked.remove(at);
      this.#ready.push(at);
    }
  }

  /** Lets streams send, in turn, while there is room. */
  pump(): void {
    // A stream that drains may send, and so come here again.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      this.#takeTurns();
    } finally {
      this.#isPumping = false;
    }
  }

  #takeTurns(): void {
    const connection = this.#connection;
    for (
      let stream = this.#ready.first;
      stream !== null && !this.isBacklogged && !connection.isOver;
      stream = this.#ready.first
    ) {
      this.#ready.remove(stream);
      const turn = stream.takeTurn();
      if (turn === Turn.MORE) this.#ready.push(stream);
      else if (turn === Turn.BLOCKED) this.#blocked.push(stream);
      stream.tellDrain();
    }
  }
}
