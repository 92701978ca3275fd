/**
 * The server of the official interoperability tests:
 *
 *     deno run --allow-net interop/server.ts --port=10000
 *
 * With `--use_tls` it needs `--tls_cert_file` and `--tls_key_file`, and the
 * permission to read them.
 *
 * @module
 */

import { gracefulExit } from "@grpclib/grpclib";
import { flagsOf } from "./flags.ts";
import { makeServer } from "./service.ts";

const flags = flagsOf(Deno.args);
const tls = flags.use_tls === "true"
  ? {
    cert: await Deno.readTextFile(flags.tls_cert_file!),
    key: await Deno.readTextFile(flags.tls_key_file!),
  }
  : undefined;

const server = makeServer();
using _exit = gracefulExit([server], { graceMs: 1_000 });
await server.start(
  "127.0.0.1",
  Number(flags.port ?? 10_000),
  tls === undefined ? {} : { tls },
);
console.log(`Serving on ${server.address}`);
await server.waitClosed();
