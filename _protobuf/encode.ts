/**
 * Compiles what writes messages.
 *
 * @module
 */

import {
  type DescField,
  type DescMessage,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  type Fields,
  isImplicit,
  isRequired,
  type Member,
  membersByNumber,
  type MessageField,
  type Oneof,
  scalarOf,
  tagOf,
  WireType,
  wireTypeOf,
} from "./fields.ts";
import { isJson, isUnwrapped, structOf } from "./local.ts";
import { UNCOVERED } from "./uncovered.ts";
import type { Writer } from "./writer.ts";

/** Writes the value of a property. */
type ValueWriter = (writer: Writer, value: unknown) => void;

/** A property of a message, and how it is written. */
interface Entry {
  readonly name: string;
  /** Whether each message has it, because it stands for itself when it is not set. */
  readonly always: boolean;
  /** Whether the message must not be sent without it. */
  readonly required: boolean;
  readonly write: ValueWriter;
}

// An object that gets more properties than this one by one, as create() does
// it, becomes a hash table, and enumerating one is slow.
const MAX_ENUMERATED = 15;

/** Writes messages of one type. */
export class Encoder {
  readonly #desc: DescMessage;
  // The properties in the order in which they are written.
  #entries: readonly Entry[] | null = null;
  // Their names in the order in which messages have them, and where the entry
  // of each is; of none when messages are not enumerated.
  #names: readonly string[] = [];
  #places: readonly number[] = [];
  /** How often in a row it was UNCOVERED, though protobuf-es took the message. */
  uncovered = 0;

  constructor(desc: DescMessage) {
    this.#desc = desc;
  }

  /** Writes a message without a tag or a length. */
  write(writer: Writer, message: Fields): void {
    const entries = this.#entries ?? this.#compile();
    if (
      this.#names.length > 0 &&
      Object.getPrototypeOf(message) === Object.prototype
    ) {
      this.#enumerate(writer, message, entries);
    } else {
      write(writer, message, entries);
    }
  }

  /**
   * Takes the properties as they come. V8 knows where each is then, which
   * takes a tenth of the time of looking them up by name.
   */
  #enumerate(
    writer: Writer,
    message: Fields,
    entries: readonly Entry[],
  ): void {
    const names = this.#names;
    const places = this.#places;
    const { values } = writer;
    const base = writer.claim(entries.length);
    let at = 0;
    // Inherited ones would be found too: there are none.
    // deno-lint-ignore guard-for-in
    for (const name in message) {
      const i = names[at] === name ? at : find(names, name, at);
      if (i < 0) continue; // nothing of the message
      at = i + 1;
      values[base + places[i]!] = message[name];
    }
    for (let i = 0; i < entries.length; i++) {
      const value = values[base + i];
      values[base + i] = undefined;
      const { always, write } = entries[i]!;
      if (value !== undefined || always) write(writer, value);
    }
    writer.release(base);
  }

  #compile(): readonly Entry[] {
    const desc = this.#desc;
    const members = membersByNumber(desc);
    const entries = [entryOfType(desc), ...members.map(entryOf), UNKNOWN];
    this.#entries = entries;
    // A oneof may have other fields between its own, and several entries then.
    if (members.length <= MAX_ENUMERATED && isUnique(entries)) {
      this.#names = [
        "$typeName",
        ...desc.members.map(({ localName }) => localName),
        "$unknown",
      ].map(asKey);
      this.#places = this.#names.map((name) =>
        entries.findIndex((entry) => entry.name === name)
      );
    }
    return entries;
  }
}

function isUnique(entries: readonly Entry[]): boolean {
  return new Set(entries.map(({ name }) => name)).size === entries.length;
}

/** Gives the string that V8 has for a property, which is compared by its address. */
function asKey(name: string): string {
  return Object.keys({ [name]: undefined })[0]!;
}

/** Finds a name, which is probably at a place or soon behind it; or gives -1. */
function find(names: readonly string[], name: string, at: number): number {
  for (let i = at; i < names.length; i++) if (names[i] === name) return i;
  for (let i = 0; i < at; i++) if (names[i] === name) return i;
  return -1;
}

