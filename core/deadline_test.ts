import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertFalse,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Deadline } from "./deadline.ts";

/** Runs a function while the monotonic clock stands still at a point. */
function at<T>(now: number, run: () => T): T {
  const original = performance.now;
  performance.now = () => now;
  try {
    return run();
  } finally {
    performance.now = original;
  }
}

Deno.test("Deadline.fromTimeout() lies so far from now", () => {
  const deadline = at(1_000, () => Deadline.fromTimeout(250.5));
  assertEquals(deadline.valueOf(), 1_250.5);
});

Deno.test("Deadline.fromTimeout() uses the monotonic clock", () => {
  assertAlmostEquals(
    Deadline.fromTimeout(5_000).valueOf(),
    performance.now() + 5_000,
    1_000,
  );
});

Deno.test("Deadline.fromTimeout() gives a past deadline when the time is zero or less", () => {
  for (const ms of [0, -0, -1, -1e9]) {
    const deadline = Deadline.fromTimeout(ms);
    assert(deadline.expired);
    assertEquals(deadline.timeRemainingMs(), 0);
  }
});

Deno.test("Deadline.timeRemainingMs() counts down to 0 and stays there", () => {
  const deadline = new Deadline(100);
  const cases = [[0, 100], [99.75, 0.25], [100, 0], [100.25, 0], [1e9, 0]];
  for (const [now, left] of cases) {
    assertEquals(at(now!, () => deadline.timeRemainingMs()), left);
  }
});

Deno.test("Deadline.expired changes when the time has come", () => {
  const deadline = new Deadline(100);
  assertFalse(at(99.9, () => deadline.expired));
  assert(at(100, () => deadline.expired));
  assert(at(100.1, () => deadline.expired));
});

Deno.test("Deadline compares by time", () => {
  const early = new Deadline(1);
  const late = new Deadline(2);
  assert(early < late);
  assert(late > early);
  assertFalse(late < early);
  assert(early <= new Deadline(1));
  assert(early >= new Deadline(1));
});

Deno.test("Deadline.earliest() picks the earlier one that there is", () => {
  const early = new Deadline(1);
  const late = new Deadline(2);
  assertStrictEquals(Deadline.earliest(early, late), early);
  assertStrictEquals(Deadline.earliest(late, early), early);
  assertStrictEquals(Deadline.earliest(undefined, late), late);
  assertStrictEquals(Deadline.earliest(early, undefined), early);
  assertStrictEquals(Deadline.earliest(undefined, undefined), undefined);
});

Deno.test("Deadline refuses what is not a finite number", () => {
  for (const ms of [NaN, Infinity, -Infinity]) {
    assertThrows(
      () => Deadline.fromTimeout(ms),
      RangeError,
      `Cannot create deadline: timeoutMs must be finite, received ${ms}`,
    );
    assertThrows(
      () => new Deadline(ms),
      RangeError,
      `Cannot create deadline: at must be finite, received ${ms}`,
    );
  }
  for (const ms of ["5", null, undefined, 5n, new Date()]) {
    assertThrows(
      () => Deadline.fromTimeout(ms as unknown as number),
      TypeError,
      "Cannot create deadline: timeoutMs must be a number, received",
    );
  }
});

Deno.test("Deadline.fromTimeout() says what to do instead of Infinity", () => {
  assertThrows(
    () => Deadline.fromTimeout(Infinity),
    RangeError,
    "leave the deadline out",
  );
});

Deno.test("Deadline prints the time that remains", () => {
  assertMatch(
    Deno.inspect(Deadline.fromTimeout(-1)),
    /^Deadline \{ timeRemainingMs: 0 \}$/,
  );
});
