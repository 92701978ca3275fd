import { assertEquals, assertLess, assertStrictEquals } from "@std/assert";
import v8 from "node:v8";
import { appendUnchecked, Metadata } from "../../core/metadata.ts";
import { metadataFields } from "../../_wire/metadata.ts";
import { Status } from "../../core/status.ts";
import { joinMetadata, trailersFor } from "./outcome.ts";

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

/** How many bytes were allocated so far. */
function allocated(): number {
  const statistics = v8.getHeapStatistics() as unknown as {
    readonly total_allocated_bytes: number;
  };
  return statistics.total_allocated_bytes;
}

Deno.test("trailersFor() cuts a message that is too long, and encodes no more of it than is sent", () => {
  const message = "€".repeat(4_000_000);
  const outcome = {
    status: Status.NOT_FOUND,
    message,
    details: null,
    metadata: null,
  };
  const before = allocated();
  const { own } = trailersFor(outcome);
  // Not much more than the message: it was 910 MB.
  assertLess(allocated() - before, 20_000_000);
  assertEquals(own, [
    ...["grpc-status", "5"],
    ...["grpc-message", "%E2%82%AC".repeat(1024)],
  ]);
});

Deno.test("trailersFor() cuts a message that is too long when it is encoded", () => {
  const message = "€".repeat(65_536);
  const outcome = {
    status: Status.NOT_FOUND,
    message,
    details: null,
    metadata: null,
  };
  const { own } = trailersFor(outcome);
  assertEquals(own[3], "%E2%82%AC".repeat(1024));
});
