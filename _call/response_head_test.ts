import { assertEquals } from "@std/assert";
import { OK_HEAD, rawOf } from "../_testdata/fake_stream.ts";
import { ProtoCodec } from "../core/codec.ts";
import { Status } from "../core/status.ts";
import { checkResponseHead } from "./response_head.ts";

const check = (fields: Record<string, string>) =>
  checkResponseHead(rawOf(fields), true, new ProtoCodec());

Deno.test("checkResponseHead() finds no fault when the head is good", () => {
  assertEquals(check(OK_HEAD as Record<string, string>), null);
  assertEquals(check({ ...OK_HEAD, "grpc-status": "5" }), null);
});

Deno.test("checkResponseHead() finds the status of HTTP when there is no other", () => {
  const fault = check({ ":status": "429", "content-type": "text/html" })!;
  assertEquals(fault.status, Status.UNAVAILABLE);
  assertEquals(fault.message, "Received :status = '429'");
});

Deno.test("checkResponseHead() leaves the status of HTTP alone when there is a grpc-status", () => {
  const head = { ...OK_HEAD, ":status": "429", "grpc-status": "8" };
  assertEquals(check(head), null);
});

Deno.test("checkResponseHead() finds a fault when the content-type is not of this codec", () => {
  const { "content-type": _, ...missing } = OK_HEAD as Record<string, string>;
  const faults = [missing, { ...OK_HEAD, "content-type": "text/html" }]
    .map((fields) => check(fields as Record<string, string>)!);
  assertEquals(faults.map(({ status, message }) => [status, message]), [
    [Status.UNKNOWN, "Missing content-type header"],
    [Status.UNKNOWN, "Invalid content-type: 'text/html'"],
  ]);
});

Deno.test("checkResponseHead() goes by :status when a body follows a grpc-status", () => {
  const head = [
    ":status",
    "503",
    "content-type",
    "application/grpc",
    "grpc-status",
    "0",
  ];
  assertEquals(checkResponseHead(head, true, new ProtoCodec()), null);
  assertEquals(
    checkResponseHead(head, false, new ProtoCodec())?.status,
    Status.UNAVAILABLE,
  );
});
