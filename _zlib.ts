/**
 * The compressors that the runtime has.
 *
 * @module
 */

import * as zlib from "node:zlib";
import { plainBytes } from "./core/_bytes.ts";
import { GRPCError } from "./core/errors.ts";
import { Status } from "./core/status.ts";
import type { Compression, Compressor } from "./_wire/compression.ts";

/** A function of `node:zlib` that does all at once. */
type Transform = (bytes: Uint8Array, options: object) => unknown;

/** What such a function gives with the option `info`. */
interface Info {
  readonly buffer: Uint8Array;
  readonly engine: {
    /** How many bytes of the input were taken. */
    readonly bytesWritten: number;
  };
}

/** How an encoding is compressed and decompressed. */
interface Encoding {
  readonly name: Exclude<Compression, "identity">;
  readonly compress: Transform | undefined;
  readonly decompress: Transform | undefined;
  /** Options for `compress`. */
  readonly options: object;
  /** Whether the decoder says so when its input does not end as it should. */
  readonly checksEnd: boolean;
  /**
   * Says how large a message is likely to be, from its bytes, and from how many
   * times larger than its bytes the last one was.
   */
  readonly estimate?: (bytes: Uint8Array, lastRatio: number) => number;
}

/**
 * The memory that a message is decompressed into. It is best if all of it is one
 * piece: for 4 MB in pieces of 16 KiB, which is the default, gzip takes three times
 * as long, and twice the memory. The asynchronous functions are no way out: on
 * Deno they do their work on the same thread.
 */
const MIN_PIECE_BYTES = 1024;
const PIECE_BYTES = 16 * 1024;
const MAX_PIECE_BYTES = 256 * 1024;

/** DEFLATE makes no more of a byte. */
const MAX_DEFLATE_RATIO = 1032;

const { constants } = zlib;

/**
 * The encodings, each with a level that suits messages: for 2 MB of JSON they
 * take 12 to 21 ns a byte, and the defaults (6 of gzip, 11 of Brotli) twice to
 * a hundred times as long for a few per cent.
 */
const ENCODINGS: readonly Encoding[] = [{
  name: "gzip",
  compress: zlib.gzipSync as Transform,
  decompress: zlib.gunzipSync as Transform,
  options: { level: 3 },
  checksEnd: true,
  estimate: (bytes) =>
    Math.min(gzipSize(bytes), MAX_DEFLATE_RATIO * bytes.length),
}, {
  name: "deflate",
  compress: zlib.deflateSync as Transform,
  decompress: zlib.inflateSync as Transform,
  options: { level: 3 },
  checksEnd: false,
  estimate: (bytes) => Math.min(16 * bytes.length, MAX_PIECE_BYTES),
}, {
  name: "zstd",
  compress: zlib.zstdCompressSync as Transform,
  decompress: zlib.zstdDecompressSync as Transform,
  options: { params: { [constants.ZSTD_c_compressionLevel]: 1 } },
  checksEnd: false,
}, {
  name: "br",
  compress: zlib.brotliCompressSync as Transform,
  decompress: zlib.brotliDecompressSync as Transform,
  options: { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } },
  checksEnd: false,
  // Nothing in them says, and the messages of a call are like one another.
  estimate: (bytes, lastRatio) =>
    Math.max(PIECE_BYTES, Math.ceil(lastRatio * bytes.length)),
}];

/**
 * One encoding of `node:zlib`. It works at once, on the caller's turn: for most
 * messages that is less than the way to another thread and back.
 */
class ZlibCompressor implements Compressor {
  readonly name: string;
  readonly #encoding: Encoding;
  /** How many times larger the last message was than its bytes, as the next may be. */
  #lastRatio = 1;

  constructor(encoding: Encoding) {
    this.name = encoding.name;
    this.#encoding = encoding;
  }

  compress(bytes: Uint8Array): Uint8Array {
    const { compress, options } = this.#encoding;
    return plainBytes(compress!(bytes, options) as Uint8Array);
  }

  decompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
    // An empty message that nobody took the trouble to compress.
    if (bytes.length === 0) return bytes;
    let message: Uint8Array | null;
    try {
      message = this.#inflate(bytes, maxBytes);
    } catch (cause) {
      const { code } = cause as { readonly code?: string };
      throw code === "ERR_BUFFER_TOO_LARGE"
        ? tooLarge(maxBytes)
        : this.#malformed(cause);
    }
    if (message === null) throw this.#malformed();
    // A limit of zero is none for node:zlib.
    if (message.length > maxBytes) throw tooLarge(maxBytes);
    return message;
  }

  /** Gives the message, or null if the bytes do not end where it does. */
  #inflate(bytes: Uint8Array, maxBytes: number): Uint8Array | null {
    const { decompress, checksEnd, estimate } = this.#encoding;
    const options = {
      maxOutputLength: Math.max(maxBytes, 1),
      info: true,
      ...estimate === undefined ? {} : {
        // With one byte to spare, so that it is seen that there is no more.
        chunkSize: Math.max(
          MIN_PIECE_BYTES,
          Math.min(estimate(bytes, this.#lastRatio), maxBytes) + 1,
        ),
      },
    };
    if (checksEnd) {
      return plainBytes((decompress!(bytes, options) as Info).buffer);
    }
    // One byte more than there is. On Deno these decoders say nothing when
    // their input is cut short, or goes on behind the end; but they tell how
    // much they took. Only of a message that is whole they leave that byte.
    const more = new Uint8Array(bytes.length + 1);
    more.set(bytes);
    const { buffer, engine } = decompress!(more, options) as Info;
    if (engine.bytesWritten !== bytes.length) return null;
    this.#lastRatio = buffer.length / bytes.length;
    // What is much smaller than was likely must not keep the memory for that.
    return buffer.buffer.byteLength > 2 * buffer.length + MIN_PIECE_BYTES
      ? new Uint8Array(buffer)
      : plainBytes(buffer);
  }

  #malformed(cause?: unknown): GRPCError {
    return new GRPCError(
      Status.INTERNAL,
      `Cannot decompress the message: it is not well-formed ${this.name}`,
      { cause },
    );
  }
}

/**
 * How large a message is, as gzip's last field says, if it is true.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc1952#page-5}
 */
function gzipSize(bytes: Uint8Array): number {
  const at = bytes.length - 4;
  if (at < 0) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0, true);
}

function tooLarge(maxBytes: number): GRPCError {
  return new GRPCError(
    Status.RESOURCE_EXHAUSTED,
    `Received message is too large: it inflates to more than the ${maxBytes} of maxReceiveMessageSize`,
  );
}

/** What there is, by the name of the encoding; Node has no zstd before 22.15. */
export const compressors: ReadonlyMap<string, Compressor> = new Map(
  ENCODINGS
    .filter(({ compress }) => typeof compress === "function")
    .map((encoding) => [encoding.name, new ZlibCompressor(encoding)]),
);
