/**
 * Calls a service of which it knows nothing but the names.
 *
 *     deno run --allow-net=127.0.0.1 examples/reflection/client.ts [port]
 *
 * @module
 */

import { toJsonString } from "@bufbuild/protobuf";
import { Channel, createStub } from "@grpclib/grpclib/client";
import { reflect } from "@grpclib/grpclib/reflection";

await using channel = new Channel("127.0.0.1", Number(Deno.args[0] ?? 50051));

const { services, registry, getService } = await reflect(channel);
for (const { typeName, methods } of services) {
  console.log(`service ${typeName}`);
  for (const { name, input, output, methodKind } of methods) {
    console.log(
      `  ${name}: ${input.typeName} → ${output.typeName}, ${methodKind}`,
    );
  }
}

const inventory = createStub(getService("inventory.v1.Inventory"), channel);

const item = await inventory.findItem!({ sku: "A-1" });
console.log(toJsonString(registry.getMessage("inventory.v1.Item")!, item));

const scans = [{ sku: "B-2" }, { sku: "C-3" }, { sku: "B-2" }];
for await (const { sku, count } of inventory.countItems!(scans)) {
  console.log(`${count} × ${sku}`);
}
