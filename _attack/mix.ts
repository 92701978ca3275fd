/**
 * Traffic of all kinds from a hundred clients, one of which is an attacker.
 *
 * @module
 */

import { Channel, createStub, GRPCError, type HTTP2Engine } from "../client.ts";
import { seededRandom } from "../_testdata/seeded_random.ts";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import { after } from "../_testdata/waiting.ts";
import type { VictimArgs, VictimSample } from "./attack.ts";
import { ATTACKS } from "./catalogue.ts";
import { Child } from "./child.ts";
import type { Outcome } from "./churn.ts";

const MIB = 1024 * 1024;
const PATIENCE_MS = 30_000;

/** How many good clients there are, beside one attacker. */
const CLIENTS = 99;

/** How long a client waits between two calls at most, in milliseconds. */
const PAUSE_MS = 2_000;

/** How long an attack takes, in milliseconds. */
const ATTACK_MS = 2_000;

/** How often the memory is looked at, in milliseconds. */
const SAMPLE_MS = 10_000;

/** How late the loop has to be for the attacks to be told, in milliseconds. */
const LATE_MS = 500;

/**
 * The most that the least heap of the last third may be beyond that of the first:
 * what attacks hold comes and goes.
 */
const MOST_HEAP_GROWTH = 8 * MIB;

/** The same for the medians of the whole process. */
const MOST_RSS_GROWTH = 100 * MIB;

/** The attacks that need no server of their own. */
const MIXED = ATTACKS.filter(({ on, victim }) =>
  on !== "client" && !victim?.tls && victim?.descriptors === undefined
);

/** Calls of all kinds; each throws when it is lost. */
const KINDS = [
  unary,
  serverStream,
  clientStream,
  bidi,
  cancelled,
];

type Chance = () => number;

function payloadOf(random: Chance): Uint8Array {
  // Mostly small, at times up to 256 KiB.
  return new Uint8Array(Math.floor(2 ** (random() * 18)));
}

const TIMEOUT = { timeoutMs: PATIENCE_MS } as const;

async function unary(channel: Channel, random: Chance): Promise<void> {
  const payload = payloadOf(random);
  const reply = await createStub(Echo, channel).unary({ payload }, TIMEOUT);
  check(reply.payload.length, payload.length);
}

async function serverStream(channel: Channel, random: Chance): Promise<void> {
  const payload = payloadOf(random);
  const stub = createStub(Echo, channel);
  let count = 0;
  for await (const reply of stub.serverStream({ payload }, TIMEOUT)) {
    check(reply.payload.length, payload.length);
    count++;
  }
  check(count, 1);
}

async function clientStream(channel: Channel, random: Chance): Promise<void> {
  const stub = createStub(Echo, channel);
  await stub.clientStream([{ payload: payloadOf(random) }], TIMEOUT);
}

async function bidi(channel: Channel, random: Chance): Promise<void> {
  const stub = createStub(Echo, channel);
  const requests = Array.from(
    { length: 1 + Math.floor(random() * 20) },
    () => ({ payload: payloadOf(random) }),
  );
  let count = 0;
  for await (const _ of stub.bidi(requests, TIMEOUT)) count++;
  check(count, requests.length);
}

