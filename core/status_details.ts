/**
 * Details of a status: messages that say more about what went wrong than its
 * text, sent beside it as `grpc-status-details-bin`.
 *
 * @see {@link https://grpc.io/docs/guides/error/#richer-error-model}
 * @module
 */

import {
  create,
  createRegistry,
  type DescFile,
  type DescMessage,
  fromBinary,
  isMessage,
  type Message,
  type MessageShape,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { type Any, anyPack, AnySchema } from "@bufbuild/protobuf/wkt";
import { describe } from "./_describe.ts";
import { plainBytes } from "./_bytes.ts";
import { GRPCError } from "./errors.ts";
import type { Status } from "./status.ts";
import { file_google_rpc_error_details } from "./gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "./gen/google/rpc/status_pb.ts";

/** Turns the details of a status into bytes and back. */
export interface StatusDetailsCodec {
  /**
   * Encodes details, for the value of `grpc-status-details-bin`.
   *
   * @param status The status that they explain.
   * @param message The message of the status.
   * @param details The details, at least one.
   * @returns The bytes.
   */
  encode(
    status: Status,
    message: string,
    details: readonly unknown[],
  ): Uint8Array;

  /**
   * Decodes details. When this throws the error has none: details never hide
   * the status.
   *
   * @param status The status that they explain.
   * @param message The message of the status.
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
 * A detail that came as a type which the codec does not know, or whose bytes it
 * cannot read. A server that passes it on sends it as it came.
 *
 * @example Usage
 * ```ts
 * import { fromBinary } from "@bufbuild/protobuf";
 * import { StringValueSchema } from "@bufbuild/protobuf/wkt";
 * import { UnknownDetail } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * const detail = new UnknownDetail(
 *   "type.googleapis.com/google.protobuf.StringValue",
 *   new Uint8Array([0x0a, 1, 0x41]),
 * );
 *
 * assertEquals(detail.typeName, "google.protobuf.StringValue");
 * assertEquals(fromBinary(StringValueSchema, detail.value).value, "A");
 * ```
 */
export class UnknownDetail {
  /** The URL of the type, as it came. */
  readonly typeUrl: string;

  /** The message in the wire format of Protocol Buffers. */
  readonly value: Uint8Array;

  /**
   * Creates a detail from its parts.
   *
   * @param typeUrl The URL of the type, such as
   *   `type.googleapis.com/example.Reason`.
   * @param value The message in the wire format of Protocol Buffers.
   */
  constructor(typeUrl: string, value: Uint8Array) {
    this.typeUrl = typeUrl;
    this.value = value;
  }

  /** The name of the type, such as `example.Reason`. */
  get typeName(): string {
    return this.typeUrl.slice(this.typeUrl.lastIndexOf("/") + 1);
  }
}

/** Made when the first details are, as most programs never see any. */
let builtIn: Registry | undefined;

/**
 * The codec for details in Protocol Buffers: a `google.rpc.Status`, with each
 * detail in an `Any`. It knows the messages of `google/rpc/error_details.proto`
 * (`@grpclib/grpclib/error-details` has them) and those that it is given.
 *
 * @example Usage
 * ```ts
 * import { create } from "@bufbuild/protobuf";
 * import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
 * import { ProtoStatusDetailsCodec, Status } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * const codec = new ProtoStatusDetailsCodec([StringValueSchema]);
 * const reason = create(StringValueSchema, { value: "too late" });
 * const bytes = codec.encode(Status.ABORTED, "Not now", [reason]);
 *
 * const [detail] = codec.decode(Status.ABORTED, "Not now", bytes);
 * assertEquals((detail as StringValue).value, "too late");
 * ```
 */
export class ProtoStatusDetailsCodec implements StatusDetailsCodec {
  readonly #types: readonly (DescMessage | DescFile | Registry)[];
  #registry: Registry | undefined;

  /**
   * Creates a codec.
   *
   * @param types The types beside the built-in ones: descriptors of messages or
   *   files, or registries of protobuf-es.
   */
  constructor(types: readonly (DescMessage | DescFile | Registry)[] = []) {
    this.#types = [...types];
  }

  /**
   * Encodes details.
   *
   * @param status The status that they explain.
   * @param message The message of the status.
   * @param details The messages; an `Any` or an {@linkcode UnknownDetail} is
   *   sent as what is in it.
   * @returns The bytes.
   * @throws {TypeError} If one is no message, or of a type that is not known.
   *
   * @example Usage
   * ```ts
   * import { ProtoStatusDetailsCodec, Status } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * const codec = new ProtoStatusDetailsCodec();
   * assertEquals(codec.encode(Status.NOT_FOUND, "", []), new Uint8Array([8, 5]));
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
   * Decodes details.
   *
   * @param _status The status that they explain.
   * @param _message The message of the status.
   * @param bytes The bytes.
   * @returns The messages; those of an unknown type, and those that are
   *   malformed, as {@linkcode UnknownDetail}.
   * @throws {Error} If the bytes are no `google.rpc.Status`.
   *
   * @example Usage
   * ```ts
   * import { ProtoStatusDetailsCodec, Status } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * const codec = new ProtoStatusDetailsCodec();
   * const bytes = new Uint8Array([8, 5]);
   * assertEquals(codec.decode(Status.NOT_FOUND, "", bytes), []);
   * ```
   */
  decode(
    _status: Status,
    _message: string,
    bytes: Uint8Array,
  ): readonly unknown[] {
    const { details } = fromBinary(StatusSchema, plainBytes(bytes));
    return details.map((any) => this.#unpack(any));
  }

  #pack(detail: unknown): Any {
    if (detail instanceof UnknownDetail) {
      const { typeUrl, value } = detail;
      return create(AnySchema, { typeUrl, value });
    }
    if (isMessage(detail, AnySchema)) return detail;
    const typeName = isMessage(detail) ? detail.$typeName : undefined;
    const schema = typeName === undefined
      ? undefined
      : this.#known().getMessage(typeName);
    if (schema !== undefined) return anyPack(schema, detail as Message);
    throw new TypeError(
      typeName === undefined
        ? `Cannot encode status details: they must be messages of protobuf-es, received ${
          describe(detail)
        }`
        : `Cannot encode status details: the type ${typeName} is not known, give its schema to ProtoStatusDetailsCodec`,
    );
  }

  #unpack({ typeUrl, value }: Any): unknown {
    const unknown = new UnknownDetail(typeUrl, value);
    const schema = this.#known().getMessage(unknown.typeName);
    if (schema === undefined) return unknown;
    try {
      return fromBinary(schema, value);
    } catch {
      // One that is malformed must not take the others with it.
      return unknown;
    }
  }

  #known(): Registry {
    builtIn ??= createRegistry(file_google_rpc_error_details);
    return this.#registry ??= this.#types.length === 0
      ? builtIn
      : createRegistry(builtIn, ...this.#types);
  }
}

/**
 * Finds a detail of an error.
 *
 * @param error What was caught.
 * @param schema The schema of the detail, such as `BadRequestSchema`.
 * @returns The first detail of that type, or undefined when there is none, or
 *   the error is no {@linkcode GRPCError}.
 * @typeParam Desc The type of the schema.
 *
 * @example Usage
 * ```ts
 * import { create } from "@bufbuild/protobuf";
 * import { findDetail, GRPCError, Status } from "@grpclib/grpclib";
 * import { BadRequestSchema } from "@grpclib/grpclib/error-details";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new GRPCError(Status.INVALID_ARGUMENT, "Bad name", {
 *   details: [
 *     create(BadRequestSchema, {
 *       fieldViolations: [{ field: "name", description: "is empty" }],
 *     }),
 *   ],
 * });
 *
 * const { fieldViolations } = findDetail(error, BadRequestSchema)!;
 * assertEquals(fieldViolations[0]?.field, "name");
 * ```
 */
export function findDetail<Desc extends DescMessage>(
  error: unknown,
  schema: Desc,
): MessageShape<Desc> | undefined {
  if (!(error instanceof GRPCError)) return undefined;
  for (const detail of error.details) {
    if (isMessage(detail, schema)) return detail;
  }
  return undefined;
}
