/**
 * Options, checked before they are read: a misspelt one must not be ignored.
 *
 * @module
 */

import { describe, show } from "./_describe.ts";
import { nearest } from "./_nearest.ts";

/** The names of all options of a kind, none left out. */
export type OptionNames<T> = { readonly [K in keyof T]-?: true };

/**
 * Throws unless options are an object with no other names than the known ones.
 *
 * @param action What was attempted, such as `Cannot create channel`.
 * @param options The options.
 * @param known The names that there are.
 * @param prefix What stands before the names, such as `tls.`.
 * @throws {TypeError} If they are none, or have an unknown name.
 */
export function checkOptions<T extends object>(
  action: string,
  options: T,
  known: OptionNames<T>,
  prefix = "",
): void {
  if (!isRecord(options)) {
    const what = prefix === "" ? "options" : prefix.slice(0, -1);
    throw new TypeError(
      `${action}: ${what} must be an object, received ${describe(options)}`,
    );
  }
  for (const name in options) {
    if (!Object.hasOwn(known, name)) throw unknown(action, name, known, prefix);
  }
}

/** Tells whether a value has options in its fields: a list or a map has none. */
export function isRecord(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    !(Symbol.iterator in value);
}

/**
 * Throws if an option is there and neither `true` nor `false`.
 *
 * @param action What was attempted.
 * @param name The name of the option.
 * @param value The value.
 * @throws {TypeError} If it is something else.
 */
export function checkBoolean(
  action: string,
  name: string,
  value: boolean | undefined,
): void {
  if (value === undefined || typeof value === "boolean") return;
  throw wrongType(action, name, "true or false", value);
}

/**
 * Throws if an option is there and no function.
 *
 * @param action What was attempted.
 * @param name The name of the option.
 * @param value The value.
 * @throws {TypeError} If it is something else.
 */
export function checkFunction(
  action: string,
  name: string,
  value: unknown,
): void {
  if (value === undefined || typeof value === "function") return;
  throw wrongType(action, name, "a function", value);
}

/**
 * Throws if an option is there and has not all methods that are needed.
 *
 * @param action What was attempted.
 * @param name The name of the option.
 * @param value The value.
 * @param need What it has to be, such as `a Codec`, and its methods.
 * @throws {TypeError} If it is something else.
 */
export function checkMethods(
  action: string,
  name: string,
  value: unknown,
  need: { readonly type: string; readonly methods: readonly string[] },
): void {
  if (value === undefined) return;
  const object = (value ?? {}) as { readonly [name: string]: unknown };
  if (need.methods.every((name) => typeof object[name] === "function")) return;
  throw wrongType(action, name, need.type, value);
}

/** Throws if there is a signal that is none. */
export function checkSignal(action: string, signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw wrongType(action, "signal", "an AbortSignal", signal);
}

/** Throws if there is a clock that is none. */
export function checkClock(action: string, clock: unknown): void {
  const methods = ["now", "setTimeout", "clearTimeout"];
  checkMethods(action, "clock", clock, { type: "a Clock", methods });
}

/** Throws if there is a codec for details that is none; null means none. */
export function checkDetailsCodec(action: string, codec: unknown): void {
  if (codec === null) return;
  const methods = ["encode", "decode"];
  const type = "a StatusDetailsCodec or null";
  checkMethods(action, "statusDetailsCodec", codec, { type, methods });
}

/** Throws unless times are numbers of at least 0; Infinity is one. */
export function checkTimes(
  action: string,
  times: Readonly<Record<string, number>>,
): void {
  for (const [name, time] of Object.entries(times)) {
    if (typeof time === "number" && time >= 0) continue;
    const ErrorClass = typeof time === "number" ? RangeError : TypeError;
    throw new ErrorClass(
      `${action}: ${name} must be a number of at least 0, received ${
        show(time)
      }`,
    );
  }
}

/**
 * Makes the error for an option of a wrong type.
 *
 * @param action What was attempted.
 * @param name The name of the option.
 * @param need What it has to be.
 * @param value What it is.
 */
export function wrongType(
  action: string,
  name: string,
  need: string,
  value: unknown,
): TypeError {
  return new TypeError(
    `${action}: ${name} must be ${need}, received ${describe(value)}`,
  );
}

function unknown<T>(
  action: string,
  name: string,
  known: OptionNames<T>,
  prefix: string,
): TypeError {
  const found = nearest(name, Object.keys(known));
  return new TypeError(
    `${action}: there is no option "${prefix}${name}", the nearest is "${prefix}${found}"`,
  );
}
