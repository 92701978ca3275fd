/**
 * grpc-js as a peer that tries calls again, or has them tried again; run by
 * `run_peer.ts`, under Node where there is one.
 *
 *     retry_peer.mjs <packages> server
 *     retry_peer.mjs <packages> client <port>
 *
 * The server fails calls until there were as many attempts before as the metadata
 * `x-fail` says, with `x-pushback`, if there is some. The client takes service
 * configs, one a line, and says how its call with that ended. Both leave when
 * their input ends. Messages are empty.
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { createInterface } from "node:readline";
import { requireFrom } from "./require_from.mjs";

const [, , packages, role, port] = process.argv;
const require = await requireFrom(packages);
const grpc = require("@grpc/grpc-js");

const bytes = (value) => value;
const Echo = {
  unary: {
    path: "/grpclib.test.Echo/Unary",
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

function serve() {
  const server = new grpc.Server();
  server.addService(Echo, {
    unary({ metadata }, callback) {
      const [previous = "0"] = metadata.get("grpc-previous-rpc-attempts");
      const [fail = "0"] = metadata.get("x-fail");
      const trailers = new grpc.Metadata();
      trailers.set("x-previous", previous);
      if (Number(previous) >= Number(fail)) {
        return callback(null, Buffer.alloc(0), trailers);
      }
      for (const value of metadata.get("x-pushback")) {
        trailers.set("grpc-retry-pushback-ms", value);
      }
      const { UNAVAILABLE } = grpc.status;
      callback({ code: UNAVAILABLE, details: "Not yet", metadata: trailers });
    },
  });
  const credentials = grpc.ServerCredentials.createInsecure();
  server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
    if (error) throw error;
    tell(port);
  });
}

function call(serviceConfig) {
  const Client = grpc.makeGenericClientConstructor(Echo, "Echo");
  const client = new Client(
    `127.0.0.1:${port}`,
    grpc.credentials.createInsecure(),
    { "grpc.service_config": serviceConfig },
  );
  const deadline = Date.now() + 20_000;
  client.unary(Buffer.alloc(0), { deadline }, (error) => {
    tell(error === null ? "OK" : grpc.status[error.code]);
    client.close();
  });
}

if (role === "server") serve();
const lines = createInterface({ input: process.stdin });
lines.on("line", call);
lines.on("close", () => process.exit());
