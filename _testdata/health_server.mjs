/**
 * A server of grpc-js whose health is told by grpc-health-check; run by
 * `run_peer.ts`, under Node where there is one.
 *
 *     health_server.mjs <packages> <name> [--without-health]
 *
 * What it does is said in `health_server.py`.
 */

import { Buffer } from "node:buffer";
import { createRequire, Module } from "node:module";
import process from "node:process";
import { createInterface } from "node:readline";

const [, , packages, name, ...flags] = process.argv;
const pathOf = JSON.parse(packages);
const resolve = Module._resolveFilename;
Module._resolveFilename = (request, ...rest) => {
  const [name] = /^(@[^/]+\/)?[^/]+/.exec(request) ?? [];
  const path = pathOf[name];
  return resolve(
    path === undefined ? request : path + request.slice(name.length),
    ...rest,
  );
};
const require = createRequire(import.meta.url);
const grpc = require(pathOf["@grpc/grpc-js"]);
const { HealthImplementation } = require(pathOf["grpc-health-check"]);

const SERVICE = "grpclib.test.Echo";

const bytes = (value) => value;
const Echo = {
  unary: {
    path: `/${SERVICE}/Unary`,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
};

function tell(line) {
  process.stdout.write(`${line}\n`);
}

const server = new grpc.Server();
server.addService(Echo, {
  unary(_, callback) {
    const trailers = new grpc.Metadata();
    trailers.set("x-server", name);
    callback(null, Buffer.alloc(0), trailers);
  },
});
const health = new HealthImplementation({ [SERVICE]: "SERVING" });
if (!flags.includes("--without-health")) health.addToServer(server);
const credentials = grpc.ServerCredentials.createInsecure();
server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
  if (error) throw error;
  tell(port);
});
const lines = createInterface({ input: process.stdin });
lines.on("line", (status) => {
  health.setStatus(SERVICE, status);
  tell(status);
});
lines.on("close", () => process.exit());
