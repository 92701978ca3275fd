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
  return metadataOnDemand((metadata) => decodeInto(metadata, raw));
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
 * Writes metadata as fields to send.
 *
 * @param metadata The metadata. What was received and must not be sent is left out.
 * @returns The fields: name, value, name, value.
 */
export function metadataFields(metadata: Metadata): string[] {
  return pairsToSend(metadata, encodeBin);
}
