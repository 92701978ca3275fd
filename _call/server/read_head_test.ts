import { assertEquals, assertStrictEquals } from "@std/assert";
import { Cardinality } from "../../core/cardinality.ts";
import { ProtoCodec } from "../../core/codec.ts";
import { methodDescriptor } from "../descriptor.ts";
import { codecsOf } from "./codecs.ts";
import { HeadReader } from "./read_head.ts";
import type { Route } from "./route.ts";

const PATHS = ["/a.B/C", "/a.B/D"];

/** Reads heads for a server with two methods. */
function newReader(): HeadReader {
  const cardinality = Cardinality.UNARY_UNARY;
  const routes = new Map<string, Route>();
  for (const path of PATHS) {
    const init = { path, cardinality, requestType: null, replyType: null };
    const handler = { ...init, handle: () => {} };
    routes.set(path, { path, handler, method: methodDescriptor(init) });
  }
  return new HeadReader({
    codecs: codecsOf(new ProtoCodec()),
    config: {
      maxReceiveMessageSize: 1024,
      maxHeaderListSize: 65_536,
      maxDecompressionRatio: 1000,
    },
    compressors: new Map(),
    acceptEncoding: "identity",
    routes,
  });
}

const HEAD = [
  ...[":method", "POST", ":scheme", "http", ":path", PATHS[0]!],
  ...[":authority", "a:1", "te", "trailers", "grpc-timeout", "1S"],
  ...["content-type", "application/grpc", "user-agent", "test/1"],
  ...["grpc-accept-encoding", "gzip", "token-bin", "AQI=", "trace", "1"],
];

Deno.test("HeadReader.read() reads a head again that differs from the last one in more than the values of metadata", () => {
  const others = ["", "GET", "gzip", "text/html", "2S", "!", "x".repeat(5000)];
  others.push(PATHS[1]!, "grpc-encoding", "host", "other-bin", "AA==");
  const reader = newReader();
  for (let i = 0; i < HEAD.length; i++) {
    for (const other of others) {
      reader.read([...HEAD]);
      const changed = HEAD.with(i, other);
      // What a reader says that has read nothing before.
      const { refusal, ...expected } = newReader().read(changed);
      const found = reader.read(changed);
      assertEquals(found.refusal, refusal, `${changed}`);
      for (const part of ["head", "timeoutMs", "headBytes"] as const) {
        assertEquals(
          (found as Partial<Record<typeof part, unknown>>)[part],
          (expected as Partial<Record<typeof part, unknown>>)[part],
          `${part} of ${changed}`,
        );
      }
    }
  }
});

Deno.test("HeadReader.read() reads a head once that differs from the last one only in the values of metadata", () => {
  const reader = newReader();
  const first = reader.read(HEAD);
  assertEquals(first.refusal, null);
  for (const value of ["", "2", "x".repeat(3000)]) {
    const other = HEAD.with(HEAD.length - 1, value);
    assertStrictEquals(reader.read(other), first);
  }
});
