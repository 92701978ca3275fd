import { assertEquals, assertStrictEquals } from "@std/assert";
import { Metadata } from "../core/metadata.ts";
import { Status } from "../core/status.ts";
import type { HeaderBlock } from "./headers.ts";
import {
  type EncodedOutcome,
  outcomeTrailers,
  parseOutcome,
  readPushback,
  statusOfHttp,
} from "./outcome.ts";

const OK: EncodedOutcome = {
  status: 0,
  message: "",
  details: null,
  metadata: null,
};

/** The fields as a peer would receive them. */
function raw(block: HeaderBlock): string[] {
  return block.toList();
}

Deno.test("outcomeTrailers() shares the trailers of a bare OK", () => {
  assertEquals(raw(outcomeTrailers(OK)), ["grpc-status", "0"]);
  assertStrictEquals(outcomeTrailers(OK), outcomeTrailers({ ...OK }));
});

Deno.test("outcomeTrailers() writes the number of every status", () => {
  for (const status of Object.values(Status)) {
    const block = outcomeTrailers({ ...OK, status });
    assertEquals(raw(block), ["grpc-status", String(status)]);
  }
});

Deno.test("outcomeTrailers() writes status, message, details and metadata in this order", () => {
  const block = outcomeTrailers({
    status: Status.NOT_FOUND,
    message: "100% gone é",
    details: new Uint8Array([1]),
    metadata: new Metadata({ a: ["1", "2"], "b-bin": new Uint8Array([2]) }),
  });
  assertEquals(raw(block), [
    ...["grpc-status", "5"],
    ...["grpc-message", "100%25 gone %C3%A9"],
    ...["grpc-status-details-bin", "AQ"],
    ...["a", "1", "a", "2"],
    ...["b-bin", "Ag"],
  ]);
});

Deno.test("outcomeTrailers() writes what an OK comes with", () => {
  const cases: [Partial<EncodedOutcome>, string[]][] = [
    [{ message: "Done" }, ["grpc-message", "Done"]],
    [{ details: new Uint8Array([1]) }, ["grpc-status-details-bin", "AQ"]],
    [{ details: new Uint8Array() }, ["grpc-status-details-bin", ""]],
    [{ metadata: new Metadata({ a: "1" }) }, ["a", "1"]],
    [{ metadata: new Metadata() }, []],
  ];
  for (const [part, fields] of cases) {
    assertEquals(raw(outcomeTrailers({ ...OK, ...part })), [
      ...["grpc-status", "0"],
      ...fields,
    ]);
  }
  assertEquals(raw(outcomeTrailers(OK)), ["grpc-status", "0"]); // not changed
});

Deno.test("parseOutcome() reads every status", () => {
  for (const status of Object.values(Status)) {
    assertEquals(parseOutcome(["grpc-status", String(status)]), {
      status,
      message: "",
      details: null,
    });
  }
});

Deno.test("parseOutcome() undoes outcomeTrailers()", () => {
  const cases: EncodedOutcome[] = [
    OK,
    { ...OK, message: "Done" },
    { ...OK, status: 5, message: "%41 é \u{1F600}\n" },
    { ...OK, status: 16, details: new Uint8Array([1, 2, 3]) },
    { ...OK, status: 16, details: new Uint8Array() },
    {
      ...OK,
      status: 7,
      metadata: new Metadata({ "a-bin": new Uint8Array(1) }),
    },
  ];
  for (const outcome of cases) {
    const { metadata: _, ...rest } = outcome;
    assertEquals(parseOutcome(raw(outcomeTrailers(outcome))), rest);
  }
});

Deno.test("parseOutcome() finds its fields anywhere, and no others", () => {
  assertEquals(
    parseOutcome([
      ...["a", "1", "grpc-message", "Gone", "grpc-status-details", "AQ"],
      ...["grpc-status-details-bin", "AQ==", "grpc-statu", "1"],
      ...["grpc-status", "5", "content-type", "application/grpc"],
    ]),
    { status: 5, message: "Gone", details: new Uint8Array([1]) },
  );
});

