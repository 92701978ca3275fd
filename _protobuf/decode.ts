/**
 * Compiles what reads messages.
 *
 * @module
 */

import {
  type DescField,
  type DescMessage,
  ScalarType,
  type UnknownField,
} from "@bufbuild/protobuf";
import { compileBlank } from "./blank.ts";
import {
  compileScalar,
  noValue,
  PACKED,
  type ValueReader,
} from "./decode_scalar.ts";
import {
  type Fields,
  isDelimited,
  type MessageField,
  type Oneof,
  scalarOf,
  tagOf,
  WireType,
  wireTypeOf,
} from "./fields.ts";
import { isJson, isUnwrapped, jsonOf, setOwn } from "./local.ts";
import type { Reader } from "./reader.ts";
import { UNCOVERED } from "./uncovered.ts";

/**
 * Reads a field, whose tag was read, into a message.
 *
 * @param fresh Whether the field has certainly not been read before.
 */
type FieldReader = (reader: Reader, message: Fields, fresh: boolean) => void;

/** Reads a message that is the value of a field. */
type ChildReader = (reader: Reader, existing: unknown) => unknown;

/** Readers of tags below this are in an array, of others in a map. */
const MAX_NEAR_TAG = 1024;

/** Reads messages of one type. */
export class Decoder {
  readonly #desc: DescMessage;
  #blank: (() => Fields) | null = null;
  #near: (FieldReader | undefined)[] = [];
  readonly #far = new Map<number, FieldReader>();
  readonly #numbers: ReadonlySet<number>;
  /** For isWorthIt(). */
  uncovered = 0;

  constructor(desc: DescMessage) {
    this.#desc = desc;
    this.#numbers = new Set(desc.fields.map(({ number }) => number));
  }

  /** Makes a message with nothing in it. */
  make(): Fields {
    return (this.#blank ?? this.#compile())();
  }

  /**
   * Reads fields into a message.
   *
   * @param end Where the bytes of the message end.
   * @param fresh Whether nothing is in it.
   */
  read(reader: Reader, message: Fields, end: number, fresh: boolean): void {
    reader.enter();
    const { limit } = reader;
    reader.limit = end;
    let last = 0;
    let unknown: UnknownField[] | undefined;
    while (reader.position < end) {
      const tag = reader.tag();
      // As long as the numbers rise no field was there before.
      if (tag <= last) fresh = false;
      last = tag;
      const read = tag < this.#near.length
        ? this.#near[tag]
        : this.#far.get(tag);
      if (read !== undefined) read(reader, message, fresh);
      else unknown = this.#keep(reader, message, tag, unknown);
    }
    if (reader.position !== end) throw UNCOVERED;
    if (unknown !== undefined) message["$unknown"] = unknown;
    reader.limit = limit;
    reader.leave();
  }

  /** Reads fields into a message, as far as the tag that ends a group. */
  readGroup(
    reader: Reader,
    message: Fields,
    end: number,
    fresh: boolean,
  ): void {
    reader.enter();
    let last = 0;
    let unknown: UnknownField[] | undefined;
    for (;;) {
      const tag = reader.tag();
      if (tag === end) break;
      if (tag <= last) fresh = false;
      last = tag;
      const read = tag < this.#near.length
        ? this.#near[tag]
        : this.#far.get(tag);
      if (read !== undefined) read(reader, message, fresh);
      else unknown = this.#keep(reader, message, tag, unknown);
    }
    if (unknown !== undefined) message["$unknown"] = unknown;
    reader.leave();
  }

  /** Keeps a field that the type does not have. */
  #keep(
    reader: Reader,
    message: Fields,
    tag: number,
    unknown: UnknownField[] | undefined,
  ): UnknownField[] {
    const no = tag >>> 3;
    // protobuf-es reads a field of another wire type in a way of its own.
    if (this.#numbers.has(no)) throw UNCOVERED;
    const fields = unknown ??
      (message["$unknown"] as UnknownField[] | undefined) ?? [];
    fields.push({ no, wireType: tag & 7, data: reader.skip(tag) });
    return fields;
  }

  #compile(): () => Fields {
    const blank = this.#blank = compileBlank(this.#desc);
    const readers = this.#desc.fields.flatMap(compileField);
    const near = readers.map(([tag]) => tag).filter((tag) =>
      tag < MAX_NEAR_TAG
    );
    this.#near = new Array(Math.max(-1, ...near) + 1).fill(undefined);
    for (const [tag, read] of readers) {
      if (tag < MAX_NEAR_TAG) this.#near[tag] = read;
      else this.#far.set(tag, read);
    }
    return blank;
  }
}