/** Writes the properties one after the other. */
function write(
  writer: Writer,
  message: Fields,
  entries: readonly Entry[],
): void {
  for (let i = 0; i < entries.length; i++) {
    const { name, always, required, write } = entries[i]!;
    const value = message[name];
    // What is not set has the default on the prototype.
    if (always || value !== undefined && Object.hasOwn(message, name)) {
      write(writer, value);
    } else if (required) throw UNCOVERED;
  }
}

const encoders = new WeakMap<DescMessage, Encoder>();

/** The encoder of a type of message, which is compiled when it is used. */
export function encoderOf(desc: DescMessage): Encoder {
  let encoder = encoders.get(desc);
  if (encoder === undefined) {
    encoder = new Encoder(desc);
    encoders.set(desc, encoder);
  }
  return encoder;
}

/** Writes nothing, but makes sure that the message is what it is taken for. */
function entryOfType({ typeName }: DescMessage): Entry {
  return {
    name: "$typeName",
    always: true,
    required: false,
    write(_writer, value) {
      if (value !== typeName) throw UNCOVERED;
    },
  };
}

/** Writes the fields that were unknown when the message was read. */
const UNKNOWN: Entry = {
  name: "$unknown",
  always: false,
  required: false,
  write(writer, value) {
    const fields = value as {
      readonly no: number;
      readonly wireType: number;
      readonly data: Uint8Array;
    }[];
    for (let i = 0; i < fields.length; i++) {
      const { no, wireType, data } = fields[i]!;
      writer.tag(tagOf(no, wireType));
      writer.raw(data);
    }
  },
};

function entryOf({ name, fields, oneof }: Member): Entry {
  const field = fields[0]!;
  if (oneof !== undefined) {
    return { name, always: true, required: false, write: compileOneof(fields) };
  }
  switch (field.fieldKind) {
    case "list":
      return { name, always: true, required: false, write: compileList(field) };
    case "map":
      return { name, always: true, required: false, write: compileMap(field) };
    default: {
      const always = isImplicit(field);
      return {
        name,
        always,
        required: isRequired(field),
        write: always ? compileImplicit(field) : compileValue(field),
      };
    }
  }
}

/** Compiles for some of the fields of a oneof. */
function compileOneof(fields: readonly DescField[]): ValueWriter {
  const writers = new Map(
    fields.map((field) => [field.localName, compileValue(field)]),
  );
  return (writer, value) => {
    const oneof = value as Oneof;
    const name = oneof.case;
    if (name === undefined) return;
    writers.get(name)?.(writer, oneof.value);
  };
}

/** Compiles for a singular field that is written unless it is zero. */
function compileImplicit(field: DescField): ValueWriter {
  const write = compileValue(field);
  if (field.fieldKind === "enum") {
    const zero = field.enum.values[0]!.number;
    return (writer, value) => {
      if (value !== zero) write(writer, value);
    };
  }
  switch (field.scalar) {
    case ScalarType.BOOL:
      return (writer, value) => {
        if (value !== false) write(writer, value);
      };
    case ScalarType.STRING:
      return (writer, value) => {
        if (value !== "") write(writer, value);
      };
    case ScalarType.BYTES:
      return (writer, value) => {
        if (!(value instanceof Uint8Array) || value.length > 0) {
          write(writer, value);
        }
      };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      // -0 is not 0.
      return (writer, value) => {
        if (!Object.is(value, 0)) write(writer, value);
      };
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return (writer, value) => {
        // It may be 0n, "0", or 0.
        // deno-lint-ignore eqeqeq
        if (value != 0) write(writer, value);
      };
    default:
      return (writer, value) => {
        if (value !== 0) write(writer, value);
      };
  }
}

/** Compiles for a singular field: the tag and the value. */
function compileValue(field: DescField): ValueWriter {
  if (field.fieldKind === "message") return compileMessage(field);
  return compileScalar(field, field.number);
}

