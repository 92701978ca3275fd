import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { assertEquals } from "@std/assert";
import { ProtoCodec } from "../../core/codec.ts";
import { FakeStream, textFrame } from "../../_testdata/fake_stream.ts";
import { FrameWriter } from "../../_wire/frame.ts";
import { HeaderBlock } from "../../_wire/header_block.ts";
import { Outbox } from "./outbox.ts";

const KIB = 1024;

/** What an outbox sends on a stream. */
function sentBy(outbox: Outbox): string[] {
  const stream = new FakeStream();
  stream.sendHead(new HeaderBlock([]));
  outbox.sendOn(stream);
  return stream.log.slice(1);
}

Deno.test("Outbox.sendOn() sends everything in order and again when it is asked again", () => {
  const outbox = new Outbox();
  outbox.hold(textFrame("a"), false);
  outbox.keep(textFrame("b"), false);
  outbox.hold(new Uint8Array(), true);
  const all = ["message a", "message b", "nothing end"];
  assertEquals(sentBy(outbox), all);
  assertEquals(sentBy(outbox), all);
  assertEquals(outbox.isWhole, true);
});

Deno.test("Outbox.forget() leaves nothing to be sent", () => {
  const outbox = new Outbox();
  outbox.keep(textFrame("a"), false);
  outbox.forget();
  assertEquals([outbox.isWhole, sentBy(outbox)], [false, []]);
  outbox.keep(textFrame("b"), false);
  assertEquals([outbox.isWhole, sentBy(outbox)], [false, []]);
});

Deno.test("Outbox.keep() forgets everything when it is more than 1 MiB", () => {
  const outbox = new Outbox();
  for (let i = 0; i < 16; i++) outbox.keep(new Uint8Array(64 * KIB), false);
  outbox.keep(new Uint8Array(1), false);
  assertEquals(outbox.isWhole, true);
  outbox.keep(new Uint8Array(1), false);
  assertEquals([outbox.isWhole, sentBy(outbox)], [false, []]);
});

Deno.test("Outbox.keep() keeps a single message when it is larger than 1 MiB", () => {
  const outbox = new Outbox();
  outbox.keep(new Uint8Array(2 * KIB * KIB), true);
  assertEquals(outbox.isWhole, true);
});

Deno.test("Outbox.hold() keeps everything when it has not been sent yet", () => {
  const outbox = new Outbox();
  for (let i = 0; i < 3; i++) outbox.hold(new Uint8Array(KIB * KIB), false);
  assertEquals([outbox.isWhole, sentBy(outbox).length], [true, 3]);
});

Deno.test("Outbox.sendOn() sends frames one by one when they lie one behind the other", () => {
  const writer = new FrameWriter();
  const codec = new ProtoCodec();
  const frame = (value: string): Uint8Array =>
    writer.frame(codec, { value }, StringValueSchema, KIB);
  const texts = ["first", "", "a", "longer", "b", "", "last"];
  const outbox = new Outbox();
  for (const text of texts) {
    outbox.keep(frame(text), text === "last");
    // One of another call, between those of this one.
    if (text === "a") frame("other");
  }
  const all = texts.map((text) => `message ${text}`.trimEnd());
  all[all.length - 1] += " end";
  assertEquals(sentBy(outbox), all);
  assertEquals(sentBy(outbox), all);
});

Deno.test("Outbox.sendOn() sends the end by itself when it came behind the last message", () => {
  const writer = new FrameWriter();
  const codec = new ProtoCodec();
  const outbox = new Outbox();
  for (const value of ["a", "b", "c"]) {
    outbox.keep(writer.frame(codec, { value }, StringValueSchema, KIB), false);
  }
  outbox.keep(new Uint8Array(), true);
  assertEquals(sentBy(outbox), [
    "message a",
    "message b",
    "message c",
    "nothing end",
  ]);
});