Deno.test("parseOutcome() reads a status with leading zeros", () => {
  assertEquals(parseOutcome(["grpc-status", "00"]).status, 0);
  assertEquals(parseOutcome(["grpc-status", "005"]).status, 5);
});

Deno.test("parseOutcome() gives UNKNOWN when there is no status", () => {
  const cases = [
    [],
    ["a", "1"],
    ["grpc-message", "Gone"],
    ["grpc-status-details-bin", "AQ"],
    ["grpc-status"], // a name without value
  ];
  for (const fields of cases) {
    assertEquals(parseOutcome(fields), {
      status: Status.UNKNOWN,
      message: "Missing grpc-status header",
      details: null,
    });
  }
});

Deno.test("parseOutcome() gives UNKNOWN when the status is not an integer from 0 to 16", () => {
  const cases = [
    ...["", " ", "17", "99", "4294967296", "-1", "+5", "5.0", "0.5", "1e1"],
    ...["0x5", " 5", "5 ", "5\n", "NOT_FOUND", "OK", "NaN", "Infinity", "٥"],
    ...["5,5", "0, 0", "null", "9".repeat(400), "5n", "1_0"],
  ];
  for (const value of cases) {
    assertEquals(
      parseOutcome(["grpc-status", value, "grpc-message", "Gone"]),
      {
        status: Status.UNKNOWN,
        message: `Invalid grpc-status: '${value}'`,
        details: null,
      },
    );
  }
});

Deno.test("parseOutcome() takes several statuses for a list, which is invalid", () => {
  for (const [a, b] of [["0", "5"], ["5", "0"], ["5", "5"]]) {
    assertEquals(parseOutcome(["grpc-status", a!, "grpc-status", b!]), {
      status: Status.UNKNOWN,
      message: `Invalid grpc-status: '${a}, ${b}'`,
      details: null,
    });
  }
});

Deno.test("parseOutcome() keeps the status when message or details are malformed", () => {
  assertEquals(
    parseOutcome([
      ...["grpc-status", "5", "grpc-message", "%zz%FF"],
      ...["grpc-status-details-bin", "not base64!"],
    ]),
    { status: 5, message: "%zz\ufffd", details: null },
  );
});

Deno.test("parseOutcome() takes the first message and the first valid details", () => {
  assertEquals(
    parseOutcome([
      ...["grpc-status", "5", "grpc-message", "a", "grpc-message", "b"],
      ...["grpc-status-details-bin", "!", "grpc-status-details-bin", "AQ"],
      ...["grpc-status-details-bin", "Ag"],
    ]),
    { status: 5, message: "a", details: new Uint8Array([1]) },
  );
});

Deno.test("statusOfHttp() maps every status as http-grpc-status-mapping.md does", () => {
  const table = new Map<number, Status>([
    [400, Status.INTERNAL],
    [401, Status.UNAUTHENTICATED],
    [403, Status.PERMISSION_DENIED],
    [404, Status.UNIMPLEMENTED],
    [429, Status.UNAVAILABLE],
    [431, Status.UNKNOWN],
    [502, Status.UNAVAILABLE],
    [503, Status.UNAVAILABLE],
    [504, Status.UNAVAILABLE],
  ]);
  for (let http = 0; http < 1_000; http++) {
    assertEquals(
      statusOfHttp(http),
      table.get(http) ?? Status.UNKNOWN,
      `${http}`,
    );
  }
  assertEquals(statusOfHttp(NaN), Status.UNKNOWN);
});

for (
  const [values, pushbackMs] of [
    [[], undefined],
    [["0"], 0],
    [["1500"], 1_500],
    [["99999999999999999999"], 2 ** 31 - 1],
    [["-1"], null],
    [["xxx"], null],
    [[""], null],
    [["1.5"], null],
    [["+1"], null],
    [["10", "10"], null],
  ] as const
) {
  Deno.test(`readPushback() makes ${pushbackMs} of ${JSON.stringify(values)}`, () => {
    const fields = values.flatMap((value) => ["grpc-retry-pushback-ms", value]);
    const trailers = ["grpc-status", "14", ...fields, "grpc-retry", "1"];
    assertEquals(readPushback(trailers), pushbackMs);
  });
}
