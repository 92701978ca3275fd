/**
 * Deadlines: points on the monotonic clock.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import { describe } from "./_describe.ts";
import { printAs } from "./_inspect.ts";

let clockOf: (deadline: Deadline) => Clock | undefined;

/**
 * Tells where a deadline lies on a clock, which may be another than its own; not
 * for users.
 *
 * @param clock The clock, or `undefined` for the system's.
 * @param deadline The deadline.
 * @returns The point, in milliseconds.
 */
export function pointOn(clock: Clock | undefined, deadline: Deadline): number {
  if (clockOf(deadline) === clock) return deadline.valueOf();
  return (clock ?? performance).now() + deadline.timeRemainingMs();
}

/**
 * A point in time by which a call has to be complete.
 *
 * It lies on the monotonic clock, so a change of the system's time does not
 * move it. Pass the deadline of the call a handler serves on to the calls the
 * handler makes. Deadlines compare with `<` and `>`.
 *
 * @example Usage
 * ```ts
 * import { Deadline } from "@grpclib/grpclib";
 * import { assert } from "@std/assert";
 *
 * const soon = Deadline.fromTimeout(50);
 * const later = Deadline.fromTimeout(60_000);
 *
 * assert(soon < later);
 * assert(later.timeRemainingMs() > 50_000);
 * ```
 */
export class Deadline {
  readonly #at: number;
  readonly #clock: Clock | undefined;

  static {
    clockOf = (deadline) => deadline.#clock;
  }

  /**
   * Creates a deadline at a point of the monotonic clock.
   * {@linkcode Deadline.fromTimeout} is what is usually wanted.
   *
   * @param at The point, in milliseconds, as `performance.now()` counts them, or
   * the clock.
   * @param clock The clock, or `undefined` for the system's.
   * @throws {TypeError} If the point is not a number.
   * @throws {RangeError} If the point is not finite.
   */
  constructor(at: number, clock?: Clock) {
    requireFinite("at", at);
    this.#at = at;
    this.#clock = clock;
  }

  /**
   * Creates a deadline so many milliseconds from now.
   *
   * @param timeoutMs The time from now, in milliseconds. Zero and less give a
   * deadline that has already passed.
   * @param clock The clock it goes by, or `undefined` for the system's.
   * @returns The deadline.
   * @throws {TypeError} If the time is not a number.
   * @throws {RangeError} If the time is not finite.
   *
   * @example Usage
   * ```ts
   * import { Deadline } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(Deadline.fromTimeout(10_000).expired, false);
   * assertEquals(Deadline.fromTimeout(-1).expired, true);
   * ```
   */
  static fromTimeout(timeoutMs: number, clock?: Clock): Deadline {
    requireFinite("timeoutMs", timeoutMs);
    return new Deadline((clock ?? performance).now() + timeoutMs, clock);
  }

  /**
   * Picks the earlier of two deadlines, either of which may be absent.
   *
   * @param a One deadline, or `undefined` for none.
   * @param b Another deadline, or `undefined` for none.
   * @returns The earlier one, or `undefined` when there is none.
   *
   * @example Usage
   * ```ts
   * import { Deadline } from "@grpclib/grpclib";
   * import { assertStrictEquals } from "@std/assert";
   *
   * const deadline = Deadline.fromTimeout(1_000);
   *
   * assertStrictEquals(Deadline.earliest(deadline, undefined), deadline);
   * assertStrictEquals(Deadline.earliest(Deadline.fromTimeout(2_000), deadline), deadline);
   * ```
   */
  static earliest(
    a: Deadline | undefined,
    b: Deadline | undefined,
  ): Deadline | undefined {
    if (a === undefined) return b;
    if (b === undefined) return a;
    return b.#at < pointOn(b.#clock, a) ? b : a;
  }

  /**
   * Tells how much time is left.
   *
   * @returns The time left in milliseconds, with a fraction; 0 once the deadline has passed.
   *
   * @example Usage
   * ```ts
   * import { Deadline } from "@grpclib/grpclib";
   * import { assert, assertEquals } from "@std/assert";
   *
   * assert(Deadline.fromTimeout(10_000).timeRemainingMs() <= 10_000);
   * assertEquals(Deadline.fromTimeout(-1).timeRemainingMs(), 0);
   * ```
   */
  timeRemainingMs(): number {
    return Math.max(0, this.#at - (this.#clock ?? performance).now());
  }

  /** Whether the deadline has passed. */
  get expired(): boolean {
    return this.#at <= (this.#clock ?? performance).now();
  }

  /**
   * Gives the point in time, so that deadlines compare with `<` and `>`.
   *
   * @returns The point, in milliseconds, as `performance.now()` counts them, or
   * the clock that the deadline was made with.
   *
   * @example Usage
   * ```ts
   * import { Deadline } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new Deadline(1_500).valueOf(), 1_500);
   * ```
   */
  valueOf(): number {
    return this.#at;
  }
}

printAs(
  Deadline,
  (deadline) => ({ timeRemainingMs: deadline.timeRemainingMs() }),
);

/** Throws unless a time is a finite number. */
function requireFinite(name: string, ms: number): void {
  if (typeof ms !== "number") {
    throw new TypeError(
      `Cannot create deadline: ${name} must be a number, received ${
        describe(ms)
      }`,
    );
  }
  if (!Number.isFinite(ms)) {
    const hint = ms === Infinity ? ", leave the deadline out instead" : "";
    throw new RangeError(
      `Cannot create deadline: ${name} must be finite, received ${ms}${hint}`,
    );
  }
}
