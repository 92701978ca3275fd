/**
 * Compiles what reads scalars.
 *
 * @module
 */

import { ScalarType } from "@bufbuild/protobuf";
import type { Reader } from "./reader.ts";

/** Reads one value. */
export type ValueReader = (reader: Reader) => unknown;

/**
 * Compiles for a scalar.
 *
 * @param strict Whether text has to be UTF-8.
 */
export function compileScalar(type: ScalarType, strict: boolean): ValueReader {
  switch (type) {
    case ScalarType.DOUBLE:
      return (reader) => reader.double();
    case ScalarType.FLOAT:
      return (reader) => reader.float();
    case ScalarType.INT64:
      return (reader) => reader.int64();
    case ScalarType.UINT64:
      return (reader) => reader.uint64();
    case ScalarType.INT32:
      return (reader) => reader.int32();
    case ScalarType.FIXED64:
      return (reader) => reader.fixed64();
    case ScalarType.FIXED32:
      return (reader) => reader.fixed32();
    case ScalarType.BOOL:
      return (reader) => reader.bool();
    case ScalarType.STRING:
      return strict
        ? (reader) => reader.string(true)
        : (reader) => reader.string(false);
    case ScalarType.BYTES:
      return (reader) => reader.bytes();
    case ScalarType.UINT32:
      return (reader) => reader.uint32();
    case ScalarType.SFIXED32:
      return (reader) => reader.sfixed32();
    case ScalarType.SFIXED64:
      return (reader) => reader.sfixed64();
    case ScalarType.SINT32:
      return (reader) => reader.sint32();
    case ScalarType.SINT64:
      return (reader) => reader.sint64();
  }
}

/** What makes the value of a scalar that is not there. */
export function noValue(type: ScalarType): () => unknown {
  switch (type) {
    case ScalarType.STRING:
      return () => "";
    case ScalarType.BOOL:
      return () => false;
    case ScalarType.BYTES:
      return () => new Uint8Array();
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return () => 0n;
    default:
      return () => 0;
  }
}
