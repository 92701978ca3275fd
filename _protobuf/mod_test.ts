import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  clone,
  create,
  type DescMessage,
  equals,
  fromBinary,
  getExtension,
  isMessage,
  type Message,
  setExtension,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  BytesValueSchema,
  DurationSchema,
  Int32ValueSchema,
  StringValueSchema,
  TimestampSchema,
} from "@bufbuild/protobuf/wkt";
import { decoderOf } from "./decode.ts";
import { encoderOf } from "./encode.ts";
import { type ByteSink, decode, encode, encodeInto } from "./mod.ts";
import { DeepSchema, MediumSchema } from "./testdata/gen/bench_pb.ts";
import {
  extension_int32,
  TestAllTypesProto2Schema,
} from "./testdata/gen/google/protobuf/test_messages_proto2_pb.ts";
import { TestAllTypesProto3Schema } from "./testdata/gen/google/protobuf/test_messages_proto3_pb.ts";
import { assertAlike, shape } from "./testdata/compare.ts";
import { Random, randomMessage } from "./testdata/random.ts";
import { TYPES } from "./testdata/types.ts";

/** How often everything is tried; more shows more. */
const ROUNDS = 30;

function nameOf(desc: DescMessage): string {
  return `${desc.typeName} (${desc.file.name}.proto)`;
}

/** Messages of a type and their bytes; some cannot be encoded. */
function* messages(
  desc: DescMessage,
  rounds: number = ROUNDS,
): Generator<[Random, Message, Uint8Array]> {
  for (let seed = 0; seed < rounds; seed++) {
    const random = new Random(seed);
    const message = randomMessage(random, desc, 1 + seed % 4);
    let bytes;
    try {
      bytes = toBinary(desc, message);
    } catch {
      bytes = new Uint8Array();
    }
    yield [random, message, bytes];
  }
}

function assertDecodes(
  desc: DescMessage,
  bytes: Uint8Array,
  message: string,
): void {
  assertAlike(
    () => decode(desc, bytes),
    () => fromBinary(desc, bytes),
    message,
  );
}

for (const desc of TYPES) {
  Deno.test(`encode() and decode() agree with protobuf-es for ${nameOf(desc)}`, () => {
    let seed = 0;
    for (const [, message, bytes] of messages(desc, 3 * ROUNDS)) {
      const round = `seed ${seed++}`;
      assertAlike(
        () => encode(desc, message),
        () => toBinary(desc, message),
        round,
      );
      assertDecodes(desc, bytes, round);
      // What is decoded differs from what create() makes.
      const decoded = decode(desc, bytes);
      assertAlike(
        () => encode(desc, decoded),
        () => toBinary(desc, decoded),
        round,
      );
      // All was done here, not by protobuf-es.
      assertEquals(decoderOf(desc).uncovered, 0, round);
      assertEquals(encoderOf(desc).uncovered, 0, round);
    }
  });

  Deno.test(`decode() merges as protobuf-es does for ${nameOf(desc)}`, () => {
    let previous = new Uint8Array();
    for (const [random, , bytes] of messages(desc)) {
      const both = new Uint8Array([...previous, ...bytes]);
      assertDecodes(desc, both, "one behind the other");
      assertDecodes(desc, shuffled(both, random), "in any order");
      previous = new Uint8Array(bytes);
    }
  });

  Deno.test(`decode() agrees with protobuf-es on broken bytes for ${nameOf(desc)}`, () => {
    for (const [random, , bytes] of messages(desc)) {
      if (bytes.length === 0) continue;
      for (let i = 0; i < 6; i++) {
        const end = random.below(bytes.length);
        assertDecodes(desc, bytes.subarray(0, end), `cut at ${end}`);
        const changed = bytes.slice();
        for (let n = 1 + random.below(3); n > 0; n--) {
          const at = random.below(Math.min(changed.length, 200));
          changed[at] = random.pick([0, 0x7f, 0x80, 0xff, random.below(256)]);
        }
        assertDecodes(desc, changed, `changed: ${changed.subarray(0, 200)}`);
      }
      const noise = random.bytes(random.below(24));
      assertDecodes(desc, noise, `noise: ${noise}`);
    }
  });
}

