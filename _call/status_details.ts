/**
 * The details of a status, between an error and its bytes.
 *
 * @module
 */

import type { Status } from "../core/status.ts";
import type { StatusDetailsCodec } from "../core/status_details.ts";

const NONE: readonly unknown[] = Object.freeze([]);

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
  outcome: {
    readonly status: Status;
    readonly message: string;
    readonly details: Uint8Array | null;
  },
): readonly unknown[] {
  const { status, message, details } = outcome;
  if (codec === null || details === null) return NONE;
  try {
    return codec.decode(status, message, details);
  } catch {
    return NONE;
  }
}

/**
 * Encodes details that are to be sent.
 *
 * @param codec The codec, if there is one.
 * @param status The status that they explain.
 * @param message The message of the status.
 * @param details The details.
 * @returns The bytes, or null if there is nothing to send.
 * @throws What the codec throws.
 */
export function encodeDetails(
  codec: StatusDetailsCodec | null,
  status: Status,
  message: string,
  details: readonly unknown[],
): Uint8Array | null {
  if (codec === null || details.length === 0) return null;
  return codec.encode(status, message, details);
}
