import { assertEquals } from "@std/assert";
import { encodeFields, type Field, FieldDecoder } from "./hpack.ts";

// https://www.rfc-editor.org/rfc/rfc7541#appendix-C.4
const EXAMPLES: readonly (readonly [string, readonly Field[]])[] = [
  ["828684418cf1e3c2e5f23a6ba0ab90f4ff", [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
  ]],
  ["828684be5886a8eb10649cbf", [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
    ["cache-control", "no-cache"],
  ]],
  ["828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", [
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ]],
];

Deno.test("FieldDecoder.decode() reads the examples of RFC 7541", () => {
  const decoder = new FieldDecoder();
  for (const [block, fields] of EXAMPLES) {
    assertEquals(decoder.decode(Uint8Array.fromHex(block)), fields);
  }
});

Deno.test("FieldDecoder.decode() reads what encodeFields() wrote", () => {
  const fields = [0, 1, 126, 127, 128, 254, 255, 300, 70_000]
    .map((length): Field => ["a".repeat(length % 300 + 1), "é".repeat(length)]);
  assertEquals(new FieldDecoder().decode(encodeFields(fields)), fields);
});
