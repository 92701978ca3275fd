/**
 * Asks to be greeted.
 *
 *     deno run --allow-net=127.0.0.1 examples/helloworld/client.ts [port]
 *
 * @module
 */

import { Channel } from "@grpclib/grpclib/client";
import { GreeterStub } from "./gen/helloworld_grpc.ts";

await using channel = new Channel("127.0.0.1", Number(Deno.args[0] ?? 50051));
const greeter = new GreeterStub(channel);
const reply = await greeter.sayHello({ name: "Dr. Strange" });
console.log(reply.message);
