/**
 * Text in headers: percent-encoded messages and base64 values.
 *
 * @module
 */

import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { plainBytes } from "../core/_bytes.ts";

const encoder = new TextEncoder();

// Without ignoreBOM it would take a U+FEFF at the beginning away.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** What is escaped of a message, in one piece: a pair of surrogates is one character. */
const ESCAPED = /[^\x20-\x24\x26-\x7e]+/g;

const PERCENT = 0x25;

/**
 * Writes the text of `grpc-message`.
 *
 * Percent-Byte-Unencoded → 1*( %x20-%x24 / %x26-%x7E ); the rest is UTF-8, each
 * byte as "%" and two digits.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 *
 * @param text Any text; a lone surrogate becomes U+FFFD.
 * @returns The encoded text, in printable ASCII.
 */
export function encodeMessage(text: string): string {
  return escapeEdges(text.replace(ESCAPED, escapePiece));
}

/** It escapes all of it, for nothing that it would not is in there. */
function escapePiece(piece: string): string {
  return encodeURIComponent(piece.toWellFormed());
}

/**
 * Escapes a space at either end: with one the field is malformed in HTTP/2, and
 * peers drop it whole.
 * https://www.rfc-editor.org/rfc/rfc9113#section-8.2.1
 */
function escapeEdges(text: string): string {
  return text.startsWith(" ") || text.endsWith(" ")
    ? text.replace(/^ | $/g, "%20")
    : text;
}

/**
 * Reads the text of `grpc-message`, whatever it is.
 *
 * "When decoding invalid values, implementations MUST NOT error or throw away
 * the message." A broken escape stays as it is, bytes that are not UTF-8 become
 * U+FFFD, and bytes that a peer sent without escape are taken for UTF-8 too.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 *
 * @param text The value of the header; characters up to U+00FF stand for a byte each.
 * @returns The decoded text.
 */
export function decodeMessage(text: string): string {
  let i = 0;
  while (i < text.length && isVerbatim(text.charCodeAt(i))) i++;
  if (i === text.length) return text;
  const bytes = new Uint8Array(text.length * 3); // UTF-8 of a char takes at most 3
  let size = 0;
  for (i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === PERCENT) {
      const high = hexDigit(text.charCodeAt(i + 1));
      const low = hexDigit(text.charCodeAt(i + 2));
      if (high !== -1 && low !== -1) {
        bytes[size++] = high << 4 | low;
        i += 2;
        continue;
      }
    }
    if (code <= 0xff) {
      bytes[size++] = code;
    } else {
      // Not from HTTP/2, which has bytes only: kept as it is.
      const char = String.fromCodePoint(text.codePointAt(i)!);
      size += encoder.encodeInto(char, bytes.subarray(size)).written;
      i += char.length - 1;
    }
  }
  return decoder.decode(bytes.subarray(0, size));
}

/** Tells whether a character of an encoded message needs no decoding. */
function isVerbatim(code: number): boolean {
  return code <= 0x7f && code !== PERCENT;
}

/** Reads a hexadecimal digit in either case; -1 for anything else, NaN too. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * Writes bytes for a header whose name ends in `-bin`.
 *
 * "Implementations MUST accept padded and un-padded values and should emit
 * un-padded values."
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 *
 * @param bytes Any bytes.
 * @returns Base64 without padding.
 */
export function encodeBin(bytes: Uint8Array): string {
  // It takes the memory of a slice(), which of a Buffer would be the Buffer's.
  const padded = encodeBase64(plainBytes(bytes));
  const padding = (3 - bytes.length % 3) % 3;
  return padding === 0 ? padded : padded.slice(0, -padding);
}

/**
 * Reads one value of a header whose name ends in `-bin`: base64 with or without
 * padding, in the standard alphabet, or the one for URLs that some peers send.
 *
 * @param text One value; several in one header are split at "," before.
 * @returns The bytes, or `null` when the text is malformed.
 */
export function decodeBin(text: string): Uint8Array | null {
  if (!isBin(text)) return null;
  const padding = text.indexOf("=");
  let digits = padding === -1 ? text : text.slice(0, padding);
  if (digits.includes("-") || digits.includes("_")) {
    digits = digits.replaceAll("-", "+").replaceAll("_", "/");
  }
  return decodeBase64(digits);
}

/** Tells whether a text is one well-formed value, without decoding it. */
export function isBin(text: string): boolean {
  let digits = 0;
  while (digits < text.length && isBase64(text.charCodeAt(digits))) digits++;
  if (digits % 4 === 1) return false; // six bits are not a byte
  const padding = text.length - digits;
  // With padding there have to be whole groups of four.
  return padding === 0 ||
    padding <= 2 && text.length % 4 === 0 &&
      text.endsWith("==".slice(-padding));
}

/** Tells whether a character is a digit of base64, in either alphabet. */
function isBase64(code: number): boolean {
  return code >= 0x61 && code <= 0x7a || // a-z
    code >= 0x41 && code <= 0x5a || // A-Z
    code >= 0x30 && code <= 0x39 || // 0-9
    code === 0x2b || code === 0x2f || // + /
    code === 0x2d || code === 0x5f; // - _
}
