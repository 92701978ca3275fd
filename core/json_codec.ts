/**
 * The codec for Protocol Buffers as JSON.
 *
 * @module
 */

import {
  fromJsonString,
  type Message,
  type Registry,
  toJsonString,
} from "@bufbuild/protobuf";
import { type Codec, messageOf, requireDescriptor } from "./codec.ts";

/** Options for {@linkcode ProtoJsonCodec}. */
export interface ProtoJsonCodecOptions {
  /**
   * The types that messages in an `Any`, and extensions, may be of.
   *
   * @default {undefined} none
   */
  readonly registry?: Registry;
  /**
   * Whether fields that the receiver does not know are left out. Otherwise a
   * message with one is malformed, so that no side can add a field before the
   * other has it.
   *
   * @default {true}
   */
  readonly ignoreUnknownFields?: boolean;
}

/**
 * The codec for Protocol Buffers as JSON, by protobuf-es: calls are sent as
 * `application/grpc+json`. Both sides have to use it.
 *
 * @see {@link https://protobuf.dev/programming-guides/json/}
 *
 * @example Usage
 * ```ts
 * import { ProtoJsonCodec } from "@grpclib/grpclib";
 * import { DurationSchema } from "@bufbuild/protobuf/wkt";
 * import { assertEquals } from "@std/assert";
 *
 * const codec = new ProtoJsonCodec();
 * const bytes = codec.encode({ seconds: 3n }, DurationSchema);
 *
 * assertEquals(new TextDecoder().decode(bytes), '"3s"');
 * ```
 */
export class ProtoJsonCodec implements Codec {
  /** The content subtype, `"json"`. */
  readonly contentSubtype: string = "json";

  readonly #registry: Registry | undefined;
  readonly #ignoreUnknownFields: boolean;
  readonly #encoder = new TextEncoder();
  // Bytes that are no UTF-8 are malformed, rather than read as something else.
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });

  /**
   * Creates a codec.
   *
   * @param options How to read and write JSON.
   */
  constructor(options: ProtoJsonCodecOptions = {}) {
    this.#registry = options.registry;
    this.#ignoreUnknownFields = options.ignoreUnknownFields ?? true;
  }

  /**
   * Encodes a message, or a plain object with some of its fields.
   *
   * @param message The message.
   * @param type The descriptor of the message.
   * @returns The bytes of the JSON, in UTF-8.
   * @throws {TypeError} If the message is of another type, or the type is not a
   *   descriptor.
   * @throws {Error} If the value of a field does not fit its type.
   *
   * @example Usage
   * ```ts
   * import { ProtoJsonCodec } from "@grpclib/grpclib";
   * import { StringValueSchema } from "@bufbuild/protobuf/wkt";
   * import { assertEquals } from "@std/assert";
   *
   * const bytes = new ProtoJsonCodec().encode({ value: "Ada" }, StringValueSchema);
   *
   * assertEquals(new TextDecoder().decode(bytes), '"Ada"');
   * ```
   */
  encode(message: unknown, type: unknown): Uint8Array {
    requireDescriptor("encode", type);
    const registry = this.#registry;
    const json = toJsonString(
      type,
      messageOf(message, type),
      registry === undefined ? {} : { registry },
    );
    return this.#encoder.encode(json);
  }

  /**
   * Decodes a message.
   *
   * @param bytes The bytes of the JSON, in UTF-8.
   * @param type The descriptor of the message.
   * @returns The message.
   * @throws {TypeError} If the type is not a descriptor.
   * @throws {Error} If the bytes are malformed.
   *
   * @example Usage
   * ```ts
   * import { ProtoJsonCodec } from "@grpclib/grpclib";
   * import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
   * import { assertEquals } from "@std/assert";
   *
   * const bytes = new TextEncoder().encode('"Ada"');
   * const message = new ProtoJsonCodec().decode(bytes, StringValueSchema);
   *
   * assertEquals((message as StringValue).value, "Ada");
   * ```
   */
  decode(bytes: Uint8Array, type: unknown): Message {
    requireDescriptor("decode", type);
    const registry = this.#registry;
    const ignoreUnknownFields = this.#ignoreUnknownFields;
    return fromJsonString(
      type,
      this.#decoder.decode(bytes),
      registry === undefined
        ? { ignoreUnknownFields }
        : { ignoreUnknownFields, registry },
    );
  }
}
