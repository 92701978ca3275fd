/**
 * Metadata, to and from the fields of HTTP/2.
 *
 * @module
 */

import {
  appendUnchecked,
  type Metadata,
  metadataOnDemand,
  pairsToSend,
} from "../core/metadata.ts";
import { FIELD_OVERHEAD_BYTES, sizeOf } from "./header_block.ts";
import { decodeBin, encodeBin } from "./text.ts";

/** Received fields as they came: name, value, name, value; names in lower case. */
export type RawHeaders = readonly string[];

/**
 * Takes the metadata out of received fields: all but those that carry the call.
 * Fields of HTTP itself, such as `date`, stay visible. Never throws: base64 that
 * is malformed is left out.
 *
 * @param raw The received fields.
 * @returns The metadata.
 */
export function decodeMetadata(raw: RawHeaders): Metadata {
  return metadataOnDemand(decodeInto, raw);
}

function decodeInto(metadata: Metadata, raw: RawHeaders): void {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    if (isOfTheCall(name)) continue;
    if (!name.endsWith("-bin")) {
      appendUnchecked(metadata, name, value);
      continue;
    }
    for (const text of splitList(value)) {
      const bytes = decodeBin(text);
      if (bytes !== null) appendUnchecked(metadata, name, bytes);
    }
  }
}

/** Tells whether a field is a part of the call rather than metadata. */
function isOfTheCall(name: string): boolean {
  return name.startsWith(":") || name.startsWith("grpc-") || name === "te" ||
    name === "content-type" || name === "user-agent";
}

/**
 * Splits a value at its commas.
 *
 * "Implementations must split Binary-Headers on ',' before decoding the
 * Base64-encoded values." A proxy that joins fields may add spaces.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 */
export function splitList(value: string): string[] {
  return value.includes(",")
    ? value.split(",").map((text) => text.trim())
    : [value];
}

/**
 * Tells whether received fields are still small enough when each value of a
 * list is a field of its own, as HTTP/2 counts fields: a byte for a comma may
 * become 32, and more in memory.
 * https://www.rfc-editor.org/rfc/rfc9113#section-6.5.2-2.12.1
 *
 * It looks no further than it has to, so that it takes a time in proportion to
 * the limit, whatever there is.
 *
 * @param raw The received fields.
 * @param maxBytes What they may count, in bytes.
 * @returns Whether they count no more.
 */
export function fitsWhenSplit(raw: RawHeaders, maxBytes: number): boolean {
  let more = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!;
    if (!name.endsWith("-bin") || isOfTheCall(name)) continue;
    const value = raw[i + 1]!;
    for (let at = value.indexOf(","); at !== -1;) {
      more += name.length + FIELD_OVERHEAD_BYTES;
      if (more > maxBytes) return false;
      at = value.indexOf(",", at + 1);
    }
  }
  // Without lists the fields are what HTTP/2 has let pass.
  return more === 0 || more + sizeOf(raw) <= maxBytes;
}

/**
 * Writes metadata as fields to send.
 *
 * @param metadata The metadata. What was received and must not be sent is left out.
 * @returns The fields: name, value, name, value.
 */
export function metadataFields(metadata: Metadata): string[] {
  return pairsToSend(metadata, encodeBin);
}
