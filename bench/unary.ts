/**
 * Unary calls per second, of this library against plain `node:http2` with the
 * same frames on the wire: each server in a process of its own, all variants
 * in turns of a fraction of a second, in one run. Machines are noisy; what
 * counts is the median of the ratios of turns that follow each other.
 *
 * @module
 */

import { Channel, createStub } from "@grpclib/grpclib/client";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import { BareClient } from "./bare.ts";

const CONCURRENCIES = [1, 16, 128];
const ROUNDS = 9;
const TURN_MS = 300;
const TEXT = "abcdefghijklmnopqrstuvwxyz0123";

/** One pair of client and server. */
interface Variant {
  readonly name: string;
  call(): Promise<unknown>;
}

/** Starts a server in a process of its own. */
async function startProcess(
  kind: string,
): Promise<{ port: number; stop(): Promise<void> }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-net=127.0.0.1",
      new URL("./server.ts", import.meta.url).pathname,
      kind,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  return {
    port: Number(value),
    async stop(): Promise<void> {
      await child.stdin.close();
      await reader.cancel();
      await child.status;
    },
  };
}

/** Calls for a while, so many at a time, and gives the calls per second. */
async function turn(variant: Variant, concurrency: number): Promise<number> {
  const start = performance.now();
  let calls = 0;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (performance.now() - start < TURN_MS) {
      await variant.call();
      calls++;
    }
  }));
  return calls / (performance.now() - start) * 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function print(line: string): void {
  // deno-lint-ignore no-console
  console.log(line);
}

const bareServer = await startProcess("bare");
const ourServer = await startProcess("grpclib");
const clients = [bareServer, ourServer].map(({ port }) => ({
  bare: new BareClient(port),
  channel: new Channel("127.0.0.1", port),
}));

const variants: Variant[] = [["bare", 0], ["grpclib", 1]].flatMap((
  [server, index],
) => {
  const { bare, channel } = clients[index as number]!;
  const echo = createStub(Echo, channel);
  return [
    { name: `bare client, ${server} server`, call: () => bare.call() },
    {
      name: `grpclib client, ${server} server`,
      call: () => echo.unary({ text: TEXT }),
    },
  ];
});

print(`Unary calls per second, ${ROUNDS} rounds of ${TURN_MS} ms each`);
for (const concurrency of CONCURRENCIES) {
  const rates: number[][] = variants.map(() => []);
  for (let round = -1; round < ROUNDS; round++) {
    for (const [i, variant] of variants.entries()) {
      const rate = await turn(variant, concurrency);
      // The first round is for warming up.
      if (round >= 0) rates[i]!.push(rate);
    }
  }
  print(`\n${concurrency} at a time`);
  for (const [i, { name }] of variants.entries()) {
    const ratio = median(rates[i]!.map((rate, r) => rate / rates[0]![r]!));
    print(
      `  ${name.padEnd(32)} ${median(rates[i]!).toFixed(0).padStart(7)}/s  × ${
        ratio.toFixed(2)
      }`,
    );
  }
}

for (const { bare, channel } of clients) {
  bare.close();
  await channel.close();
}
await bareServer.stop();
await ourServer.stop();
