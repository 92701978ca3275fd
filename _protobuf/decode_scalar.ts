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

/**
 * Reads packed values until an end, each type in a loop of its own: in a common
 * one V8 would not know what to inline, and call a function for each value.
 */
export const PACKED: {
  readonly [Type in ScalarType]?: (
    reader: Reader,
    items: unknown[],
    end: number,
  ) => void;
} = {
  [ScalarType.DOUBLE]: (reader, items, end) => {
    const view = reader.view();
    let at = reader.position;
    for (; at + 8 <= end; at += 8) items.push(view.getFloat64(at, true));
    reader.position = at;
  },
  [ScalarType.FLOAT]: (reader, items, end) => {
    const view = reader.view();
    let at = reader.position;
    for (; at + 4 <= end; at += 4) items.push(view.getFloat32(at, true));
    reader.position = at;
  },
  [ScalarType.INT64]: (reader, items, end) => {
    while (reader.position < end) items.push(reader.int64());
  },
  [ScalarType.UINT64]: (reader, items, end) => {
    while (reader.position < end) items.push(reader.uint64());
  },
  [ScalarType.INT32]: (reader, items, end) => {
    while (reader.position < end) items.push(reader.int32());
  },
  [ScalarType.FIXED64]: (reader, items, end) => {
    const view = reader.view();
    let at = reader.position;
    for (; at + 8 <= end; at += 8) items.push(view.getBigUint64(at, true));
    reader.position = at;
  },
  [ScalarType.FIXED32]: (reader, items, end) => {
    const view = reader.view();
    let at = reader.position;
    for (; at + 4 <= end; at += 4) items.push(view.getUint32(at, true));
    reader.position = at;
  },
  [ScalarType.BOOL]: (reader, items, end) => {
    while (reader.position < end) items.push(reader.bool());
  },
  [ScalarType.UINT32]: (reader, items, end) => {
    while (reader.position < end) items.push(reader.uint32());
  },
  [ScalarType.SFIXED32]: (reader, items, end) => {
    const view = reader.view();
    let at = reader.position;
    for (; at + 4 <= end; at += 4) items.push(view.getInt32(at, true));
    reader.position = at;
  },
  [ScalarType.SFIXED64]: (reader, items, end) => {
    const view = reader.view();
    let at = reader.position;
    for (; at + 8 <= end; at += 8) items.push(view.getBigInt64(at, true));
    reader.position = at;
  },
  [ScalarType.SINT32]: (reader, items, end) => {
    while (reader.position < end) items.push(reader.sint32());
  },
  [ScalarType.SINT64]: (reader, items, end) => {
    while (reader.position < end) items.push(reader.sint64());
  },
};

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
