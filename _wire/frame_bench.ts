import type { ByteWriter, Codec } from "../core/codec.ts";
import { FrameReader, FrameWriter } from "./frame.ts";

const CHUNK_BYTES = 16 * 1024;
const MAX_BYTES = 4 * 1024 * 1024;

/** A codec whose messages are bytes, in place or on their own. */
function codecOf(inPlace: boolean): Codec {
  const codec = {
    contentSubtype: "bytes",
    encode: (message: unknown) => message as Uint8Array,
    decode: (bytes: Uint8Array) => bytes,
  };
  if (!inPlace) return codec;
  return {
    ...codec,
    encodeInto(message: unknown, _type: unknown, writer: ByteWriter) {
      const bytes = message as Uint8Array;
      writer.reserve(bytes.length);
      writer.buffer.set(bytes, writer.position);
      writer.position += bytes.length;
    },
  };
}

for (const size of [32, 1024, 65536]) {
  const message = new Uint8Array(size);
  for (const [title, inPlace] of [["encodes", true], ["copies", false]]) {
    const writer = new FrameWriter();
    const codec = codecOf(inPlace as boolean);
    Deno.bench({
      name: `FrameWriter.frame() ${title} ${size} bytes`,
      group: `write ${size}`,
      baseline: inPlace === true,
      fn: () => void writer.frame(codec, message, null, MAX_BYTES),
    });
  }
}

/** So many frames, cut into chunks as they come from a socket. */
function chunksOf(size: number, count: number): Uint8Array[] {
  const writer = new FrameWriter();
  const codec = codecOf(false);
  const bytes = new Uint8Array((size + 5) * count);
  for (let i = 0; i < count; i++) {
    const frame = writer.frame(codec, new Uint8Array(size), null, MAX_BYTES);
    bytes.set(frame, i * frame.length);
  }
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
    chunks.push(bytes.subarray(at, at + CHUNK_BYTES));
  }
  return chunks;
}

for (const [size, count] of [[32, 1000], [1024, 1000], [65536, 10]] as const) {
  const chunks = chunksOf(size, count);
  const receiver = { onFrame() {} };
  Deno.bench({
    name: `FrameReader.push() finds ${count} frames of ${size} bytes`,
    group: `read ${size}`,
    fn() {
      const reader = new FrameReader(receiver, MAX_BYTES);
      for (const chunk of chunks) reader.push(chunk);
    },
  });
}
