/**
 * Has channelz show channels and a server that are closed or forgotten, and tells
 * how many it shows, before and after, and how many still live:
 *
 *     deno run --allow-net=127.0.0.1 --v8-flags=--expose-gc \
 *       _testdata/forgotten_program.ts
 *
 * @module
 */

// deno-lint-ignore-file no-console

import { Channelz, ChannelzService } from "../admin/mod.ts";
import { Channel, createStub } from "../mod.ts";
import { ChannelFor } from "../testing/mod.ts";
import { startEcho } from "./echo_service.ts";
import { turns } from "./waiting.ts";

const { gc } = globalThis as unknown as { gc(): void };

const channelz = new Channelz();
await using asker = new ChannelFor([channelz]);
const stub = createStub(ChannelzService, asker);

/** Shows what nobody has when it returns. */
async function show(): Promise<WeakRef<object>[]> {
  const echo = await startEcho();
  await echo.stub.unary({});
  const idle = new Channel("127.0.0.1", 1);
  const shown = [echo.channel, echo.server, idle];
  for (const target of shown) channelz.add(target);
  console.log(await count());
  await echo[Symbol.asyncDispose]();
  return shown.map((it) => new WeakRef<object>(it));
}

async function count(): Promise<string> {
  const { channel } = await stub.getTopChannels({});
  const { server } = await stub.getServers({});
  return `${channel.length} channels, ${server.length} servers`;
}

const refs = await show();
for (let i = 0; i < 20; i++) {
  await turns(5);
  gc();
}
console.log(await count());
console.log(refs.filter((ref) => ref.deref() !== undefined).length);
