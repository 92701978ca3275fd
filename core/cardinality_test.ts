import { assertEquals } from "@std/assert";
import {
  Cardinality,
  isClientStreaming,
  isServerStreaming,
} from "./cardinality.ts";

Deno.test("Cardinality has values equal to their names", () => {
  assertEquals(Object.keys(Cardinality), [
    "UNARY_UNARY",
    "UNARY_STREAM",
    "STREAM_UNARY",
    "STREAM_STREAM",
  ]);
  for (const [name, value] of Object.entries(Cardinality)) {
    assertEquals(value, name);
  }
});

const TABLE = [
  ["UNARY_UNARY", false, false],
  ["UNARY_STREAM", false, true],
  ["STREAM_UNARY", true, false],
  ["STREAM_STREAM", true, true],
] as const;

Deno.test("isClientStreaming() tells whether the requests are a stream", () => {
  for (const [cardinality, client] of TABLE) {
    assertEquals(isClientStreaming(cardinality), client, cardinality);
  }
});

Deno.test("isServerStreaming() tells whether the replies are a stream", () => {
  for (const [cardinality, , server] of TABLE) {
    assertEquals(isServerStreaming(cardinality), server, cardinality);
  }
});
