/**
 * What metadata may be sent: the rules for keys and values.
 *
 * @module
 */

import { describe } from "./_describe.ts";

// Names that carry the call itself, and those that belong to HTTP/1 connections
// and must not appear in HTTP/2. "content-length" would have to be the length of
// all frames together; "host" is ":authority".
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
// https://www.rfc-editor.org/rfc/rfc9113#section-8.2.2
const RESERVED: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "content-type",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
  "user-agent",
]);

/** Throws unless a pair may be sent. */
export function checkPair(
  action: string,
  key: string,
  value: unknown,
): asserts value is string | Uint8Array {
  checkKey(action, key);
  const fault = faultOfValue(key, value);
  if (fault === null) return;
  const message = `Cannot ${action} metadata: value of "${key}" ${fault}`;
  // A text in a place for text has the right type, so its content is at fault.
  throw typeof value === "string" && !key.endsWith("-bin")
    ? new RangeError(message)
    : new TypeError(message);
}

/** Throws unless a key may be sent. */
export function checkKey(action: string, key: string): void {
  if (typeof key !== "string") {
    throw new TypeError(
      `Cannot ${action} metadata: key must be a string, received ${
        describe(key)
      }`,
    );
  }
  const fault = faultOfKey(key);
  if (fault !== null) {
    throw new TypeError(
      `Cannot ${action} metadata: key ${JSON.stringify(key)} ${fault}`,
    );
  }
}

/**
 * Keys that are good: a program has few, and to find one here takes a third of
 * the time that it takes to look at it.
 */
const good = new Set<string>();
const MAX_GOOD = 256;
const MAX_GOOD_LENGTH = 64;

/** Says what is wrong with a key, or `null`. */
export function faultOfKey(key: string): string | null {
  if (good.has(key)) return null;
  const fault = findFaultOfKey(key);
  if (
    fault === null && good.size < MAX_GOOD && key.length <= MAX_GOOD_LENGTH
  ) good.add(key);
  return fault;
}

function findFaultOfKey(key: string): string | null {
  if (!isHeaderName(key)) {
    const lower = key.toLowerCase();
    return isHeaderName(lower)
      ? `must be lower-case, use "${lower}"`
      : 'must be one or more of the characters 0-9 a-z "_" "-" "."';
  }
  // "Header names starting with 'grpc-' … are reserved for future GRPC use."
  // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
  return key.startsWith("grpc-") || RESERVED.has(key) ? "is reserved" : null;
}

/**
 * Tells whether a text is the name of a field.
 *
 * Header-Name → 1*( %x30-39 / %x61-7A / "_" / "-" / ".")
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 */
function isHeaderName(text: string): boolean {
  // By hand: a regular expression takes three times as long.
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const allowed = code >= 0x61 && code <= 0x7a || // a-z
      code >= 0x30 && code <= 0x39 || // 0-9
      code === 0x2d || code === 0x2e || code === 0x5f; // - . _
    if (!allowed) return false;
  }
  return text.length > 0;
}

/** Says what is wrong with a value, or `null`. The value itself may be a secret and is not shown. */
export function faultOfValue(key: string, value: unknown): string | null {
  if (key.endsWith("-bin")) {
    return value instanceof Uint8Array
      ? null
      : `must be a Uint8Array, received ${describe(value)}`;
  }
  if (typeof value !== "string") {
    const hint = value instanceof Uint8Array ? ', end the key in "-bin"' : "";
    return `must be a string, received ${describe(value)}${hint}`;
  }
  // ASCII-Value → 1*( %x20-%x7E ), "should not have leading or trailing
  // whitespace". An empty value is allowed: HTTP/2 carries it well.
  // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
  const last = value.length - 1;
  for (let i = 0; i <= last; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) {
      const point = value.codePointAt(i)!.toString(16).toUpperCase();
      return `must be printable ASCII, received U+${
        point.padStart(4, "0")
      } at position ${i}`;
    }
  }
  // HTTP/2 forbids them (RFC 9113, section 8.2.1), and peers drop such a field.
  return value.charCodeAt(0) === 0x20 || value.charCodeAt(last) === 0x20
    ? "must not begin or end with a space"
    : null;
}
