/** 10 000 years: the longest `google.protobuf.Duration`, in seconds. */
const MAX_SECONDS = 315_576_000_000;

/**
 * Reads a `google.protobuf.Duration` as its JSON has it, such as `"1.5s"`. Like
 * grpc-go it takes `".5s"`. None of a service config may be negative.
 *
 * @see {@link https://protobuf.dev/programming-guides/json/}
 *
 * @param text The text.
 * @returns The milliseconds; null if the text is malformed.
 */
export function parseDuration(text: string): number | null {
  const match = /^([0-9]*)(?:\.([0-9]{1,9}))?s$/.exec(text);
  if (match === null) return null;
  const [, seconds = "", fraction = ""] = match;
  if (seconds === "" && fraction === "") return null;
  if (Number(seconds) > MAX_SECONDS) return null;
  // From the digits, for 0.1 · 1000 need not be 100.
  const nanoseconds = Number(fraction.padEnd(9, "0"));
  return Number(seconds) * 1_000 + nanoseconds / 1_000_000;
}
