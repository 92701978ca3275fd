/**
 * What a client asks of the head of a response.
 *
 * @module
 */

import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import type { Compressor } from "../_wire/compression.ts";
import {
  acceptsSubtype,
  contentSubtype,
  fitsWhenSplit,
  parseResponseHead,
  type RawHeaders,
  type ResponseHead,
} from "../_wire/headers.ts";
import { statusOfHttp } from "../_wire/outcome.ts";
import type { ClientCallOptions, ClientTarget } from "./client_target.ts";
import type { Decoding } from "./decode.ts";
import { receivedTooLarge } from "./header_limit.ts";

/**
 * Reads the head of a response.
 *
 * @param raw The head, or trailers that came without one.
 * @param end Whether it is all there is of the response.
 * @param target What was called.
 * @param options How it was called.
 * @returns How the messages behind it are decoded.
 * @throws {GRPCError} What the call fails with, if the head is not good.
 */
export function readResponseHead(
  raw: RawHeaders,
  end: boolean,
  target: ClientTarget,
  options: ClientCallOptions,
): Decoding {
  const { host: { codec, compressors, config }, replyType: type } = target;
  const head = parseResponseHead(raw);
  checkStatus(head, end);
  checkContentType(head, codec.contentSubtype);
  const compressor = compressorOf(head, compressors);
  if (!fitsWhenSplit(raw, config.maxHeaderListSize)) {
    throw receivedTooLarge("initial metadata", config.maxHeaderListSize);
  }
  const maxBytes = options.maxReceiveMessageSize;
  const maxRatio = config.maxDecompressionRatio;
  return { what: "reply", codec, type, compressor, maxBytes, maxRatio };
}

/**
 * The mapping from HTTP statuses is for answers without a grpc-status, which
 * counts in a head only if that is all there is.
 * https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
 */
function checkStatus(head: ResponseHead, end: boolean): void {
  const { status, hasGrpcStatus } = head;
  if (status === 200 || (end && hasGrpcStatus)) return;
  throw new GRPCError(statusOfHttp(status), `Received :status = '${status}'`);
}

function checkContentType(head: ResponseHead, codecSubtype: string): void {
  const { contentType } = head;
  if (contentType === null) {
    throw new GRPCError(Status.UNKNOWN, "Missing content-type header");
  }
  const subtype = contentSubtype(contentType);
  if (subtype === null || !acceptsSubtype(subtype, codecSubtype)) {
    throw new GRPCError(
      Status.UNKNOWN,
      `Invalid content-type: '${contentType}'`,
    );
  }
}

/** Finds what decompresses the messages; null if they are not compressed. */
function compressorOf(
  head: ResponseHead,
  compressors: ReadonlyMap<string, Compressor>,
): Compressor | null {
  const { encoding } = head;
  if (encoding === null || encoding === "identity") return null;
  const compressor = compressors.get(encoding);
  if (compressor !== undefined) return compressor;
  // "If the server sent data which is compressed by an algorithm that is not
  // supported by the client, an INTERNAL error status will occur on the client
  // side."
  // https://github.com/grpc/grpc/blob/master/doc/compression.md
  throw new GRPCError(
    Status.INTERNAL,
    `Unsupported grpc-encoding header: "${encoding}"`,
  );
}
