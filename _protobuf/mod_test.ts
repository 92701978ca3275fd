import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type DescMessage,
  equals,
  fromBinary,
  isMessage,
  type Message,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { decode, encode } from "./mod.ts";
import { decoderOf } from "./decode.ts";
import { encoderOf } from "./encode.ts";
import { MediumSchema } from "./testdata/gen/bench_pb.ts";
import { TestAllTypesProto2Schema as Proto2EditionSchema } from "./testdata/gen/google/protobuf/test_messages_proto2_editions_pb.ts";
import {
  TestAllRequiredTypesProto2Schema,
  TestAllTypesProto2Schema,
} from "./testdata/gen/google/protobuf/test_messages_proto2_pb.ts";
import { TestAllTypesProto3Schema as Proto3EditionSchema } from "./testdata/gen/google/protobuf/test_messages_proto3_editions_pb.ts";
import { TestAllTypesProto3Schema } from "./testdata/gen/google/protobuf/test_messages_proto3_pb.ts";
import { TestAllTypesEdition2023Schema } from "./testdata/gen/google/protobuf/test_messages_edition2023_pb.ts";
import { Random, randomMessage } from "./testdata/random.ts";

const TYPES: readonly DescMessage[] = [
  TestAllTypesProto2Schema,
  TestAllRequiredTypesProto2Schema,
  TestAllTypesProto3Schema,
  Proto2EditionSchema,
  Proto3EditionSchema,
  TestAllTypesEdition2023Schema,
  MediumSchema,
  ValueSchema,
  FileDescriptorSetSchema,
];

function assertSame(desc: DescMessage, actual: Message, expected: Message) {
  assertEquals(shape(actual), shape(expected));
  assertEquals(actual, expected);
  assertStrictEquals(isMessage(actual, desc), true);
}

/** What assertEquals() does not see: the order of the properties, and prototypes. */
function shape(value: unknown): unknown {
  if (typeof value !== "object" || value === null) {
    return Object.is(value, -0) ? "-0" : value;
  }
  if (ArrayBuffer.isView(value)) return [value.constructor.name, `${value}`];
  if (Array.isArray(value)) return value.map(shape);
  return [
    Object.getPrototypeOf(value),
    Object.entries(value).map(([key, it]) => [key, shape(it)]),
  ];
}

for (const desc of TYPES) {
  Deno.test(`encode() and decode() do as protobuf-es for ${desc.typeName} (${desc.file.name})`, () => {
    for (let seed = 0; seed < 150; seed++) {
      const random = new Random(seed);
      const message = randomMessage(random, desc, 1 + seed % 4);
      const expected = toBinary(desc, message);
      assertEquals(encode(desc, message), expected, `seed ${seed}`);
      const decoded = decode(desc, expected);
      assertSame(desc, decoded, fromBinary(desc, expected));
      assertEquals(encode(desc, decoded), expected, `seed ${seed}`);
    }
    assertEquals(decoderOf(desc).uncovered, 0);
    assertEquals(encoderOf(desc).uncovered, 0);
  });
}
void equals;
void toJsonString;
void assertThrows;