const decoders = new WeakMap<DescMessage, Decoder>();

/** The decoder of a type of message, which is compiled when it is used. */
export function decoderOf(desc: DescMessage): Decoder {
  let decoder = decoders.get(desc);
  if (decoder === undefined) {
    decoder = new Decoder(desc);
    decoders.set(desc, decoder);
  }
  return decoder;
}

/** Compiles for a field: what reads it behind each tag that it may have. */
function compileField(field: DescField): [number, FieldReader][] {
  const { number } = field;
  switch (field.fieldKind) {
    case "message":
      return [[messageTag(field), compileMessage(field)]];
    case "list":
      if (field.listKind === "message") {
        return [[messageTag(field), compileMessages(field)]];
      }
      return compileList(field);
    case "map":
      return [[tagOf(number, WireType.LENGTH_DELIMITED), compileMap(field)]];
    default:
      return [[
        tagOf(number, wireTypeOf(scalarOf(field))),
        compileSingular(field),
      ]];
  }
}

/** Compiles for a scalar or an enum. */
function compileSingular(field: DescField): FieldReader {
  const { localName, oneof } = field;
  const read = compileValue(field);
  if (oneof !== undefined) {
    const { localName: name } = oneof;
    return (reader, message) => {
      message[name] = { case: localName, value: read(reader) };
    };
  }
  return (reader, message) => {
    message[localName] = read(reader);
  };
}

function compileValue(field: DescField): ValueReader {
  if (field.fieldKind === "enum" && !field.enum.open) {
    const known = new Set<unknown>(field.enum.values.map((it) => it.number));
    return (reader) => {
      const value = reader.int32();
      // It would be kept among the unknown fields.
      if (!known.has(value)) throw UNCOVERED;
      return value;
    };
  }
  const read = compileScalar(scalarOf(field), field.utf8Validation);
  return "longAsString" in field && field.longAsString
    ? (reader) => String(read(reader))
    : read;
}

/** Compiles for the items of a list, packed or not: both have to be read. */
function compileList(
  field: DescField & { fieldKind: "list" },
): [number, FieldReader][] {
  const { number, localName } = field;
  const type = scalarOf(field);
  const asText = field.listKind === "scalar" && field.longAsString;
  const read = asText
    ? compileValue(field)
    : compileScalar(type, field.utf8Validation);
  const wireType = wireTypeOf(type);
  const tag = tagOf(number, wireType);
  const single: FieldReader = (reader, message) => {
    const items = message[localName] as unknown[];
    do items.push(read(reader)); while (reader.next(tag));
  };
  if (wireType === WireType.LENGTH_DELIMITED) return [[tag, single]];
  const readAll = asText
    ? (reader: Reader, items: unknown[], end: number) => {
      while (reader.position < end) items.push(read(reader));
    }
    : PACKED[type]!;
  const packed: FieldReader = (reader, message) => {
    const items = message[localName] as unknown[];
    const end = reader.end();
    readAll(reader, items, end);
    if (reader.position !== end) throw UNCOVERED;
  };
  return [[tag, single], [tagOf(number, WireType.LENGTH_DELIMITED), packed]];
}

function messageTag(field: MessageField): number {
  const wireType = isDelimited(field)
    ? WireType.START_GROUP
    : WireType.LENGTH_DELIMITED;
  return tagOf(field.number, wireType);
}

