/**
 * A server that is restarted and whose connections grow old, for
 * `deno task fleet`:
 *
 *     deno run --allow-net interop/fleet_server.ts --port=10000 --wait_ms=2 --max_age_ms=500
 *
 * SIGTERM ends it gracefully, after a drain of `--drain_ms`.
 *
 * @module
 */

import {
  Cardinality,
  gracefulExit,
  mapping,
  Server,
  type ServerStream,
} from "@grpclib/grpclib";
import { Health } from "@grpclib/grpclib/health";
import { flagsOf } from "./flags.ts";
import {
  type SimpleRequest,
  SimpleRequestSchema,
  type SimpleResponse,
  SimpleResponseSchema,
} from "./gen/grpc/testing/messages_pb.ts";

const flags = flagsOf(Deno.args);
const waitMs = Number(flags.wait_ms ?? 2);
const maxAgeMs = Number(flags.max_age_ms ?? 0);
const drainMs = Number(flags.drain_ms ?? 0);

async function handle(
  call: ServerStream<SimpleRequest, SimpleResponse>,
): Promise<void> {
  await call.recvMessage();
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  await call.sendMessage({});
}

const service = {
  [mapping]: () => ({
    "/grpc.testing.TestService/UnaryCall": {
      handle,
      cardinality: Cardinality.UNARY_UNARY,
      requestType: SimpleRequestSchema,
      replyType: SimpleResponseSchema,
    },
  }),
};

const server = new Server([service, new Health()], {
  ...(flags.engine === "native" ? { http2: "native" } : {}),
  config: maxAgeMs > 0 ? { maxConnectionAgeMs: maxAgeMs } : {},
});
using _exit = gracefulExit([server], { drainMs, graceMs: 10_000 });
await server.start("127.0.0.1", Number(flags.port ?? 10_000));
console.log(`Serving on ${server.address}`);
await server.waitClosed();
