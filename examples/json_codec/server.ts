/**
 * Answers pings, in JSON.
 *
 *     deno run --allow-net=127.0.0.1 examples/json_codec/server.ts [port]
 *
 * @module
 */

import {
  Cardinality,
  gracefulExit,
  mapping,
  Server,
  type ServerStream,
  type Service,
} from "@grpclib/grpclib/server";
import { jsonCodec, type Ping } from "./codec.ts";

class PingService implements Service {
  async ping(stream: ServerStream<Ping, Ping>): Promise<void> {
    const { value } = await stream.recvMessage();
    await stream.sendMessage({ value: `${value}? pong!` });
  }

  [mapping]() {
    return {
      "/ping.PingService/Ping": {
        handle: (stream: ServerStream<Ping, Ping>) => this.ping(stream),
        cardinality: Cardinality.UNARY_UNARY,
        // This codec needs no types.
        requestType: null,
        replyType: null,
      },
    };
  }
}

const server = new Server([new PingService()], { codec: jsonCodec });
using _exit = gracefulExit([server]);
await server.start("127.0.0.1", Number(Deno.args[0] ?? 50051));
console.log(`Serving on ${server.address}`);
await server.waitClosed();
