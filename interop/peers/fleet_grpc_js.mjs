/**
 * The server of `deno task fleet`, with grpc-js, under Node: run by
 * `_testdata/run_peer.ts`.
 *
 *     … --port=10000 --wait_ms=2 --max_age_ms=500
 *
 * SIGTERM ends it gracefully.
 */

import { createRequire, Module } from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";

const [, , packages, ...args] = process.argv;
const flags = Object.fromEntries(
  args.map((arg) => arg.replace(/^--/, "").split("=")),
);

// Has the packages found where Deno has put them.
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
const loader = require(pathOf["@grpc/proto-loader"]);
const definition = loader.loadSync("grpc/testing/test.proto", {
  includeDirs: [fileURLToPath(new URL("../proto", import.meta.url))],
});
const { TestService } = grpc.loadPackageDefinition(definition).grpc.testing;

const { port, wait_ms: waitMs = "2", max_age_ms: maxAgeMs = "0" } = flags;
const server = new grpc.Server(
  maxAgeMs === "0" ? {} : { "grpc.max_connection_age_ms": Number(maxAgeMs) },
);
server.addService(TestService.service, {
  UnaryCall: (_call, callback) =>
    setTimeout(() => callback(null, {}), Number(waitMs)),
});
server.bindAsync(
  `127.0.0.1:${port}`,
  grpc.ServerCredentials.createInsecure(),
  (error) => {
    if (error) throw error;
    process.stdout.write(`Serving on 127.0.0.1:${port}\n`);
  },
);
process.on("SIGTERM", () => {
  const timer = setTimeout(() => server.forceShutdown(), 5_000);
  server.tryShutdown(() => {
    clearTimeout(timer);
    process.exit(0);
  });
});
