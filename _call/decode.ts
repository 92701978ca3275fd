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
}

/**
 * Decodes a message that came in.
 *
 * @param decoding How.
 * @param bytes The frame without its prefix.
 * @param compressed Whether the prefix says that it is compressed.
 * @returns The message.
 * @throws {GRPCError} INTERNAL, if it cannot be decoded; RESOURCE_EXHAUSTED, if
 *   it is too large once it is decompressed.
 */
export function decodeMessage(
  decoding: Decoding,
  bytes: Uint8Array,
  compressed: boolean,
): unknown {
  const { what, codec, type, compressor, maxBytes } = decoding;
  let plain = bytes;
  if (compressed) {
    // "If the Message-Encoding header is omitted then the Compressed-Flag must
    // be 0."
    // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#compressed-flag
    if (compressor === null) {
      throw new GRPCError(
        Status.INTERNAL,
        "Received a compressed message without a grpc-encoding header",
      );
    }
    plain = compressor.decompress(bytes, maxBytes);
  }
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
