/**
 * Connections that are opened and closed, and what is left of them.
 *
 * @module
 */

import type { HTTP2Engine } from "../client.ts";
import { after } from "../_testdata/waiting.ts";
import type { VictimArgs, VictimSample } from "./attack.ts";
import { Child } from "./child.ts";
import { callFrames, RawPeer, requestBlock } from "./raw_peer.ts";

/** What was found. */
export interface Outcome {
  /** All of it, for people. */
  readonly line: string;
  /** What should not be. */
  readonly wrong: readonly string[];
}

const MIB = 1024 * 1024;
const PATIENCE_MS = 30_000;

/** How many connections are open at once. */
const AT_ONCE = 50;

/** The most that the heap may have grown, in bytes. */
const MOST_GROWTH = 4 * MIB;

/** Asks the server for a sample. */
async function sample(server: Child): Promise<VictimSample> {
  await server.send();
  const told = await server.event<VictimSample>(PATIENCE_MS);
  if (told === null) throw new Error("The server does not answer");
  return told;
}

/** Opens connections, makes a call on each, and closes them either way. */
export async function churnConnections(
  engine: HTTP2Engine,
  count: number,
): Promise<Outcome> {
  const args: VictimArgs = { engine };
  const server = new Child("./victim_server.ts", [JSON.stringify(args)]);
  const started = await server.event<{ port: number }>(PATIENCE_MS);
  const port = started!.port;
  const block = requestBlock("/grpclib.test.Echo/Unary");
  let failed = 0;
  const one = async (i: number): Promise<void> => {
    const peer = await RawPeer.open(port);
    const streamId = peer.newStream();
    const answer = peer.reply(streamId);
    await peer.write(callFrames(streamId, block));
    const late = after(PATIENCE_MS).then(() => null);
    if ((await Promise.race([answer, late]))?.status !== "0") failed++;
    // Every other one in the middle of a call.
    if (i % 2 === 0) await peer.write(callFrames(peer.newStream(), block));
    peer.close();
  };
  const some = async (from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i += AT_ONCE) {
      const length = Math.min(AT_ONCE, to - i);
      await Promise.all(Array.from({ length }, (_, n) => one(i + n)));
    }
  };
  // What the runtime needs once, it has then.
  await some(0, 500);
  await after(1_000);
  const before = { ...await sample(server), fds: server.descriptors };
  const rssBefore = server.bytes;
  const start = performance.now();
  await some(0, count);
  const seconds = (performance.now() - start) / 1000;
  await after(1_000);
  const last = { ...await sample(server), fds: server.descriptors };
  const rss = server.bytes;
  const { status, errors } = await server.end(10_000);
  const grown = last.heap - before.heap;
  const wrong: string[] = [];
  if (failed > 0) wrong.push(`${failed} calls failed`);
  if (last.fds > before.fds) {
    wrong.push(`${last.fds - before.fds} file descriptors left`);
  }
  if (grown > MOST_GROWTH) wrong.push(`heap grew by ${mib(grown)} MiB`);
  if (status !== "alive") wrong.push(`server ${status}: ${errors}`);
  return {
    line: `${count} connections in ${seconds.toFixed(1)} s: ` +
      `file descriptors ${before.fds} → ${last.fds}, heap ${
        mib(before.heap)
      } → ${mib(last.heap)} MiB, RSS ${mib(rssBefore)} → ${mib(rss)} MiB`,
    wrong: wrong.map((what) => `${engine}, churn: ${what}`),
  };
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
