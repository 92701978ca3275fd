import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { type Codec, ProtoCodec } from "../core/codec.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import type { Compressor } from "../_wire/compression.ts";
import { decodeMessage, decompressMessage } from "./decode.ts";

interface Options {
  readonly compressed?: boolean;
  readonly codec?: Codec;
  readonly compressor?: Compressor;
}

function decode(bytes: number[], options: Options = {}): unknown {
  const { compressed = false, codec = new ProtoCodec() } = options;
  const message = new Uint8Array(bytes);
  const { compressor = null } = options;
  const decoding = {
    what: "reply",
    codec,
    type: StringValueSchema,
    compressor,
    maxBytes: 99,
    maxRatio: 2,
  } as const;
  const plain = compressed
    ? decompressMessage(decoding, message, {
      compressedBytes: 0,
      plainBytes: 0,
    })
    : message;
  return decodeMessage(decoding, plain);
}

Deno.test("decodeMessage() gives the message when the codec reads it", () => {
  const message = decode([0x0a, 3, 0x41, 0x64, 0x61]) as StringValue;
  assertEquals(message.value, "Ada");
});

Deno.test("decodeMessage() throws when a message is compressed and the head named no encoding", () => {
  const error = assertThrows(() => decode([], { compressed: true }), GRPCError);
  assertEquals(error.status, Status.INTERNAL);
});

Deno.test("decodeMessage() throws with the codec's error as the cause when it fails", () => {
  const cause = new Error("Not mine");
  const codec: Codec = {
    contentSubtype: "x",
    encode: () => new Uint8Array(),
    decode() {
      throw cause;
    },
  };
  const error = assertThrows(() => decode([1], { codec }), GRPCError);
  assertEquals([error.status, error.message], [
    Status.INTERNAL,
    "Cannot decode the reply",
  ]);
  assertStrictEquals(error.cause, cause);
});

Deno.test("decodeMessage() decompresses a message that is compressed, and no other", () => {
  const asked: number[][] = [];
  const compressor: Compressor = {
    name: "test",
    compress: (bytes) => bytes,
    decompress(bytes, maxBytes) {
      asked.push([...bytes, maxBytes]);
      return new Uint8Array([0x0a, 1, 0x41]);
    },
  };
  const message = decode([7], { compressed: true, compressor }) as StringValue;
  assertEquals(message.value, "A");
  assertEquals(asked, [[7, 99]]);
  decode([], { compressor });
  assertEquals(asked.length, 1);
});
