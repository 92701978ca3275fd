import { assertEquals, assertStrictEquals } from "@std/assert";
import { Status, type StatusName } from "../core/status.ts";
import {
  CLEAN,
  debugText,
  reasonOfGoaway,
  reasonOfLoss,
  reasonOfReset,
  resetName,
  statusOfReset,
} from "./reset.ts";

/**
 * https://www.rfc-editor.org/rfc/rfc9113#section-7 and
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors
 */
const CODES: readonly (readonly [number, string, StatusName])[] = [
  [0x0, "NO_ERROR", "INTERNAL"],
  [0x1, "PROTOCOL_ERROR", "INTERNAL"],
  [0x2, "INTERNAL_ERROR", "INTERNAL"],
  [0x3, "FLOW_CONTROL_ERROR", "INTERNAL"],
  [0x4, "SETTINGS_TIMEOUT", "INTERNAL"],
  [0x5, "STREAM_CLOSED", "UNKNOWN"],
  [0x6, "FRAME_SIZE_ERROR", "INTERNAL"],
  [0x7, "REFUSED_STREAM", "UNAVAILABLE"],
  [0x8, "CANCEL", "CANCELLED"],
  [0x9, "COMPRESSION_ERROR", "INTERNAL"],
  [0xa, "CONNECT_ERROR", "INTERNAL"],
  [0xb, "ENHANCE_YOUR_CALM", "RESOURCE_EXHAUSTED"],
  [0xc, "INADEQUATE_SECURITY", "PERMISSION_DENIED"],
  [0xd, "HTTP_1_1_REQUIRED", "UNKNOWN"],
  [0xe, "0xe", "UNKNOWN"],
  [0xffffffff, "0xffffffff", "UNKNOWN"],
];

for (const [code, name, status] of CODES) {
  Deno.test(`statusOfReset() gives ${status} when the code is ${name}`, () => {
    assertEquals(statusOfReset(code), Status[status]);
    assertEquals(resetName(code), name);
  });

  Deno.test(`reasonOfReset() tells of ${name}`, () => {
    const cause = new Error("from node:http2");
    const reason = reasonOfReset(code, cause);
    assertEquals(reason.clean, false);
    assertEquals(reason.status, Status[status]);
    const hint = name === "ENHANCE_YOUR_CALM"
      ? ", as for metadata of more fields or bytes than it takes"
      : "";
    assertEquals(
      reason.message,
      `Stream was reset by the peer with ${name}${hint}`,
    );
    assertStrictEquals(reason.cause, cause);
    // Of all codes one says that the call was not looked at.
    assertEquals(reason.unprocessed, name === "REFUSED_STREAM");
  });
}

/** An error as the runtime makes them, with a code. */
function coded(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

/** What may have ended a connection, and what is told of it. */
const CAUSES: readonly (readonly [unknown, string])[] = [
  [undefined, "Connection was lost"],
  [null, "Connection was lost"],
  ["no SETTINGS", "Connection was lost: no SETTINGS"],
  [new Error("socket hang up"), "Connection was lost: socket hang up"],
  [
    coded("connect ECONNREFUSED 127.0.0.1:1", "ECONNREFUSED"),
    "Connection was lost: connect ECONNREFUSED 127.0.0.1:1",
  ],
  [
    coded("socket hang up", "ECONNRESET"),
    "Connection was lost: socket hang up (ECONNRESET)",
  ],
  [coded("", "EPIPE"), "Connection was lost: EPIPE"],
];

Deno.test("reasonOfLoss() tells what happened, and why as far as it is known", () => {
  for (const [cause, message] of CAUSES) {
    const reason = reasonOfLoss("Connection was lost", cause);
    assertEquals(reason.message, message);
    assertEquals(reason.status, Status.UNAVAILABLE);
    assertEquals([reason.clean, reason.unprocessed], [false, false]);
    assertStrictEquals(reason.cause, cause);
  }
});

Deno.test("reasonOfLoss() tells the errors of all addresses that were tried", () => {
  const cause = new AggregateError([
    new Error("connect ECONNREFUSED ::1:80"),
    new Error("connect ECONNREFUSED 127.0.0.1:80"),
  ]);
  assertEquals(
    reasonOfLoss("Cannot connect", cause).message,
    "Cannot connect: connect ECONNREFUSED ::1:80; connect ECONNREFUSED 127.0.0.1:80",
  );
});

Deno.test("reasonOfLoss() says so when the call never reached the peer", () => {
  assertEquals(
    reasonOfLoss("Cannot connect", undefined, true).unprocessed,
    true,
  );
});

Deno.test("reasonOfGoaway() names the peer, the code and what the peer said", () => {
  const reason = reasonOfGoaway("a:1", 11, "too_many_pings");
  assertEquals(reason.status, Status.UNAVAILABLE);
  assertEquals(
    reason.message,
    'Connection to a:1 was closed by the peer with GOAWAY ENHANCE_YOUR_CALM ("too_many_pings")',
  );
  assertEquals(
    reasonOfGoaway("a:1", 2, "").message,
    "Connection to a:1 was closed by the peer with GOAWAY INTERNAL_ERROR",
  );
});

Deno.test("CLEAN is an end in good order", () => {
  assertEquals(CLEAN.clean, true);
  assertEquals(CLEAN.unprocessed, false);
});

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("debugText() shows what is printable, and not more than enough", () => {
  assertEquals(debugText(undefined), "");
  assertEquals(debugText(bytes("too_many_pings")), "too_many_pings");
  assertEquals(debugText(bytes("a\r\nb\x1b[31mé")), "a??b?[31m??");
  assertEquals(debugText(new Uint8Array(1000).fill(65)), "A".repeat(256));
});