/** The same fields in another order. */
function shuffled(bytes: Uint8Array, random: Random): Uint8Array {
  const reader = new BinaryReader(bytes);
  const fields: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [no, wireType] = reader.tag();
    reader.skip(wireType, no);
    fields.splice(
      random.below(fields.length + 1),
      0,
      bytes.subarray(start, reader.pos),
    );
  }
  return Uint8Array.from(fields.flatMap((field) => [...field]));
}

Deno.test("decode() reads packed fields that are not, and the other way around", () => {
  let count = 0;
  for (const desc of TYPES) {
    for (const [, message, bytes] of messages(desc, 6)) {
      for (const field of desc.fields) {
        if (field.fieldKind !== "list" || field.listKind === "message") {
          continue;
        }
        if (field.scalar === 9 || field.scalar === 12) continue;
        const items = (message as unknown as Record<string, unknown[]>)[
          field.localName
        ]!;
        if (items.length === 0 || bytes.length === 0) continue;
        count++;
        const other = Object.create(desc, {
          fields: { value: [{ ...field, packed: !field.packed }] },
        });
        const swapped = toBinary(other, message);
        assertDecodes(desc, swapped, String(field));
        assertDecodes(
          desc,
          new Uint8Array([...swapped, ...bytes]),
          String(field),
        );
        assertEquals(decoderOf(desc).uncovered, 0, String(field));
      }
    }
  }
  assert(count > 50, `${count}`);
});

Deno.test("decode() makes messages that protobuf-es takes for its own", () => {
  for (const desc of TYPES) {
    for (const [, , bytes] of messages(desc, 10)) {
      const message = decode(desc, bytes);
      const theirs = fromBinary(desc, bytes);
      assert(isMessage(message, desc));
      assertStrictEquals(
        Object.getPrototypeOf(message),
        Object.getPrototypeOf(theirs),
      );
      assertStrictEquals(create(desc, message), message);
      assertEquals(shape(clone(desc, message)), shape(clone(desc, theirs)));
      // NaN is not equal to itself.
      assertStrictEquals(
        equals(desc, message, theirs),
        equals(desc, theirs, fromBinary(desc, bytes)),
      );
      assertAlike(
        () => toJson(desc, message),
        () => toJson(desc, theirs),
        desc.typeName,
      );
    }
  }
});

Deno.test("decode() makes each message with lists, maps and oneofs of its own", () => {
  const desc = TestAllTypesProto3Schema;
  const one = decode(desc, new Uint8Array());
  const other = decode(desc, new Uint8Array());
  const before = shape(other);
  for (const value of Object.values(one as object)) {
    if (Array.isArray(value)) value.push(1);
    else if (typeof value === "object" && !(value instanceof Uint8Array)) {
      value.case = "changed";
    }
  }
  assertEquals(shape(other), before);
  assertEquals(shape(decode(desc, new Uint8Array())), before);
});

Deno.test("decode() gives views of the bytes", () => {
  const bytes = new Uint8Array([9, 0x0a, 2, 1, 2, 0x12, 1, 7, 9]);
  const message = decode(BytesValueSchema, bytes.subarray(1, 8));
  const { value, $unknown } = message as unknown as {
    value: Uint8Array;
    $unknown: { data: Uint8Array }[];
  };
  assertStrictEquals(value.buffer, bytes.buffer);
  assertStrictEquals($unknown[0]?.data.buffer, bytes.buffer);
  assertEquals($unknown[0]?.data, new Uint8Array([1, 7]));
});

Deno.test("encode() and decode() keep extensions", () => {
  const message = create(TestAllTypesProto2Schema, { optionalInt32: 1 });
  setExtension(message, extension_int32, -5);
  const bytes = encode(TestAllTypesProto2Schema, message);
  assertEquals(bytes, toBinary(TestAllTypesProto2Schema, message));
  const decoded = decode(TestAllTypesProto2Schema, bytes);
  assertEquals(
    getExtension(decoded as typeof message, extension_int32),
    -5,
  );
});

