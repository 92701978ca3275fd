/**
 * Describes what kind of thing a value is, for the end of an error message.
 * The value itself stays out: it may be a secret, or very long.
 */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "function") return "function";
  if (typeof value !== "object") return typeof value;
  const typeName = (value as { readonly $typeName?: unknown }).$typeName;
  if (typeof typeName === "string") return typeName;
  // An object without a prototype has no constructor either.
  const { constructor } = value;
  return typeof constructor === "function" && constructor.name !== ""
    ? constructor.name
    : "Object";
}

/**
 * Shows a value that should be a number: one that is none in quotes, or by what
 * kind of thing it is.
 */
export function show(value: unknown): string {
  if (typeof value === "number") return `${value}`;
  return typeof value === "string" ? JSON.stringify(value) : describe(value);
}

/**
 * Escapes what ends a line in the eyes of any program, or commands a terminal:
 * what comes from a peer must not look like something else.
 */
export function onOneLine(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Tells whether a value is an object with nothing but its own fields. */
export function isPlainObject<T>(
  value: T,
): value is T & { readonly [key: string]: unknown } {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Tells whether a value is a promise, of whatever making. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null)?.then === "function";
}
