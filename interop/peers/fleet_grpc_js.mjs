/**
 * The server of `deno task fleet`, with grpc-js, under Node: run by
 * `_testdata/run_peer.ts`.
 *
 *     … --port=10000 --wait_ms=2 --max_age_ms=500
 *
 * SIGTERM ends it gracefully.
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { requireFrom } from "../../_testdata/require_from.mjs";

const [, , packages, ...args] = process.argv;
const flags = Object.fromEntries(
  args.map((arg) => arg.replace(/^--/, "").split("=")),
);

const require = await requireFrom(packages);
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
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