Deno.test("decode() agrees with protobuf-es on odd bytes", () => {
  const over = (...bytes: number[]) => [
    ...new Array(10 - bytes.length).fill(0xff),
    ...bytes,
  ];
  const cases: [DescMessage, number[]][] = [
    [Int32ValueSchema, [0x88, 0x80, 0x00, 5]], // a tag longer than it need be
    [Int32ValueSchema, [0x88, 0x80, 0x80, 0x80, 0x00, 5]],
    [Int32ValueSchema, [0x88, 0x80, 0x80, 0x80, 0x10, 5]], // too large
    [Int32ValueSchema, [0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 5]],
    [Int32ValueSchema, [0x08, 0x85, 0x80, 0x80, 0x80, 0x80, 0x00]],
    [Int32ValueSchema, [0x08, ...over(1)]], // -1
    [Int32ValueSchema, [0x08, ...over(0x7f)]],
    [Int32ValueSchema, [0x08, ...over(0x80), 1]], // eleven bytes
    [Int32ValueSchema, [0x08, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    [DurationSchema, [0x08, ...over(0x7f)]],
    [DurationSchema, [0x08, ...over(0x80), 1]],
    [DurationSchema, [0x08, 0x80, 0x80, 0x80, 0x80, 0x70]],
    [Int32ValueSchema, [0x0a, 1, 5]], // another wire type
    [Int32ValueSchema, [0x0d, 1, 0, 0, 0]],
    [Int32ValueSchema, [0x00, 1]], // field 0
    [Int32ValueSchema, [0x0e]], // wire type 6
    [Int32ValueSchema, [0x0c]], // the end of a group
    [Int32ValueSchema, [0x14]],
    [Int32ValueSchema, [0x13, 0x08, 1, 0x14, 0x08, 7]], // an unknown group
    [Int32ValueSchema, [0x13, 0x13, 0x14, 0x08, 1, 0x14, 0x08, 7]],
    [Int32ValueSchema, [0x13, 0x1c]], // ends as another
    [Int32ValueSchema, [0x13]], // does not end
    [Int32ValueSchema, [0x10, ...over(0x80), 0x80, 0x80, 1]], // skipped
    [Int32ValueSchema, [0x12, 5, 1]],
    [Int32ValueSchema, [0x11, 1, 2, 3]],
    [StringValueSchema, [0x0a, 1, 0xff]], // no UTF-8
    [StringValueSchema, [0x0a, 3, 0xef, 0xbf, 0xbd]], // U+FFFD
    [StringValueSchema, [0x0a, 40, ...new Array(39).fill(0x41), 0xc3]],
    [StringValueSchema, [0x0a, 4, 0xef, 0xbb, 0xbf, 0x41]], // a byte-order mark
    [TestAllTypesProto2Schema, [0x72, 1, 0xff]], // not checked
    [TestAllTypesProto2Schema, [0xa8, 1, 99]], // unknown in a closed enum
    [TestAllTypesProto2Schema, [0xa8, 1, 99, 0xa8, 1, 1, 0x98, 0x7d, 1]],
    [TestAllTypesProto3Schema, [0x92, 1, 4, 0xd2, 0x0f, 9, 0]], // too long within
    // An entry of a map with two values, which are merged.
    [
      TestAllTypesProto3Schema,
      [0xba, 4, 11, 0x0a, 1, 0x61, 0x12, 2, 8, 1, 0x12, 2, 0x12, 0],
    ],
    [DeepSchema, [0x0a, 4, 0x0a, 3, 0x10, 1]],
    [DeepSchema, [0x0a, 2, 0x0a, 2, 0x10, 1]], // longer than what it is in
    [DeepSchema, [0x0a, 1, 0x10, 1]],
  ];
  for (const [desc, bytes] of cases) {
    assertDecodes(desc, Uint8Array.from(bytes), `${desc.typeName} ${bytes}`);
  }
});

/** A message in a message and so on. */
function nested(depth: number, group: boolean): Uint8Array {
  const writer = new BinaryWriter();
  for (let i = 1; i < depth; i++) {
    if (group) writer.tag(999, WireType.StartGroup);
    else writer.tag(1, WireType.LengthDelimited).fork();
  }
  writer.tag(2, WireType.Varint).int32(7);
  for (let i = 1; i < depth; i++) {
    if (group) writer.tag(999, WireType.EndGroup);
    else writer.join();
  }
  return writer.finish();
}

Deno.test("encode() and decode() take __proto__ for a key like any other", () => {
  const object = JSON.parse('{"__proto__":"a"}');
  const messages: [DescMessage, Message][] = [
    [MediumSchema, create(MediumSchema, { labels: object })],
    [
      TestAllTypesProto3Schema,
      create(TestAllTypesProto3Schema, { optionalStruct: object }),
    ],
  ];
  for (const [desc, message] of messages) {
    const bytes = toBinary(desc, message);
    assertEquals(encode(desc, message), bytes);
    assertDecodes(desc, bytes, desc.typeName);
    assertEquals(encode(desc, decode(desc, bytes)), bytes);
  }
});

Deno.test("decode() has protobuf-es's limit of depth", () => {
  for (const group of [false, true]) {
    for (const depth of [99, 100, 101, 102, 5_000]) {
      assertDecodes(DeepSchema, nested(depth, group), `${depth}`);
    }
    assertThrows(
      () => decode(DeepSchema, nested(101, group)),
      Error,
      "maximum recursion depth",
    );
    decode(DeepSchema, nested(100, group));
    assertEquals(decoderOf(DeepSchema).uncovered, 0);
  }
});

Deno.test("decode() allocates nothing for a length that is not there", () => {
  const desc = TestAllTypesProto3Schema;
  const bytes = desc.fields.filter((field) =>
    // protobuf-es takes the length for the value of these.
    field.fieldKind !== "enum" &&
    (field.fieldKind !== "scalar" || field.scalar === 9 || field.scalar === 12)
  ).map(({ number }) =>
    new BinaryWriter().tag(number, WireType.LengthDelimited)
      .uint32(0x7fff_ffff).finish()
  );
  const before = Deno.memoryUsage();
  for (let i = 0; i < 5; i++) {
    for (const field of bytes) {
      assertThrows(() => decode(desc, field), Error);
    }
  }
  const { external, heapUsed } = Deno.memoryUsage();
  assert(external - before.external < 2 ** 25, `${external}`);
  assert(heapUsed - before.heapUsed < 2 ** 26, `${heapUsed}`);
});

/** Proto3 without a prototype chain, with one of each kind. */
const ODD_MESSAGES: Readonly<Record<string, () => unknown>> = {
  "text for a number": () => ({ count: "5" }),
  "text that is none for a number": () => ({ count: "five" }),
  "a fraction for an integer": () => ({ count: 1.5 }),
  "NaN for an integer": () => ({ count: NaN }),
  "-0 for an integer": () => ({ count: -0 }),
  "a number that is too large": () => ({ count: 2 ** 31 }),
  "a negative number for an unsigned one": () => ({ flags: -1 }),
  "a number for a bigint": () => ({ created: 5 }),
  "text for a bigint": () => ({ created: "-5" }),
  "zero for a bigint": () => ({ created: 0 }),
  "a bigint that is too large": () => ({ created: 2n ** 63n }),
  "a negative bigint for an unsigned one": () => ({ hash: -1n }),
  "true for a bigint": () => ({ created: true }),
  "null for a bigint": () => ({ created: null }),
  "a bigint for an integer": () => ({ count: 5n }),
  "text for a float": () => ({ ratio: "0.5" }),
  "too much for a float": () => ({ ratio: 1e300 }),
  "text for a double": () => ({ price: "0.5" }),
  "null for a double": () => ({ price: null }),
  "a number for a boolean": () => ({ enabled: 1 }),
  "null for a boolean": () => ({ enabled: null }),
  "a number for text": () => ({ name: 5 }),
  "undefined for text": () => ({ name: undefined }),
  "null for text": () => ({ name: null }),
  "null for text that may be absent": () => ({ comment: null }),
  "an array for bytes": () => ({ payload: [1, 2] }),
  "null for bytes": () => ({ payload: null }),
  "null for a message": () => ({ owner: null }),
  "undefined for a message": () => ({ owner: undefined }),
  "a plain object for a message": () => ({ owner: { name: "Ada" } }),
  "another message": () => ({ owner: create(TimestampSchema) }),
  "a number for a message": () => ({ owner: 5 }),
  "a function for a message": () => ({ owner: () => {} }),
  "null for a list": () => ({ tags: null }),
  "undefined for a list": () => ({ tags: undefined }),
  "a list with a hole": () => ({ tags: new Array(2) }),
  "a list with a message missing": () => ({ items: [undefined] }),
  "a list with null": () => ({ items: [null] }),
  "something like a list": () => ({ tags: { length: 1, 0: "a" } }),
  "null for a map": () => ({ labels: null }),
  "a map that inherits": () => ({ labels: Object.create({ a: "b" }) }),
  "a map with a number": () => ({ labels: { a: 5 } }),
  "a Map for a map": () => ({ labels: new Map([["a", "b"]]) }),
  "an unknown enum value": () => ({ kind: 77 }),
  "text for an enum": () => ({ kind: "KIND_FIRST" }),
  "a property that is no field": () => ({ nothing: 5 }),
  "unknown fields": () => ({
    $unknown: [{ no: 90, wireType: 0, data: new Uint8Array([1]) }],
  }),
  "null for unknown fields": () => ({ $unknown: null }),
  "no name of the type": () => ({ $typeName: undefined }),
  "the name of another type": () => ({ $typeName: "a.B" }),
};

for (const [what, init] of Object.entries(ODD_MESSAGES)) {
  Deno.test(`encode() agrees with protobuf-es on ${what}`, () => {
    const message = Object.assign(create(MediumSchema), init());
    assertAlike(
      () => encode(MediumSchema, message),
      () => toBinary(MediumSchema, message),
      what,
    );
  });
}

Deno.test("encode() agrees with protobuf-es on messages that are put together by hand", () => {
  const item = {
    $typeName: "grpclib.bench.Owner",
    name: "Ada",
    email: "",
    since: 1n,
  };
  const { email: _, ...without } = item;
  const cases: Record<string, unknown> = {
    "in order": item,
    "in another order": {
      since: 1n,
      email: "",
      name: "Ada",
      $typeName: "grpclib.bench.Owner",
    },
    "without a field": without,
    "with another property": { ...item, z: 1 },
    "with another property before": { z: 1, ...item },
    "inheriting": Object.create(item),
    "without a prototype": Object.assign(Object.create(null), item),
    "frozen": Object.freeze({ ...item }),
    "with a getter": {
      ...item,
      get name() {
        return "Grace";
      },
    },
    "a proxy": new Proxy(item, {}),
    "with a symbol": { ...item, [Symbol.iterator]: 1 },
    "with a property that is not enumerable": Object.defineProperty(
      { ...item },
      "name",
      { enumerable: false },
    ),
    "an array": [],
    "null": null,
    "a number": 5,
  };
  const { message: owner } = MediumSchema.field.owner;
  for (const [what, value] of Object.entries(cases)) {
    const message = value as Message;
    assertAlike(
      () => encode(owner!, message),
      () => toBinary(owner!, message),
      what,
    );
    const medium = create(MediumSchema);
    (medium as unknown as { owner: unknown }).owner = value;
    assertAlike(
      () => encode(MediumSchema, medium),
      () => toBinary(MediumSchema, medium),
      what,
    );
  }
});

Deno.test("encode() agrees with protobuf-es on a message that inherits from another", () => {
  // The level is set in the heir as well, the child, whose presence is
  // explicit, is not.
  const deep = create(DeepSchema, { child: { level: 1 }, level: 5 });
  assertEquals(
    encode(DeepSchema, Object.create(deep)),
    new Uint8Array([0x10, 5]),
  );
  for (const desc of TYPES) {
    for (const [, message] of messages(desc, 5)) {
      const heir: Message = Object.create(message);
      assertAlike(
        () => encode(desc, heir),
        () => toBinary(desc, heir),
        desc.typeName,
      );
    }
  }
});

Deno.test("encode() fails for a message that contains itself", () => {
  const message = create(DeepSchema);
  message.child = message;
  assertThrows(() => encode(DeepSchema, message), RangeError);
  // Nothing is left of it.
  const other = create(DeepSchema, { level: 5 });
  assertEquals(encode(DeepSchema, other), new Uint8Array([0x10, 5]));
});

Deno.test("encode() can be called by a getter of the message that is encoded", () => {
  const inner = create(StringValueSchema, { value: "inner" });
  const outer = create(StringValueSchema, { value: "outer" });
  let encoded: unknown;
  Object.defineProperty(outer, "value", {
    enumerable: true,
    get() {
      encoded = encode(StringValueSchema, inner);
      decode(StringValueSchema, encode(StringValueSchema, inner));
      return "outer";
    },
  });
  assertEquals(
    encode(StringValueSchema, outer),
    toBinary(StringValueSchema, create(StringValueSchema, { value: "outer" })),
  );
  assertEquals(encoded, toBinary(StringValueSchema, inner));
});

Deno.test("encode() and decode() leave a type to protobuf-es that does not fit", () => {
  const odd = create(StringValueSchema);
  Object.assign(odd, { value: 5 }); // protobuf-es makes text of it
  const oddBytes = new Uint8Array([0x0d, 5]); // of another wire type
  for (let i = 1; i < 1100; i++) {
    assertEquals(
      encode(StringValueSchema, odd),
      new Uint8Array([0x0a, 1, 0x35]),
    );
    assertEquals(encoderOf(StringValueSchema).uncovered, i);
    assertEquals(
      decode(Int32ValueSchema, oddBytes),
      fromBinary(Int32ValueSchema, oddBytes),
    );
    assertEquals(decoderOf(Int32ValueSchema).uncovered, i);
  }
  // After a number of others there is another attempt, which succeeds.
  const message = create(StringValueSchema, { value: "5" });
  const bytes = new Uint8Array([8, 5]);
  for (let i = 1099; i <= 2048; i++) {
    assertEquals(encoderOf(StringValueSchema).uncovered, i);
    encode(StringValueSchema, message);
    assertEquals(decoderOf(Int32ValueSchema).uncovered, i);
    decode(Int32ValueSchema, bytes);
  }
  assertEquals(encoderOf(StringValueSchema).uncovered, 0);
  assertEquals(decoderOf(Int32ValueSchema).uncovered, 0);
});

/** Moves what was written, and the position, each time it is asked for room. */
class MovingSink implements ByteSink {
  buffer = new Uint8Array();
  position: number;
  start: number;

  constructor(start: number) {
    this.buffer = new Uint8Array(start);
    this.position = this.start = start;
  }

  reserve(bytes: number): void {
    const written = this.buffer.subarray(this.start, this.position);
    const start = (this.start + 3) % 7;
    this.buffer = new Uint8Array(start + written.length + bytes).fill(0xee);
    this.buffer.set(written, start);
    this.position = start + written.length;
    this.start = start;
  }
}

Deno.test("encodeInto() writes to a sink that moves", () => {
  for (const desc of TYPES) {
    for (const [, message, bytes] of messages(desc, 15)) {
      if (bytes.length === 0) continue;
      const sink = new MovingSink(5);
      encodeInto(desc, message, sink);
      assertEquals(sink.buffer.subarray(sink.start, sink.position), bytes);
    }
  }
});

Deno.test("encodeInto() leaves the position where it was when it throws", () => {
  const sink = new MovingSink(2);
  const message = create(MediumSchema, {
    id: "x".repeat(1000),
    items: [{ quantity: 2 ** 40 }],
  });
  assertThrows(() => encodeInto(MediumSchema, message, sink), Error);
  assertEquals(sink.position, sink.start);
  // By way of protobuf-es.
  Object.assign(message, { items: [], name: 5 });
  encodeInto(MediumSchema, message, sink);
  assertEquals(
    sink.buffer.subarray(sink.start, sink.position),
    toBinary(MediumSchema, message),
  );
  encoderOf(MediumSchema).uncovered = 0;
});
