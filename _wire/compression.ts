/**
 * The encodings of messages: their names, and who may use which.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/compression.md}
 * @module
 */

import { describe } from "../core/_describe.ts";

/**
 * How messages are compressed, by the name of the encoding in
 * `grpc-encoding`: `"identity"` for not at all. All peers know `"gzip"`, and
 * most know `"deflate"`, which is the format of zlib; the others are for peers
 * that are known to have them.
 */
export type Compression = "identity" | "gzip" | "deflate" | "zstd" | "br";

/** Compresses messages, and decompresses them. */
export interface Compressor {
  /** The name of the encoding. */
  readonly name: string;

  /**
   * Compresses a message.
   *
   * @param bytes The message.
   * @returns The compressed message.
   */
  compress(bytes: Uint8Array): Uint8Array;

  /**
   * Decompresses a message.
   *
   * @param bytes The compressed message.
   * @param maxBytes How large the message may be. Memory is bounded by it.
   * @returns The message.
   * @throws {GRPCError} RESOURCE_EXHAUSTED, if the message is larger; INTERNAL,
   *   if the bytes are malformed, cut short, or followed by others.
   */
  decompress(bytes: Uint8Array, maxBytes: number): Uint8Array;
}

/**
 * Writes the value of `grpc-accept-encoding`.
 *
 * @param names The encodings beside identity, which is always accepted.
 * @returns The value.
 */
export function acceptEncodingOf(names: Iterable<string>): string {
  return ["identity", ...names].join(",");
}

/**
 * Tells whether the other side accepts an encoding.
 *
 * A message must not be compressed in a way that the other side has not said
 * it knows; without compression it may come to anybody.
 *
 * @param acceptEncoding The value of its `grpc-accept-encoding`, if it sent one.
 * @param name The encoding.
 * @returns Whether it does.
 */
export function acceptsEncoding(
  acceptEncoding: string | null,
  name: string,
): boolean {
  if (name === "identity") return true;
  return acceptEncoding?.split(",").some((one) => one.trim() === name) ?? false;
}

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
