/**
 * Metadata from two hands.
 *
 * @module
 */

import { appendUnchecked, Metadata } from "../core/metadata.ts";

/**
 * Joins metadata, leaving both as they are.
 *
 * @param a What comes first, if there is something.
 * @param b What comes behind it. It may have come from another server, with
 *   what must not be sent: that is left out when it is.
 * @returns One of them where the other is empty, or else both in a new one.
 */
export function joinMetadata(
  a: Metadata | null,
  b: Metadata | null,
): Metadata | null {
  if (b === null || b.size === 0) return a;
  if (a === null || a.size === 0) return b;
  const both = copyMetadata(a);
  for (const [key, value] of b) appendUnchecked(both, key, value);
  return both;
}

/** Copies metadata, whatever is in it. */
export function copyMetadata(metadata: Metadata | null): Metadata {
  const copy = new Metadata();
  for (const [key, value] of metadata ?? []) appendUnchecked(copy, key, value);
  return copy;
}
