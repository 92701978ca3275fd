/**
 * A message from the bytes of its frame.
 *
 * @module
 */

import type { Codec } from "../core/codec.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";

/**
 * Decodes a message that came in.
 *
 * @param what What the message is, for people: "reply" or "request".
 * @param codec The codec.
 * @param type The type of the message, as the codec needs it.
 * @param bytes The frame without its prefix.
 * @param compressed Whether the prefix says that it is compressed.
 * @returns The message.
 * @throws {GRPCError} INTERNAL, if it cannot be decoded.
 */
export function decodeMessage(
  what: string,
  codec: Codec,
  type: unknown,
  bytes: Uint8Array,
  compressed: boolean,
): unknown {
  if (compressed) {
    // https://github.com/grpc/grpc/blob/master/doc/compression.md
    throw new GRPCError(
      Status.INTERNAL,
      "Received a compressed message without a grpc-encoding header",
    );
  }
  try {
    return codec.decode(bytes, type);
  } catch (cause) {
    throw new GRPCError(Status.INTERNAL, `Cannot decode the ${what}`, {
      cause,
    });
  }
}
