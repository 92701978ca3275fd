import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  deferMetadata,
  GRPCError,
  ProtocolError,
  StreamTerminatedError,
} from "./errors.ts";
import { Metadata } from "./metadata.ts";
import { Status, statusName } from "./status.ts";

const CLASSES = [GRPCError, StreamTerminatedError];
const FAILURES = Object.values(Status).filter((status) => status !== 0);

for (const Class of CLASSES) {
  Deno.test(`${Class.name} carries every status but OK, and shows it in its name`, () => {
    for (const status of FAILURES) {
      const error = new Class(status, "Some text");
      assertEquals(error.status, status);
      assertEquals(error.message, "Some text");
      assertEquals(error.name, `${Class.name} [${statusName(status)}]`);
      assertEquals(`${error}`, `${error.name}: Some text`);
    }
  });

  Deno.test(`${Class.name} refuses OK and what is no status`, () => {
    const cases = [0, -1, 17, 1.5, NaN, "5", "NOT_FOUND", null, undefined];
    for (const status of cases) {
      assertThrows(
        () => new Class(status as Status),
        RangeError,
        `Cannot create error: status must be an integer from 1 to 16, received ${status}`,
      );
    }
  });

  Deno.test(`${Class.name} has no message, details, metadata or cause unless given`, () => {
    const error = new Class(Status.ABORTED);
    assertEquals(error.message, "");
    assertEquals(error.details, []);
    assertEquals(error.metadata.size, 0);
    assertFalse("cause" in error);
  });

  Deno.test(`${Class.name} keeps details, metadata and cause`, () => {
    const cause = new Error("inside");
    const detail = { $typeName: "a.B" };
    const error = new Class(Status.ABORTED, "", {
      cause,
      details: [detail],
      metadata: { "retry-in": "5" },
    });
    assertStrictEquals(error.cause, cause);
    assertStrictEquals(error.details[0], detail);
    assertEquals([...error.metadata], [["retry-in", "5"]]);
  });
}

Deno.test("GRPCError is an Error with a stack that begins at its maker", () => {
  const error = new GRPCError(Status.INTERNAL, "Broken");
  assertInstanceOf(error, Error);
  assertStringIncludes(error.stack ?? "", "errors_test.ts");
  assertStringIncludes(Deno.inspect(error), "GRPCError [INTERNAL]: Broken");
});

Deno.test("GRPCError copies its details", () => {
  const details = [1];
  const error = new GRPCError(Status.ABORTED, "", { details });
  details.push(2);
  assertEquals(error.details, [1]);
});

Deno.test("GRPCError copies its metadata when it is made", () => {
  const metadata = new Metadata({ a: "1" });
  const error = new GRPCError(Status.ABORTED, "", { metadata });
  metadata.set("a", "2");
  assertEquals(error.metadata.get("a"), "1");
});

Deno.test("GRPCError checks its metadata when it is made", () => {
  assertThrows(
    () => new GRPCError(Status.ABORTED, "", { metadata: { "A": "1" } }),
    TypeError,
    'key "A" must be lower-case, use "a"',
  );
  assertThrows(
    () => new GRPCError(Status.ABORTED, "", { metadata: { "a": "\n" } }),
    RangeError,
    "printable ASCII",
  );
});

Deno.test("GRPCError.metadata is made once, and can be added to", () => {
  const error = new GRPCError(Status.ABORTED);
  assertStrictEquals(error.metadata, error.metadata);
  error.metadata.set("a", "1");
  assertEquals(error.metadata.get("a"), "1");
});

Deno.test("GRPCError does not share metadata between errors", () => {
  new GRPCError(Status.ABORTED).metadata.set("a", "1");
  assertEquals(new GRPCError(Status.ABORTED).metadata.size, 0);
});

Deno.test("deferMetadata() makes the metadata when it is first read, once", () => {
  let made = 0;
  const error = new StreamTerminatedError(Status.UNAVAILABLE);
  deferMetadata(error, () => {
    made++;
    return new Metadata({ a: "1" });
  });
  assertEquals(made, 0);
  assertEquals(error.metadata.get("a"), "1");
  assertStrictEquals(error.metadata, error.metadata);
  assertEquals(made, 1);
});

Deno.test("StreamTerminatedError is a GRPCError", () => {
  assertInstanceOf(new StreamTerminatedError(Status.UNAVAILABLE), GRPCError);
});

Deno.test("ProtocolError is not a GRPCError", () => {
  const cause = new Error("inside");
  const error = new ProtocolError("Cannot send message", { cause });
  assert(error instanceof Error);
  assertFalse(error instanceof GRPCError);
  assertEquals(error.name, "ProtocolError");
  assertEquals(error.message, "Cannot send message");
  assertStrictEquals(error.cause, cause);
  assertEquals(`${error}`, "ProtocolError: Cannot send message");
  assertEquals(new ProtocolError().message, "");
});
