import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { type Codec, ProtoCodec } from "../core/codec.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import { decodeMessage } from "./decode.ts";

interface Options {
  readonly compressed?: boolean;
  readonly codec?: Codec;
}

function decode(bytes: number[], options: Options = {}): unknown {
  const { compressed = false, codec = new ProtoCodec() } = options;
  const message = new Uint8Array(bytes);
  return decodeMessage("reply", codec, StringValueSchema, message, compressed);
}

Deno.test("decodeMessage() gives the message when the codec reads it", () => {
  const message = decode([0x0a, 3, 0x41, 0x64, 0x61]) as StringValue;
  assertEquals(message.value, "Ada");
});

Deno.test("decodeMessage() throws when a message is compressed", () => {
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
