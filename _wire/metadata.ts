/**
 * Metadata, to and from the fields of HTTP/2.
 *
 * @module
 */

import {
  appendUnchecked,
  Metadata,
  sendableMetadata,
} from "../core/metadata.ts";
import { decodeBin, encodeBin } from "./text.ts";

/** Received fields as they came: name, value, name, value; names in lower case. */
export type RawHeaders = readonly string[];

/** Fields to send. A name with an array is sent once for each value. */
export type HeaderBlock = {
  readonly [name: string]: string | readonly string[];
};

/**
 * Takes the metadata out of received fields: all but those that carry the call.
 * Fields of HTTP itself, such as `date`, stay visible. Never throws: base64 that
 * is malformed is left out.
 *
 * @param raw The received fields.
 * @returns The metadata.
 */
export function decodeMetadata(raw: RawHeaders): Metadata {
  const metadata = new Metadata();
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
  return metadata;
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

// Names that node:http2 refuses to send twice.
const SINGLE_VALUE: ReadonlySet<string> = new Set([
  "access-control-allow-credentials",
  "access-control-max-age",
  "access-control-request-method",
  "age",
  "authorization",
  "content-encoding",
  "content-language",
  "content-location",
  "content-md5",
  "content-range",
  "date",
  "dnt",
  "etag",
  "expires",
  "from",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "range",
  "referer",
  "retry-after",
  "tk",
  "upgrade-insecure-requests",
  "x-content-type-options",
]);

/**
 * Adds metadata to the fields to send, behind those that are there.
 *
 * @param block The fields to add to.
 * @param metadata The metadata. What was received and must not be sent is left out.
 */
export function addMetadata(
  block: Record<string, string | string[]>,
  metadata: Metadata,
): void {
  for (const [key, value] of sendableMetadata(metadata)) {
    const text = typeof value === "string" ? value : encodeBin(value);
    const known = block[key];
    if (typeof known === "string") {
      // "Duplicate header names may have their values joined with ',' as the
      // delimiter and be considered semantically equivalent."
      // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
      block[key] = SINGLE_VALUE.has(key) ? `${known},${text}` : [known, text];
    } else if (Array.isArray(known)) {
      known.push(text);
    } else if (key === "__proto__") {
      // A legal name, which assignment would take for the prototype.
      Object.defineProperty(block, key, {
        value: text,
        configurable: true,
        enumerable: true,
        writable: true,
      });
    } else {
      block[key] = text;
    }
  }
}

/**
 * Writes metadata as fields to send.
 *
 * @param metadata The metadata. What was received and must not be sent is left out.
 * @returns The fields in a new object.
 */
export function metadataFields(metadata: Metadata): HeaderBlock {
  const block: Record<string, string | string[]> = {};
  addMetadata(block, metadata);
  return block;
}