/** Compiles for a singular message, which is merged with one that came before. */
function compileMessage(
  field: DescField & { fieldKind: "message" },
): FieldReader {
  const { localName, oneof } = field;
  const read = compileChild(field);
  if (oneof !== undefined) {
    const { localName: name } = oneof;
    return (reader, message, fresh) => {
      const before = message[name] as Oneof;
      const existing = fresh || before.case !== localName
        ? undefined
        : before.value;
      message[name] = { case: localName, value: read(reader, existing) };
    };
  }
  return (reader, message, fresh) => {
    message[localName] = read(reader, fresh ? undefined : message[localName]);
  };
}

/** Compiles for a list of messages. */
function compileMessages(field: MessageField): FieldReader {
  const { localName } = field;
  const tag = messageTag(field);
  const read = compileChild(field);
  return (reader, message) => {
    const items = message[localName] as unknown[];
    do items.push(read(reader, undefined)); while (reader.next(tag));
  };
}

/** Compiles for one message, in the form that the field has it. */
function compileChild(field: MessageField): ChildReader {
  const decoder = decoderOf(field.message);
  if (isJson(field)) {
    return (reader, existing) => {
      if (existing !== undefined) throw UNCOVERED;
      const message = decoder.make();
      decoder.read(reader, message, reader.end(), true);
      return jsonOf(message);
    };
  }
  if (isUnwrapped(field)) {
    const { localName } = field.message.fields[0]!;
    return (reader, existing) => {
      if (existing !== undefined) throw UNCOVERED;
      const message = decoder.make();
      decoder.read(reader, message, reader.end(), true);
      return message[localName];
    };
  }
  if (isDelimited(field)) {
    const end = tagOf(field.number, WireType.END_GROUP);
    return (reader, existing) => {
      const message = (existing as Fields | undefined) ?? decoder.make();
      decoder.readGroup(reader, message, end, existing === undefined);
      return message;
    };
  }
  return (reader, existing) => {
    const message = (existing as Fields | undefined) ?? decoder.make();
    decoder.read(reader, message, reader.end(), existing === undefined);
    return message;
  };
}

function compileMap(field: DescField & { fieldKind: "map" }): FieldReader {
  const { localName, mapKey } = field;
  const tag = tagOf(field.number, WireType.LENGTH_DELIMITED);
  const keyTag = tagOf(1, wireTypeOf(mapKey));
  const readKey = compileScalar(mapKey, field.utf8Validation);
  const noKey = noValue(mapKey)();
  let valueTag: number;
  let readValue: ValueReader;
  let makeValue: () => unknown;
  switch (field.mapKind) {
    case "message": {
      const read = compileChild(field);
      const decoder = decoderOf(field.message);
      valueTag = tagOf(2, WireType.LENGTH_DELIMITED);
      readValue = (reader) => read(reader, undefined);
      makeValue = isJson(field) ? () => ({}) : () => decoder.make();
      break;
    }
    case "enum": {
      const zero = field.enum.values[0]!.number;
      valueTag = tagOf(2, WireType.VARINT);
      readValue = compileScalar(ScalarType.INT32, false);
      makeValue = () => zero;
      break;
    }
    case "scalar":
      valueTag = tagOf(2, wireTypeOf(field.scalar));
      readValue = compileScalar(field.scalar, field.utf8Validation);
      makeValue = noValue(field.scalar);
      break;
  }
  return (reader, message) => {
    const map = message[localName] as Fields;
    do {
      const end = reader.end();
      let key: unknown;
      let value: unknown;
      while (reader.position < end) {
        const tag = reader.tag();
        if (tag === keyTag) key = readKey(reader);
        // A second value would be merged with the first.
        else if (tag === valueTag && value === undefined) {
          value = readValue(reader);
        } else throw UNCOVERED;
      }
      if (reader.position !== end) throw UNCOVERED;
      if (key === undefined) key = noKey;
      if (value === undefined) value = makeValue();
      setOwn(map, String(key), value);
    } while (reader.next(tag));
  };
}
