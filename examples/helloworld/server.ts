/**
 * Greets whoever calls.
 *
 *     deno run --allow-net=127.0.0.1 examples/helloworld/server.ts [port]
 *
 * @module
 */

import {
  gracefulExit,
  Server,
  type ServerStream,
} from "@grpclib/grpclib/server";
import { GreeterBase } from "./gen/helloworld_grpc.ts";
import type { HelloReply, HelloRequest } from "./gen/helloworld_pb.ts";

class Greeter extends GreeterBase {
  override async sayHello(
    stream: ServerStream<HelloRequest, HelloReply>,
  ): Promise<void> {
    const request = await stream.recvMessage();
    await stream.sendMessage({ message: `Hello, ${request.name}!` });
  }
}

const server = new Server([new Greeter()]);
using _exit = gracefulExit([server]);
await server.start("127.0.0.1", Number(Deno.args[0] ?? 50051));
console.log(`Serving on ${server.address}`);
await server.waitClosed();
