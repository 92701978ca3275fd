/**
 * How a server ends a call: from an error to trailers that can be sent.
 *
 * @module
 */

import type { GRPCError } from "../../core/errors.ts";
import { appendUnchecked, Metadata } from "../../core/metadata.ts";
import { Status } from "../../core/status.ts";
import type { StatusDetailsCodec } from "../../core/status_details.ts";
import type { HeaderBlock } from "../../_wire/headers.ts";
import {
  type EncodedOutcome,
  type Outcome,
  outcomeTrailers,
} from "../../_wire/outcome.ts";
import { fitsHeaderLimit, MAX_HEADER_LIST_BYTES } from "../header_limit.ts";

/** What is kept of the message of a status that is too long to send. */
const MAX_CUT_MESSAGE_CHARS = 1024;

const NONE: readonly unknown[] = Object.freeze([]);

/** The end of a call that went well. */
export const OK: Outcome = {
  status: Status.OK,
  message: "",
  details: NONE,
  metadata: null,
};

/** The end of a call whose failure is nobody's business but the server's. */
export const INTERNAL_SERVER_ERROR: Outcome = {
  status: Status.UNKNOWN,
  message: "Internal Server Error",
  details: NONE,
  metadata: null,
};

/**
 * Adds what the handler wants to be sent with the status, whatever it is.
 *
 * @param outcome How the call ends.
 * @param metadata The handler's metadata, if there is some.
 * @returns Both.
 */
export function withMetadata(
  outcome: Outcome,
  metadata: Metadata | null,
): Outcome {
  if (metadata === null) return outcome;
  return { ...outcome, metadata: joinMetadata(metadata, outcome.metadata) };
}

/** How a call ends that failed with an error. */
export function outcomeOf(error: GRPCError): Outcome {
  const { status, message, details, metadata } = error;
  // Errors of plain JavaScript may have anything for a message.
  const outcome = { status, message: `${message}`, details, metadata };
  const { retryAfterMs } = error;
  return retryAfterMs === undefined
    ? outcome
    : { ...outcome, pushbackMs: retryAfterMs };
}

/**
 * Joins metadata, leaving both as they are.
 *
 * @param a What comes first, if there is something.
 * @param b What comes behind it. It may have come from another server, with
 *   what must not be sent: that is left out when it is.
 * @returns One of them where the other is empty, or else both in a new one.
 */
export function joinMetadata(
  a: Metadata | null,
  b: Metadata | null,
): Metadata | null {
  if (b === null || b.size === 0) return a;
  if (a === null || a.size === 0) return b;
  const both = copyMetadata(a);
  for (const [key, value] of b) appendUnchecked(both, key, value);
  return both;
}

/** Copies metadata, whatever is in it. */
export function copyMetadata(metadata: Metadata | null): Metadata {
  const copy = new Metadata();
  for (const [key, value] of metadata ?? []) appendUnchecked(copy, key, value);
  return copy;
}

/**
 * Encodes details that are to be sent.
 *
 * @param codec The codec, if there is one.
 * @param status The status that they explain.
 * @param message The message of the status.
 * @param details The details.
 * @returns The bytes, or null if there is nothing to send.
 * @throws What the codec throws.
 */
export function encodeDetails(
  codec: StatusDetailsCodec | null,
  status: Status,
  message: string,
  details: readonly unknown[],
): Uint8Array | null {
  if (codec === null || details.length === 0) return null;
  return codec.encode(status, message, details);
}

/**
 * Writes the trailers of a call. What is too large is left out: details and
 * metadata, and most of the message.
 *
 * @param outcome How the call ended.
 * @returns The trailers.
 */
export function trailersFor(outcome: EncodedOutcome): HeaderBlock {
  // Encoded a message is no shorter. It may repeat what a client has sent, and
  // be as long as that.
  if (outcome.message.length <= MAX_HEADER_LIST_BYTES) {
    const trailers = outcomeTrailers(outcome);
    if (fitsHeaderLimit(trailers)) return trailers;
  }
  return outcomeTrailers(cut(outcome));
}

/** What is sent of an outcome that is too large: its status must arrive. */
function cut(outcome: EncodedOutcome): EncodedOutcome {
  // A success that does not bring all it should is none.
  const isOk = outcome.status === Status.OK;
  return {
    status: isOk ? Status.RESOURCE_EXHAUSTED : outcome.status,
    message: isOk
      ? "Trailing metadata is too large to be sent"
      : outcome.message.slice(0, MAX_CUT_MESSAGE_CHARS),
    details: null,
    metadata: null,
  };
}
