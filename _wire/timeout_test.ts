import { assert, assertEquals, assertMatch } from "@std/assert";
import { seededRandom } from "../_testdata/seeded_random.ts";
import { decodeTimeout, encodeTimeout } from "./timeout.ts";

const SECOND = 1_000;
const HOUR = 3_600_000;

Deno.test("encodeTimeout() writes the examples of grpclib", () => {
  const cases: [number, string][] = [
    [100 * SECOND, "100S"],
    [15 * SECOND, "15S"],
    [7 * SECOND, "7000m"],
    [10 * SECOND, "10000m"],
    [20, "20m"],
    [10, "10000u"],
    [1, "1000u"],
    [0.02, "20u"],
    [0.01, "10000n"],
    [0.001, "1000n"],
    [0.00002, "20n"],
    [0, "0n"],
  ];
  for (const [ms, text] of cases) {
    assertEquals(encodeTimeout(ms), text, `${ms}`);
  }
});

Deno.test("encodeTimeout() takes a finer unit where the time is not whole", () => {
  const cases: [number, string][] = [
    [10.5 * SECOND, "10500m"],
    [10_000.5, "10001m"],
    [100_000.123, "100001m"],
    [9.25, "9250u"],
    [9.99, "9990u"],
    [9.9901234, "9990124n"],
    [0.0100001, "10001n"],
    [0.0000001, "1n"],
    [Number.MIN_VALUE, "1n"],
  ];
  for (const [ms, text] of cases) {
    assertEquals(encodeTimeout(ms), text, `${ms}`);
  }
});

Deno.test("encodeTimeout() writes whole milliseconds where there are more than ten", () => {
  const cases: [number, string][] = [
    [10.0000001, "11m"],
    [20.25, "21m"],
    [4999.876543, "5000m"],
    [9_999.0001, "10000m"],
    [14_999.5, "15S"],
  ];
  for (const [ms, text] of cases) {
    assertEquals(encodeTimeout(ms), text, `${ms}`);
  }
});

Deno.test("encodeTimeout() takes a coarser unit where eight digits are not enough", () => {
  const cases: [number, string][] = [
    [99_999_999, "99999999m"],
    [99_999_999.5, "100000S"],
    [99_999_999_000, "99999999S"],
    [99_999_999_000.5, "1666667M"],
    [100_000_000_000, "1666667M"],
    [99_999_999 * 60_000, "99999999M"],
    [99_999_999 * 60_000 + 1, "1666667H"],
    [99_999_999 * HOUR, "99999999H"],
  ];
  for (const [ms, text] of cases) {
    assertEquals(encodeTimeout(ms), text, `${ms}`);
  }
});

Deno.test("encodeTimeout() writes the longest time when even hours are too many", () => {
  for (const ms of [99_999_999 * HOUR + 1, 1e21, Number.MAX_VALUE]) {
    assertEquals(encodeTimeout(ms), "99999999H", `${ms}`);
  }
});

Deno.test("encodeTimeout() writes 0 when no time is left", () => {
  for (const ms of [0, -0, -1]) assertEquals(encodeTimeout(ms), "0n");
});

/** Times of all sizes: powers of ten, their neighbors, and random ones. */
function* times(): Generator<number> {
  const random = seededRandom(7);
  for (let exponent = -9; exponent <= 13; exponent++) {
    const power = 10 ** exponent;
    for (const factor of [1, 2, 3, 5, 6, 7, 9.99, 1 - 2e-16, 1 + 3e-16]) {
      yield power * factor;
    }
    for (let i = 0; i < 2_000; i++) {
      const time = power * (1 + 9 * random());
      yield time;
      yield Math.ceil(time);
      yield Number(time.toPrecision(1 + i % 8));
    }
  }
}

Deno.test("encodeTimeout() is never shorter than asked, and hardly longer, in at most eight digits", () => {
  for (const ms of times()) {
    const text = encodeTimeout(ms);
    assertMatch(text, /^(0|[1-9]\d{0,7})[HMSmun]$/);
    const decoded = decodeTimeout(text);
    assert(decoded !== null && decoded >= ms, `${ms} became ${text}`);
    // One part in 1666667 is the coarsest step, but for the last millisecond, or
    // of a short time the last nanosecond.
    const step = Math.max(ms / 10_000, ms > 10 ? 1 : 1e-6);
    assert(decoded - ms <= step, `${ms} became ${text}`);
  }
});

Deno.test("encodeTimeout() is exact for whole milliseconds up to a day, and whole microseconds up to ten milliseconds", () => {
  const random = seededRandom(8);
  for (let i = 0; i < 20_000; i++) {
    const ms = Math.floor(random() * 86_400_000);
    assertEquals(decodeTimeout(encodeTimeout(ms)), ms);
    const us = Math.floor(random() * 10_000);
    assertEquals(decodeTimeout(encodeTimeout(us / 1e3)), us / 1e3);
    const ns = Math.floor(random() * 10_000_000);
    assertEquals(decodeTimeout(encodeTimeout(ns / 1e6)), ns / 1e6);
  }
});

Deno.test("decodeTimeout() reads every unit", () => {
  const cases: [string, number][] = [
    ["2H", 7_200_000],
    ["3M", 180_000],
    ["4S", 4_000],
    ["5m", 5],
    ["6u", 0.006],
    ["7n", 0.000007],
    ["0n", 0],
    ["0S", 0],
    ["007m", 7],
    ["00000001S", 1_000],
    ["99999999H", 99_999_999 * HOUR],
    ["99999999n", 99.999999],
    ["12345678m", 12_345_678],
  ];
  for (const [text, ms] of cases) assertEquals(decodeTimeout(text), ms, text);
});

Deno.test("decodeTimeout() gives null when the text is malformed", () => {
  const cases = [
    ...["", "5", "S", "m", "5s", "5h", "5N", "5U", "5 S", " 5S", "5S "],
    ...["5S\n", "-5S", "+5S", "5.5S", "1e3S", "0x5S", "5SS", "5mS", "five"],
    ...["123456789S", "000000001S", "99999999999999n", "5µ", "٥S", "5\0"],
    ...["/S", ":S", "5,S", "5S,5S", "NaNS", "InfinityH"],
  ];
  for (const text of cases) assertEquals(decodeTimeout(text), null, text);
});
