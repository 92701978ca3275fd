/**
 * Serves an inventory, and describes it to whoever asks.
 *
 *     deno run --allow-net=127.0.0.1 examples/reflection/server.ts [port]
 *
 *     grpcurl -plaintext 127.0.0.1:50051 list
 *     grpcurl -plaintext 127.0.0.1:50051 describe inventory.v1.Inventory
 *     grpcurl -plaintext -d '{"sku":"A-1"}' 127.0.0.1:50051 \
 *       inventory.v1.Inventory/FindItem
 *
 * @module
 */

import { ServerReflection } from "@grpclib/grpclib/reflection";
import {
  gracefulExit,
  GRPCError,
  type Many,
  Server,
  type ServerStream,
  Status,
} from "@grpclib/grpclib/server";
import { InventoryBase } from "./gen/inventory/v1/inventory_grpc.ts";
import type { FindItemRequest, Scan } from "./gen/inventory/v1/inventory_pb.ts";
import type { Item } from "./gen/inventory/v1/item_pb.ts";

class Inventory extends InventoryBase {
  override async findItem(
    stream: ServerStream<FindItemRequest, Item>,
  ): Promise<void> {
    const { sku } = await stream.recvMessage();
    if (sku !== "A-1") {
      throw new GRPCError(Status.NOT_FOUND, `No item "${sku}"`);
    }
    await stream.sendMessage({
      sku,
      shelf: { aisle: "A", level: 1 },
      count: 42,
      countedAt: { seconds: 1_700_000_000n },
    });
  }

  override async countItems(
    stream: ServerStream<Many<Scan>, Many<Item>>,
  ): Promise<void> {
    const counts = new Map<string, number>();
    for await (const { sku } of stream) {
      const count = (counts.get(sku) ?? 0) + 1;
      counts.set(sku, count);
      await stream.sendMessage({ sku, count });
    }
  }
}

const server = new Server(ServerReflection.extend([new Inventory()]));
using _exit = gracefulExit([server]);
await server.start("127.0.0.1", Number(Deno.args[0] ?? 50051));
console.log(`Serving on ${server.address}`);
await server.waitClosed();
