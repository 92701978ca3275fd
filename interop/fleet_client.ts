/**
 * A client that calls without a pause, for `deno task fleet`:
 *
 *     deno run --allow-net interop/fleet_client.ts --target=127.0.0.1:10000 --workers=20
 *
 * So many workers call, one call after another, until the input ends. Then it
 * prints how often what came of it: the number, a tab and the outcome. With
 * `--deadline_ms` calls have a deadline; with `--cancels_per_second` so many
 * others are cancelled when they are under way. Several targets, with commas
 * between them, are called in turn; with `--retry` calls that fail are tried
 * again.
 *
 * @module
 */

import {
  type CallOptions,
  Channel,
  createStub,
  GRPCError,
} from "@grpclib/grpclib";
import { flagsOf } from "./flags.ts";
import { TestService } from "./gen/grpc/testing/test_pb.ts";

const {
  target = "",
  workers = "20",
  deadline_ms: deadlineMs = "0",
  cancels_per_second: cancelsPerSecond = "0",
  engine = "node",
  retry,
} = flagsOf(Deno.args);
const targets = target.split(",");
await using channel = new Channel({
  target: targets,
  balancing: targets.length > 1 ? "round_robin" : "pick_first",
  retry: retry !== undefined,
  ...(engine === "native" ? { http2: engine } : {}),
});
const stub = createStub(TestService, channel);
const options = Number(deadlineMs) > 0 ? { timeoutMs: Number(deadlineMs) } : {};
const outcomes = new Map<string, number>();
let done = false;

/** How long a call runs before it is cancelled. */
const CANCEL_AFTER_MS = 5;

function count(outcome: string): void {
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
}

async function call(options: CallOptions): Promise<string> {
  try {
    await stub.unaryCall({}, options);
    return "OK";
  } catch (error) {
    if (!(error instanceof GRPCError)) throw error;
    return `${error}`.replaceAll(/[\t\n]/g, " ");
  }
}

async function work(): Promise<void> {
  while (!done) count(await call(options));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function cancelOne(): Promise<void> {
  const controller = new AbortController();
  const outcome = call({ signal: controller.signal });
  await sleep(CANCEL_AFTER_MS);
  controller.abort();
  count((await outcome).includes("CANCELLED") ? "cancelled" : await outcome);
}

async function cancel(perSecond: number): Promise<void> {
  const start = performance.now();
  for (let made = 0; !done; await sleep(5)) {
    const due = (performance.now() - start) / 1000 * perSecond;
    while (made < due) {
      made++;
      cancelOne();
    }
  }
}

const running = Array.from({ length: Number(workers) }, work);
if (cancelsPerSecond !== "0") running.push(cancel(Number(cancelsPerSecond)));
for await (const _ of Deno.stdin.readable);
done = true;
await Promise.all(running);
for (const [outcome, count] of outcomes) console.log(`${count}\t${outcome}`);
