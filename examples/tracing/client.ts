/**
 * Gives each call an id, and tells how long it took.
 *
 *     deno run --allow-net=127.0.0.1 examples/tracing/client.ts [port]
 *
 * @module
 */

import {
  type CallInfo,
  Channel,
  createStub,
  listen,
  RecvTrailingMetadata,
  SendRequest,
  statusName,
} from "@grpclib/grpclib/client";
import { Greeter } from "../helloworld/gen/helloworld_pb.ts";

await using channel = new Channel("127.0.0.1", Number(Deno.args[0] ?? 50051));

let calls = 0;
const startedAt = new WeakMap<CallInfo, number>();

listen(channel, SendRequest, (event) => {
  event.metadata.set("x-request-id", `call-${++calls}`);
  startedAt.set(event.call, performance.now());
});

listen(channel, RecvTrailingMetadata, (event) => {
  const id = event.metadata.get("x-request-id");
  const ms = performance.now() - startedAt.get(event.call)!;
  const status = statusName(event.status);
  console.log(`[${id}] ${event.methodName} ${status} ${ms.toFixed(1)} ms`);
});

const greeter = createStub(Greeter, channel);
await greeter.sayHello({ name: "Ada" });
await greeter.sayHello({ name: "Grace" });
