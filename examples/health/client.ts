/**
 * Watches the health of the Greeter while it gets into trouble and out again.
 *
 *     deno run --allow-net=127.0.0.1 examples/health/client.ts [port]
 *
 * @module
 */

import { Channel, createStub } from "@grpclib/grpclib/client";
import { HealthService, ServingStatus } from "@grpclib/grpclib/health";
import { Greeter } from "../helloworld/gen/helloworld_pb.ts";

await using channel = new Channel("127.0.0.1", Number(Deno.args[0] ?? 50051));
const greeter = createStub(Greeter, channel);
const health = createStub(HealthService, channel);

const names = ["Trouble", "Ada"];
for await (const { status } of health.watch({ service: Greeter.typeName })) {
  console.log(ServingStatus[status]);
  const name = names.shift();
  if (name === undefined) break;
  await greeter.sayHello({ name });
}
