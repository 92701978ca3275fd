/**
 * Tells how many bytes a stream takes that waits, in the engine of the library's
 * own: that of the client and that of the server together.
 *
 *     deno run --v8-flags=--expose-gc _testdata/stream_memory_program.ts
 *
 * @module
 */

// A program that is run by a test speaks on the console.
// deno-lint-ignore-file no-console

import { connectedPair, LoggedSink, REQUEST } from "./native_pair.ts";
import { until } from "./waiting.ts";

const COUNT = 900;

const { gc } = globalThis as unknown as { gc(): void };

function bytes(): number {
  for (let i = 0; i < 3; i++) gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

const sink = new LoggedSink();
const { client, server, serverOwner } = await connectedPair();
serverOwner.take = () => sink;
const open = async (count: number): Promise<void> => {
  const all = client.streamCount + count;
  for (let i = 0; i < count; i++) client.open(sink).sendHead(REQUEST);
  await until(() => server.streamCount === all, "the streams are there");
};
await open(50);
const before = bytes();
await open(COUNT);
console.log(JSON.stringify((bytes() - before) / COUNT));
Deno.exit();
