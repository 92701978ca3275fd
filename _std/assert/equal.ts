/** A pair of objects that are being compared further up. */
type Seen = Map<object, Set<object>>;

/** The class that all typed arrays extend; it has no global name. */
const TypedArray: abstract new () => Uint8Array = Object.getPrototypeOf(
  Uint8Array,
);

/** Objects whose whole meaning is in their text. */
const textual = new Set<unknown>([
  RegExp.prototype,
  URL.prototype,
  URLSearchParams.prototype,
  Intl.Locale.prototype,
]);

/**
 * Tells whether two values are equal in depth.
 *
 * `NaN` equals itself, `0` equals `-0`, an object without a prototype equals a
 * plain one, the order of keys does not matter; a missing key is not the same
 * as one that is `undefined`, and objects of different classes differ.
 *
 * @param a One value.
 * @param b The other value.
 * @returns Whether they are equal.
 */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

function compare(a: unknown, b: unknown, seen: Seen): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (kind(a) !== kind(b)) return false;

  if (a instanceof Date) {
    return Object.is(a.getTime(), (b as Date).getTime());
  }
  if (a instanceof TypedArray) return sameElements(a, b as Uint8Array);
  if (a instanceof ArrayBuffer || a instanceof SharedArrayBuffer) {
    return sameElements(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
  }
  if (a instanceof WeakMap || a instanceof WeakSet) {
    const name = a instanceof WeakMap ? "WeakMap" : "WeakSet";
    throw new TypeError(`Cannot compare ${name} instances`);
  }
  if (a instanceof WeakRef) {
    return compare(a.deref(), (b as WeakRef<object>).deref(), seen);
  }

  // A pair met again on its own way down is a cycle: it is equal if the rest is.
  const met = seen.get(a) ?? new Set();
  if (met.has(b)) return true;
  seen.set(a, met.add(b));
  const same = compareParts(a, b, seen);
  // In a set the search goes on after a failure, and must not meet this one.
  if (!same) met.delete(b);
  return same;
}

function compareParts(a: object, b: object, seen: Seen): boolean {
  if (a instanceof Map) return sameEntries(a, b as typeof a, seen);
  if (a instanceof Set) return sameMembers(a, b as typeof a, seen);
  if (textual.has(Object.getPrototypeOf(a))) return String(a) === String(b);
  return sameProperties(a, b, seen);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What an object is by class; plain ones are the same with and without prototype. */
function kind(value: object): unknown {
  return Object.getPrototypeOf(value) ?? Object.prototype;
}

function sameElements(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length &&
    a.every((element, i) => element === b[i] || Object.is(element, b[i]));
}

function sameEntries(
  a: ReadonlyMap<unknown, unknown>,
  b: ReadonlyMap<unknown, unknown>,
  seen: Seen,
): boolean {
  return a.size === b.size && matchEach([...a], [...b], seen);
}

function sameMembers(
  a: ReadonlySet<unknown>,
  b: ReadonlySet<unknown>,
  seen: Seen,
): boolean {
  if (a.size !== b.size) return false;
  const rest = [...a].filter((member) => !b.has(member));
  return matchEach(rest, [...b].filter((member) => !a.has(member)), seen);
}

/** Whether every item of `a` finds an equal partner of its own in `b`. */
function matchEach(a: unknown[], b: unknown[], seen: Seen): boolean {
  const free = new Set(b);
  for (const item of a) {
    const partner = free.values().find((other) => compare(item, other, seen));
    if (partner === undefined) return false;
    free.delete(partner);
  }
  return free.size === 0;
}

function sameProperties(a: object, b: object, seen: Seen): boolean {
  if (Object.keys(a).length !== Object.keys(b).length) return false;
  for (const key of new Set([...propertyNames(a), ...propertyNames(b)])) {
    if (!(key in a) || !(key in b)) return false;
    if (!compare(Reflect.get(a, key), Reflect.get(b, key), seen)) return false;
  }
  return true;
}

/**
 * Own and inherited names, so that accessors and hidden fields of a class
 * count, up to the prototypes every plain object and array has.
 */
function propertyNames(value: object): (string | symbol)[] {
  const names: (string | symbol)[] = [];
  for (
    let at: object | null = value;
    at !== null && at !== Object.prototype && at !== Array.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    names.push(...Reflect.ownKeys(at));
  }
  return names;
}
