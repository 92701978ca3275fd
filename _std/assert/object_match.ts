import { assertEquals } from "./equals.ts";

type Fields = Record<PropertyKey, unknown>;

/**
 * Fails unless an object has, in depth, everything that another one has.
 *
 * What is in `actual` alone is not looked at. Classes do not matter, except
 * for `Date` and `RegExp`, which are compared as values, and for arrays, maps
 * and sets, of which the part that `expected` names is compared.
 *
 * @param actual The object found.
 * @param expected The part of it that must be there.
 * @param msg Added to the message of the failure.
 */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  // Both sides are copied, so that the classes of the objects are gone on both.
  assertEquals(
    part(actual, expected, new Map()),
    part(expected, expected, new Map()),
    msg,
  );
}

/** A copy of as much of a value as the pattern speaks of. */
function part(
  value: unknown,
  pattern: unknown,
  copies: Map<unknown, Map<unknown, unknown>>,
): unknown {
  if (!isCompound(value) || !isCompound(pattern)) return value;
  const known = copies.get(value)?.get(pattern);
  if (known !== undefined) return known;

  const copy = blank(value, pattern);
  if (copy === undefined) return value; // they cannot be equal
  const ofValue = copies.get(value) ?? new Map<unknown, unknown>();
  // Known before it is filled, so that a cycle ends in the copy itself.
  copies.set(value, ofValue.set(pattern, copy));

  if (copy instanceof Set) {
    for (const member of value as Set<unknown>) {
      if ((pattern as Set<unknown>).has(member)) copy.add(member);
    }
  } else if (copy instanceof Map) {
    for (const [key, item] of pattern as Map<unknown, unknown>) {
      const values = value as Map<unknown, unknown>;
      if (values.has(key)) copy.set(key, part(values.get(key), item, copies));
    }
  } else if (Array.isArray(copy)) {
    const [items, wanted] = [value as unknown[], pattern as unknown[]];
    const count = Math.min(items.length, wanted.length);
    for (let i = 0; i < count; i++) {
      copy.push(part(items[i], wanted[i], copies));
    }
  } else {
    for (const key of Reflect.ownKeys(pattern)) {
      if (!Object.hasOwn(value, key)) continue;
      Object.defineProperty(copy, key, {
        value: part((value as Fields)[key], (pattern as Fields)[key], copies),
        enumerable: true,
      });
    }
  }
  return copy;
}

/** An empty container for the kind that both are, if they are of one kind. */
function blank(
  a: object,
  b: object,
): Set<unknown> | Map<unknown, unknown> | unknown[] | Fields | undefined {
  if (a instanceof Set || b instanceof Set) {
    return a instanceof Set && b instanceof Set ? new Set() : undefined;
  }
  if (a instanceof Map || b instanceof Map) {
    return a instanceof Map && b instanceof Map ? new Map() : undefined;
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) ? [] : undefined;
  }
  return {};
}

/** Whether a value is made of parts, rather than a value as a whole. */
function isCompound(value: unknown): value is object {
  return typeof value === "object" && value !== null &&
    !(value instanceof Date) && !(value instanceof RegExp) &&
    !ArrayBuffer.isView(value);
}
