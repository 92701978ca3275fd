/**
 * Greets, and logs each call with the id that it came with: also from places
 * that know nothing of the call.
 *
 *     deno run --allow-net=127.0.0.1 examples/tracing/server.ts [port]
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import {
  CallEnd,
  createService,
  gracefulExit,
  listen,
  RecvRequest,
  Server,
  statusName,
} from "@grpclib/grpclib/server";
import { Greeter } from "../helloworld/gen/helloworld_pb.ts";

const requestId = new AsyncLocalStorage<string>();

function log(text: string): void {
  console.log(`[${requestId.getStore() ?? "-"}] ${text}`);
}

const greeter = createService(Greeter, {
  sayHello({ name }) {
    log(`greeting ${name}`);
    return { message: `Hello, ${name}!` };
  },
});

const server = new Server([greeter]);

listen(server, RecvRequest, (event) => {
  const id = event.metadata.get("x-request-id") ?? crypto.randomUUID();
  // Whatever the handler does, and whatever that calls, finds the id.
  const handle = event.methodFunc;
  event.methodFunc = (stream) => requestId.run(id, () => handle(stream));
});

// In the context of the handler, and so with its id.
listen(server, CallEnd, (event) => {
  log(`${event.methodName} ended with ${statusName(event.status)}`);
});

using _exit = gracefulExit([server]);
await server.start("127.0.0.1", Number(Deno.args[0] ?? 50051));
console.log(`Serving on ${server.address}`);
await server.waitClosed();
