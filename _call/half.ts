/**
 * The transition table of half a call.
 *
 * A call is two halves, one per direction, and each half carries either
 * exactly one message or any number. What is not in the table is against the
 * rules: on the sending side a mistake of the program, on the receiving side a
 * violation by the peer.
 *
 * @module
 */

import { ProtocolError } from "../core/errors.ts";

/** Where a half stands. */
export type Phase = "idle" | "open" | "full" | "ended";

/**
 * What can happen to a half: its head (initial metadata), a message, its
 * proper end, or its end by a failure, which excuses missing messages.
 */
export type Input = "head" | "message" | "end" | "fail";

type Row = Readonly<Record<Phase, Readonly<Partial<Record<Input, Phase>>>>>;

/**
 * The table, by the number of messages in the half.
 *
 * `idle` + `fail` is a Trailers-Only reply, and so is `idle` + `end`, which
 * only a half of many messages allows: it then had none.
 */
export const TRANSITIONS: Readonly<Record<"one" | "many", Row>> = {
  one: {
    idle: { head: "open", fail: "ended" },
    open: { message: "full", fail: "ended" },
    full: { end: "ended", fail: "ended" },
    ended: {},
  },
  many: {
    idle: { head: "open", end: "ended", fail: "ended" },
    open: { message: "open", end: "ended", fail: "ended" },
    full: {},
    ended: {},
  },
};

/**
 * A cell of the table that knows the next ones. Each call walks through some,
 * and objects of one shape are a tenth of the price of looking names up.
 */
class Place {
  head: Place | null = null;
  message: Place | null = null;
  end: Place | null = null;
  fail: Place | null = null;

  readonly phase: Phase;
  readonly many: boolean;

  constructor(phase: Phase, many: boolean) {
    this.phase = phase;
    this.many = many;
  }

  next(input: Input): Place | null {
    switch (input) {
      case "head":
        return this.head;
      case "message":
        return this.message;
      case "end":
        return this.end;
      case "fail":
        return this.fail;
    }
  }
}

/** Makes the places of a row, and returns the first. */
function placesOf(row: Row, many: boolean): Place {
  const places = {
    idle: new Place("idle", many),
    open: new Place("open", many),
    full: new Place("full", many),
    ended: new Place("ended", many),
  };
  for (const place of Object.values(places)) {
    const { head, message, end, fail } = row[place.phase];
    if (head !== undefined) place.head = places[head];
    if (message !== undefined) place.message = places[message];
    if (end !== undefined) place.end = places[end];
    if (fail !== undefined) place.fail = places[fail];
  }
  return places.idle;
}

const ONE = placesOf(TRANSITIONS.one, false);
const MANY = placesOf(TRANSITIONS.many, true);

/** One direction of one call. */
export class Half {
  #place: Place;

  constructor(many: boolean) {
    this.#place = many ? MANY : ONE;
  }

  /** Where the half stands. */
  get phase(): Phase {
    return this.#place.phase;
  }

  /** Whether the half carries any number of messages. */
  get many(): boolean {
    return this.#place.many;
  }

  /** Whether the input is allowed now. */
  allows(input: Input): boolean {
    return this.#place.next(input) !== null;
  }

  /** Takes the step if it is allowed, and says whether it was. */
  advance(input: Input): boolean {
    const next = this.#place.next(input);
    if (next === null) return false;
    this.#place = next;
    return true;
  }
}

/** Which half of the call a program is sending. */
export type SendingHalf = "request" | "reply";

/**
 * Returns the error for an input that a sending half does not allow.
 *
 * @param half Which half.
 * @param phase Where it stands.
 * @param input What the program asked for.
 * @returns The error to throw.
 */
export function misuse(
  half: SendingHalf,
  phase: Phase,
  input: Input,
): ProtocolError {
  return new ProtocolError(
    half === "request"
      ? requestMisuse(phase, input)
      : replyMisuse(phase, input),
  );
}

function requestMisuse(phase: Phase, input: Input): string {
  if (input === "head") return "Request is already sent";
  if (phase === "idle") return "Request was not sent";
  if (input === "message") {
    return phase === "full" ? "Message was already sent" : "Stream is ended";
  }
  return phase === "ended"
    ? "Stream was already ended"
    : "Unary request requires a single message to be sent";
}

function replyMisuse(phase: Phase, input: Input): string {
  if (phase === "ended") return "Trailing metadata was already sent";
  if (input === "head") return "Initial metadata was already sent";
  if (input === "message") {
    return phase === "full"
      ? "Message was already sent"
      : "Initial metadata was not sent";
  }
  return "Unary response with OK status requires a single message to be sent";
}
