/**
 * Length-prefixed messages: frames out, and chunks of any size in.
 *
 * @module
 */

import { plainBytes } from "../core/_bytes.ts";
import type { ByteWriter, Codec } from "../core/codec.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";

/**
 * The size of what stands before each message: one byte of flag, four of length.
 *
 * Length-Prefixed-Message → Compressed-Flag Message-Length Message
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 */
export const FRAME_PREFIX_BYTES = 5;

/** What makes the messages of a {@linkcode FrameWriter} smaller. */
export interface FrameCompressor {
  /** Compresses a message. */
  compress(bytes: Uint8Array): Uint8Array;
}

const SLAB_BYTES = 16 * 1024;

// A frame above this gets memory of its own, so that at most a quarter of a
// slab is left over when the next frame does not fit.
const SLAB_FRAME_BYTES = SLAB_BYTES / 4;

/**
 * Cuts frames from slabs of memory: one allocation for many small messages,
 * none of which is copied when the codec can encode in place.
 *
 * What was handed out is never written again, so a frame stays valid for as
 * long as somebody holds it. Consecutive frames of one slab are adjacent.
 */
export class FrameWriter implements ByteWriter {
  // While a frame is written: where it is written to. Otherwise the slab.
  buffer: Uint8Array = new Uint8Array(SLAB_BYTES);
  position = 0;

  // Where the frame that is being written begins, if one is.
  #start = 0;
  #isWriting = false;

  // The slab and its end in use, when the frame outgrew it.
  #slab: Uint8Array | null = null;
  #slabPosition = 0;

