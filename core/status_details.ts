/**
 * Error details: messages that go with the status of a call that failed, and
 * say more than its text.
 *
 * @module
 */

import {
  create,
  type DescMessage,
  fromBinary,
  isMessage,
  type Message,
  type MessageShape,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { type Any, anyPack, AnySchema } from "@bufbuild/protobuf/wkt";
import { plainBytes } from "./_bytes.ts";
import { describe } from "./_describe.ts";
import { GRPCError } from "./errors.ts";
import { file_google_rpc_error_details } from "./gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "./gen/google/rpc/status_pb.ts";
import type { Status } from "./status.ts";

/** Turns the details of an error into the bytes of `grpc-status-details-bin`, and back. */
export interface StatusDetailsCodec {
  /**
   * Encodes details.
   *
   * @param status The status they go with.
   * @param message The text that goes with the status.
   * @param details The details, as they were given to {@linkcode GRPCError}.
   * @returns The bytes.
   */
  encode(
    status: Status,
    message: string,
    details: readonly unknown[],
  ): Uint8Array;

  /**
   * Decodes details. When it throws, the error has none, but keeps its status.
   *
   * @param status The status they came with.
   * @param message The text that came with the status.
   * @param bytes The bytes.
   * @returns The details.
   */
  decode(
    status: Status,
    message: string,
    bytes: Uint8Array,
  ): readonly unknown[];
}

/**
 * A detail that stays packed, because its type is not known or its bytes are malformed.
 * {@linkcode findDetail} opens it for those who know the type.
 *
 * It may be given to a {@linkcode GRPCError} again, and then goes out as it came.
 *
 * @example Usage
 * ```ts
 * import { UnknownDetail } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * const detail = new UnknownDetail(
 *   "type.googleapis.com/shop.v1.OutOfStock",
 *   new Uint8Array([8, 1]),
 * );
 *
 * assertEquals(detail.typeName, "shop.v1.OutOfStock");
 * ```
 */
export class UnknownDetail {
  /** The name of the type: what stands behind the last slash of the URL. */
  readonly typeName: string;

  /** The URL that says the type, such as `type.googleapis.com/shop.v1.OutOfStock`. */
  readonly typeUrl: string;

  /** The encoded message. */
  readonly value: Uint8Array;

  /**
   * Creates a packed detail.
   *
   * @param typeUrl The URL that says the type.
   * @param value The encoded message.
   */
  constructor(typeUrl: string, value: Uint8Array) {
    this.typeName = typeNameOf(typeUrl);
    this.typeUrl = typeUrl;
    this.value = value;
  }
}

/** Options for {@linkcode ProtoStatusDetailsCodec}. */
export interface ProtoStatusDetailsCodecOptions {
  /**
   * Further types of details, such as `createRegistry(OutOfStockSchema)`.
   *
   * @default {createRegistry()}
   */
  readonly registry?: Registry;
}

/**
 * The codec for details as most of gRPC has them: messages of Protocol Buffers,
 * packed into a `google.rpc.Status`.
 *
 * It knows the types of `google/rpc/error_details.proto`, which are in
 * `@grpclib/grpclib/error-details`, and those of a registry.
 *
 * @example Usage
 * ```ts
 * import { ProtoStatusDetailsCodec, Status, UnknownDetail } from "@grpclib/grpclib";
 * import { create, createRegistry } from "@bufbuild/protobuf";
 * import { DurationSchema } from "@bufbuild/protobuf/wkt";
 * import { assertEquals, assertInstanceOf } from "@std/assert";
 *
 * const codec = new ProtoStatusDetailsCodec({
 *   registry: createRegistry(DurationSchema),
 * });
 * const duration = create(DurationSchema, { seconds: 5n });
 * const bytes = codec.encode(Status.ABORTED, "Busy", [duration]);
 *
 * assertEquals(codec.decode(Status.ABORTED, "Busy", bytes), [duration]);
 *
 * const [detail] = new ProtoStatusDetailsCodec().decode(Status.ABORTED, "Busy", bytes);
 *
 * assertInstanceOf(detail, UnknownDetail);
 * assertEquals(detail.typeName, "google.protobuf.Duration");
 * ```
 */
export class ProtoStatusDetailsCodec implements StatusDetailsCodec {
  readonly #registry: Registry | undefined;

  /**
   * Creates a codec.
   *
   * @param options Further types of details.
   * @throws {TypeError} If the registry is not one of protobuf-es.
   */
  constructor(options: ProtoStatusDetailsCodecOptions = {}) {
    const { registry } = options;
    if (registry !== undefined && registry?.kind !== "registry") {
      throw new TypeError(
        `Cannot create codec: registry must be made by createRegistry() of protobuf-es, received ${
          describe(registry)
        }`,
      );
    }
    this.#registry = registry;
  }

  /**
   * Encodes details: messages of a type that the codec knows. An `Any` and an
   * {@linkcode UnknownDetail} go out as they are.
   *
   * @param status The status they go with.
   * @param message The text that goes with the status.
   * @param details The details.
   * @returns The bytes.
   * @throws {TypeError} If a detail is not a message, or of a type that is not known.
   * @throws {Error} If the value of a field does not fit its type.
   *
   * @example Usage
   * ```ts
   * import { ProtoStatusDetailsCodec, Status } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * const bytes = new ProtoStatusDetailsCodec().encode(Status.NOT_FOUND, "Gone", []);
   *
   * assertEquals(bytes, new Uint8Array([8, 5, 0x12, 4, 0x47, 0x6f, 0x6e, 0x65]));
   * ```
   */
  encode(
    status: Status,
    message: string,
    details: readonly unknown[],
  ): Uint8Array {
    return toBinary(
      StatusSchema,
      create(StatusSchema, {
        code: status,
        message,
        details: details.map((detail) => this.#pack(detail)),
      }),
    );
  }

  /**
   * Decodes details. One whose type is not known or whose bytes are malformed, and an
   * `Any` in an `Any`, comes as an {@linkcode UnknownDetail}, beside the others.
   *
   * @param _status The status they came with. It counts, and not the one in the bytes.
   * @param _message The text that came with the status.
   * @param bytes The bytes.
   * @returns The details. Their `bytes` fields are views of the given bytes.
   * @throws {Error} If the bytes are not a `google.rpc.Status`.
   *
   * @example Usage
   * ```ts
   * import { ProtoStatusDetailsCodec, Status } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * const details = new ProtoStatusDetailsCodec()
   *   .decode(Status.NOT_FOUND, "", new Uint8Array([8, 5]));
   *
   * assertEquals(details, []);
   * ```
   */
  decode(
    _status: Status,
    _message: string,
    bytes: Uint8Array,
  ): readonly (Message | UnknownDetail)[] {
    // protobuf-es gives `bytes` fields the class of its input.
    const { details } = fromBinary(StatusSchema, plainBytes(bytes));
    return details.map((any) => this.#unpack(any));
  }

  #schemaOf(typeName: string): DescMessage | undefined {
    return this.#registry?.getMessage(typeName) ?? builtInSchema(typeName);
  }

  #pack(detail: unknown): Any {
    if (detail instanceof UnknownDetail) {
      const { typeUrl, value } = detail;
      return create(AnySchema, { typeUrl, value });
    }
    if (isMessage(detail, AnySchema)) return detail;
    if (!isMessage(detail)) {
      throw new TypeError(
        `Cannot encode detail: it must be a message of protobuf-es, received ${
          describe(detail)
        }`,
      );
    }
    const schema = this.#schemaOf(detail.$typeName);
    if (schema === undefined) {
      // A message tells the name of its type, but not what its fields are.
      throw new TypeError(
        `Cannot encode detail: type "${detail.$typeName}" must be in the registry of ProtoStatusDetailsCodec, or the detail be packed with anyPack()`,
      );
    }
    return anyPack(schema, detail);
  }

  #unpack({ typeUrl, value }: Any): Message | UnknownDetail {
    const typeName = typeNameOf(typeUrl);
    // An Any in an Any would lose its wrapping if it were sent on.
    const schema = typeName === AnySchema.typeName
      ? undefined
      : this.#schemaOf(typeName);
    const message = schema && tryDecode(schema, value);
    return message ?? new UnknownDetail(typeUrl, value);
  }
}

