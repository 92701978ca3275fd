/**
 * The states of a stream, and what each frame means in each of them.
 *
 * What is idle and what is closed has no object: these states follow from the
 * identifier. The reserved states are missing, for nothing is ever pushed: this
 * endpoint sends no PUSH_PROMISE and accepts none.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-5.1}
 * @module
 */

/** Where a stream stands. */
export const State = {
  /** Nothing was sent or received. */
  IDLE: 0,
  /** Both halves go on. */
  OPEN: 1,
  /** This endpoint has ended its half. */
  HALF_CLOSED_LOCAL: 2,
  /** The peer has ended its half. */
  HALF_CLOSED_REMOTE: 3,
  /** Closed: both halves were ended. */
  CLOSED: 4,
  /** Closed: this endpoint has reset it, which the peer may not know yet. */
  RESET_SENT: 5,
  /** Closed: the peer has reset it. */
  RESET_RECEIVED: 6,
  /** Closed: the peer has used a larger identifier instead. */
  SKIPPED: 7,
  /** Closed so long ago that nothing else is known of it. */
  FORGOTTEN: 8,
} as const;

/** One of the values of {@linkcode State}. */
export type State = typeof State[keyof typeof State];

/**
 * What can happen to a stream. A frame with END_STREAM is two events: itself,
 * and the end.
 */
export const Event = {
  SEND_HEADERS: 0,
  SEND_DATA: 1,
  SEND_END_STREAM: 2,
  SEND_RST_STREAM: 3,
  SEND_WINDOW_UPDATE: 4,
  RECEIVE_HEADERS: 5,
  RECEIVE_DATA: 6,
  RECEIVE_END_STREAM: 7,
  RECEIVE_RST_STREAM: 8,
  RECEIVE_WINDOW_UPDATE: 9,
} as const;

/** One of the values of {@linkcode Event}. */
export type Event = typeof Event[keyof typeof Event];

/**
 * What else an event can lead to than a state.
 */
export const Verdict = {
  /** Receiving: nothing happens. */
  IGNORE: -1,
  /** Receiving: a stream error, `STREAM_CLOSED`. */
  STREAM_CLOSED: -2,
  /** Receiving: a connection error, `STREAM_CLOSED`. */
  CONNECTION_CLOSED: -3,
  /** Receiving: a connection error, `PROTOCOL_ERROR`. */
  PROTOCOL_ERROR: -4,
  /** Sending: a mistake of this endpoint's. */
  MISUSE: -5,
} as const;

/** One of the values of {@linkcode Verdict}. */
export type Verdict = typeof Verdict[keyof typeof Verdict];

/** The next state, which is never negative, or a verdict. */
export type Outcome = State | Verdict;

const { OPEN, CLOSED, RESET_SENT, RESET_RECEIVED } = State;
const { HALF_CLOSED_LOCAL, HALF_CLOSED_REMOTE, SKIPPED, FORGOTTEN } = State;
const { IGNORE, STREAM_CLOSED, CONNECTION_CLOSED } = Verdict;
const { PROTOCOL_ERROR, MISUSE } = Verdict;

/** A row of the table: the outcomes in the order of {@linkcode Event}. */
type Row = readonly [
  sendHeaders: Outcome,
  sendData: Outcome,
  sendEndStream: Outcome,
  sendRstStream: Outcome,
  sendWindowUpdate: Outcome,
  receiveHeaders: Outcome,
  receiveData: Outcome,
  receiveEndStream: Outcome,
  receiveRstStream: Outcome,
  receiveWindowUpdate: Outcome,
];

/**
 * The table, by state.
 *
 * PRIORITY is allowed everywhere and changes nothing. CONTINUATION is a part of
 * its HEADERS. A client that receives HEADERS on an idle stream is told in
 * `receiver.ts`, for only clients open streams.
 *
 * `CLOSED` and later: a peer that reset a stream, or ended it, sends no more
 * HEADERS or DATA on it. WINDOW_UPDATE and RST_STREAM may have crossed what
 * closed it, and so may anything have crossed a reset of this endpoint's.
 */
