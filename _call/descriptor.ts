/**
 * What the descriptors of protobuf-es say about a method.
 *
 * @module
 */

import type { DescMethod } from "@bufbuild/protobuf";
import { Cardinality } from "../core/cardinality.ts";

/**
 * The path of a method, from the names in its .proto file.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#appendix-a---grpc-for-protobuf}
 */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** The kind of call of a method. */
export function cardinalityOf(method: DescMethod): Cardinality {
  switch (method.methodKind) {
    case "unary":
      return Cardinality.UNARY_UNARY;
    case "server_streaming":
      return Cardinality.UNARY_STREAM;
    case "client_streaming":
      return Cardinality.STREAM_UNARY;
    case "bidi_streaming":
      return Cardinality.STREAM_STREAM;
  }
}
