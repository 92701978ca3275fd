/**
 * Codecs: messages to bytes and back.
 *
 * @module
 */

import {
  create,
  type DescMessage,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { decode, encode, encodeInto } from "../_protobuf/mod.ts";
import { plainBytes } from "./_bytes.ts";
import { describe, isPlainObject } from "./_describe.ts";

/**
 * What may be given where a message is sent: the message, or, for protobuf-es,
 * a plain object with some of its fields.
 */
export type MessageInit<M> = M extends Message ? MessageInitShape<GenMessage<M>>
  : M;

/**
 * A place to write bytes to, which grows when asked.
 *
 * Ask with `reserve()` before writing, and read `buffer` and `position` only
 * afterwards: growing may replace the one and move the other.
 */
export interface ByteWriter {
  /** The bytes to write to. */
  buffer: Uint8Array;
  /** Where the next byte belongs. The writer of bytes advances it. */
  position: number;

  /**
   * Makes room from `position` on.
   *
   * @param bytes The number of bytes that will be written.
   */
  reserve(bytes: number): void;
}

/** Turns messages into bytes and back. */
export interface Codec {
  /** What stands behind `application/grpc+` in the content type, such as `"proto"`. */
  readonly contentSubtype: string;

  /**
   * Encodes a message.
   *
   * @param message The message.
   * @param type The type of the message, as the method declares it.
   * @returns The bytes.
   */
  encode(message: unknown, type: unknown): Uint8Array;

  /**
   * Decodes a message.
   *
   * @param bytes The bytes, a view of received memory: copy what is kept.
   * @param type The type of the message, as the method declares it.
   * @returns The message.
   */
  decode(bytes: Uint8Array, type: unknown): unknown;

  /**
   * Encodes a message in place, which saves memory and a copy.
   *
   * @param message The message.
   * @param type The type of the message, as the method declares it.
   * @param writer Where to write. What was written is discarded if this throws.
   */
  encodeInto?(message: unknown, type: unknown, writer: ByteWriter): void;
}

/**
 * The codec for Protocol Buffers, by protobuf-es. The type of a message is its descriptor,
 * such as `HelloRequestSchema`.
 *
 * @example Usage
 * ```ts
 * import { ProtoCodec } from "@grpclib/grpclib";
 * import { StringValueSchema } from "@bufbuild/protobuf/wkt";
 * import { assertEquals } from "@std/assert";
 *
 * const codec = new ProtoCodec();
 * const bytes = codec.encode({ value: "Ada" }, StringValueSchema);
 *
 * assertEquals(bytes, new Uint8Array([0x0a, 3, 0x41, 0x64, 0x61]));
 * ```
 */
export class ProtoCodec implements Codec {
  /** The content subtype, `"proto"`. */
  readonly contentSubtype: string = "proto";

  /**
   * Encodes a message, or a plain object with some of its fields.
   *
   * @param message The message.
   * @param type The descriptor of the message.
   * @returns The bytes.
   * @throws {TypeError} If the message is of another type, or the type is not a descriptor.
   * @throws {Error} If the value of a field does not fit its type.
   *
   * @example Usage
   * ```ts
   * import { ProtoCodec } from "@grpclib/grpclib";
   * import { create } from "@bufbuild/protobuf";
   * import { BoolValueSchema } from "@bufbuild/protobuf/wkt";
   * import { assertEquals } from "@std/assert";
   *
   * const message = create(BoolValueSchema, { value: true });
   *
   * assertEquals(new ProtoCodec().encode(message, BoolValueSchema), new Uint8Array([8, 1]));
   * ```
   */
  encode(message: unknown, type: unknown): Uint8Array {
    requireDescriptor("encode", type);
    return encode(type, messageOf(message, type));
  }

  /**
   * Encodes a message, or a plain object with some of its fields, in place.
   *
   * @param message The message.
   * @param type The descriptor of the message.
   * @param writer Where to write. Its position is where it was if this throws.
   * @throws {TypeError} If the message is of another type, or the type is not a descriptor.
   * @throws {Error} If the value of a field does not fit its type.
   *
   * @example Usage
   * ```ts
   * import { ProtoCodec } from "@grpclib/grpclib";
   * import { BoolValueSchema } from "@bufbuild/protobuf/wkt";
   * import { assertEquals } from "@std/assert";
   *
   * const writer = { buffer: new Uint8Array(64), position: 5, reserve() {} };
   * new ProtoCodec().encodeInto({ value: true }, BoolValueSchema, writer);
   *
   * assertEquals(writer.buffer.subarray(5, writer.position), new Uint8Array([8, 1]));
   * ```
   */
  encodeInto(message: unknown, type: unknown, writer: ByteWriter): void {
    requireDescriptor("encode", type);
    encodeInto(type, messageOf(message, type), writer);
  }

  /**
   * Decodes a message.
   *
   * The `bytes` fields of the message are views of the given bytes.
   *
   * @param bytes The bytes.
   * @param type The descriptor of the message.
   * @returns The message.
   * @throws {TypeError} If the type is not a descriptor.
   * @throws {Error} If the bytes are malformed.
   *
   * @example Usage
   * ```ts
   * import { ProtoCodec } from "@grpclib/grpclib";
   * import { type BoolValue, BoolValueSchema } from "@bufbuild/protobuf/wkt";
   * import { assertEquals } from "@std/assert";
   *
   * const message = new ProtoCodec().decode(new Uint8Array([8, 1]), BoolValueSchema);
   *
   * assertEquals((message as BoolValue).value, true);
   * ```
   */
  decode(bytes: Uint8Array, type: unknown): Message {
    requireDescriptor("decode", type);
    // Fields of type `bytes` have the class of what they are views of.
    return decode(type, plainBytes(bytes));
  }
}

/** Throws unless a type is a message descriptor of protobuf-es. Internal. */
export function requireDescriptor(
  action: string,
  type: unknown,
): asserts type is DescMessage {
  if ((type as DescMessage | null | undefined)?.kind !== "message") {
    throw new TypeError(
      `Cannot ${action} message: its type must be a descriptor of protobuf-es, received ${
        describe(type)
      }`,
    );
  }
}

/**
 * Makes sure of the type of a message, and makes one of a plain object.
 * Internal.
 */
export function messageOf(message: unknown, type: DescMessage): Message {
  if (typeof message === "object" && message !== null) {
    const typeName = (message as Partial<Message>).$typeName;
    if (typeName === type.typeName) return message as Message;
    // Of the rest only plain objects: create() would take the fields it knows
    // and make an empty message of an array, a Map or a forgotten promise.
    if (typeName === undefined && isPlainObject(message)) {
      return create(type, message);
    }
  }
  throw new TypeError(
    `Message must be of type ${type.typeName}, received ${describe(message)}`,
  );
}
