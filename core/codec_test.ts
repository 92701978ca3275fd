import {
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { create } from "@bufbuild/protobuf";
import {
  BytesValueSchema,
  type Duration,
  DurationSchema,
  EmptySchema,
  type FieldMask,
  FieldMaskSchema,
  Int64ValueSchema,
  ListValueSchema,
  NullValueSchema,
  StringValueSchema,
  StructSchema,
} from "@bufbuild/protobuf/wkt";
import { Buffer } from "node:buffer";
import { type ByteWriter, type MessageInit, ProtoCodec } from "./codec.ts";

const codec = new ProtoCodec();

/** Fails to compile unless the value has exactly the type. */
function assertType<T>(_value: T): void {}

Deno.test("ProtoCodec.contentSubtype is proto", () => {
  assertEquals(codec.contentSubtype, "proto");
});

Deno.test("ProtoCodec.encode() encodes messages", () => {
  const message = create(StringValueSchema, { value: "Ada" });
  assertEquals(
    codec.encode(message, StringValueSchema),
    new Uint8Array([0x0a, 3, 0x41, 0x64, 0x61]),
  );
  assertEquals(codec.encode(create(EmptySchema), EmptySchema).length, 0);
});

Deno.test("ProtoCodec.encode() makes messages of plain objects", () => {
  const message = create(DurationSchema, { seconds: 5n, nanos: 1 });
  const expected = codec.encode(message, DurationSchema);
  const inits = [
    { seconds: 5n, nanos: 1 },
    { ...message },
    Object.assign(Object.create(null), { seconds: 5n, nanos: 1 }),
  ];
  for (const init of inits) {
    assertEquals(codec.encode(init, DurationSchema), expected);
  }
  assertEquals(codec.encode({}, DurationSchema), new Uint8Array());
});

Deno.test("ProtoCodec round-trips messages with nested and repeated fields and maps", () => {
  const list = { values: [{ kind: { case: "numberValue", value: 1.5 } }] };
  const cases = [
    [StructSchema, {
      fields: {
        text: { kind: { case: "stringValue", value: "Привет \u{1F600}" } },
        none: { kind: { case: "nullValue", value: 0 } },
        list: { kind: { case: "listValue", value: list } },
      },
    }],
    [ListValueSchema, list],
    [FieldMaskSchema, { paths: ["a", "b.c"] }],
    [Int64ValueSchema, { value: -(2n ** 63n) }],
    [BytesValueSchema, { value: new Uint8Array([0, 255]) }],
  ] as const;
  for (const [type, init] of cases) {
    const message = create(type, init as Record<string, unknown>);
    assertEquals(codec.decode(codec.encode(message, type), type), message);
    assertEquals(codec.decode(codec.encode(init, type), type), message);
  }
});

Deno.test("ProtoCodec.encode() refuses anything but the message or a plain object", () => {
  class Name {
    value = "Ada";
  }
  const cases: [unknown, string][] = [
    [create(DurationSchema), "google.protobuf.Duration"],
    [{ $typeName: "a.B" }, "a.B"],
    [{ $typeName: 5 }, "Object"],
    [undefined, "undefined"],
    [null, "null"],
    ["Ada", "string"],
    [5, "number"],
    [() => {}, "function"],
    [[], "Array"],
    [new Uint8Array(), "Uint8Array"],
    [new Map(), "Map"],
    [Promise.resolve({ value: "Ada" }), "Promise"],
    [new Name(), "Name"],
  ];
  for (const [message, received] of cases) {
    const error = assertThrows(
      () => codec.encode(message, StringValueSchema),
      TypeError,
    );
    assertEquals(
      error.message,
      `Message must be of type google.protobuf.StringValue, received ${received}`,
    );
  }
});

Deno.test("ProtoCodec.encode() passes on what protobuf-es says of a field", () => {
  assertThrows(
    () => codec.encode({ nanos: 2 ** 40 }, DurationSchema),
    Error,
    "google.protobuf.Duration.nanos",
  );
});

Deno.test("ProtoCodec.encodeInto() writes messages and plain objects in place", () => {
  const inits = [
    create(DurationSchema, { seconds: 5n, nanos: 1 }),
    { seconds: 5n, nanos: 1 },
  ];
  for (const init of inits) {
    const writer = new Growing();
    codec.encodeInto(init, DurationSchema, writer);
    assertEquals(
      writer.buffer.subarray(1, writer.position),
      new Uint8Array([8, 5, 16, 1]),
    );
  }
});

Deno.test("ProtoCodec.encodeInto() refuses what encode() refuses, and writes nothing", () => {
  const cases: [unknown, unknown][] = [
    ["Ada", StringValueSchema],
    [create(DurationSchema), StringValueSchema],
    [{ nanos: 2 ** 40 }, DurationSchema],
    [{ seconds: 5n, nanos: 1.5 }, DurationSchema],
    [{}, undefined],
  ];
  for (const [message, type] of cases) {
    const writer = new Growing();
    const expected = assertThrows(() => codec.encode(message, type), Error);
    const error = assertThrows(
      () => codec.encodeInto(message, type, writer),
      Error,
    );
    assertEquals(error.message, expected.message);
    assertStrictEquals(error.constructor, expected.constructor);
    assertEquals(writer.position, 1);
  }
});

/** A place to write to, from the second byte on. */
class Growing implements ByteWriter {
  buffer: Uint8Array = new Uint8Array(1);
  position = 1;

  reserve(bytes: number): void {
    const grown = new Uint8Array(this.position + bytes);
    grown.set(this.buffer.subarray(0, this.position));
    this.buffer = grown;
  }
}

Deno.test("ProtoCodec.decode() decodes messages, also of no bytes", () => {
  const duration = codec.decode(new Uint8Array([8, 5]), DurationSchema);
  assertEquals(duration, create(DurationSchema, { seconds: 5n }));
  assertEquals(
    codec.decode(new Uint8Array(), StringValueSchema),
    create(StringValueSchema),
  );
});

Deno.test("ProtoCodec.decode() reads within the view only", () => {
  const memory = new Uint8Array([9, 9, 8, 5, 9, 9]);
  assertEquals(
    codec.decode(memory.subarray(2, 4), DurationSchema),
    create(DurationSchema, { seconds: 5n }),
  );
});

Deno.test("ProtoCodec.decode() gives plain Uint8Array fields when the bytes are a Buffer", () => {
  const bytes = Buffer.from([99, 0x0a, 2, 1, 2, 99]).subarray(1, 5);
  const { value } = codec.decode(bytes, BytesValueSchema) as unknown as {
    value: Uint8Array;
  };
  assertEquals([...value], [1, 2]);
  assertStrictEquals(value.constructor, Uint8Array);
});

Deno.test("ProtoCodec.decode() throws an error when the bytes are malformed", () => {
  const cases = [
    [0x0a], // no length
    [0x0a, 5, 0x41], // shorter than its length
    [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // endless
    [0xff],
    [0x0f], // wire type 7
  ];
  for (const bytes of cases) {
    assertInstanceOf(
      assertThrows(() =>
        codec.decode(new Uint8Array(bytes), StringValueSchema)
      ),
      Error,
    );
  }
});

Deno.test("ProtoCodec refuses a type that is not a message descriptor", () => {
  const cases: [unknown, string][] = [
    [undefined, "undefined"],
    [null, "null"],
    ["google.protobuf.Empty", "string"],
    [{}, "Object"],
  ];
  for (const [type, received] of cases) {
    assertThrows(
      () => codec.encode({}, type),
      TypeError,
      `Cannot encode message: its type must be a descriptor of protobuf-es, received ${received}`,
    );
    assertThrows(
      () => codec.decode(new Uint8Array(), type),
      TypeError,
      `Cannot decode message: its type must be a descriptor of protobuf-es, received ${received}`,
    );
  }
  // A descriptor, but of an enum.
  assertThrows(() => codec.encode({}, NullValueSchema), TypeError);
});

Deno.test("MessageInit is the init shape of messages and the type itself of the rest", () => {
  assertType<MessageInit<Duration>>({ seconds: 5n });
  assertType<MessageInit<FieldMask>>({});
  assertType<MessageInit<FieldMask>>(create(FieldMaskSchema));
  // @ts-expect-error: the field is an array
  assertType<MessageInit<FieldMask>>({ paths: "a" });
  assertType<MessageInit<{ a: number }>>({ a: 1 });
  // @ts-expect-error: it is no message, so no field may be absent
  assertType<MessageInit<{ a: number }>>({});
  assertType<MessageInit<Uint8Array>>(new Uint8Array());
});
