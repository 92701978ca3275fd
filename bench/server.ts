/**
 * A server to be measured, in a process of its own: `bare` or `grpclib`. It
 * prints its port and lives until its standard input ends.
 *
 * @module
 */

import { createService, Server } from "@grpclib/grpclib/server";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import { startBareServer } from "./bare.ts";

/** Starts a server of this library that answers with what it got. */
export async function startServer(): Promise<number> {
  const server = new Server([
    createService(Echo, {
      unary: ({ text }) => ({ text }),
      *serverStream({ text, count }) {
        for (let i = 0; i < count; i++) yield { text };
      },
      async clientStream(requests) {
        let text = "";
        for await (const request of requests) text = request.text;
        return { text };
      },
      async *bidi(requests) {
        for await (const { text } of requests) yield { text };
      },
    }),
  ]);
  await server.start("127.0.0.1");
  return server.port!;
}

if (import.meta.main) {
  const port = Deno.args[0] === "bare"
    ? await startBareServer()
    : await startServer();
  // deno-lint-ignore no-console
  console.log(port);
  for await (const _ of Deno.stdin.readable);
  Deno.exit(0);
}
