/**
 * The four shapes of a call.
 *
 * @module
 */

/**
 * The four shapes of a call: one or many requests, one or many replies. See
 * {@link https://grpc.io/docs/what-is-grpc/core-concepts/#rpc-life-cycle | RPC life cycle}.
 *
 * @example Usage
 * ```ts
 * import { Cardinality } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(Cardinality.UNARY_STREAM, "UNARY_STREAM");
 * ```
 */
export const Cardinality = {
  /** One request, one reply. */
  UNARY_UNARY: "UNARY_UNARY",
  /** One request, any number of replies. */
  UNARY_STREAM: "UNARY_STREAM",
  /** Any number of requests, one reply. */
  STREAM_UNARY: "STREAM_UNARY",
  /** Any number of requests, any number of replies. */
  STREAM_STREAM: "STREAM_STREAM",
} as const;

/** One of the values of {@linkcode Cardinality}. */
export type Cardinality = typeof Cardinality[keyof typeof Cardinality];

/**
 * Tells whether the client may send any number of requests.
 *
 * @param cardinality The shape of the call.
 * @returns `true` when the requests are a stream, `false` when there is exactly one.
 *
 * @example Usage
 * ```ts
 * import { Cardinality, isClientStreaming } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isClientStreaming(Cardinality.STREAM_UNARY), true);
 * assertEquals(isClientStreaming(Cardinality.UNARY_STREAM), false);
 * ```
 */
export function isClientStreaming(cardinality: Cardinality): boolean {
  return cardinality === Cardinality.STREAM_UNARY ||
    cardinality === Cardinality.STREAM_STREAM;
}

/**
 * Tells whether the server may send any number of replies.
 *
 * @param cardinality The shape of the call.
 * @returns `true` when the replies are a stream, `false` when there is exactly one.
 *
 * @example Usage
 * ```ts
 * import { Cardinality, isServerStreaming } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isServerStreaming(Cardinality.UNARY_STREAM), true);
 * assertEquals(isServerStreaming(Cardinality.STREAM_UNARY), false);
 * ```
 */
export function isServerStreaming(cardinality: Cardinality): boolean {
  return cardinality === Cardinality.UNARY_STREAM ||
    cardinality === Cardinality.STREAM_STREAM;
}
