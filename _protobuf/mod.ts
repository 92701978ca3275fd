/**
 * A codec for Protocol Buffers, compiled from the descriptors of protobuf-es.
 *
 * It does what `toBinary()` and `fromBinary()` do, with the same results, but
 * faster. What it is not made for, and what is wrong, it leaves to these.
 *
 * Functions are compiled once for each type of message, when the type is first
 * used, as closures: nothing is evaluated as source text.
 *
 * @module
 */

import {
  type DescMessage,
  fromBinary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { decoderOf } from "./decode.ts";
import { encoderOf } from "./encode.ts";
import type { Fields } from "./fields.ts";
import { Reader } from "./reader.ts";
import { isWorthIt } from "./uncovered.ts";
import { type ByteSink, Writer } from "./writer.ts";

export type { ByteSink } from "./writer.ts";

const SCRATCH_BYTES = 16 * 1024;

/** Memory that messages are written to that are copied from it when they are finished. */
class Scratch implements ByteSink {
  buffer: Uint8Array = new Uint8Array(SCRATCH_BYTES);
  position = 0;

  reserve(bytes: number): void {
    const needed = this.position + bytes;
    if (needed <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.buffer.length));
    grown.set(this.buffer.subarray(0, this.position));
    this.buffer = grown;
  }

  /** Takes what was written. */
  take(): Uint8Array {
    const bytes = this.buffer.slice(0, this.position);
    this.position = 0;
    if (this.buffer.length > SCRATCH_BYTES) {
      this.buffer = new Uint8Array(SCRATCH_BYTES);
    }
    return bytes;
  }
}

// What is used over and over. While it is in use it is null, because a getter
// of a message may encode another.
let idleWriter: Writer | null = null;
let idleScratch: Scratch | null = null;
let idleReader: Reader | null = null;

/**
 * Encodes a message.
 *
 * @param desc The type of the message.
 * @param message The message.
 * @returns The bytes.
 * @throws What `toBinary()` throws.
 */
export function encode(desc: DescMessage, message: Message): Uint8Array {
  const scratch = idleScratch ?? new Scratch();
  idleScratch = null;
  try {
    encodeInto(desc, message, scratch);
    return scratch.take();
  } finally {
    idleScratch = scratch;
  }
}

/**
 * Encodes a message in place.
 *
 * @param desc The type of the message.
 * @param message The message.
 * @param sink Where to write. Its position is where it was if this throws.
 * @throws What `toBinary()` throws.
 */
export function encodeInto(
  desc: DescMessage,
  message: Message,
  sink: ByteSink,
): void {
  const encoder = encoderOf(desc);
  if (isWorthIt(encoder.uncovered)) {
    const writer = idleWriter ?? new Writer();
    idleWriter = null;
    let done = false;
    writer.attach(sink);
    try {
      encoder.write(writer, message as unknown as Fields);
      done = true;
    } catch {
      // UNCOVERED, or whatever a getter throws: it will do so again.
    }
    writer.detach(done);
    idleWriter = writer;
    if (done) {
      encoder.uncovered = 0;
      return;
    }
  }
  const bytes = toBinary(desc, message);
  encoder.uncovered++;
  sink.reserve(bytes.length);
  sink.buffer.set(bytes, sink.position);
  sink.position += bytes.length;
}

/**
 * Decodes a message.
 *
 * @param desc The type of the message.
 * @param bytes The bytes. Fields of type `bytes`, and unknown fields, are views of them.
 * @returns The message.
 * @throws What `fromBinary()` throws.
 */
export function decode(desc: DescMessage, bytes: Uint8Array): Message {
  const decoder = decoderOf(desc);
  if (isWorthIt(decoder.uncovered)) {
    const reader = idleReader ?? new Reader();
    idleReader = null;
    let message: Fields | undefined;
    reader.attach(bytes);
    try {
      const read = decoder.make();
      decoder.read(reader, read, bytes.length, true);
      message = read;
    } catch {
      // UNCOVERED, or text that is not UTF-8.
    }
    reader.detach();
    idleReader = reader;
    if (message !== undefined) {
      decoder.uncovered = 0;
      return message as unknown as Message;
    }
  }
  const message = fromBinary(desc, bytes);
  decoder.uncovered++;
  return message;
}
