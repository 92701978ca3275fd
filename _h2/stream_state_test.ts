import { assertEquals } from "@std/assert";
import { seededRandom } from "../_testdata/seeded_random.ts";
import {
  ClosedStreams,
  Event,
  outcomeOf,
  State,
  Verdict,
} from "./stream_state.ts";

const STATES = Object.keys(State) as (keyof typeof State)[];
const EVENTS = Object.keys(Event) as (keyof typeof Event)[];

/**
 * The table once more, from section 5.1: a state, or a verdict with a small
 * letter. `misuse` is short for what this endpoint must not send.
 */
const EXPECTED: Record<keyof typeof Event, string> = {
  SEND_HEADERS:
    "OPEN OPEN misuse HALF_CLOSED_REMOTE misuse misuse misuse misuse misuse",
  SEND_DATA:
    "misuse OPEN misuse HALF_CLOSED_REMOTE misuse misuse misuse misuse misuse",
  SEND_END_STREAM:
    "misuse HALF_CLOSED_LOCAL misuse CLOSED misuse misuse misuse misuse misuse",
  SEND_RST_STREAM:
    "misuse RESET_SENT RESET_SENT RESET_SENT misuse misuse misuse misuse misuse",
  SEND_WINDOW_UPDATE:
    "misuse OPEN HALF_CLOSED_LOCAL HALF_CLOSED_REMOTE misuse misuse misuse misuse misuse",
  RECEIVE_HEADERS:
    "OPEN OPEN HALF_CLOSED_LOCAL closed dead ignore closed protocol ignore",
  RECEIVE_DATA:
    "protocol OPEN HALF_CLOSED_LOCAL closed dead ignore closed protocol ignore",
  RECEIVE_END_STREAM:
    "protocol HALF_CLOSED_REMOTE CLOSED closed dead ignore closed protocol ignore",
  RECEIVE_RST_STREAM:
    "protocol RESET_RECEIVED RESET_RECEIVED RESET_RECEIVED ignore ignore ignore ignore ignore",
  RECEIVE_WINDOW_UPDATE:
    "protocol OPEN ignore HALF_CLOSED_REMOTE ignore ignore ignore ignore ignore",
};

const VERDICTS: Record<string, number> = {
  ignore: Verdict.IGNORE,
  closed: Verdict.STREAM_CLOSED,
  dead: Verdict.CONNECTION_CLOSED,
  protocol: Verdict.PROTOCOL_ERROR,
  misuse: Verdict.MISUSE,
};

for (const event of EVENTS) {
  const words = EXPECTED[event].split(" ");
  STATES.forEach((state, index) => {
    const word = words[index]!;
    Deno.test(`outcomeOf() is ${word} when the state is ${state} and the event ${event}`, () => {
      const expected = VERDICTS[word] ?? State[word as keyof typeof State];
      assertEquals(outcomeOf(State[state], Event[event]), expected);
    });
  });
}

Deno.test("ClosedStreams.stateOf() knows how the latest streams were closed", () => {
  const closed = new ClosedStreams();
  for (let id = 1; id < 2000; id += 2) {
    if (id % 3 > 0) {
      closed.add(id, id % 5 > 0 ? State.CLOSED : State.RESET_SENT);
    }
  }
  const stateOf = (id: number): State => closed.stateOf(id, 1999);
  assertEquals(stateOf(1999), State.CLOSED);
  assertEquals(stateOf(1985), State.RESET_SENT);
  assertEquals(stateOf(1983), State.SKIPPED);
  assertEquals(stateOf(1489), State.CLOSED);
  assertEquals(stateOf(1487), State.FORGOTTEN);
  assertEquals(stateOf(1), State.FORGOTTEN);
});

Deno.test("ClosedStreams.add() keeps the younger stream when an old one is closed late", () => {
  const closed = new ClosedStreams();
  closed.add(513, State.CLOSED);
  closed.add(1, State.RESET_RECEIVED);
  assertEquals(closed.stateOf(513, 513), State.CLOSED);
  assertEquals(closed.stateOf(1, 513), State.FORGOTTEN);
});

Deno.test("ClosedStreams.stateOf() knows the latest streams from the first on, in whatever order they were closed", () => {
  const random = seededRandom(11);
  const states = [State.CLOSED, State.RESET_SENT, State.RESET_RECEIVED];
  for (const last of [7, 63, 511, 901]) {
    const closed = new ClosedStreams();
    const expected = new Map<number, State>();
    const ids = Array.from({ length: (last + 1) / 2 }, (_, i) => 2 * i + 1);
    while (ids.length > 0) {
      // As of calls at a time, none of which is very old.
      const at = Math.floor(random() * Math.min(20, ids.length));
      const [id] = ids.splice(at, 1) as [number];
      const state = states[Math.floor(random() * states.length)]!;
      closed.add(id, state);
      expected.set(id, state);
    }
    for (let id = last; id > 0 && id > last - 512; id -= 2) {
      assertEquals(closed.stateOf(id, last), expected.get(id), `${id}`);
    }
  }
});
