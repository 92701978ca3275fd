/**
 * A client that is attacked, in a process of its own: it calls a hostile server
 * as it is told, and a good one at a steady pace. It answers each line of its
 * input with a sample, and leaves in good order when that ends.
 *
 * @module
 */

import {
  Channel,
  createStub,
  listen,
  RecvMessage,
  type Stub,
} from "../client.ts";
import { RecvInitialMetadata, SendMessage } from "../client.ts";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import { after } from "../_testdata/waiting.ts";
import type { VictimArgs } from "./attack.ts";
import { GoodCalls } from "./good_calls.ts";
import { answerSamples, LoopWatch, tell } from "./victim.ts";

/** How many calls to the hostile server run at once. */
const AT_ONCE = 50;

/** How long such a call may take. */
const TIMEOUT_MS = 10_000;

let isOver = false;

/** Calls the hostile server until it is over, whatever that answers. */
async function suffer(
  stub: Stub<typeof Echo>,
  args: VictimArgs,
): Promise<void> {
  while (!isOver) {
    try {
      await call(stub, args);
    } catch {
      await after(5);
    }
  }
}

async function call(stub: Stub<typeof Echo>, args: VictimArgs): Promise<void> {
  const options = { timeoutMs: TIMEOUT_MS };
  switch (args.calls ?? "unary") {
    case "unary":
      await stub.unary({ text: "a" }, options);
      return;
    case "stream":
      for await (const _ of stub.serverStream({ text: "a" }, options));
      return;
    case "unread": {
      const stream = stub.serverStream.open(options);
      await stream.sendMessage({ text: "a" });
      await after(TIMEOUT_MS / 2);
      stream.cancel();
      return;
    }
  }
}

/** Runs the client to the end of its input. */
async function run(args: VictimArgs): Promise<void> {
  const options = { http2: args.engine, config: args.config ?? {} };
  const hostile = new Channel("127.0.0.1", args.hostilePort!, options);
  const good = new Channel("127.0.0.1", args.goodPort!, options);
  for (const channel of args.listens ? [hostile, good] : []) {
    listen(channel, RecvInitialMetadata, async () => {});
    listen(channel, RecvMessage, async () => {});
    listen(channel, SendMessage, async () => {});
  }
  const goodCalls = new GoodCalls(good);
  await goodCalls.warmUp();
  const watch = new LoopWatch();
  tell({ port: 0 });
  await answerSamples(() => ({
    mostHandlers: 0,
    late: watch.takeLate(),
    waits: goodCalls.waits.splice(0),
    failures: goodCalls.failures.splice(0),
  }), (count) => {
    // The first sample is what the others are compared with; the second one is
    // asked for when the attack is over.
    if (count === 1) {
      goodCalls.start();
      const stub = createStub(Echo, hostile);
      for (let i = 0; i < AT_ONCE; i++) void suffer(stub, args);
    } else if (count === 2) {
      isOver = true;
      void goodCalls.stop();
      void hostile.close();
    }
  });
  await good.close();
}

if (import.meta.main) {
  await run(JSON.parse(Deno.args[0]!) as VictimArgs);
  Deno.exit(0);
}
