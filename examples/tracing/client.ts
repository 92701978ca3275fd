/**
 * Gives each call an id, and tells how it ended and how long it took.
 *
 *     deno run --allow-net=127.0.0.1 examples/tracing/client.ts [port]
 *
 * @module
 */

import {
  CallEnd,
  type CallInfo,
  Channel,
  createStub,
  listen,
  SendRequest,
  statusName,
} from "@grpclib/grpclib/client";
import { Greeter } from "../helloworld/gen/helloworld_pb.ts";

await using channel = new Channel("127.0.0.1", Number(Deno.args[0] ?? 50051));

let calls = 0;
const ids = new WeakMap<CallInfo, string>();

listen(channel, SendRequest, (event) => {
  const id = `call-${++calls}`;
  event.metadata.set("x-request-id", id);
  ids.set(event.call, id);
});

listen(channel, CallEnd, (event) => {
  // A call that had no connection was never given an id.
  const id = ids.get(event.call) ?? "-";
  const { methodName, status, durationMs } = event;
  console.log(
    `[${id}] ${methodName} ${statusName(status)} ${durationMs.toFixed(1)} ms`,
  );
});

const greeter = createStub(Greeter, channel);
await greeter.sayHello({ name: "Ada" });
await greeter.sayHello({ name: "Grace" });
