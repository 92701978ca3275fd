import { assertEquals } from "@std/assert";
import { Status } from "../core/status.ts";
import { HeaderBlock } from "../_wire/header_block.ts";
import { checkHeaderLimit, fitsHeaderLimit } from "./header_limit.ts";

// Name and value and 32 bytes for each field.
const LARGEST = new HeaderBlock(["x", "a".repeat(65_536 - 33)]);
const TOO_LARGE = new HeaderBlock(["x", "a".repeat(65_536 - 32)]);
const TOO_MANY = new HeaderBlock(Array.from({ length: 4_100 }, () => ""));

Deno.test("fitsHeaderLimit() counts as HTTP/2 does when fields are large or many", () => {
  assertEquals(fitsHeaderLimit(new HeaderBlock([])), true);
  assertEquals(fitsHeaderLimit(LARGEST), true);
  assertEquals(fitsHeaderLimit(TOO_LARGE), false);
  assertEquals(fitsHeaderLimit(TOO_MANY), false);
});

Deno.test("checkHeaderLimit() says what is too large when it is", () => {
  assertEquals(checkHeaderLimit("request", LARGEST), null);
  const error = checkHeaderLimit("request", TOO_LARGE)!;
  assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
  assertEquals(
    error.message,
    "Cannot send request: its header list of 65537 bytes is larger than the 65536 allowed",
  );
});
