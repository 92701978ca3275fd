/**
 * The place in a trace of a call that is not sampled, as the W3C writes it: most
 * calls are such, and propagators take ten times as long for one.
 *
 * @see {@link https://www.w3.org/TR/trace-context-2/#traceparent-header}
 * @module
 */

import type { PropagatorLike } from "./api.ts";

/** The field that says where a call belongs. */
export const TRACEPARENT = "traceparent";

const FIELDS: readonly string[] = [TRACEPARENT, "tracestate", "baggage"];

/** Version 00, a trace, a span in it, neither all zeros, and no flag. */
const UNSAMPLED = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00$/;

const FORM = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-00";

/** Where the trace is in it, and where the span. */
const TRACE_AT = 3;
const SPAN_AT = 36;
const FLAGS_AT = 53;

/** How many are made at a time. */
const BATCH = 64;

/** How many random bytes one takes. */
const ID_BYTES = 24;

const random = new Uint8Array(BATCH * ID_BYTES);
const codes = new TextEncoder().encode(FORM.repeat(BATCH));
const decoder = new TextDecoder();

/** The characters of the hexadecimal digits. */
const DIGITS = new TextEncoder().encode("0123456789abcdef");

let batch = "";
let taken = 0;

/** Makes one of a new trace. */
export function newTraceparent(): string {
  if (taken === batch.length) {
    batch = newBatch();
    taken = 0;
  }
  return batch.slice(taken, taken += FORM.length);
}

/** Makes many of them, in one text, of which each is then a slice. */
function newBatch(): string {
  crypto.getRandomValues(random);
  let at = 0;
  for (let form = 0; form < codes.length; form += FORM.length) {
    // Ids are not all zeros, which is one chance in 2⁶⁴.
    random[at] ||= 1;
    random[at + 16] ||= 1;
    for (let i = TRACE_AT; i < FLAGS_AT - 1; i += 2) {
      if (i === SPAN_AT - 1) i++;
      const byte = random[at++]!;
      codes[form + i] = DIGITS[byte >> 4]!;
      codes[form + i + 1] = DIGITS[byte & 15]!;
    }
  }
  return decoder.decode(codes);
}

/**
 * Gives one that came, or one of a new trace if it is malformed. To look at each
 * of its characters takes more than all else that is done with it.
 */
export function checkedTraceparent(received: string): string {
  return UNSAMPLED.test(received) ? received : newTraceparent();
}

/** Tells the ids in one. */
export function idsOf(traceparent: string): {
  readonly traceId: string;
  readonly spanId: string;
} {
  return {
    traceId: traceparent.slice(TRACE_AT, SPAN_AT - 1),
    spanId: traceparent.slice(SPAN_AT, FLAGS_AT - 1),
  };
}

/** Tells whether a propagator writes no fields but those of the W3C. */
export function hasOnlyW3CFields(propagator: PropagatorLike): boolean {
  const fields = propagator.fields?.();
  return fields !== undefined && fields.includes(TRACEPARENT) &&
    fields.every((field) => FIELDS.includes(field));
}

/**
 * Reads what the head of a request says, if that is no more than that it belongs
 * to a trace which is not sampled, or to none.
 *
 * @param headers The head, names and values in turns.
 * @returns The `traceparent`, which is still to be checked; empty if there is
 *   nothing to read; null if there is more than that.
 */
export function unsampledParent(headers: readonly string[]): string | null {
  let found = "";
  for (let i = 0; i < headers.length; i += 2) {
    switch (headers[i]) {
      case "tracestate":
      case "baggage":
        return null;
      case TRACEPARENT:
        if (found !== "") return null;
        found = headers[i + 1]!;
        if (!hasForm(found)) return null;
    }
  }
  return found;
}

/** Tells whether it is of a version and with flags that are known here. */
function hasForm(traceparent: string): boolean {
  return traceparent.length === FORM.length && traceparent.startsWith("00-") &&
    traceparent.endsWith("-00");
}
