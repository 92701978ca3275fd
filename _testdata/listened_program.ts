/**
 * Sends many messages through one call, both ways, with a listener for every
 * event on both sides, and tells by how much the heap has grown meanwhile:
 *
 *     deno run --allow-net=127.0.0.1 --v8-flags=--expose-gc \
 *       _testdata/listened_program.ts <messages> <slow or fast> <node or native>
 *
 * @module
 */

// deno-lint-ignore-file no-console

import { CLIENT_EVENTS, listen, SERVER_EVENTS } from "../core/events.ts";
import { startEcho } from "./echo_service.ts";
import { turns } from "./waiting.ts";

const [messages, speed, http2] = Deno.args;
const engine = { http2: http2 as "node" | "native" };

/** How many messages are under way. */
const AT_ONCE = 64;

const { gc } = globalThis as unknown as { gc(): void };

async function heap(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    await turns(2);
    gc();
  }
  return Deno.memoryUsage().heapUsed;
}

const echo = await startEcho({ server: engine, channel: engine });
let heard = 0;
const listener = speed === "slow"
  ? async () => {
    heard++;
    await null;
  }
  : () => void heard++;
for (const type of CLIENT_EVENTS) listen(echo.channel, type, listener);
for (const type of SERVER_EVENTS) listen(echo.server, type, listener);

const stream = echo.stub.bidi.open();
const exchange = async (count: number): Promise<void> => {
  for (let left = count; left > 0; left -= AT_ONCE) {
    const sent = Array.from(
      { length: AT_ONCE },
      () => stream.sendMessage({ count: 1 }),
    );
    for (let i = 0; i < AT_ONCE; i++) await stream.recvMessage();
    await Promise.all(sent);
  }
};
await exchange(5_000);
const before = await heap();
heard = 0;
await exchange(Number(messages));
const during = heard;
const grown = await heap() - before;
await stream.end();
await stream.recvMessage();
await echo[Symbol.asyncDispose]();
console.log(JSON.stringify({ heard: during, grown }));
