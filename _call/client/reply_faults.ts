/**
 * What is wrong with answers that do not say so themselves.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/statuscodes.md}
 * @module
 */

import { GRPCError, StreamTerminatedError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import type { CloseReason } from "../byte_stream.ts";
import type { Half } from "../half.ts";

/** The error of a response that ended without having said how. */
export function noStatus(): GRPCError {
  return new GRPCError(
    Status.INTERNAL,
    "The server ended the stream without a status",
  );
}

/** The error of a response whose stream ended before it, for some reason. */
export function endOf(why: CloseReason): GRPCError {
  if (why.clean) return noStatus();
  const { status, message, cause } = why;
  return new StreamTerminatedError(status, message, { cause });
}

/** The error of a second reply where one belongs. */
export function secondReply(): GRPCError {
  return new GRPCError(
    Status.UNIMPLEMENTED,
    "Received more than one message in reply to a call with a unary reply",
  );
}

/** The error of a call that held most when too much was held. */
export function tooMuchHeld(): GRPCError {
  return new GRPCError(
    Status.RESOURCE_EXHAUSTED,
    "Call was ended: its replies hold most of what is more than maxHeldBytes",
  );
}

/** The error of whoever sends when the server has ended the call. */
export function endedBefore(isRead: boolean): StreamTerminatedError {
  return new StreamTerminatedError(
    Status.CANCELLED,
    isRead
      ? "Cannot send: the server ended the call with status OK before"
      : "Cannot send: the server ended the call before, and its status waits behind the replies",
  );
}

/**
 * Checks that an answer with status OK is complete.
 *
 * @param reply The half that it came on: it takes its last step.
 * @param truncated Whether there is a piece of a message left.
 * @returns What the call fails with, or null.
 */
export function checkComplete(
  reply: Half,
  truncated: boolean,
): GRPCError | null {
  if (truncated) {
    return new GRPCError(
      Status.INTERNAL,
      "The server ended the stream in the middle of a message",
    );
  }
  if (!reply.advance("end")) {
    return new GRPCError(
      Status.UNIMPLEMENTED,
      "Received no message in reply to a call with a unary reply",
    );
  }
  return null;
}
