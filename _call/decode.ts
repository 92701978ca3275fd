/**
 * A message from the bytes of its frame.
 *
 * @module
 */

import type { Codec } from "../core/codec.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import type { Compressor } from "../_wire/compression.ts";

/** How the messages of one direction are decoded. */
export interface Decoding {
  /** What the messages are, for people. */
  readonly what: "reply" | "request";
  /** The codec. */
  readonly codec: Codec;
  /** The type of the messages, as the codec needs it. */
  readonly type: unknown;
  /** What decompresses them; null if the head names no encoding. */
  readonly compressor: Compressor | null;
  /** The largest message, in bytes, once it is decompressed. */
  readonly maxBytes: number;
  /** How many bytes all of a call may inflate to, for each that has come. */
  readonly maxRatio: number;
}

/** What the compressed messages of a call were, and became, in bytes. */
export interface Inflation {
  compressedBytes: number;
  plainBytes: number;
}

/**
 * What a call may inflate to whatever the ratio: that of a single message says
 * little, and messages that are all zeros do no harm.
 */
const FREE_BYTES = 16 * 1024 * 1024;

/**
 * Decompresses a message that came in.
 *
 * @param decoding How.
 * @param bytes The frame without its prefix.
 * @param inflation What the call has inflated to so far, which is counted.
 * @returns The bytes of the message.
 * @throws {GRPCError} INTERNAL, if it cannot be decompressed; RESOURCE_EXHAUSTED,
 *   if it is too large then, or the messages of the call are.
 */
export function decompressMessage(
  decoding: Decoding,
  bytes: Uint8Array,
  inflation: Inflation,
): Uint8Array {
  const { compressor, maxBytes, maxRatio } = decoding;
  // "If the Message-Encoding header is omitted then the Compressed-Flag must
  // be 0."
  // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#compressed-flag
  if (compressor === null) {
    throw new GRPCError(
      Status.INTERNAL,
      "Received a compressed message without a grpc-encoding header",
    );
  }
  inflation.compressedBytes += bytes.length;
  const left = FREE_BYTES + maxRatio * inflation.compressedBytes -
    inflation.plainBytes;
  let plain: Uint8Array | null;
  if (left >= maxBytes) plain = compressor.decompress(bytes, maxBytes);
  else {
    plain = left < 0 ? null : inflate(compressor, bytes, left);
    if (plain === null) {
      throw new GRPCError(
        Status.RESOURCE_EXHAUSTED,
        `Received messages are too large: they inflate to more than ${maxRatio} bytes for each that was received, which is maxDecompressionRatio, and ${FREE_BYTES} beside`,
      );
    }
  }
  inflation.plainBytes += plain.length;
  return plain;
}

/** Decompresses a message, or gives null if it is too large then. */
function inflate(
  compressor: Compressor,
  bytes: Uint8Array,
  maxBytes: number,
): Uint8Array | null {
  try {
    return compressor.decompress(bytes, maxBytes);
  } catch (error) {
    const { status } = error as GRPCError;
    if (status === Status.RESOURCE_EXHAUSTED) return null;
    throw error;
  }
}

/**
 * Decodes a message that came in.
 *
 * @param decoding How.
 * @param plain The frame without its prefix, decompressed.
 * @returns The message.
 * @throws {GRPCError} INTERNAL, if it cannot be decoded.
 */
export function decodeMessage(
  { what, codec, type }: Decoding,
  plain: Uint8Array,
): unknown {
  let message: unknown;
  try {
    message = codec.decode(plain, type);
  } catch (cause) {
    throw new GRPCError(Status.INTERNAL, `Cannot decode the ${what}`, {
      cause,
    });
  }
  if (message !== null && message !== undefined) return message;
  // It would be taken for the end of the messages.
  throw new GRPCError(
    Status.INTERNAL,
    `Cannot decode the ${what}: the codec made ${message} of it, which is no message`,
  );
}
