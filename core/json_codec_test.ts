import { assertEquals, assertThrows } from "@std/assert";
import { create, createRegistry } from "@bufbuild/protobuf";
import {
  anyPack,
  AnySchema,
  type Duration,
  DurationSchema,
  FieldMaskSchema,
  StringValueSchema,
  TypeSchema,
} from "@bufbuild/protobuf/wkt";
import { ProtoJsonCodec } from "./json_codec.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

Deno.test("ProtoJsonCodec encodes a message, or the fields of one, as JSON", () => {
  const codec = new ProtoJsonCodec();
  assertEquals(codec.contentSubtype, "json");
  const expected = '{"name":"grün","oneofs":["a"]}';
  for (const fields of [{ name: "grün", oneofs: ["a"] }]) {
    assertEquals(textOf(codec.encode(fields, TypeSchema)), expected);
    const message = create(TypeSchema, fields);
    assertEquals(textOf(codec.encode(message, TypeSchema)), expected);
    assertEquals(codec.decode(bytesOf(expected), TypeSchema), message);
  }
});

Deno.test("ProtoJsonCodec throws when the message or the type is another", () => {
  const codec = new ProtoJsonCodec();
  assertThrows(
    () => codec.encode(create(DurationSchema), FieldMaskSchema),
    TypeError,
    "Message must be of type google.protobuf.FieldMask, received google.protobuf.Duration",
  );
  assertThrows(() => codec.encode({}, "type"), TypeError, "descriptor");
  assertThrows(
    () => codec.decode(bytesOf("{}"), null),
    TypeError,
    "descriptor",
  );
});

Deno.test("ProtoJsonCodec throws when the bytes are malformed", () => {
  const codec = new ProtoJsonCodec();
  for (const text of ["", "{", "[]", '{"name":1}', "null"]) {
    assertThrows(() => codec.decode(bytesOf(text), TypeSchema), Error);
  }
  // No UTF-8.
  const bytes = new Uint8Array([0x22, 0xff, 0x22]);
  assertThrows(() => codec.decode(bytes, StringValueSchema), Error);
});

Deno.test("ProtoJsonCodec leaves out unknown fields unless it is told not to", () => {
  const bytes = bytesOf('{"name":"a","newer":1}');
  assertEquals(
    new ProtoJsonCodec().decode(bytes, TypeSchema),
    create(TypeSchema, { name: "a" }),
  );
  const strict = new ProtoJsonCodec({ ignoreUnknownFields: false });
  assertThrows(() => strict.decode(bytes, TypeSchema), Error, "newer");
});

Deno.test("ProtoJsonCodec knows the types of its registry", () => {
  const duration: Duration = create(DurationSchema, { seconds: 3n });
  const any = anyPack(DurationSchema, duration);
  assertThrows(() => new ProtoJsonCodec().encode(any, AnySchema), Error);
  const codec = new ProtoJsonCodec({
    registry: createRegistry(DurationSchema),
  });
  const bytes = codec.encode(any, AnySchema);
  assertEquals(codec.decode(bytes, AnySchema), any);
});