function compileScalar(field: DescField, number: number): ValueWriter {
  const type = scalarOf(field);
  const tag = tagOf(number, wireTypeOf(type));
  const write = SCALARS[type];
  return (writer, value) => {
    writer.tag(tag);
    write(writer, value);
  };
}

const SCALARS: Readonly<Record<ScalarType, ValueWriter>> = {
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

/** Compiles for a message: the tag, the length if it has one, and the message. */
function compileMessage(
  field: MessageField,
  number: number = field.number,
): ValueWriter {
  if (isUnwrapped(field)) {
    const value = field.message.fields[0]!;
    return compileFramed(number, compileImplicit(value));
  }
  const encoder = encoderOf(field.message);
  const write: ValueWriter = isJson(field)
    ? (writer, value) => encoder.write(writer, structOf(value))
    : (writer, value) => encoder.write(writer, value as Fields);
  if (!isDelimited(field)) return compileFramed(number, write);
  const start = tagOf(number, WireType.START_GROUP);
  const end = tagOf(number, WireType.END_GROUP);
  return (writer, value) => {
    writer.tag(start);
    write(writer, value);
    writer.tag(end);
  };
}

function isDelimited(field: MessageField): boolean {
  return field.fieldKind !== "map" && field.delimitedEncoding === true;
}

/** Compiles for a value that has its length before it. */
function compileFramed(number: number, write: ValueWriter): ValueWriter {
  const tag = tagOf(number, WireType.LENGTH_DELIMITED);
  // The messages of one field tend to be of one size, and then the length has
  // the size that it had before.
  let size = 1;
  return (writer, value) => {
    writer.tag(tag);
    const guess = size; // messages of this field may be within the value
    const mark = writer.open(guess);
    write(writer, value);
    size = writer.close(mark, guess);
  };
}

function compileList(field: DescField & { fieldKind: "list" }): ValueWriter {
  if (field.listKind === "message") {
    return compileEach(compileMessage(field));
  }
  if (!field.packed) return compileEach(compileScalar(field, field.number));
  const write = SCALARS[scalarOf(field)];
  const packed = compileFramed(field.number, (writer, value) => {
    const items = value as readonly unknown[];
    for (let i = 0; i < items.length; i++) {
      writer.reserve(10);
      write(writer, items[i]);
    }
  });
  return (writer, value) => {
    if ((value as readonly unknown[]).length > 0) packed(writer, value);
  };
}

function compileEach(write: ValueWriter): ValueWriter {
  return (writer, value) => {
    const items = value as readonly unknown[];
    for (let i = 0; i < items.length; i++) write(writer, items[i]);
  };
}

function compileMap(field: DescField & { fieldKind: "map" }): ValueWriter {
  const writeKey = compileKey(field.mapKey);
  const writeValue = field.mapKind === "message"
    ? compileMessage(field, 2)
    : compileScalar(field, 2);
  const tag = tagOf(field.number, WireType.LENGTH_DELIMITED);
  let size = 1;
  return (writer, value) => {
    const map = value as Fields;
    for (const key of Object.keys(map)) {
      writer.tag(tag);
      const guess = size;
      const mark = writer.open(guess);
      writeKey(writer, key);
      writeValue(writer, map[key]);
      size = writer.close(mark, guess);
    }
  };
}

/** Compiles for the key of an entry of a map, which is always text in an object. */
function compileKey(type: ScalarType): ValueWriter {
  const tag = tagOf(1, wireTypeOf(type));
  const write = SCALARS[type];
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return (writer, key) => {
        writer.tag(tag);
        write(writer, key);
      };
    case ScalarType.BOOL:
      return (writer, key) => {
        if (key !== "true" && key !== "false") throw UNCOVERED;
        writer.tag(tag);
        write(writer, key === "true");
      };
    default:
      return (writer, key) => {
        writer.tag(tag);
        write(writer, Number.parseInt(key as string));
      };
  }
}
