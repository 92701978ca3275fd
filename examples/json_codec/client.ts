/**
 * Sends a ping, in JSON.
 *
 *     deno run --allow-net=127.0.0.1 examples/json_codec/client.ts [port]
 *
 * @module
 */

import {
  Channel,
  unaryUnary,
  type UnaryUnaryMethod,
} from "@grpclib/grpclib/client";
import { jsonCodec, type Ping } from "./codec.ts";

class PingServiceStub {
  readonly ping: UnaryUnaryMethod<Ping, Ping>;

  constructor(channel: Channel) {
    this.ping = unaryUnary<Ping, Ping>(
      channel,
      "/ping.PingService/Ping",
      null,
      null,
    );
  }
}

const port = Number(Deno.args[0] ?? 50051);
await using channel = new Channel("127.0.0.1", port, { codec: jsonCodec });
const reply = await new PingServiceStub(channel).ping({ value: "ping" });
console.log(reply.value);
