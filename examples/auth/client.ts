/**
 * Calls with a token, with a wrong one, and without.
 *
 *     deno run --allow-net=127.0.0.1 examples/auth/client.ts [port]
 *
 * @module
 */

import {
  Channel,
  createStub,
  GRPCError,
  listen,
  SendRequest,
  statusName,
} from "@grpclib/grpclib/client";
import { Greeter } from "../helloworld/gen/helloworld_pb.ts";

/** Makes a channel whose calls all bring a token. */
function channelWith(token: string | null): Channel {
  const channel = new Channel("127.0.0.1", Number(Deno.args[0] ?? 50051));
  if (token !== null) {
    listen(channel, SendRequest, (event) => {
      event.metadata.set("authorization", `Bearer ${token}`);
    });
  }
  return channel;
}

for (const token of ["sesame", "a guess", null]) {
  await using channel = channelWith(token);
  const greeter = createStub(Greeter, channel);
  try {
    const options = { metadata: { user: "Eve" }, timeoutMs: 5_000 };
    const reply = await greeter.sayHello({ name: "you" }, options);
    console.log(reply.message);
  } catch (error) {
    if (!(error instanceof GRPCError)) throw error;
    console.log(`${statusName(error.status)}: ${error.message}`);
  }
}
