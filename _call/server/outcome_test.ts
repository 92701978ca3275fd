import { assertEquals, assertStrictEquals } from "@std/assert";
import { appendUnchecked, Metadata } from "../../core/metadata.ts";
import { metadataFields } from "../../_wire/metadata.ts";
import { joinMetadata } from "./outcome.ts";

Deno.test("joinMetadata() gives what there is when one of them is empty", () => {
  const some = new Metadata({ tag: "red" });
  for (const none of [null, new Metadata()]) {
    assertStrictEquals(joinMetadata(some, none), some);
    assertStrictEquals(joinMetadata(none, some), some);
  }
  assertEquals(joinMetadata(null, null), null);
});

Deno.test("joinMetadata() changes neither when it joins them", () => {
  const a = new Metadata({ tag: "red" });
  const b = new Metadata({ tag: "blue", id: "7" });
  const both = joinMetadata(a, b)!;
  assertEquals([...both], [["tag", "red"], ["tag", "blue"], ["id", "7"]]);
  assertEquals([a.size, b.size], [1, 2]);
});

Deno.test("joinMetadata() takes what was received when it could not be set", () => {
  const received = new Metadata();
  appendUnchecked(received, "connection", "close");
  appendUnchecked(received, "tag", "red");
  const both = joinMetadata(new Metadata({ id: "7" }), received)!;
  assertEquals(metadataFields(both), ["id", "7", "tag", "red"]);
});
