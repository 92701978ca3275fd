/**
 * The text of `grpc-timeout`.
 *
 * Timeout → "grpc-timeout" TimeoutValue TimeoutUnit
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 *
 * @module
 */

// TimeoutValue → "positive integer as ASCII string of at most 8 digits"
const MAX_VALUE = 99_999_999;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/**
 * Writes a timeout in at most eight digits, never shorter than asked: the
 * server must not give up before the client does.
 *
 * The unit is the one grpclib takes for a time of this size; where the time is
 * not a whole number of it, the next finer one, but none below a millisecond
 * for what is longer than ten of them. That is rounded up. So calls that are
 * given the same time say the same, however long each took to be sent, and
 * HPACK has an index for it.
 *
 * @param ms The time in milliseconds, 0 or more. What is longer than the format
 * can say (11,000 years) becomes the longest it can.
 * @returns The text, such as `"15S"` or `"7000m"`.
 */
export function encodeTimeout(ms: number): string {
  if (ms > 10) {
    const whole = Math.ceil(ms);
    if (whole <= 10 * SECOND) return `${whole}m`;
    if (whole % SECOND === 0 && whole <= MAX_VALUE * SECOND) {
      return `${whole / SECOND}S`;
    }
    if (whole <= MAX_VALUE) return `${whole}m`;
    if (ms <= MAX_VALUE * SECOND) return `${Math.ceil(ms / SECOND)}S`;
    if (ms <= MAX_VALUE * MINUTE) return `${Math.ceil(ms / MINUTE)}M`;
    return `${Math.min(Math.ceil(ms / HOUR), MAX_VALUE)}H`;
  }
  if (ms > 0.01) {
    const us = Math.round(ms * 1e3);
    return us / 1e3 === ms ? `${us}u` : `${ceil(ms)}n`;
  }
  return ms > 0 ? `${ceil(ms)}n` : "0n";
}

/**
 * Counts the nanoseconds in a time, rounded up. The product alone would not do:
 * it is rounded itself, and 0.00002 ms would come out as 21 ns.
 */
function ceil(ms: number): number {
  const count = Math.ceil(ms * 1e6);
  if ((count - 1) / 1e6 >= ms) return count - 1;
  return count / 1e6 < ms ? count + 1 : count;
}

/**
 * Reads a timeout.
 *
 * @param text The value of the header.
 * @returns The time in milliseconds, or `null` when the text is malformed.
 */
export function decodeTimeout(text: string): number | null {
  const digits = text.length - 1;
  if (digits < 1 || digits > 8) return null;
  let value = 0;
  for (let i = 0; i < digits; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  switch (text[digits]) {
    case "H":
      return value * HOUR;
    case "M":
      return value * MINUTE;
    case "S":
      return value * SECOND;
    case "m":
      return value;
    case "u":
      return value / 1e3;
    case "n":
      return value / 1e6;
    default:
      return null;
  }
}
