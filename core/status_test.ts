import { assert, assertEquals, assertFalse } from "@std/assert";
import { isStatus, Status, statusName } from "./status.ts";

// https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
const TABLE = [
  ["OK", 0],
  ["CANCELLED", 1],
  ["UNKNOWN", 2],
  ["INVALID_ARGUMENT", 3],
  ["DEADLINE_EXCEEDED", 4],
  ["NOT_FOUND", 5],
  ["ALREADY_EXISTS", 6],
  ["PERMISSION_DENIED", 7],
  ["RESOURCE_EXHAUSTED", 8],
  ["FAILED_PRECONDITION", 9],
  ["ABORTED", 10],
  ["OUT_OF_RANGE", 11],
  ["UNIMPLEMENTED", 12],
  ["INTERNAL", 13],
  ["UNAVAILABLE", 14],
  ["DATA_LOSS", 15],
  ["UNAUTHENTICATED", 16],
] as const;

Deno.test("Status has the names and numbers of the specification", () => {
  assertEquals(Object.entries(Status), TABLE.map(([...pair]) => pair));
});

Deno.test("statusName() gives the name of every status", () => {
  for (const [name, status] of TABLE) assertEquals(statusName(status), name);
});

Deno.test("isStatus() accepts the integers from 0 to 16", () => {
  for (const [, status] of TABLE) assert(isStatus(status));
});

Deno.test("isStatus() refuses everything else", () => {
  const others = [
    ...[-1, 17, 0.5, NaN, Infinity, 2 ** 32, -0.1],
    ...["0", "OK", "", null, undefined, true, 5n, {}, [5]],
    ...["length", "constructor"],
  ];
  for (const other of others) assertFalse(isStatus(other), String(other));
});
