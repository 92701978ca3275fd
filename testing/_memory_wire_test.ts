/** Connections in memory, without HTTP/2. */

import { assert, assertEquals } from "@std/assert";
import { turns, until } from "../_testdata/waiting.ts";
import { systemClock } from "../_http2/system_clock.ts";
import { MemoryWire } from "./_memory_wire.ts";

/** A connection, with what its server's end gets. */
function makeWire() {
  let closed = 0;
  const wire = new MemoryWire(systemClock, null, () => closed++);
  const got: string[] = [];
  wire.server.on("data", (bytes) => got.push(`${bytes}`));
  return { wire, got, closed: () => closed };
}

Deno.test("MemoryWire delivers in a later turn, never on the stack of the sender", async () => {
  const { wire, got } = makeWire();
  await turns(2);
  wire.client.write("a");
  assertEquals(got, []);
  await Promise.resolve();
  await new Promise<void>((resolve) => queueMicrotask(resolve));
  assertEquals(got, []);
  await turns(2);
  assertEquals(got, ["a"]);
  wire.close();
  await turns(2);
});

Deno.test("MemoryWire delivers what was sent before the end, and ends both", async () => {
  const { wire, got, closed } = makeWire();
  wire.client.resume();
  wire.client.write("a");
  wire.client.write("b");
  wire.client.destroy();
  await until(() => closed() === 1, "both ends are closed");
  assertEquals(got.join(""), "ab");
});

Deno.test("MemoryWire has a sender wait when nobody reads", async () => {
  const wire = new MemoryWire(systemClock, null, () => {});
  let sent = 0;
  const chunk = new Uint8Array(65_536);
  while (sent < 1000 && wire.client.write(chunk)) sent++;
  for (let i = 0; i < 50; i++) {
    await turns(1);
    while (sent < 1000 && !wire.client.writableNeedDrain) {
      wire.client.write(chunk);
      sent++;
    }
  }
  assert(sent < 20, `${sent} chunks were taken`);
  let bytes = 0;
  wire.server.on("data", ({ length }) => bytes += length);
  await until(() => wire.client.writableLength === 0, "all is sent");
  await until(() => bytes >= sent * chunk.length, "all has arrived");
  wire.close();
  await turns(2);
});

Deno.test("MemoryWire.cut() has both ends see an error, and nothing arrives", async () => {
  const { wire, got, closed } = makeWire();
  const errors: unknown[] = [];
  for (const socket of [wire.client, wire.server]) {
    socket.on("error", ({ code }: { code?: string } & Error) => {
      errors.push(code);
    });
  }
  wire.client.write("a");
  wire.cut();
  await until(() => closed() === 1, "both ends are closed");
  assertEquals([got, errors], [[], ["ECONNRESET", "ECONNRESET"]]);
});