/** A call that its client leaves, which is no loss. */
async function cancelled(channel: Channel, random: Chance): Promise<void> {
  const signal = AbortSignal.timeout(Math.floor(random() * 20));
  const stub = createStub(Echo, channel);
  try {
    await stub.unary({ payload: payloadOf(random) }, { ...TIMEOUT, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function check(found: number, wanted: number): void {
  if (found !== wanted) throw new Error(`Found ${found} for ${wanted}`);
}

/** Plays the traffic for some seconds. */
export async function playMix(
  engine: HTTP2Engine,
  seconds: number,
  say: (line: string) => void,
): Promise<Outcome> {
  const random = seededRandom(1);
  const args: VictimArgs = { engine, takesTurns: true };
  const server = new Child("./victim_server.ts", [JSON.stringify(args)]);
  const started = await server.event<{ port: number }>(PATIENCE_MS);
  const port = started!.port;
  const end = performance.now() + seconds * 1000;
  const goesOn = (): boolean => performance.now() < end;
  const lost: string[] = [];
  const waits: number[] = [];
  let calls = 0;

  const client = async (i: number): Promise<void> => {
    await using channel = new Channel("127.0.0.1", port, {
      http2: i % 2 === 0 ? "native" : "node",
      compression: i % 4 < 2 ? "identity" : "gzip",
    });
    while (goesOn()) {
      await after(random() * PAUSE_MS);
      const kind = KINDS[Math.floor(random() * KINDS.length)]!;
      const start = performance.now();
      try {
        await kind(channel, random);
      } catch (error) {
        lost.push(
          `during ${current}, ${kind.name}: ${
            error instanceof GRPCError ? `${error.status} ` : ""
          }${(error as Error).message}`,
        );
      }
      waits.push(performance.now() - start);
      calls++;
    }
  };
  let attacks = 0;
  let current = "no attack";
  let recent = "";
  const attack = async (): Promise<void> => {
    while (goesOn() && server.ended === null) {
      const { name } = MIXED[Math.floor(random() * MIXED.length)]!;
      const attacker = new Child("./attacker.ts", [
        name,
        `${port}`,
        `${ATTACK_MS}`,
      ]);
      await attacker.event(PATIENCE_MS);
      current = name;
      recent = `${recent} ${name}`;
      await attacker.send("go");
      // It may hold still in the middle.
      while (await attacker.event<{ hold?: true }>(PATIENCE_MS) !== null) {
        await attacker.send();
      }
      await attacker.end(1_000);
      attacks++;
    }
  };
  const samples: { heap: number; rss: number }[] = [];
  const watch = async (): Promise<void> => {
    while (goesOn() && server.ended === null) {
      await after(Math.min(SAMPLE_MS, seconds * 100));
      await server.send();
      const told = await server.event<VictimSample>(PATIENCE_MS);
      if (told === null) continue;
      const during = recent;
      recent = current;
      samples.push({ heap: told.heap, rss: server.bytes });
      say(
        `  heap ${mib(told.heap)}, RSS ${
          mib(server.bytes)
        } MiB, ${calls} calls, ${lost.length} lost, ${attacks} attacks, late ${told.late} ms${
          told.late > LATE_MS ? `, during ${during}` : ""
        }`,
      );
    }
  };
  await Promise.all([
    ...Array.from({ length: CLIENTS }, (_, i) => client(i)),
    attack(),
    watch(),
  ]);
  const { status, errors } = await server.end(10_000);
  const sorted = waits.toSorted((a, b) => a - b);
  const p99 = Math.round(sorted[Math.floor(0.99 * (sorted.length - 1))] ?? 0);
  const heapGrowth = growth(samples.map(({ heap }) => heap), () => 0);
  const rssGrowth = growth(
    samples.map(({ rss }) => rss),
    (count) => Math.floor(count / 2),
  );
  const wrong: string[] = [];
  if (lost.length > 0) {
    wrong.push(`${lost.length} good calls lost:${commonest(lost)}`);
  }
  if (heapGrowth > MOST_HEAP_GROWTH) {
    wrong.push(`heap grew by ${mib(heapGrowth)} MiB`);
  }
  if (rssGrowth > MOST_RSS_GROWTH) {
    wrong.push(`RSS grew by ${mib(rssGrowth)} MiB`);
  }
  if (status !== "alive") wrong.push(`server ${status}: ${errors}`);
  return {
    line:
      `${seconds} s: ${calls} calls of ${CLIENTS} clients, ${lost.length} lost, p99 ${p99} ms, ` +
      `${attacks} attacks, heap ${mib(heapGrowth)}, RSS ${
        mib(rssGrowth)
      } MiB more in the last third than in the first`,
    wrong: wrong.map((what) => `${engine}, mix: ${what}`),
  };
}

/**
 * By how much the last third of some values is above the first.
 *
 * @param place Which value of so many is compared, in their order by size.
 */
function growth(
  values: readonly number[],
  place: (count: number) => number,
): number {
  const third = Math.ceil(values.length / 3);
  const of = (part: readonly number[]): number =>
    part.toSorted((a, b) => a - b)[place(part.length)] ?? 0;
  return of(values.slice(-third)) - of(values.slice(0, third));
}

/** The commonest of some texts, each on a line. */
function commonest(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, 10)
    .map(([text, count]) => `\n    ${count} × ${text}`).join("");
}

function mib(bytes: number): number {
  return Math.round(bytes / MIB);
}
