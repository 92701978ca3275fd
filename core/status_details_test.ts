import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  create,
  createRegistry,
  fromBinary,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import {
  anyPack,
  AnySchema,
  DurationSchema,
  type StringValue,
  StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import {
  type BadRequest,
  BadRequestSchema,
  DebugInfoSchema,
  file_google_rpc_error_details,
} from "./gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "./gen/google/rpc/status_pb.ts";
import { Buffer } from "node:buffer";
import { deferDetails, GRPCError } from "./errors.ts";
import { Status } from "./status.ts";
import {
  findDetail,
  ProtoStatusDetailsCodec,
  UnknownDetail,
} from "./status_details.ts";

const BAD = create(BadRequestSchema, {
  fieldViolations: [{ field: "name", description: "is empty" }],
});
const TYPES = createRegistry(StringValueSchema);
const TEXT = create(StringValueSchema, { value: "too late" });

function roundTrip(
  details: readonly unknown[],
  codec = new ProtoStatusDetailsCodec(),
): readonly unknown[] {
  const bytes = codec.encode(Status.ABORTED, "why", details);
  return codec.decode(Status.ABORTED, "why", bytes);
}

Deno.test("ProtoStatusDetailsCodec.encode() writes a google.rpc.Status", () => {
  const bytes = new ProtoStatusDetailsCodec().encode(5, "grün", [BAD]);
  const status = fromBinary(StatusSchema, bytes);
  assertEquals([status.code, status.message], [5, "grün"]);
  assertEquals(
    status.details[0]!.typeUrl,
    "type.googleapis.com/google.rpc.BadRequest",
  );
  assertEquals(fromBinary(BadRequestSchema, status.details[0]!.value), BAD);
});

Deno.test("ProtoStatusDetailsCodec knows all of error_details.proto", () => {
  for (const schema of file_google_rpc_error_details.messages) {
    const message = create(schema);
    assertEquals(roundTrip([message]), [message]);
  }
});

Deno.test("ProtoStatusDetailsCodec knows the types of its registry", () => {
  const codec = new ProtoStatusDetailsCodec({ registry: TYPES });
  assertEquals(roundTrip([TEXT, BAD], codec), [TEXT, BAD]);
  assertThrows(
    () =>
      new ProtoStatusDetailsCodec({
        registry: StringValueSchema as unknown as Registry,
      }),
    TypeError,
    "Cannot create codec: registry must be made by createRegistry() of protobuf-es, received",
  );
});

Deno.test("ProtoStatusDetailsCodec.encode() throws when it does not know a type", () => {
  assertThrows(
    () => roundTrip([TEXT]),
    TypeError,
    'Cannot encode detail: type "google.protobuf.StringValue" must be in the registry of ProtoStatusDetailsCodec',
  );
  for (const detail of [null, "text", { name: 1 }, new Error("x")]) {
    assertThrows(
      () => roundTrip([detail]),
      TypeError,
      "Cannot encode detail: it must be a message of protobuf-es, received",
    );
  }
});

Deno.test("ProtoStatusDetailsCodec.decode() leaves an Any in an Any packed", () => {
  const inner = anyPack(BadRequestSchema, BAD);
  const outer = anyPack(AnySchema, inner);
  const codec = new ProtoStatusDetailsCodec({
    registry: createRegistry(AnySchema),
  });
  const [detail] = roundTrip([outer], codec) as [UnknownDetail];
  assertEquals(detail.typeName, "google.protobuf.Any");
  assertEquals(fromBinary(AnySchema, detail.value), inner);
  assertEquals(roundTrip([detail], codec), [detail]);
});

Deno.test("ProtoStatusDetailsCodec prefers the types of its registry", () => {
  // The same type, as a user may have generated it from a newer file.
  const asked: string[] = [];
  const registry: Registry = {
    ...createRegistry(),
    getMessage(typeName) {
      asked.push(typeName);
      return typeName === BadRequestSchema.typeName
        ? { ...BadRequestSchema }
        : undefined;
    },
  };
  const codec = new ProtoStatusDetailsCodec({ registry });
  assertEquals(roundTrip([BAD], codec), [BAD]);
  assertEquals(asked, [BadRequestSchema.typeName, BadRequestSchema.typeName]);
});

Deno.test("ProtoStatusDetailsCodec sends on what stayed packed as it came", () => {
  const value = new Uint8Array([1, 2, 3]);
  for (const typeUrl of ["", "/", "a.B", "example.com/x/a.B", "a.B/"]) {
    const unknown = new UnknownDetail(typeUrl, value);
    const any = create(AnySchema, { typeUrl, value });
    const bytes = new ProtoStatusDetailsCodec().encode(5, "", [unknown, any]);
    assertEquals(fromBinary(StatusSchema, bytes).details, [any, any]);
    assertEquals(roundTrip([unknown, any]), [unknown, unknown]);
  }
});

Deno.test("UnknownDetail.typeName is what stands behind the last slash", () => {
  const cases = [
    ["type.googleapis.com/a.B", "a.B"],
    ["https://example.com/x/a.B", "a.B"],
    ["a.B", "a.B"],
    ["/a.B", "a.B"],
    ["a.B/", ""],
    ["", ""],
  ] as const;
  for (const [typeUrl, typeName] of cases) {
    const detail = new UnknownDetail(typeUrl, new Uint8Array());
    assertEquals([detail.typeUrl, detail.typeName], [typeUrl, typeName]);
  }
});

Deno.test("ProtoStatusDetailsCodec.decode() takes a Buffer and gives plain bytes", () => {
  const unknown = new UnknownDetail("x/a.B", new Uint8Array([1, 2]));
  const codec = new ProtoStatusDetailsCodec();
  const bytes = Buffer.from(codec.encode(Status.ABORTED, "", [unknown]));
  const [detail] = codec.decode(Status.ABORTED, "", bytes);
  assertInstanceOf(detail, UnknownDetail);
  assertStrictEquals(detail.value.constructor, Uint8Array);
});

Deno.test("ProtoStatusDetailsCodec.decode() throws when the bytes are no google.rpc.Status", () => {
  const codec = new ProtoStatusDetailsCodec();
  for (const bytes of [[0xff], [0x1a, 5, 0], [0], [0x1b]]) {
    assertThrows(
      () => codec.decode(Status.ABORTED, "", new Uint8Array(bytes)),
      Error,
    );
  }
});

Deno.test("ProtoStatusDetailsCodec.decode() keeps the bytes when it does not know a type", () => {
  const any = anyPack(StringValueSchema, TEXT);
  const [detail, other] = roundTrip([any, BAD]) as [UnknownDetail, BadRequest];
  assertInstanceOf(detail, UnknownDetail);
  assertEquals(detail.typeName, "google.protobuf.StringValue");
  assertEquals(detail.typeUrl, any.typeUrl);
  assertEquals(fromBinary(StringValueSchema, detail.value), TEXT);
  assertEquals(other, BAD);
  // A server that passes it on.
  const known = new ProtoStatusDetailsCodec({ registry: TYPES });
  assertEquals(roundTrip([detail], known), [TEXT]);
});

Deno.test("ProtoStatusDetailsCodec.decode() keeps the others when a detail is malformed", () => {
  const broken = create(AnySchema, {
    typeUrl: "type.googleapis.com/google.rpc.BadRequest",
    value: new Uint8Array([0xff]),
  });
  const [first, second] = roundTrip([broken, BAD]);
  assertInstanceOf(first, UnknownDetail);
  assertEquals(first.typeName, "google.rpc.BadRequest");
  assertEquals(second, BAD);
});

Deno.test("ProtoStatusDetailsCodec.decode() goes by the name whatever the URL is", () => {
  for (const prefix of ["", "/", "example.com/a/b/"]) {
    const typeUrl = `${prefix}google.rpc.BadRequest`;
    const value = toBinary(BadRequestSchema, BAD);
    assertEquals(roundTrip([create(AnySchema, { typeUrl, value })]), [BAD]);
  }
});

Deno.test("ProtoStatusDetailsCodec takes large details", () => {
  const detail = create(DebugInfoSchema, { detail: "x".repeat(1 << 20) });
  assertEquals(roundTrip([detail]), [detail]);
});

Deno.test("ProtoStatusDetailsCodec.decode() throws nothing but an Error on any bytes", () => {
  const codec = new ProtoStatusDetailsCodec();
  for (let i = 0; i < 2000; i++) {
    const bytes = crypto.getRandomValues(new Uint8Array(i % 40));
    try {
      codec.decode(Status.ABORTED, "", bytes);
    } catch (error) {
      assertInstanceOf(error, Error);
    }
  }
});

Deno.test("ProtoStatusDetailsCodec.decode() never throws for what is in a detail", () => {
  const { typeUrl, value } = anyPack(BadRequestSchema, BAD);
  let packed = 0;
  for (let i = 0; i < 2000; i++) {
    const length = i % 3 === 0 ? i % value.length : value.length;
    const broken = value.slice(0, length);
    const start = i % (length + 1);
    crypto.getRandomValues(broken.subarray(start, start + 2));
    const detail = new UnknownDetail(typeUrl, broken);
    const [first, second] = roundTrip([detail, BAD]);
    assertEquals(second, BAD);
    if (!(first instanceof UnknownDetail)) continue;
    assertEquals(first, detail);
    packed++;
  }
  assert(packed > 0);
});

Deno.test("ProtoStatusDetailsCodec.decode() survives groups in groups without end", () => {
  const value = new Uint8Array(1 << 20).fill(0x53); // field 10, start of a group
  const detail = new UnknownDetail("x/google.rpc.BadRequest", value);
  assertEquals(roundTrip([detail, BAD]), [detail, BAD]);
  const codec = new ProtoStatusDetailsCodec();
  assertThrows(() => codec.decode(Status.ABORTED, "", value), Error);
});

Deno.test("findDetail() gives the first detail of a type", () => {
  const second = create(BadRequestSchema);
  const error = new GRPCError(Status.ABORTED, "", {
    details: ["text", TEXT, BAD, second],
  });
  assertStrictEquals(findDetail(error, BadRequestSchema), BAD);
  const text: StringValue | undefined = findDetail(error, StringValueSchema);
  assertStrictEquals(text, TEXT);
  assertEquals(findDetail(error, DurationSchema), undefined);
  for (const thrown of [undefined, null, "x", new Error("x")]) {
    assertEquals(findDetail(thrown, BadRequestSchema), undefined);
  }
});

Deno.test("findDetail() unpacks a detail that stayed packed", () => {
  const any = anyPack(StringValueSchema, TEXT);
  const unknown = new UnknownDetail(any.typeUrl, any.value);
  const broken = new UnknownDetail(any.typeUrl, new Uint8Array([0xff]));
  for (const detail of [any, unknown]) {
    const error = new GRPCError(Status.ABORTED, "", {
      details: [broken, detail],
    });
    assertEquals(findDetail(error, StringValueSchema), TEXT);
    assertEquals(findDetail(error, DurationSchema), undefined);
    // Its bytes could be one of these as well: the name decides.
    assertEquals(findDetail(error, DebugInfoSchema), undefined);
  }
});

Deno.test("GRPCError shows its details when it is inspected", () => {
  const error = new GRPCError(Status.ABORTED, "why", { details: ["a detail"] });
  assertMatch(Deno.inspect(error), /why[^]*details: \[ "a detail" \]/);
  assertEquals(
    Deno.inspect(new GRPCError(Status.ABORTED)).includes("details: ["),
    false,
  );
});

Deno.test("GRPCError shows received details when it is inspected, as a cause too", () => {
  const error = new GRPCError(Status.ABORTED);
  deferDetails(error, () => [new UnknownDetail("x/a.B", new Uint8Array([7]))]);
  const text = Deno.inspect(new Error("outer", { cause: error }), { depth: 9 });
  assertMatch(text, /UnknownDetail \{[^]*typeName: "a\.B"[^]*\[ 7 \]/);
  // Looking at it changes nothing but the looks.
  assertStrictEquals(error.details, error.details);
  assertEquals(error.details.length, 1);
  const frozen = Object.freeze(
    new GRPCError(Status.ABORTED, "why", { details: ["a detail"] }),
  );
  assertMatch(Deno.inspect(frozen), /why/);
});

Deno.test("GRPCError.details cannot be changed", () => {
  const received = new GRPCError(Status.ABORTED);
  deferDetails(received, () => [1]);
  const made = new GRPCError(Status.ABORTED, "", { details: [1] });
  for (const { details } of [received, made, new GRPCError(Status.ABORTED)]) {
    assertThrows(() => (details as unknown[]).push(2), TypeError);
  }
});

Deno.test("GRPCError.details are empty when they cannot be made", () => {
  const error = new GRPCError(Status.ABORTED);
  deferDetails(error, () => {
    throw new Error("malformed");
  });
  assertEquals(error.details, []);
  assertStrictEquals(error.details, error.details);
  // A codec of the user's may give anything.
  for (const made of [undefined, null, 5, {}]) {
    deferDetails(error, () => made as unknown as readonly unknown[]);
    assertEquals(error.details, []);
  }
});

Deno.test("GRPCError.details are made when they are first read", () => {
  const error = new GRPCError(Status.ABORTED);
  assertEquals(error.details, []);
  let made = 0;
  deferDetails(error, () => [++made]);
  assertEquals(made, 0);
  assertEquals(error.details, [1]);
  assertStrictEquals(error.details, error.details);
  assertEquals(made, 1);
});

Deno.test("GRPCError() throws when details are no array", () => {
  assertThrows(
    () =>
      new GRPCError(Status.ABORTED, "", {
        details: BAD as unknown as readonly unknown[],
      }),
    TypeError,
    "Cannot create error: details must be an array, received google.rpc.BadRequest",
  );
});
