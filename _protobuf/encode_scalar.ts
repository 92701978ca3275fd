/**
 * Compiles what writes scalars.
 *
 * @module
 */

import { ScalarType } from "@bufbuild/protobuf";
import { tagOf, wireTypeOf } from "./fields.ts";
import { UNCOVERED } from "./uncovered.ts";
import type { Writer } from "./writer.ts";

/** Writes the value of a property, of an item of one, or of an entry. */
export type ValueWriter = (writer: Writer, value: unknown) => void;

/**
 * Compiles for a scalar: the tag and the value.
 *
 * Each of these functions does all that there is to do, rather than call one
 * for each part: which function that is V8 does not know, and cannot inline it.
 *
 * @param implicit Whether nothing is written for zero.
 */
export function compileScalar(
  type: ScalarType,
  number: number,
  implicit = false,
): ValueWriter {
  const tag = tagOf(number, wireTypeOf(type));
  switch (type) {
    case ScalarType.STRING:
      return (writer, value) => {
        if (implicit && value === "") return;
        writer.tag(tag);
        writer.string(value);
      };
    case ScalarType.BYTES:
      return (writer, value) => {
        if (implicit && value instanceof Uint8Array && value.length === 0) {
          return;
        }
        writer.tag(tag);
        writer.bytes(value);
      };
    case ScalarType.BOOL:
      return (writer, value) => {
        if (implicit && value === false) return;
        writer.tag(tag);
        writer.bool(value);
      };
    case ScalarType.DOUBLE:
      return (writer, value) => {
        // -0 is not 0.
        if (implicit && Object.is(value, 0)) return;
        writer.tag(tag);
        writer.double(value);
      };
    case ScalarType.FLOAT:
      return (writer, value) => {
        if (implicit && Object.is(value, 0)) return;
        writer.tag(tag);
        writer.float(value);
      };
    case ScalarType.INT32:
      return (writer, value) => {
        if (implicit && value === 0) return;
        writer.tag(tag);
        writer.int32(value);
      };
    case ScalarType.UINT32:
      return (writer, value) => {
        if (implicit && value === 0) return;
        writer.tag(tag);
        writer.uint32(value);
      };
    case ScalarType.INT64:
      return (writer, value) => {
        if (implicit && isZero64(value)) return;
        writer.tag(tag);
        writer.int64(value);
      };
    case ScalarType.UINT64:
      return (writer, value) => {
        if (implicit && isZero64(value)) return;
        writer.tag(tag);
        writer.uint64(value);
      };
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64: {
      const write = SCALARS[type];
      return (writer, value) => {
        if (implicit && isZero64(value)) return;
        writer.tag(tag);
        write(writer, value);
      };
    }
    default: {
      const write = SCALARS[type];
      return (writer, value) => {
        if (implicit && value === 0) return;
        writer.tag(tag);
        write(writer, value);
      };
    }
  }
}

/** Whether a number of 64 bits is 0n, "0", or 0. */
function isZero64(value: unknown): boolean {
  // deno-lint-ignore eqeqeq
  return value == 0;
}

/** Writes values without a tag. */
export const SCALARS: Readonly<Record<ScalarType, ValueWriter>> = {
  [ScalarType.DOUBLE]: (writer, value) => writer.double(value),
  [ScalarType.FLOAT]: (writer, value) => writer.float(value),
  [ScalarType.INT64]: (writer, value) => writer.int64(value),
  [ScalarType.UINT64]: (writer, value) => writer.uint64(value),
  [ScalarType.INT32]: (writer, value) => writer.int32(value),
  [ScalarType.FIXED64]: (writer, value) => writer.fixed64(value),
  [ScalarType.FIXED32]: (writer, value) => writer.fixed32(value),
  [ScalarType.BOOL]: (writer, value) => writer.bool(value),
  [ScalarType.STRING]: (writer, value) => writer.string(value),
  [ScalarType.BYTES]: (writer, value) => writer.bytes(value),
  [ScalarType.UINT32]: (writer, value) => writer.uint32(value),
  [ScalarType.SFIXED32]: (writer, value) => writer.sfixed32(value),
  [ScalarType.SFIXED64]: (writer, value) => writer.sfixed64(value),
  [ScalarType.SINT32]: (writer, value) => writer.sint32(value),
  [ScalarType.SINT64]: (writer, value) => writer.sint64(value),
};

/** Compiles for the key of an entry of a map, which is always text in an object. */
export function compileKey(type: ScalarType): ValueWriter {
  const write = compileScalar(type, 1);
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return write;
    case ScalarType.BOOL:
      return (writer, key) => {
        if (key !== "true" && key !== "false") throw UNCOVERED;
        write(writer, key === "true");
      };
    default:
      return (writer, key) => write(writer, Number.parseInt(key as string));
  }
}
