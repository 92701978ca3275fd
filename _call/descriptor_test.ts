import { assertEquals } from "@std/assert";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import { cardinalityOf, pathOf } from "./descriptor.ts";

Deno.test("pathOf() joins package, service and method when they have names", () => {
  assertEquals(Echo.methods.map(pathOf), [
    "/grpclib.test.Echo/Unary",
    "/grpclib.test.Echo/ServerStream",
    "/grpclib.test.Echo/ClientStream",
    "/grpclib.test.Echo/Bidi",
  ]);
});

Deno.test("pathOf() has no package when the file has none", () => {
  const parent = { ...Echo, typeName: "Echo" };
  assertEquals(pathOf({ ...Echo.method.unary, parent }), "/Echo/Unary");
});

Deno.test("cardinalityOf() tells the kind when a method is of any", () => {
  const kinds = Echo.methods.map((method) => [
    method.methodKind,
    cardinalityOf(method),
  ]);
  assertEquals(kinds, [
    ["unary", "UNARY_UNARY"],
    ["server_streaming", "UNARY_STREAM"],
    ["client_streaming", "STREAM_UNARY"],
    ["bidi_streaming", "STREAM_STREAM"],
  ]);
});
