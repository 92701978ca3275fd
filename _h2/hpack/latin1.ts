/**
 * Strings of bytes: a character up to U+00FF for each, which is ISO-8859-1.
 * `TextDecoder("latin1")` is not: it is windows-1252.
 * https://encoding.spec.whatwg.org/#names-and-labels
 *
 * @module
 */

/** Up to this length a call with the characters is faster than a TextDecoder. */
const SHORT = 64;

/** An array of each length up to {@linkcode SHORT}, for arguments. */
const ARGUMENTS: readonly number[][] = Array.from(
  { length: SHORT + 1 },
  (_, length) => Array.from({ length }, () => 0),
);

const { fromCharCode } = String;

const ascii = new TextDecoder();

/**
 * Makes a string of bytes.
 *
 * @param bytes The array they are in.
 * @param start Where they begin.
 * @param end Where they end.
 * @returns A string of its own, that keeps no other one alive.
 */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length <= SHORT) {
    // With as many arguments as characters the string is made at once; adding
    // one to the other would leave a tree of pieces.
    const codes = ARGUMENTS[length]!;
    for (let i = 0; i < length; i++) codes[i] = bytes[start + i]!;
    return fromCharCode.apply(null, codes);
  }
  let all = 0;
  for (let i = start; i < end; i++) all |= bytes[i]!;
  if (all < 0x80) return ascii.decode(bytes.subarray(start, end));
  let text = "";
  for (let at = start; at < end; at += SHORT) {
    text += latin1(bytes, at, Math.min(at + SHORT, end));
  }
  return text;
}
