import { bytesOf } from "./_bytes.ts";

/**
 * Encodes bytes, or a text in UTF-8, as lower-case hexadecimal.
 *
 * @param src The bytes or the text.
 * @returns The hexadecimal text.
 */
export function encodeHex(src: string | Uint8Array | ArrayBuffer): string {
  return bytesOf(src).toHex();
}

/**
 * Decodes hexadecimal text in either case.
 *
 * @param src The hexadecimal text.
 * @returns The bytes.
 * @throws {TypeError} When a character is not a hexadecimal digit.
 * @throws {RangeError} When the number of digits is odd.
 */
export function decodeHex(src: string): Uint8Array<ArrayBuffer> {
  if (src.length % 2 === 1) {
    throw new RangeError(
      `Cannot decode input as hex: Length (${src.length}) must be divisible by 2`,
    );
  }
  const stray = /[^0-9A-Fa-f]/u.exec(src)?.[0];
  if (stray !== undefined) {
    throw new TypeError(
      `Cannot decode input as hex: Invalid character (${stray})`,
    );
  }
  return Uint8Array.fromHex(src);
}