  /** Makes room from `position` on: the frame moves when it does not fit where it is. */
  reserve(bytes: number): void {
    if (this.position + bytes <= this.buffer.length) return;
    const written = this.position - this.#start;
    const needed = written + bytes;
    let size = SLAB_BYTES;
    if (needed > SLAB_FRAME_BYTES) {
      // Twice what there is: a frame that grows byte by byte is not copied each time.
      size = Math.max(needed, 2 * written);
      if (this.#slab === null) {
        this.#slab = this.buffer;
        this.#slabPosition = this.#start;
      }
    }
    const grown = new Uint8Array(size);
    grown.set(this.buffer.subarray(this.#start, this.position));
    this.buffer = grown;
    this.#start = 0;
    this.position = written;
  }

  /**
   * Encodes a message and puts its prefix before it.
   *
   * @param codec Who encodes. What it throws passes through.
   * @param message The message.
   * @param type The type of the message, for the codec.
   * @param maxBytes The largest message, without the prefix.
   * @param compressor Who compresses the message, if anybody does.
   * @param minBytes The smallest message that is compressed.
   * @returns Prefix and message in one view.
   * @throws {GRPCError} RESOURCE_EXHAUSTED if the message is larger.
   * @throws {TypeError} If there is no message: `null` stands for the end.
   */
  frame(
    codec: Codec,
    message: unknown,
    type: unknown,
    maxBytes: number,
    compressor: FrameCompressor | null = null,
    minBytes = 0,
  ): Uint8Array {
    if (compressor !== null || codec.encodeInto === undefined) {
      const bytes = encode(codec, message, type);
      checkMessage(message);
      checkSent(bytes.length, maxBytes);
      if (compressor !== null && bytes.length >= minBytes) {
        const compressed = compressor.compress(bytes);
        // Not worth the other side's work if it is no smaller.
        if (compressed.length < bytes.length) return this.#copy(compressed, 1);
      }
      return this.#copy(bytes, 0);
    }
    if (this.#isWriting) {
      // A getter of a message sends another one.
      return new FrameWriter().frame(codec, message, type, maxBytes);
    }
    this.#isWriting = true;
    this.#start = this.position;
    let done = false;
    try {
      this.reserve(FRAME_PREFIX_BYTES);
      this.position += FRAME_PREFIX_BYTES;
      codec.encodeInto(message, type, this);
      checkMessage(message);
      const length = this.position - this.#start - FRAME_PREFIX_BYTES;
      checkSent(length, maxBytes);
      writePrefix(this.buffer, this.#start, 0, length);
      done = true;
      return this.buffer.subarray(this.#start, this.position);
    } finally {
      this.#isWriting = false;
      if (this.#slab !== null) {
        this.buffer = this.#slab;
        this.position = this.#slabPosition;
        this.#slab = null;
      } else if (!done) {
        this.position = this.#start;
      }
    }
  }

  /** Puts a prefix before a message that is encoded already. */
  #copy(message: Uint8Array, flag: number): Uint8Array {
    const size = FRAME_PREFIX_BYTES + message.length;
    if (size > SLAB_FRAME_BYTES) {
      const own = new Uint8Array(size);
      writePrefix(own, 0, flag, message.length);
      own.set(message, FRAME_PREFIX_BYTES);
      return own;
    }
    if (this.position + size > this.buffer.length) {
      this.buffer = new Uint8Array(SLAB_BYTES);
      this.position = 0;
    }
    const start = this.position;
    writePrefix(this.buffer, start, flag, message.length);
    this.buffer.set(message, start + FRAME_PREFIX_BYTES);
    this.position = start + size;
    return this.buffer.subarray(start, this.position);
  }
}

/**
 * The one that all channels and servers of the process use: a slab each would be
 * half of what an idle channel takes.
 */
export const frameWriter: FrameWriter = new FrameWriter();

/** Has a codec encode a message. */
function encode(codec: Codec, message: unknown, type: unknown): Uint8Array {
  const bytes: unknown = codec.encode(message, type);
  // A promise, say: its length would be taken for that of the slab.
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(
      "Cannot send message: the codec must encode it to a Uint8Array",
    );
  }
  return bytes;
}

/** Throws when a message is too large to send. */
function checkSent(length: number, maxBytes: number): void {
  if (length > maxBytes) {
    throw new GRPCError(
      Status.RESOURCE_EXHAUSTED,
      `Cannot send message: ${length} bytes are more than the ${maxBytes} of maxSendMessageSize`,
    );
  }
}

/**
 * Writes the prefix of a message.
 *
 * Compressed-Flag: "0 / 1 ; encoded as 1 byte unsigned integer"
 * Message-Length: "encoded as 4 byte unsigned integer (big endian)"
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 */
function writePrefix(
  buffer: Uint8Array,
  at: number,
  flag: number,
  length: number,
): void {
  buffer[at] = flag;
  buffer[at + 1] = length >>> 24;
  buffer[at + 2] = length >>> 16;
  buffer[at + 3] = length >>> 8;
  buffer[at + 4] = length;
}

/** Reads the length in the prefix that begins there. */
function lengthAt(bytes: Uint8Array, at: number): number {
  // Not with <<, which would make lengths from 2 GiB on negative.
  return bytes[at + 1]! * 0x1000000 +
    (bytes[at + 2]! << 16 | bytes[at + 3]! << 8 | bytes[at + 4]!);
}

/**
 * Tells how long a frame is, prefix and message.
 *
 * @param bytes What it is in, at least the prefix.
 * @param at Where it begins.
 */
export function frameSizeAt(bytes: Uint8Array, at: number): number {
  return FRAME_PREFIX_BYTES + lengthAt(bytes, at);
}

/** Whom a {@linkcode FrameReader} gives the messages to. */
export interface FrameReceiver {
  /**
   * Takes a message. After an exception the reader reads no more.
   *
   * @param bytes The message: a view of the received chunk where possible, so copy what is kept.
   * @param compressed Whether the message is compressed.
   */
  onFrame(bytes: Uint8Array, compressed: boolean): void;
  /**
   * Memory was set aside for a message that is not whole, or given on with it.
   *
   * @param bytes How many bytes more; negative for fewer.
   */
  onAssembly?(bytes: number): void;
}

// Memory for a message that comes in pieces: at least this much, at most twice
// what has arrived. A peer has to send what it makes us allocate.
const MIN_ASSEMBLY_BYTES = 64 * 1024;

/**
 * Finds the messages in chunks of bytes.
 *
 * "DATA frame boundaries have no relation to Length-Prefixed-Message boundaries
 * and implementations should make no assumptions about their alignment."
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#data-frames
 */
export class FrameReader {
  readonly #receiver: FrameReceiver;
  readonly #maxBytes: number;

  // The prefix of the frame that is being read, byte by byte where it was split.
  #prefixBytes = 0;
  #flag = 0;
  #length = 0;

  // What has arrived of a message that came in pieces.
  #assembly: Uint8Array | null = null;
  #assembledBytes = 0;

  #broken = false;
  #isStopped = false;

  /**
   * Creates a reader at the beginning of a stream.
   *
   * @param receiver Whom to give the messages to.
   * @param maxBytes The largest message, without its prefix.
   */
  constructor(receiver: FrameReceiver, maxBytes: number) {
    this.#receiver = receiver;
    this.#maxBytes = maxBytes;
  }

  /** Whether the stream would end in the middle of a frame if it ended now. */
  get truncated(): boolean {
    return this.#prefixBytes > 0;
  }

  /** How many bytes there are of a message that is not whole. */
  get assembledBytes(): number {
    return this.#assembledBytes;
  }

  /** How many bytes of memory there are for it. */
  get assemblyBytes(): number {
    return this.#assembly === null ? 0 : this.#assembly.length;
  }

  /** Reads no more, and drops what there is of a message. */
  stop(): void {
    this.#broken = this.#isStopped = true;
    this.#assembly = null;
    this.#assembledBytes = 0;
  }

  /**
   * Takes a chunk and gives the messages that it completes to the receiver,
   * who must not call this meanwhile. Does nothing once it has thrown.
   *
   * @param chunk What the bytes are in: any number of them.
   * @param start Where they begin.
   * @param end Where they end.
   * @throws {GRPCError} RESOURCE_EXHAUSTED if a message is larger than the limit, INTERNAL if
   * the bytes are not frames.
   */
  push(chunk: Uint8Array, start = 0, end: number = chunk.length): void {
    if (this.#broken) return;
    // Until the end is reached: nothing can be read behind a fault.
    this.#broken = true;
    // One plain view here, so that each view below is plain.
    const bytes = plainBytes(chunk);
    let at = start;
    while (at < end && !this.#isStopped) {
      if (this.#prefixBytes < FRAME_PREFIX_BYTES) {
        at = this.#readPrefix(bytes, at, end);
        if (this.#prefixBytes < FRAME_PREFIX_BYTES) break;
        this.#checkPrefix();
      }
      const missing = this.#length - this.#assembledBytes;
      if (missing > end - at) {
        // Nothing of the message, no memory for it.
        if (at < end) this.#assemble(bytes.subarray(at, end));
        break;
      }
      const piece = bytes.subarray(at, at + missing);
      at += missing;
      this.#deliver(piece);
    }
    this.#broken = this.#isStopped;
  }

  /** Reads as much of a prefix as there is, and returns the position behind it. */
  #readPrefix(bytes: Uint8Array, at: number, end: number): number {
    if (this.#prefixBytes === 0 && end - at >= FRAME_PREFIX_BYTES) {
      this.#flag = bytes[at]!;
      this.#length = lengthAt(bytes, at);
      this.#prefixBytes = FRAME_PREFIX_BYTES;
      return at + FRAME_PREFIX_BYTES;
    }
    while (at < end && this.#prefixBytes < FRAME_PREFIX_BYTES) {
      const byte = bytes[at++]!;
      if (this.#prefixBytes++ === 0) this.#flag = byte;
      else this.#length = this.#length * 256 + byte;
    }
    return at;
  }

  /** Throws when the prefix is wrong: before anything is allocated for the message. */
  #checkPrefix(): void {
    // Compressed-Flag → 0 / 1
    // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#compressed-flag
    if (this.#flag > 1) {
      throw new GRPCError(
        Status.INTERNAL,
        `Received message is malformed: its compressed flag must be 0 or 1, received ${this.#flag}`,
      );
    }
    if (this.#length > this.#maxBytes) {
      throw new GRPCError(
        Status.RESOURCE_EXHAUSTED,
        `Received message is too large: ${this.#length} bytes are more than the ${this.#maxBytes} of maxReceiveMessageSize`,
      );
    }
  }

  /** Keeps a piece of a message whose end has not arrived. */
  #assemble(piece: Uint8Array): void {
    const arrived = this.#assembledBytes + piece.length;
    if (this.#assembly === null || arrived > this.#assembly.length) {
      const grown = new Uint8Array(
        Math.min(this.#length, Math.max(MIN_ASSEMBLY_BYTES, 2 * arrived)),
      );
      if (this.#assembly !== null) {
        grown.set(this.#assembly.subarray(0, this.#assembledBytes));
      }
      this.#receiver.onAssembly?.(
        grown.length - (this.#assembly?.length ?? 0),
      );
      this.#assembly = grown;
    }
    this.#assembly.set(piece, this.#assembledBytes);
    this.#assembledBytes = arrived;
  }

  /** Gives the message that the piece completes to the receiver, and begins again. */
  #deliver(piece: Uint8Array): void {
    let message = piece;
    if (this.#assembledBytes > 0) {
      this.#assemble(piece);
      message = this.#assembly!.subarray(0, this.#assembledBytes);
      this.#receiver.onAssembly?.(-this.#assembly!.length);
      this.#assembly = null;
      this.#assembledBytes = 0;
    }
    this.#prefixBytes = 0;
    this.#length = 0;
    this.#receiver.onFrame(message, this.#flag === 1);
  }
}

/** Throws if there is no message, though a codec may know how to encode that. */
function checkMessage(message: unknown): void {
  if (message !== null && message !== undefined) return;
  throw new TypeError(
    `Cannot send message: a message is needed, received ${message}`,
  );
}
