/**
 * What a client asks of a reply: of its head, and of its trailers.
 *
 * @module
 */

import type { Codec } from "../../core/codec.ts";
import type { Configuration } from "../../core/config.ts";
import { deferDetails, deferMetadata, GRPCError } from "../../core/errors.ts";
import type { Metadata } from "../../core/metadata.ts";
import { Status } from "../../core/status.ts";
import type { StatusDetailsCodec } from "../../core/status_details.ts";
import type { Compressor } from "../../_wire/compression.ts";
import {
  acceptsSubtype,
  contentSubtype,
  decodeMetadata,
  fitsWhenSplit,
  parseReplyHead,
  type RawHeaders,
  type ReplyHead,
} from "../../_wire/headers.ts";
import {
  parseOutcome,
  readPushback,
  type ReceivedOutcome,
  statusOfHttp,
} from "../../_wire/outcome.ts";
import type { Decoding } from "../decode.ts";
import { receivedTooLarge } from "../header_limit.ts";

const NONE: readonly unknown[] = Object.freeze([]);

/** A method, as far as it counts for what comes back. */
export interface ReplyFormat {
  readonly host: {
    readonly codec: Codec;
    /** What may decompress replies, by the name of the encoding. */
    readonly compressors: ReadonlyMap<string, Compressor>;
    readonly config: Pick<
      Configuration,
      "maxHeaderListSize" | "maxDecompressionRatio"
    >;
  };
  readonly replyType: unknown;
}

/**
 * Reads the replies of a method.
 *
 * Servers send the same heads and trailers again and again, and the native
 * engine gives the same lists for them: what was made of the last ones is kept.
 */
export class ReplyReader {
  readonly #method: ReplyFormat;
  #head: RawHeaders | null = null;
  #decoding: Decoding | null = null;
  #trailers: RawHeaders | null = null;
  #outcome: ReceivedOutcome | null = null;

  /** @param method The method. */
  constructor(method: ReplyFormat) {
    this.#method = method;
  }

  /**
   * Reads a head.
   *
   * @param raw The head, or trailers that came without one.
   * @param end Whether it is all there is of the reply.
   * @param maxBytes The largest message that the call takes, in bytes.
   * @returns How the messages behind it are decoded.
   * @throws {GRPCError} What the call fails with, if the head is not good.
   */
  head(
    raw: RawHeaders,
    end: boolean,
    maxBytes: number,
  ): Decoding {
    const last = this.#decoding;
    if (raw === this.#head && !end && last!.maxBytes === maxBytes) return last!;
    const decoding = readReplyHead(this.#method, raw, { end, maxBytes });
    if (!end) {
      this.#head = raw;
      this.#decoding = decoding;
    }
    return decoding;
  }

  /**
   * Reads trailers.
   *
   * @param raw The trailers.
   * @returns How the call ended.
   */
  outcome(raw: RawHeaders): ReceivedOutcome {
    if (raw === this.#trailers) return this.#outcome!;
    const outcome = parseOutcome(raw);
    // Only what most calls end with is worth it.
    if (raw.length === 2) {
      this.#trailers = raw;
      this.#outcome = outcome;
    }
    return outcome;
  }
}

/**
 * Reads the head of a reply.
 *
 * @param method What was called.
 * @param raw The head, or trailers that came without one.
 * @param options Whether it is all there is of the reply, and how large the
 *   messages behind it may be.
 * @returns How the messages behind it are decoded.
 * @throws {GRPCError} What the call fails with, if the head is not good.
 */
export function readReplyHead(
  method: ReplyFormat,
  raw: RawHeaders,
  options: { readonly end: boolean; readonly maxBytes: number },
): Decoding {
  const { host: { codec, compressors, config }, replyType: type } = method;
  const { end, maxBytes } = options;
  const head = parseReplyHead(raw);
  checkStatus(head, end);
  checkContentType(head, codec.contentSubtype);
  const compressor = compressorOf(head, compressors);
  if (!fitsWhenSplit(raw, config.maxHeaderListSize)) {
    throw receivedTooLarge("initial metadata", config.maxHeaderListSize);
  }
  const maxRatio = config.maxDecompressionRatio;
  return { what: "reply", codec, type, compressor, maxBytes, maxRatio };
}

/**
 * The mapping from HTTP statuses is for replies without a grpc-status, which
 * counts in a head only if that is all there is.
 * https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
 */
function checkStatus(head: ReplyHead, end: boolean): void {
  const { status, hasGrpcStatus } = head;
  if (status === 200 || (end && hasGrpcStatus)) return;
  throw new GRPCError(statusOfHttp(status), `Received :status = '${status}'`);
}

function checkContentType(head: ReplyHead, codecSubtype: string): void {
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
  head: ReplyHead,
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

/** A call that failed, and of which few read all that came with the status. */
interface FailedCall {
  trailingMetadata: Metadata | null;
  decodeDetails(outcome: ReceivedOutcome): readonly unknown[];
}

/** The error of a reply with a status that is not OK. */
export function failureOf(
  call: FailedCall,
  raw: RawHeaders,
  outcome: ReceivedOutcome,
): GRPCError {
  const error = new GRPCError(outcome.status, outcome.message, {
    retryAfterMs: readPushback(raw),
  });
  deferMetadata(error, () => call.trailingMetadata ??= decodeMetadata(raw));
  if (outcome.details !== null) {
    deferDetails(error, () => call.decodeDetails(outcome));
  }
  return error;
}

/**
 * Decodes details that came in. Details that are malformed never hide their
 * status: then there are none.
 *
 * @param codec The codec, if there is one.
 * @param outcome What came.
 * @returns The details.
 */
export function decodeDetails(
  codec: StatusDetailsCodec | null,
  outcome: ReceivedOutcome,
): readonly unknown[] {
  const { status, message, details } = outcome;
  if (codec === null || details === null) return NONE;
  try {
    return codec.decode(status, message, details);
  } catch {
    return NONE;
  }
}
