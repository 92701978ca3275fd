import { assertEquals } from "@std/assert";
import { decodeMetadata } from "../_wire/headers.ts";
import { faultlessValues } from "./parent.ts";

Deno.test("faultlessValues() leaves out what came and could not be sent", () => {
  const metadata = decodeMetadata(["x-id", "caf\u00e9", "x-id", "7"]);
  assertEquals(metadata.getAll("x-id"), ["caf\u00e9", "7"]);
  assertEquals(faultlessValues(metadata, "x-id"), ["7"]);
});
