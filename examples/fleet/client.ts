/**
 * Calls a fleet until it gets SIGINT, 20 calls at a time, and says how many calls
 * failed and how many servers answered.
 *
 *     deno run --allow-net=127.0.0.1 examples/fleet/client.ts 127.0.0.1:50051
 *
 * The argument is a name, or addresses with commas between them.
 *
 * @module
 */

import { Channel, GRPCError } from "@grpclib/grpclib/client";
import { GreeterStub } from "../helloworld/gen/helloworld_grpc.ts";

const CALLS_AT_A_TIME = 20;

const [target = "127.0.0.1:50051"] = Deno.args;
await using channel = new Channel({
  target: target.split(","),
  // Behind one address there may be several processes.
  balancing: { policy: "round_robin", connectionsPerAddress: 4 },
  timeoutMs: 10_000,
  // To greet somebody twice does no harm.
  retry: true,
  // Nobody is there for a moment: that is no reason to fail before the timeout.
  waitForReady: true,
});
const greeter = new GreeterStub(channel);

let calls = 0;
let isOver = false;
const servers = new Set<string>();
const failures: GRPCError[] = [];

async function call(): Promise<void> {
  try {
    const { message } = await greeter.sayHello({ name: "Ada" });
    servers.add(message);
  } catch (error) {
    if (!(error instanceof GRPCError)) throw error;
    failures.push(error);
  } finally {
    calls++;
  }
}

const onInterrupt = () => {
  isOver = true;
};
Deno.addSignalListener("SIGINT", onInterrupt);
await call();
console.log(`Calling ${channel.target}`);
await Promise.all(Array.from({ length: CALLS_AT_A_TIME }, async () => {
  while (!isOver) await call();
}));
Deno.removeSignalListener("SIGINT", onInterrupt);
console.log(
  `${failures.length} of ${calls} calls failed; ${servers.size} servers answered`,
);
for (const failure of failures.slice(0, 5)) console.error(`${failure}`);
