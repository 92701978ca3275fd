/**
 * The compressor that a user asked for by its name.
 *
 * @module
 */

import { describe } from "../core/_describe.ts";
import type { Compressor } from "../_wire/compression.ts";

/**
 * Finds a compressor.
 *
 * @param action What cannot be done without it, for the error.
 * @param name The name of the encoding.
 * @param compressors What there is.
 * @returns The compressor; null for `"identity"`.
 * @throws {TypeError} If there is none of that name.
 */
export function compressorFor(
  action: string,
  name: unknown,
  compressors: ReadonlyMap<string, Compressor>,
): Compressor | null {
  if (name === "identity") return null;
  const compressor = compressors.get(name as string);
  if (compressor !== undefined) return compressor;
  const names = ["identity", ...compressors.keys()];
  throw new TypeError(
    `${action}: compression must be one of ${names.join(", ")}, received ${
      typeof name === "string" ? `"${name}"` : describe(name)
    }`,
  );
}
