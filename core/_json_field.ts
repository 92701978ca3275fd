/**
 * A value of JSON that knows where it stands.
 *
 * @module
 */

import { describe, isPlainObject, show } from "./_describe.ts";
import { parseDuration } from "./_duration.ts";
import { Status, type StatusName } from "./status.ts";

/** The most that `uint32` can be. */
const MAX_UINT32 = 2 ** 32 - 1;

/** A value of JSON and where it stands, for errors that name the field. */
export class JSONField {
  readonly #action: string;
  readonly #path: string;
  readonly #value: unknown;

  constructor(action: string, path: string, value: unknown) {
    this.#action = action;
    this.#path = path;
    this.#value = value;
  }

  /** Whether there is none: in the JSON of Protocol Buffers null is like that. */
  get isAbsent(): boolean {
    return this.#value === undefined || this.#value === null;
  }

  /** A field of an object. */
  get(name: string): JSONField {
    if (!isPlainObject(this.#value)) this.fail("an object");
    const value = Object.hasOwn(this.#value, name)
      ? this.#value[name]
      : undefined;
    return new JSONField(this.#action, `${this.#path}.${name}`, value);
  }

  /** The names of the fields of an object. */
  names(): string[] {
    if (!isPlainObject(this.#value)) this.fail("an object");
    return Object.keys(this.#value);
  }

  /** The elements of a list. */
  list(): JSONField[] {
    if (!Array.isArray(this.#value)) this.fail("a list");
    return this.#value.map((value, index) =>
      new JSONField(this.#action, `${this.#path}[${index}]`, value)
    );
  }

  /** Reads it if it is there. */
  optional<T>(read: (field: this) => T): T | undefined {
    return this.isAbsent ? undefined : read(this);
  }

  /** A text. */
  string(): string {
    if (typeof this.#value !== "string") this.fail("a text");
    return this.#value;
  }

  /** `true` or `false`. */
  boolean(): boolean {
    if (typeof this.#value !== "boolean") this.fail("true or false");
    return this.#value;
  }

  /** A number that is more than 0, or as much as `min`. */
  positive({ min = 0, max = Number.MAX_VALUE } = {}): number {
    const least = min === 0 ? "more than 0" : `of at least ${min}`;
    const need = max === Number.MAX_VALUE
      ? `a number ${least}`
      : `a number ${least} and at most ${max}`;
    const value = this.#value;
    if (typeof value !== "number") this.fail(need);
    if (!(value > 0 && value >= min && value <= max)) this.refuse(need);
    return value;
  }

  /** An integer; as in the JSON of Protocol Buffers it may be a text. */
  integer(min: number): number {
    const need = min === 0
      ? `an integer from 0 to ${MAX_UINT32}`
      : `an integer of at least ${min}`;
    const value = this.#value;
    const number = typeof value === "string" && /^[0-9]+$/.test(value)
      ? Number(value)
      : value;
    if (typeof number !== "number") this.fail(need);
    if (!Number.isInteger(number) || number < min || number > MAX_UINT32) {
      this.refuse(need);
    }
    return number;
  }

  /** A duration, in milliseconds. */
  duration(): number {
    const need = 'a duration such as "1.5s"';
    if (typeof this.#value !== "string") this.fail(need);
    return parseDuration(this.#value) ?? this.refuse(need);
  }

  /** A duration that is not zero, in milliseconds. */
  positiveDuration(): number {
    const ms = this.duration();
    return ms > 0 ? ms : this.refuse('a duration of more than "0s"');
  }

  /** A status, by its name in any case or its number. */
  status(): Status {
    const need = "a status other than OK, such as UNAVAILABLE or 14";
    const value = this.#value;
    if (typeof value !== "string" && typeof value !== "number") this.fail(need);
    const status = typeof value === "string"
      ? Status[value.toUpperCase() as StatusName]
      : Object.values(Status).find((status) => status === value);
    // No attempt fails with OK.
    if (status === undefined || status === Status.OK) this.refuse(need);
    return status;
  }

  /** It is of a wrong type. */
  fail(need: string): never {
    const found = this.#value === undefined
      ? "is missing"
      : `must be ${need}, received ${describe(this.#value)}`;
    throw new TypeError(`${this.#action}: ${this.#path} ${found}`);
  }

  /** Its value is not allowed. */
  refuse(need: string): never {
    throw new RangeError(
      `${this.#action}: ${this.#path} must be ${need}, received ${
        show(this.#value)
      }`,
    );
  }

  /** It does not go with another. */
  contradict(why: string): never {
    throw new TypeError(`${this.#action}: ${this.#path} ${why}`);
  }
}
