/**
 * What is wrong with requests that break the rules of their method.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/statuscodes.md}
 * @module
 */

import { GRPCError, StreamTerminatedError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import type { CloseReason } from "../byte_stream.ts";
import type { Half } from "../half.ts";

/** The error of a second request where one belongs. */
export function secondRequest(): GRPCError {
  return new GRPCError(
    Status.UNIMPLEMENTED,
    "Received more than one message for a method with a unary request",
  );
}

/**
 * Checks that the requests are complete when the client has ended them.
 *
 * @param request The half that they came on: it takes its last step.
 * @param truncated Whether there is a piece of a message left.
 * @returns What the call fails with, or null.
 */
export function incompleteRequest(
  request: Half,
  truncated: boolean,
): GRPCError | null {
  if (truncated) {
    return new GRPCError(
      Status.INTERNAL,
      "The client ended the stream in the middle of a message",
    );
  }
  if (!request.advance("end")) {
    return new GRPCError(
      Status.UNIMPLEMENTED,
      "Received no message for a method with a unary request",
    );
  }
  return null;
}

/** The error of a call that held most when too much was held. */
export function tooMuchHeld(): GRPCError {
  return new GRPCError(
    Status.RESOURCE_EXHAUSTED,
    "Call was ended: its messages hold most of what is more than maxHeldBytes",
  );
}

/** The error of a call whose client does not go on with a message. */
export function unfinishedRequest(timeoutMs: number): GRPCError {
  return new GRPCError(
    Status.DEADLINE_EXCEEDED,
    `Nothing came of an unfinished request for ${timeoutMs} ms`,
  );
}

/** The error of a call whose stream ended before its answer. */
export function brokenOff(why: CloseReason): StreamTerminatedError {
  if (why.clean) {
    return new StreamTerminatedError(
      Status.CANCELLED,
      "Call was cancelled: the stream ended before its answer",
    );
  }
  const { status, message, cause } = why;
  return new StreamTerminatedError(status, message, { cause });
}
