import { assertEquals } from "@std/assert";
import { nearest } from "./_nearest.ts";

const KNOWN = ["maxConnections", "keepaliveTimeMs", "keepaliveTimeoutMs"];

Deno.test("nearest() finds the name with the fewest letters to change", () => {
  const cases: [string, string][] = [
    ["maxConnection", "maxConnections"],
    ["maxxConnections", "maxConnections"],
    ["maxCannections", "maxConnections"],
    ["keepaliveTimeout", "keepaliveTimeoutMs"],
    ["keepaliveTime", "keepaliveTimeMs"],
    ["keepaliveTimeMs", "keepaliveTimeMs"],
  ];
  for (const [name, known] of cases) assertEquals(nearest(name, KNOWN), known);
});

Deno.test("nearest() finds a name in the spelling of grpclib and gRPC-core", () => {
  assertEquals(nearest("_keepalive_time", KNOWN), "keepaliveTimeMs");
  assertEquals(nearest("grpc.keepalive_timeout_ms", KNOWN), KNOWN[2]);
  assertEquals(nearest("MAX-CONNECTIONS", KNOWN), "maxConnections");
});

Deno.test("nearest() finds some name for any, however long", () => {
  assertEquals(nearest("", KNOWN), "maxConnections");
  assertEquals(nearest("x".repeat(1_000_000), KNOWN), "maxConnections");
});

Deno.test("nearest() takes the first of names that are equally near", () => {
  assertEquals(nearest("ac", ["ab", "ad"]), "ab");
});
