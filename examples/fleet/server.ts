/**
 * One server of a fleet: it greets, says who it is and how it is, and leaves
 * without losing a call.
 *
 *     deno run --allow-net=127.0.0.1:50051 examples/fleet/server.ts
 *
 * Options: `--host=127.0.0.1`, `--port=50051`, `--name=` what it calls itself,
 * `--drain-ms=5000`, `--grace-ms=20000`, `--reuse-port`. The line that it writes
 * says that it serves.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { createService, gracefulExit, Server } from "@grpclib/grpclib/server";
import { Health } from "@grpclib/grpclib/health";
import { Greeter } from "../helloworld/gen/helloworld_pb.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    "host": { type: "string", default: "127.0.0.1" },
    "port": { type: "string", default: "50051" },
    "name": { type: "string", default: `process ${Deno.pid}` },
    "drain-ms": { type: "string", default: "5000" },
    "grace-ms": { type: "string", default: "20000" },
    "reuse-port": { type: "boolean", default: false },
  },
});

const greeter = createService(Greeter, {
  sayHello: ({ name }) => ({ message: `Hello, ${name}, from ${values.name}!` }),
});
// "live" depends on nothing: whether the process is there at all.
const server = new Server([greeter, new Health([greeter, "live"])]);
// SIGTERM: NOT_SERVING for the drain, GOAWAY, the grace for what runs, the end.
using _exit = gracefulExit([server], {
  drainMs: Number(values["drain-ms"]),
  graceMs: Number(values["grace-ms"]),
});
await server.start(values.host, Number(values.port), {
  reusePort: values["reuse-port"],
});
console.log(`Serving on ${server.address}`);
await server.waitClosed();
