/**
 * Greets those who bring a token, and nobody else.
 *
 *     deno run --allow-net=127.0.0.1 examples/auth/server.ts [port]
 *
 * @module
 */

import {
  createService,
  gracefulExit,
  GRPCError,
  listen,
  RecvRequest,
  Server,
  Status,
} from "@grpclib/grpclib/server";
import { Greeter } from "../helloworld/gen/helloworld_pb.ts";

/** Who may call, by the digest of the token: the tokens themselves are not kept. */
const users = new Map([[await digest("sesame"), "Ada"]]);

async function digest(token: string): Promise<string> {
  const bytes = new TextEncoder().encode(token);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Runs before every handler: a call that it throws for has none. */
async function authenticate(event: RecvRequest): Promise<void> {
  const authorization = event.metadata.get("authorization") ?? "";
  const [scheme, token = ""] = authorization.split(" ");
  const user = scheme === "Bearer" ? users.get(await digest(token)) : undefined;
  if (user === undefined) {
    throw new GRPCError(Status.UNAUTHENTICATED, "A valid token is needed");
  }
  // Replaces what the client may have claimed to be.
  event.metadata.set("user", user);
}

const greeter = createService(Greeter, {
  sayHello(request, call) {
    const user = call.metadata.get("user");
    return { message: `Hello, ${request.name}! You are ${user}.` };
  },
});

const server = new Server([greeter]);
listen(server, RecvRequest, authenticate);

using _exit = gracefulExit([server]);
await server.start("127.0.0.1", Number(Deno.args[0] ?? 50051));
console.log(`Serving on ${server.address}`);
await server.waitClosed();
