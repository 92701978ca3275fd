/**
 * How a server ends a call, before it is put into trailers.
 *
 * @module
 */

import { GRPCError } from "../../core/errors.ts";
import type { Metadata } from "../../core/metadata.ts";
import { Status } from "../../core/status.ts";
import { joinMetadata } from "../join_metadata.ts";

/** A status with all that goes with it. */
export interface Ending {
  readonly status: Status;
  readonly message: string;
  readonly details: readonly unknown[];
  readonly metadata: Metadata | null;
  /** When the client may try again, in milliseconds, if it is told. */
  readonly pushbackMs?: number;
}

/** Why a call is refused that nobody has looked at. */
export class RefusedError extends GRPCError {
  /** When the client may try again, in milliseconds. */
  readonly pushbackMs: number;

  constructor(status: Status, message: string, pushbackMs: number) {
    super(status, message);
    this.pushbackMs = pushbackMs;
  }
}

const NONE: readonly unknown[] = Object.freeze([]);

/** The end of a call that went well. */
export const OK: Ending = {
  status: Status.OK,
  message: "",
  details: NONE,
  metadata: null,
};

/** The end of a call whose failure is nobody's business but the server's. */
export const INTERNAL_SERVER_ERROR: Ending = {
  status: Status.UNKNOWN,
  message: "Internal Server Error",
  details: NONE,
  metadata: null,
};

/**
 * Adds what the handler wants to be sent with the status, whatever it is.
 *
 * @param ending How the call ends.
 * @param metadata The handler's metadata, if there is some.
 * @returns Both.
 */
export function withMetadata(
  ending: Ending,
  metadata: Metadata | null,
): Ending {
  if (metadata === null) return ending;
  return { ...ending, metadata: joinMetadata(metadata, ending.metadata) };
}

/** How a call ends that failed with an error. */
export function endingOf(error: GRPCError): Ending {
  const { status, message, details, metadata } = error;
  // Errors of plain JavaScript may have anything for a message.
  const ending = { status, message: `${message}`, details, metadata };
  if (!(error instanceof RefusedError)) return ending;
  return { ...ending, pushbackMs: error.pushbackMs };
}
