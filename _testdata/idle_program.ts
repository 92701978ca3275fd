/**
 * A server that tells how much memory it takes:
 *
 *     deno run --allow-net=127.0.0.1 --v8-flags=--expose-gc \
 *       _testdata/idle_program.ts
 *
 * It prints its port, and then a line for each line it reads: what there is after
 * everything that can be collected was. A streaming call waits until its client
 * ends it.
 *
 * @module
 */

// A program that is run by a test speaks on the console.
// deno-lint-ignore-file no-console

import { Server } from "../server.ts";
import { echoWith } from "./echo_service.ts";
import { settled } from "./waiting.ts";

/** What a server has at a moment. */
export interface IdleReport {
  /** Bytes of the heap, and of what it has outside. */
  readonly bytes: number;
  /** Bytes of the whole process. */
  readonly rss: number;
  readonly calls: number;
}

const { gc } = globalThis as unknown as { gc(): void };

let calls = 0;
const server = new Server([
  echoWith({
    async bidi(stream) {
      calls++;
      await stream.recvMessage();
      calls--;
    },
  }),
], { config: { maxConcurrentStreams: 100_000 } });
await server.start("127.0.0.1");
console.log(server.port);
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream());
for await (const _ of lines) {
  await settled(() => calls);
  for (let i = 0; i < 3; i++) gc();
  const { heapUsed, external, rss } = Deno.memoryUsage();
  const report: IdleReport = { bytes: heapUsed + external, rss, calls };
  console.log(JSON.stringify(report));
}
server.close();
await server.waitClosed();
