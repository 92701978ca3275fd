/**
 * Greets, and tells how it is: the Greeter is well as long as nobody is greeted
 * who is called "Trouble".
 *
 *     deno run --allow-net=127.0.0.1 examples/health/server.ts [port]
 *
 * @module
 */

import { createService, gracefulExit, Server } from "@grpclib/grpclib/server";
import {
  Health,
  OVERALL,
  ServiceCheck,
  ServiceStatus,
} from "@grpclib/grpclib/health";
import { Greeter } from "../helloworld/gen/helloworld_pb.ts";

// Told as soon as it is known.
const mood = new ServiceStatus();
mood.set(true);

// Asked again and again while somebody watches.
const memory = new ServiceCheck(function memory() {
  return Deno.memoryUsage().heapUsed < 1_000_000_000;
}, { checkTtlMs: 10_000 });

const greeter = createService(Greeter, {
  sayHello({ name }) {
    mood.set(name !== "Trouble");
    return { message: `Hello, ${name}!` };
  },
});

const health = new Health([
  [greeter, [mood, memory]],
  [OVERALL, [memory]],
]);
const server = new Server([greeter, health]);
using _exit = gracefulExit([server]);
await server.start("127.0.0.1", Number(Deno.args[0] ?? 50051));
console.log(`Serving on ${server.address}`);
await server.waitClosed();
