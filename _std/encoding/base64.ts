import { bytesOf } from "./_bytes.ts";

/**
 * Encodes bytes, or a text in UTF-8, as padded base64.
 *
 * @param data The bytes or the text.
 * @returns The base64 text.
 */
export function encodeBase64(data: ArrayBuffer | Uint8Array | string): string {
  return bytesOf(data).toBase64();
}

/**
 * Decodes base64 text, with or without padding.
 *
 * The V8 decoder skips white space and wants padding to be complete; the one
 * this stands in for does neither, so both are seen to before.
 *
 * @param b64 The base64 text.
 * @returns The bytes.
 * @throws {TypeError} When a character is not of the alphabet.
 * @throws {RangeError} When the length is one that no bytes encode to.
 */
export function decodeBase64(b64: string): Uint8Array<ArrayBuffer> {
  const text = b64.replace(/={1,2}$/, "");
  const stray = /[^A-Za-z0-9+/]/u.exec(text)?.[0];
  // "AB=C": padding that something follows is reported before the length.
  const endsInPadding = text.length > 1 && text.at(-2) === "=";
  if (text.length % 4 === 1 && !endsInPadding) {
    throw new RangeError(
      `Cannot decode input as base64: Length (${text.length}), excluding padding, must not have a remainder of 1 when divided by 4`,
    );
  }
  if (stray !== undefined) {
    throw new TypeError(
      `Cannot decode input as base64: Invalid character (${stray})`,
    );
  }
  return Uint8Array.fromBase64(text);
}
