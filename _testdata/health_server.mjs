/**
 * A server of grpc-js whose health is told by grpc-health-check; run by
 * `run_peer.ts`, under Node where there is one.
 *
 *     health_server.mjs <packages> <name> [--without-health]
 *
 * What it does is said in `health_server.py`.
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { createInterface } from "node:readline";
import { requireFrom } from "./require_from.mjs";

const [, , packages, name, ...flags] = process.argv;
const require = await requireFrom(packages);
const grpc = require("@grpc/grpc-js");
const { HealthImplementation } = require("grpc-health-check");

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
