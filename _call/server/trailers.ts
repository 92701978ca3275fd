/**
 * The status of a call as trailers that can be sent, however much it says.
 *
 * @module
 */

import { Status } from "../../core/status.ts";
import type { HeaderBlock } from "../../_wire/headers.ts";
import { type Outcome, outcomeTrailers } from "../../_wire/outcome.ts";
import { fitsHeaderLimit } from "../header_limit.ts";

/** What is kept of the message of a status that is too long to send. */
const MAX_CUT_MESSAGE_CHARS = 1024;

/**
 * Writes the trailers of a call. What is too large is left out: details and
 * metadata, and most of the message.
 *
 * @param outcome How the call ended.
 * @returns The trailers.
 */
export function trailersFor(outcome: Outcome): HeaderBlock {
  const trailers = outcomeTrailers(outcome);
  return fitsHeaderLimit(trailers) ? trailers : outcomeTrailers(cut(outcome));
}

/** What is sent of an outcome that is too large: its status must arrive. */
function cut(outcome: Outcome): Outcome {
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