const TABLE: readonly Row[] = [
  // deno-fmt-ignore
  /* IDLE */ [
    OPEN, MISUSE, MISUSE, MISUSE, MISUSE,
    OPEN, PROTOCOL_ERROR, PROTOCOL_ERROR, PROTOCOL_ERROR, PROTOCOL_ERROR,
  ],
  // deno-fmt-ignore
  /* OPEN */ [
    OPEN, OPEN, HALF_CLOSED_LOCAL, RESET_SENT, OPEN,
    OPEN, OPEN, HALF_CLOSED_REMOTE, RESET_RECEIVED, OPEN,
  ],
  // deno-fmt-ignore
  /* HALF_CLOSED_LOCAL */ [
    MISUSE, MISUSE, MISUSE, RESET_SENT, HALF_CLOSED_LOCAL,
    HALF_CLOSED_LOCAL, HALF_CLOSED_LOCAL, CLOSED, RESET_RECEIVED, IGNORE,
  ],
  // deno-fmt-ignore
  /* HALF_CLOSED_REMOTE */ [
    HALF_CLOSED_REMOTE, HALF_CLOSED_REMOTE, CLOSED, RESET_SENT, HALF_CLOSED_REMOTE,
    STREAM_CLOSED, STREAM_CLOSED, STREAM_CLOSED, RESET_RECEIVED, HALF_CLOSED_REMOTE,
  ],
  // deno-fmt-ignore
  /* CLOSED */ [
    MISUSE, MISUSE, MISUSE, MISUSE, MISUSE,
    CONNECTION_CLOSED, CONNECTION_CLOSED, CONNECTION_CLOSED, IGNORE, IGNORE,
  ],
  // deno-fmt-ignore
  /* RESET_SENT */ [
    MISUSE, MISUSE, MISUSE, MISUSE, MISUSE,
    IGNORE, IGNORE, IGNORE, IGNORE, IGNORE,
  ],
  // deno-fmt-ignore
  /* RESET_RECEIVED */ [
    MISUSE, MISUSE, MISUSE, MISUSE, MISUSE,
    STREAM_CLOSED, STREAM_CLOSED, STREAM_CLOSED, IGNORE, IGNORE,
  ],
  // deno-fmt-ignore
  /* SKIPPED */ [
    MISUSE, MISUSE, MISUSE, MISUSE, MISUSE,
    PROTOCOL_ERROR, PROTOCOL_ERROR, PROTOCOL_ERROR, IGNORE, IGNORE,
  ],
  // deno-fmt-ignore
  /* FORGOTTEN */ [
    MISUSE, MISUSE, MISUSE, MISUSE, MISUSE,
    IGNORE, IGNORE, IGNORE, IGNORE, IGNORE,
  ],
];

const EVENTS = 10;

const FLAT = Int8Array.from(TABLE.flat());

/**
 * Says what an event means to a stream.
 *
 * @param state Where the stream stands.
 * @param event What happens.
 * @returns Where it stands then, or a verdict, which is negative.
 */
export function outcomeOf(state: State, event: Event): Outcome {
  return FLAT[state * EVENTS + event] as Outcome;
}

/** How many of the latest streams are remembered after their end. */
const REMEMBERED = 256;

/** How many there is room for at first: many connections have few calls. */
const REMEMBERED_AT_FIRST = 8;

/** The states that fit into two bits, from this one on, which is 1. */
const FIRST_CLOSED = CLOSED - 1;

/**
 * How the latest closed streams ended, in bounded memory.
 *
 * One place for each of the latest identifiers: what is not there and not
 * older was never opened.
 */
export class ClosedStreams {
  /**
   * The identifiers, which are odd, without their last bit, and the states in
   * two bits behind them; 0 for none.
   */
  #places = new Uint32Array(REMEMBERED_AT_FIRST);

  /**
   * Remembers a stream that was closed.
   *
   * @param id Its identifier.
   * @param state How it was closed.
   */
  add(id: number, state: State): void {
    const index = id >>> 1;
    let place = index & this.#places.length - 1;
    while (
      this.#places[place] !== 0 && this.#places.length < REMEMBERED &&
      this.#places[place]! >>> 2 !== index
    ) {
      this.#grow();
      place = index & this.#places.length - 1;
    }
    // A stream that lived long does not push out a younger one.
    if (index < this.#places[place]! >>> 2) return;
    this.#places[place] = index << 2 | state - FIRST_CLOSED;
  }

  /**
   * Says how a stream was closed that is neither open nor idle.
   *
   * @param id Its identifier.
   * @param latestId The largest identifier that was used so far.
   * @returns One of the closed states.
   */
  stateOf(id: number, latestId: number): State {
    const index = id >>> 1;
    const there = this.#places[index & this.#places.length - 1]!;
    if (there !== 0 && there >>> 2 === index) {
      return (there & 3) + FIRST_CLOSED as State;
    }
    return latestId - id < 2 * REMEMBERED ? SKIPPED : FORGOTTEN;
  }

  #grow(): void {
    const places = new Uint32Array(2 * this.#places.length);
    for (const there of this.#places) {
      if (there !== 0) places[there >>> 2 & places.length - 1] = there;
    }
    this.#places = places;
  }
}
