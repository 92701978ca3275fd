/**
 * Tells how many bytes a client takes for a connection that does nothing: one
 * with a channel and a stub of its own, after a call.
 *
 *     deno run --allow-net=127.0.0.1 --v8-flags=--expose-gc \
 *       _testdata/channel_memory_program.ts PORT COUNT
 *
 * It prints a line when the first channels are there, adds COUNT more when it
 * reads one, and prints how many bytes each of them takes.
 *
 * @module
 */

// A program that is run by a test speaks on the console.
// deno-lint-ignore-file no-console

import { Channel, createStub, type Stub } from "../client.ts";
import { Echo } from "./gen/echo_pb.ts";

/** How many there are before: what is compiled and made once is not counted. */
const FIRST = 100;

const [port, count] = Deno.args.map(Number) as [number, number];
const { gc } = globalThis as unknown as { gc(): void };

function bytes(): number {
  for (let i = 0; i < 3; i++) gc();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

const stubs: Stub<typeof Echo>[] = [];
async function add(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const stub = createStub(Echo, new Channel("127.0.0.1", port));
    await stub.unary({});
    stubs.push(stub);
  }
}

await add(FIRST);
const lines = Deno.stdin.readable.getReader();
console.log("");
await lines.read();
const before = bytes();
await add(count);
console.log(JSON.stringify((bytes() - before) / count));
// The server is asked what it takes for them before they go.
await lines.read();
Deno.exit();