/**
 * Finds the first detail of a type in whatever was caught.
 *
 * A detail that stayed packed, because the codec does not know its type, is
 * unpacked by the schema; one that is malformed is passed over.
 *
 * @example Usage
 * ```ts
 * import { findDetail, GRPCError, Status } from "@grpclib/grpclib";
 * import { RetryInfoSchema } from "@grpclib/grpclib/error-details";
 * import { create } from "@bufbuild/protobuf";
 * import { assertEquals } from "@std/assert";
 *
 * try {
 *   throw new GRPCError(Status.UNAVAILABLE, "Busy", {
 *     details: [create(RetryInfoSchema, { retryDelay: { seconds: 5n } })],
 *   });
 * } catch (error) {
 *   const retryInfo = findDetail(error, RetryInfoSchema);
 *   assertEquals(retryInfo?.retryDelay?.seconds, 5n);
 * }
 *
 * assertEquals(findDetail(new Error("Other"), RetryInfoSchema), undefined);
 * ```
 *
 * @param error What was caught. Only a {@linkcode GRPCError} has details.
 * @param schema The type of the detail.
 * @returns The detail, or undefined if there is none of this type.
 * @typeParam Desc The type of the schema.
 */
export function findDetail<Desc extends DescMessage>(
  error: unknown,
  schema: Desc,
): MessageShape<Desc> | undefined {
  if (!(error instanceof GRPCError)) return undefined;
  for (const detail of error.details) {
    if (isMessage(detail, schema)) return detail;
    if (detail instanceof UnknownDetail || isMessage(detail, AnySchema)) {
      if (typeNameOf(detail.typeUrl) !== schema.typeName) continue;
      const message = tryDecode(schema, detail.value);
      if (message !== undefined) return message;
    }
  }
  return undefined;
}

/** What stands behind the last slash, or all where there is none: some leave out the host. */
function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}

function tryDecode<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> | undefined {
  try {
    return fromBinary(schema, plainBytes(bytes));
  } catch {
    return undefined;
  }
}

let builtIn: ReadonlyMap<string, DescMessage> | undefined;

/** Finds a type of `google.rpc`. The table is made when the first detail comes, not at start. */
function builtInSchema(typeName: string): DescMessage | undefined {
  builtIn ??= new Map(
    [...file_google_rpc_error_details.messages, StatusSchema]
      .map((schema) => [schema.typeName, schema]),
  );
  return builtIn.get(typeName);
}
