/**
 * What a client asks of the head of a response.
 *
 * @module
 */

import type { Codec } from "../core/codec.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import {
  acceptsSubtype,
  contentSubtype,
  parseResponseHead,
  type RawHeaders,
} from "../_wire/headers.ts";
import { statusOfHttp } from "../_wire/outcome.ts";

/**
 * Checks the head of a response.
 *
 * @param raw The head, or trailers that came without one.
 * @param end Whether it is all there is of the response.
 * @param codec The codec of the channel.
 * @returns What the call fails with, or null if the head is good.
 */
export function checkResponseHead(
  raw: RawHeaders,
  end: boolean,
  codec: Codec,
): GRPCError | null {
  const { status, contentType, hasGrpcStatus } = parseResponseHead(raw);
  // The mapping from HTTP statuses is for answers without a grpc-status, which
  // counts in a head only if that is all there is.
  // https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
  if (status !== 200 && !(end && hasGrpcStatus)) {
    return new GRPCError(
      statusOfHttp(status),
      `Received :status = '${status}'`,
    );
  }
  if (contentType === null) {
    return new GRPCError(Status.UNKNOWN, "Missing content-type header");
  }
  const subtype = contentSubtype(contentType);
  if (subtype === null || !acceptsSubtype(subtype, codec.contentSubtype)) {
    return new GRPCError(
      Status.UNKNOWN,
      `Invalid content-type: '${contentType}'`,
    );
  }
  return null;
}

/** The error of a response that ended without having said how. */
export function noStatus(): GRPCError {
  return new GRPCError(
    Status.INTERNAL,
    "The server ended the stream without a status",
  );
}
