/**
 * What is wrong with the messages of a call that break the rules of its method,
 * or that end before they should: the error that the call fails with.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/statuscodes.md}
 * @module
 */

import { GRPCError, StreamTerminatedError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import type { CloseReason } from "./byte_stream.ts";
import type { Half } from "./half.ts";

/** The half of a call that messages are received on. */
export type ReceivingHalf = "request" | "reply";

const WORDS = {
  request: {
    sender: "client",
    held: "messages",
    unary: "for a method with a unary request",
  },
  reply: {
    sender: "server",
    held: "replies",
    unary: "in reply to a call with a unary reply",
  },
} as const;

/** The error of a second message where one belongs. */
export function secondMessage(what: ReceivingHalf): GRPCError {
  return new GRPCError(
    Status.UNIMPLEMENTED,
    `Received more than one message ${WORDS[what].unary}`,
  );
}

/**
 * Checks that the messages are complete when the peer has ended them well.
 *
 * @param what Which half they came on.
 * @param half That half: it takes its last step.
 * @param truncated Whether there is a piece of a message left.
 * @returns What the call fails with, or null.
 */
export function checkComplete(
  what: ReceivingHalf,
  half: Half,
  truncated: boolean,
): GRPCError | null {
  const { sender, unary } = WORDS[what];
  if (truncated) {
    return new GRPCError(
      Status.INTERNAL,
      `The ${sender} ended the stream in the middle of a message`,
    );
  }
  if (!half.advance("end")) {
    return new GRPCError(Status.UNIMPLEMENTED, `Received no message ${unary}`);
  }
  return null;
}

/** The error of a call that held most when too much was held. */
export function tooMuchHeld(what: ReceivingHalf): GRPCError {
  return new GRPCError(
    Status.RESOURCE_EXHAUSTED,
    `Call was ended: its ${
      WORDS[what].held
    } hold most of what is more than maxHeldBytes`,
  );
}

/** The error of a request whose client does not go on with a message. */
export function unfinishedRequest(timeoutMs: number): GRPCError {
  return new GRPCError(
    Status.DEADLINE_EXCEEDED,
    `Nothing came of an unfinished request for ${timeoutMs} ms`,
  );
}

/**
 * The error of a call whose stream ended before its reply was sent.
 *
 * @param why How the stream ended.
 * @param isLate Whether its deadline has come.
 */
export function endedBeforeReply(
  why: CloseReason,
  isLate: boolean,
): StreamTerminatedError {
  // The client's clock rang first: it is the deadline all the same.
  if (isLate && why.status === Status.CANCELLED) {
    return new StreamTerminatedError(
      Status.DEADLINE_EXCEEDED,
      "Deadline exceeded",
    );
  }
  return why.clean
    ? new StreamTerminatedError(
      Status.CANCELLED,
      "Call was cancelled: the stream ended before its reply",
    )
    : terminated(why);
}

/** The error of a reply that ended without a status. */
export function noStatus(): GRPCError {
  return new GRPCError(
    Status.INTERNAL,
    "The server ended the stream without a status",
  );
}

/** The error of a reply whose stream ended before it, for some reason. */
export function endedBeforeStatus(why: CloseReason): GRPCError {
  return why.clean ? noStatus() : terminated(why);
}

function terminated(why: CloseReason): StreamTerminatedError {
  const { status, message, cause } = why;
  return new StreamTerminatedError(status, message, { cause });
}

/** The error of whoever sends when the server has ended the call. */
export function sentAfterEnd(isRead: boolean): StreamTerminatedError {
  return new StreamTerminatedError(
    Status.CANCELLED,
    isRead
      ? "Cannot send: the server ended the call with status OK before"
      : "Cannot send: the server ended the call before, and its status waits behind the replies",
  );
}
