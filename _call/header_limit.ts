/**
 * How much a call may say beside its messages.
 *
 * @module
 */

import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import { type HeaderBlock, headerListSize } from "../_wire/headers.ts";

/**
 * The largest header list that is sent, in bytes as HTTP/2 counts them: what
 * `node:http2` can send, and what most peers allow.
 */
export const MAX_HEADER_LIST_BYTES = 65_536;

/** Tells whether a header list is small enough to be sent. */
export function fitsHeaderLimit(block: HeaderBlock): boolean {
  return headerListSize(block) <= MAX_HEADER_LIST_BYTES;
}

/**
 * Checks the header list of a head.
 *
 * @param what What it is the head of, in words.
 * @param block The head.
 * @returns What sending it fails with, or null if it is small enough.
 */
export function checkHeaderLimit(
  what: string,
  block: HeaderBlock,
): GRPCError | null {
  if (fitsHeaderLimit(block)) return null;
  return new GRPCError(
    Status.RESOURCE_EXHAUSTED,
    `Cannot send ${what}: its header list of ${
      headerListSize(block)
    } bytes is larger than the ${MAX_HEADER_LIST_BYTES} allowed`,
  );
}

/**
 * Says what becomes of a call whose received metadata is larger than it may be
 * when the lists in it are split.
 *
 * @param what What was received, in words.
 * @param maxBytes What it may count, in bytes.
 */
export function receivedTooLarge(what: string, maxBytes: number): GRPCError {
  return new GRPCError(
    Status.RESOURCE_EXHAUSTED,
    `Received ${what} is too large: with each value of a list by itself it counts more than the ${maxBytes} bytes of maxHeaderListSize`,
  );
}
