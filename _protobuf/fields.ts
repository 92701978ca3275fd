/**
 * What the compiler has to know of fields beside their descriptors.
 *
 * @module
 */

import {
  type DescField,
  type DescMessage,
  type DescOneof,
  ScalarType,
} from "@bufbuild/protobuf";
import type { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";

/** A message, as far as the compiled functions know it: properties by name. */
export type Fields = Record<string, unknown>;

/** A oneof, as a message has it. */
export interface Oneof {
  readonly case: string | undefined;
  readonly value?: unknown;
}

/** A field whose type is a message: singular, repeated, or the value of a map. */
export type MessageField = DescField & { readonly message: DescMessage };

// The values of an enum whose module would be loaded for nothing else.
const IMPLICIT: FeatureSet_FieldPresence.IMPLICIT = 2;
const LEGACY_REQUIRED: FeatureSet_FieldPresence.LEGACY_REQUIRED = 3;

/** Whether a field is set when its value is not zero. */
export function isImplicit(field: DescField): boolean {
  return field.presence === IMPLICIT;
}

/** Whether a message without the field must not be sent. */
export function isRequired(field: DescField): boolean {
  return field.presence === LEGACY_REQUIRED;
}

/** Whether a message is sent between two tags rather than behind its length. */
export function isDelimited(field: MessageField): boolean {
  return field.fieldKind !== "map" && field.delimitedEncoding === true;
}

/**
 * Whether a message is an object like any other. Those with fields of explicit
 * presence have a prototype, with the defaults; but not those of proto3.
 */
export function isPlain(message: object): boolean {
  return Object.getPrototypeOf(message) === Object.prototype;
}

/** How a value begins on the wire. */
export const WireType = {
  VARINT: 0,
  BIT64: 1,
  LENGTH_DELIMITED: 2,
  START_GROUP: 3,
  END_GROUP: 4,
  BIT32: 5,
} as const;

/** What stands before a value: the number of the field and the wire type. */
export function tagOf(number: number, wireType: number): number {
  return (number << 3 | wireType) >>> 0;
}

/** The wire type of a scalar that is not packed. */
export function wireTypeOf(type: ScalarType): number {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LENGTH_DELIMITED;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.BIT64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.BIT32;
    default:
      return WireType.VARINT;
  }
}

/** The type of the values of a field that are no messages: an enum is sent as int32. */
export function scalarOf(field: DescField): ScalarType {
  return field.scalar ?? ScalarType.INT32;
}

/** The members of a message by number: fields, and the oneofs' in their places. */
export interface Member {
  /** The name of the property. */
  readonly name: string;
  /** The field or, for a oneof, those of its fields that no other stands between. */
  readonly fields: readonly DescField[];
  readonly oneof: DescOneof | undefined;
}

/** Lists the members of a message in the order in which they are written. */
export function membersByNumber(desc: DescMessage): Member[] {
  const sorted = [...desc.fields].sort((a, b) => a.number - b.number);
  const found: Member[] = [];
  let run: DescField[] = [];
  sorted.forEach((field, index) => {
    const { oneof } = field;
    if (oneof !== undefined && sorted[index - 1]?.oneof === oneof) {
      run.push(field);
      return;
    }
    run = [field];
    found.push({ name: (oneof ?? field).localName, fields: run, oneof });
  });
  return found;
}
