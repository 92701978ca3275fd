import { assertEquals, assertInstanceOf } from "@std/assert";
import { ProtocolError } from "../core/errors.ts";
import {
  Half,
  type Input,
  misuse,
  type Phase,
  type SendingHalf,
  TRANSITIONS,
} from "./half.ts";

const PHASES: readonly Phase[] = ["idle", "open", "full", "ended"];
const INPUTS: readonly Input[] = ["head", "message", "end", "fail"];

/** The table once more, in the order of `INPUTS`; `-` is against the rules. */
const ONE: Record<Phase, string> = {
  idle: "open  -     -     ended",
  open: "-     full  -     ended",
  full: "-     -     ended ended",
  ended: "-     -     -     -",
};
const MANY: Record<Phase, string> = {
  idle: "open  -     ended ended",
  open: "-     open  ended ended",
  full: "-     -     -     -",
  ended: "-     -     -     -",
};

/** How a half gets into a phase; a half of many messages is never full. */
const WAYS: Record<"one" | "many", Partial<Record<Phase, readonly Input[]>>> = {
  one: {
    idle: [],
    open: ["head"],
    full: ["head", "message"],
    ended: ["head", "message", "end"],
  },
  many: { idle: [], open: ["head"], ended: ["end"] },
};

function halfIn(kind: "one" | "many", phase: Phase): Half | null {
  const way = WAYS[kind][phase];
  if (way === undefined) return null;
  const half = new Half(kind === "many");
  for (const input of way) half.advance(input);
  assertEquals(half.phase, phase);
  return half;
}

for (const [kind, table] of [["one", ONE], ["many", MANY]] as const) {
  for (const phase of PHASES) {
    INPUTS.forEach((input, column) => {
      const expected = table[phase].split(/ +/)[column]!;
      const does = expected === "-" ? "refuses" : `goes to ${expected}`;
      Deno.test(`Half() of ${kind} ${does} when it is ${phase} and the input is ${input}`, () => {
        assertEquals(TRANSITIONS[kind][phase][input] ?? "-", expected);
        const half = halfIn(kind, phase);
        if (half === null) return;
        assertEquals(half.allows(input), expected !== "-");
        assertEquals(half.phase, phase);
        assertEquals(half.advance(input), expected !== "-");
        assertEquals(half.phase, expected === "-" ? phase : expected);
      });
    });
  }
}

Deno.test("Half() is idle when it is new", () => {
  assertEquals(new Half(false).phase, "idle");
  assertEquals(new Half(true).phase, "idle");
});

Deno.test("Half.many tells the kind when the half is in any phase", () => {
  for (const kind of ["one", "many"] as const) {
    for (const phase of PHASES) {
      assertEquals(
        halfIn(kind, phase)?.many ?? kind === "many",
        kind === "many",
      );
    }
  }
});

const ALREADY_SENT = "Request is already sent";
const NOT_SENT = "Request was not sent";
const NO_MESSAGE = "Unary request requires a single message to be sent";
const STREAM_ENDED = "Stream was already ended";
const SECOND = "Message was already sent";
const HAS_HEAD = "Initial metadata was already sent";
const NO_HEAD = "Initial metadata was not sent";
const HAS_TRAILERS = "Trailing metadata was already sent";
const NO_REPLY =
  "Unary response with OK status requires a single message to be sent";

/** The words for each phase, in the order of `INPUTS`. */
const WORDS: Record<SendingHalf, Record<Phase, readonly string[]>> = {
  request: {
    idle: [ALREADY_SENT, NOT_SENT, NOT_SENT, NOT_SENT],
    open: [ALREADY_SENT, "Stream is ended", NO_MESSAGE, NO_MESSAGE],
    full: [ALREADY_SENT, SECOND, NO_MESSAGE, NO_MESSAGE],
    ended: [ALREADY_SENT, "Stream is ended", STREAM_ENDED, STREAM_ENDED],
  },
  reply: {
    idle: [HAS_HEAD, NO_HEAD, NO_REPLY, NO_REPLY],
    open: [HAS_HEAD, NO_HEAD, NO_REPLY, NO_REPLY],
    full: [HAS_HEAD, SECOND, NO_REPLY, NO_REPLY],
    ended: [HAS_TRAILERS, HAS_TRAILERS, HAS_TRAILERS, HAS_TRAILERS],
  },
};

for (const half of ["request", "reply"] as const) {
  for (const phase of PHASES) {
    Deno.test(`misuse() finds the words when a ${half} is ${phase}`, () => {
      const words = INPUTS.map((input) => {
        const error = misuse(half, phase, input);
        assertInstanceOf(error, ProtocolError);
        return error.message;
      });
      assertEquals(words, WORDS[half][phase]);
    });
  }
}
