/**
 * How a call ended, to and from trailers.
 *
 * @module
 */

import type { Metadata } from "../core/metadata.ts";
import { isStatus, Status } from "../core/status.ts";
import { HeaderBlock, metadataFields, type RawHeaders } from "./headers.ts";
import { decodeBin, decodeMessage, encodeBin, encodeMessage } from "./text.ts";

/** How a call ended: its status, and all that goes with it. */
export interface Outcome<Details = readonly unknown[]> {
  /** The status. */
  readonly status: Status;
  /** The text for `grpc-message`; empty for none. */
  readonly message: string;
  /** The details of the status. */
  readonly details: Details;
  /** The metadata behind the status. */
  readonly metadata: Metadata | null;
  /**
   * When the client may try again, in milliseconds, if it is told; null for not
   * at all.
   */
  readonly pushbackMs?: number | null;
}

/** An outcome to be sent: its details are bytes, for `grpc-status-details-bin`. */
export type EncodedOutcome = Outcome<Uint8Array | null>;

/**
 * An outcome that came in: UNKNOWN if there is no valid status. Its metadata is
 * left for `decodeMetadata()`.
 */
export type ReceivedOutcome = Omit<EncodedOutcome, "metadata" | "pushbackMs">;

// What nearly every call ends with.
const OK_TRAILERS = new HeaderBlock(["grpc-status", "0"]);

const NONE: readonly string[] = [];

/**
 * Writes the trailers of a call.
 *
 * Trailers → Status [Status-Message] *Custom-Metadata
 * "Status must be sent in Trailers even if the status code is OK."
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 *
 * @param outcome How the call ended.
 * @returns The fields.
 */
export function outcomeTrailers(outcome: EncodedOutcome): HeaderBlock {
  const { status, message, details, metadata, pushbackMs } = outcome;
  if (
    status === Status.OK && message === "" && details === null &&
    metadata === null
  ) {
    return OK_TRAILERS;
  }
  const own = ["grpc-status", `${status}`];
  if (message !== "") own.push("grpc-message", encodeMessage(message));
  // A Binary-Header like any other.
  // https://grpc.io/docs/guides/error/#richer-error-model
  if (details !== null) {
    own.push("grpc-status-details-bin", encodeBin(details));
  }
  // https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback
  if (pushbackMs !== undefined) {
    own.push("grpc-retry-pushback-ms", `${pushbackMs ?? -1}`);
  }
  if (metadata !== null) own.push(...metadataFields(metadata));
  return new HeaderBlock(NONE, own);
}

/**
 * Reads how a call ended from its trailers.
 *
 * "Implementations should expect broken deployments to … omit Status &
 * Status-Message. Implementations must synthesize a Status & Status-Message to
 * propagate to the application layer when this occurs."
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 *
 * @param raw The received fields.
 * @returns The outcome.
 */
export function parseOutcome(raw: RawHeaders): ReceivedOutcome {
  let status: string | null = null;
  let message = "";
  let details: Uint8Array | null = null;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const value = raw[i + 1]!;
    switch (raw[i]) {
      case "grpc-status":
        // A list is what several fields mean in HTTP; it is no valid status.
        status = status === null ? value : `${status}, ${value}`;
        break;
      case "grpc-message":
        message ||= decodeMessage(value);
        break;
      case "grpc-status-details-bin":
        // Details that are malformed must not hide the status.
        details ??= decodeBin(value);
        break;
    }
  }
  if (status === null) {
    return synthesized("Missing grpc-status header");
  }
  // Status → "grpc-status" 1*DIGIT
  // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
  const code = /^[0-9]+$/.test(status) ? Number(status) : NaN;
  return isStatus(code)
    ? { status: code, message, details }
    : synthesized(`Invalid grpc-status: '${status}'`);
}

/** Makes the outcome of a call that ended without a usable status. */
function synthesized(message: string): ReceivedOutcome {
  return { status: Status.UNKNOWN, message, details: null };
}

/**
 * Reads what a server says about trying again.
 *
 * "If the value for pushback is negative or unparseble, then it will be seen as
 * the server asking the client not to retry at all."
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback}
 *
 * @param trailers The trailers.
 * @returns How long to wait, in milliseconds; null for not to try again;
 *   undefined if it does not say.
 */
export function readPushback(trailers: RawHeaders): number | null | undefined {
  let text: string | undefined;
  for (let i = 0; i + 1 < trailers.length; i += 2) {
    if (trailers[i] !== "grpc-retry-pushback-ms") continue;
    if (text !== undefined) return null;
    text = trailers[i + 1]!;
  }
  if (text === undefined) return undefined;
  if (!/^[0-9]+$/.test(text)) return null;
  // No timer is longer, and no call.
  return Math.min(Number(text), 2 ** 31 - 1);
}

/**
 * Gives the status for a response of HTTP without `grpc-status`.
 *
 * https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
 *
 * That table makes `INTERNAL` of 431, headers that are too large. It came to be
 * after the implementations, and the conformance suite of connectrpc asks for
 * `UNKNOWN` as for any other; so it is here.
 *
 * @param httpStatus The status of HTTP.
 * @returns The status of gRPC.
 */
export function statusOfHttp(httpStatus: number): Status {
  switch (httpStatus) {
    case 400:
      return Status.INTERNAL;
    case 401:
      return Status.UNAUTHENTICATED;
    case 403:
      return Status.PERMISSION_DENIED;
    case 404:
      return Status.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return Status.UNAVAILABLE;
    default:
      return Status.UNKNOWN;
  }
}
