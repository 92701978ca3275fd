/**
 * The packages of npm that `deno task bench:tools` has installed, and what the
 * contenders that use them have in common.
 */

import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import http2 from "node:http2";
import { createRequire } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { harden } from "./bare.ts";
import { Bench } from "../gen/bench_pb.ts";

const folder = new URL("../../.tools/bench/node_modules/", import.meta.url);
const require = createRequire(folder);

/**
 * Loads a package. On Deno, sessions of HTTP/2 are kept from ending the process
 * at GOAWAY.
 */
export function load(name) {
  if (process.versions.deno && !patched) patch();
  // By its path: Deno would look for the name in deno.json first.
  return require(fileURLToPath(new URL(name, folder)));
}

let patched = false;

function patch() {
  patched = true;
  const { connect, createServer, createSecureServer } = http2;
  http2.connect = (...args) => {
    const session = connect(...args);
    harden(session);
    return session;
  };
  const hardened = (create) => (...args) => {
    const server = create(...args);
    server.prependListener("session", harden);
    return server;
  };
  http2.createServer = hardened(createServer);
  http2.createSecureServer = hardened(createSecureServer);
}

/**
 * The methods, as grpc-js and nice-grpc want them, with the same codec that
 * this library uses.
 */
export function definition() {
  const serialize = (type) => (message) => {
    const { buffer, byteOffset, length } = toBinary(type, message);
    return Buffer.from(buffer, byteOffset, length);
  };
  const deserialize = (type) => (bytes) => fromBinary(type, bytes);
  return Object.fromEntries(Bench.methods.map((method) => {
    const { localName, methodKind, input, output } = method;
    return [localName, {
      path: `/${Bench.typeName}/${method.name}`,
      requestStream: /client|bidi/.test(methodKind),
      responseStream: /server|bidi/.test(methodKind),
      requestSerialize: serialize(input),
      requestDeserialize: deserialize(input),
      responseSerialize: serialize(output),
      responseDeserialize: deserialize(output),
      options: {},
    }];
  }));
}
