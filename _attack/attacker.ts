/**
 * An attacker, in a process of its own: it makes one attack, and reports what
 * became of its connections. Its input says go, when there is something to
 * wait for.
 *
 * @module
 */

import { errorName } from "../_h2/mod.ts";
import { grpcMessage } from "../_testdata/raw_frames.ts";
import { after } from "../_testdata/waiting.ts";
import type { AttackerReport, Means } from "./attack.ts";
import { ATTACKS } from "./catalogue.ts";
import { headersFrames, RawPeer, requestBlock } from "./raw_peer.ts";
import { tell } from "./victim.ts";

/** How long a connection is asked whether it is served, in milliseconds. */
const PROBE_MS = 3_000;

const [name, portText, msText, ca] = Deno.args;
const attack = ATTACKS.find((it) => it.name === name)!;
const ms = Number(msText);
const input = Deno.stdin.readable.getReader();

async function main(): Promise<AttackerReport> {
  const peers: RawPeer[] = [];
  const remember = async (opening: Promise<RawPeer>): Promise<RawPeer> => {
    const peer = await opening;
    peers.push(peer);
    return peer;
  };
  let listener: Deno.Listener | null = null;
  if (attack.on === "client") {
    listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    tell({ port: (listener.addr as Deno.NetAddr).port });
  } else {
    tell({ ready: true });
  }
  await input.read();
  const end = performance.now() + ms;
  const means: Means = {
    port: Number(portText),
    ms,
    goesOn: () => performance.now() < end,
    open: (options) => remember(RawPeer.open(means.port, { ca, ...options })),
    connect: (options) =>
      remember(RawPeer.connect(means.port, { ca, ...options })),
    pause: after,
    async serve(reply, options = {}) {
      const timer = setTimeout(() => listener!.close(), ms);
      try {
        for await (const conn of listener!) {
          const peer = await remember(RawPeer.serve(conn, options));
          peer.onRequest = (streamId, fields) => reply(peer, streamId, fields);
        }
      } finally {
        clearTimeout(timer);
      }
    },
    async hold() {
      tell({ hold: true });
      await input.read();
    },
  };
  // Nothing of a peer that is stuck may hold the report up.
  const said = await Promise.race([
    attack.run(means).catch((error) => `attacker failed: ${error}`),
    after(ms + 5_000).then(() => "held up"),
  ]);
  const fates = attack.on === "client"
    ? peers.map(({ fate }) => fate)
    : await Promise.all(peers.slice(0, 100).map(fateOf));
  const words = [...said ? [said] : [], ...describe(peers, fates)];
  for (const peer of peers) peer.close();
  return {
    got: words.join("; "),
    ended: fates.length > 0 && !fates.includes("served"),
  };
}

/** Asks whether a connection is still served, if it is open. */
async function fateOf(peer: RawPeer): Promise<string> {
  if (peer.isClosed || peer.goaway?.code) return peer.fate;
  const streamId = peer.newStream();
  const reply = peer.reply(streamId);
  const block = requestBlock("/grpclib.test.Echo/Unary");
  // A connection that is not read takes no more of either.
  void peer.write(headersFrames(streamId, block));
  void peer.data(streamId, grpcMessage(new Uint8Array()), { end: true });
  const outcome = await Promise.race([reply, after(PROBE_MS)]);
  if (outcome?.status === "0") return "served";
  if (peer.isClosed || peer.goaway?.code) return peer.fate;
  if (outcome?.status) return `calls end with status ${outcome.status}`;
  if (outcome?.reset) return "streams are refused";
  return "open, no reply";
}

/** Says what happened to all connections, the commonest first. */
function describe(
  peers: readonly RawPeer[],
  fates: readonly string[],
): string[] {
  const words: string[] = [];
  for (const [fate, count] of sorted(fates)) {
    words.push(fates.length > 1 ? `${fate} × ${count}` : fate);
  }
  const resets = sorted(
    peers.flatMap((it) => [...it.resets].flatMap(repeated)),
  );
  for (const [code, count] of resets) {
    words.push(`RST ${errorName(code)} × ${count}`);
  }
  const statuses = sorted(
    peers.flatMap((it) => [...it.statuses].flatMap(repeated)),
  );
  for (const [code, count] of statuses) {
    words.push(`status ${code} × ${count}`);
  }
  return words;
}

function repeated<T>([value, count]: [T, number]): T[] {
  return Array.from({ length: count }, () => value);
}

function sorted<T>(values: readonly T[]): [T, number][] {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, 4);
}

tell(await main());
Deno.exit(0);
