/**
 * Makes one attack, and measures what it does to others.
 *
 * @module
 */

import { Channel, type HTTP2Engine } from "../client.ts";
import { after } from "../_testdata/waiting.ts";
import type {
  Attack,
  AttackerReport,
  VictimArgs,
  VictimSample,
} from "./attack.ts";
import { Child } from "./child.ts";
import { GoodCalls } from "./good_calls.ts";

/** What an attack did. */
export interface Result {
  readonly attack: Attack;
  readonly engine: HTTP2Engine;
  /** The memory of the process before, the most of it, and some time after, in bytes. */
  readonly rss: {
    readonly before: number;
    readonly peak: number;
    readonly after: number;
  };
  /** What is alive in its heap and buffers, before and as long after, in bytes. */
  readonly heap: { readonly before: number; readonly after: number };
  /** What is alive while the attack holds still, in bytes. */
  readonly heldBytes: number | null;
  /** How late the victim's loop was, in milliseconds. */
  readonly late: number;
  /** The calls of the good client. */
  readonly good: {
    readonly calls: number;
    readonly p50: number;
    readonly p99: number;
    readonly max: number;
    readonly failures: readonly string[];
  };
  /** The most handlers that ran at once. */
  readonly mostHandlers: number;
  /** What became of the attacker. */
  readonly got: string;
  /** Whether it was ended. */
  readonly ended: boolean;
  /** How the victim is: alive, or how it died. */
  readonly status: string;
  /** What it wrote as errors. */
  readonly errors: string;
}

/** How an attack is played. */
export interface PlayOptions {
  readonly engine: HTTP2Engine;
  /** Whether a server asks for TLS, and the attacker speaks it. */
  readonly isTLS: boolean;
  /** How long it takes, in milliseconds. */
  readonly ms: number;
  /** How long after it the memory is measured, in milliseconds. */
  readonly settleMs: number;
}

/** How long the good client calls at least, in milliseconds. */
const ENOUGH_MS = 2_000;

/** How long a victim takes to start, and to answer, in milliseconds. */
const PATIENCE_MS = 30_000;

/** Makes one attack. */
export async function play(
  attack: Attack,
  options: PlayOptions,
): Promise<Result> {
  return attack.on === "client"
    ? await attackClient(attack, options)
    : await attackServer(attack, options);
}

async function attackServer(
  attack: Attack,
  { engine, isTLS, ms, settleMs }: PlayOptions,
): Promise<Result> {
  const args: VictimArgs = {
    ...attack.victim,
    ...(isTLS ? { tls: true } : {}),
    engine,
  };
  const victim = new Child("./victim_server.ts", [JSON.stringify(args)], {
    descriptors: attack.victim?.descriptors,
  });
  const started = await victim.event<{ port: number; ca?: string }>(
    PATIENCE_MS,
  );
  if (started === null) return await stillborn(victim);
  const attacker = new Child("./attacker.ts", [
    attack.name,
    `${started.port}`,
    `${ms}`,
    ...(isTLS ? [started.ca!] : []),
  ]);
  const channel = new Channel("127.0.0.1", started.port, {
    http2: "native",
    ...(started.ca === undefined ? {} : { tls: { ca: started.ca } }),
  });
  const good = new GoodCalls(channel);
  await good.warmUp();
  await attacker.event(PATIENCE_MS);
  const first = await sample(victim);
  const before = victim.bytes;
  victim.peakBytes = before;
  good.start();
  await attacker.send("go");
  const enough = after(Math.min(ms, ENOUGH_MS));
  const watched = await watchAttack(attacker, victim, ms);
  // An attacker that is ended at once leaves the others their calls.
  await enough;
  await good.stop();
  const told = await rest(victim, attacker, settleMs);
  await channel.close();
  return {
    ...resultOf({ attack, engine, before, first, victim }, watched, told),
    good: summary(good.waits, good.failures),
  };
}

async function attackClient(
  attack: Attack,
  { engine, ms, settleMs }: PlayOptions,
): Promise<Result> {
  const attacker = new Child("./attacker.ts", [attack.name, "0", `${ms}`]);
  const server = new Child("./victim_server.ts", [
    JSON.stringify({ engine: "native" } satisfies VictimArgs),
  ]);
  const hostile = await attacker.event<{ port: number }>(PATIENCE_MS);
  const good = await server.event<{ port: number }>(PATIENCE_MS);
  const args: VictimArgs = {
    ...attack.victim,
    engine,
    hostilePort: hostile!.port,
    goodPort: good!.port,
  };
  const victim = new Child("./victim_client.ts", [JSON.stringify(args)]);
  if (await victim.event(PATIENCE_MS) === null) return await stillborn(victim);
  await attacker.send("go");
  const before = victim.bytes;
  victim.peakBytes = before;
  const first = await sample(victim);
  const watched = await watchAttack(attacker, victim, ms);
  const told = await rest(victim, attacker, settleMs, async () => {
    // The second sample ends the calls, so that there are no more behind it.
    return await sample(victim);
  });
  await server.end(PATIENCE_MS);
  const middle = told.middle;
  return {
    ...resultOf({ attack, engine, before, first, victim }, watched, told),
    good: summary(
      [...middle?.waits ?? [], ...told.last?.waits ?? []],
      [...middle?.failures ?? [], ...told.last?.failures ?? []],
    ),
  };
}

/** Asks for a sample; null if there is no reply. */
async function sample(victim: Child): Promise<VictimSample | null> {
  if (victim.ended !== null) return null;
  await victim.send();
  return await victim.event<VictimSample>(PATIENCE_MS);
}

/** Fails: a victim that does not even start is a mistake of this program. */
async function stillborn(victim: Child): Promise<never> {
  const { errors } = await victim.end(0);
  throw new Error(`Cannot attack: the victim did not start: ${errors}`);
}

/** What was seen while the attack went on. */
interface Watched {
  readonly report: AttackerReport | null;
  readonly held: VictimSample | null;
}

/** Waits for the attacker, and measures when it holds still. */
async function watchAttack(
  attacker: Child,
  victim: Child,
  ms: number,
): Promise<Watched> {
  let held: VictimSample | null = null;
  for (;;) {
    const event = await attacker.event<AttackerReport | { hold: true }>(
      ms + 20_000,
    );
    if (event === null || "got" in event) return { report: event, held };
    held = await sample(victim);
    await attacker.send();
  }
}

/** What was seen when it was over. */
interface Told {
  readonly middle: VictimSample | null;
  readonly last: VictimSample | null;
  readonly after: number;
  readonly status: string;
  readonly errors: string;
}

async function rest(
  victim: Child,
  attacker: Child,
  settleMs: number,
  between: () => Promise<VictimSample | null> = () => Promise.resolve(null),
): Promise<Told> {
  await attacker.end(5_000);
  const middle = await between();
  const start = performance.now();
  let last: VictimSample | null;
  let late = 0;
  // What lies idle is collected by and by.
  do {
    await after(Math.min(settleMs, 1_000));
    last = await sample(victim);
    late = Math.max(late, last?.late ?? 0);
  } while (performance.now() - start < settleMs);
  const left = victim.bytes;
  return {
    middle,
    last: last && { ...last, late },
    after: left,
    ...await victim.end(PATIENCE_MS),
  };
}

function resultOf(
  begun: {
    readonly attack: Attack;
    readonly engine: HTTP2Engine;
    readonly before: number;
    readonly first: VictimSample | null;
    readonly victim: Child;
  },
  { report, held }: Watched,
  { middle, last, after, status, errors }: Told,
): Omit<Result, "good"> {
  const { attack, engine, before, first, victim } = begun;
  return {
    attack,
    engine,
    rss: { before, peak: victim.peakBytes, after },
    heap: { before: first?.heap ?? 0, after: last?.heap ?? 0 },
    heldBytes: held === null ? null : held.heap,
    late: Math.max(held?.late ?? 0, middle?.late ?? 0, last?.late ?? 0),
    mostHandlers: last?.mostHandlers ?? held?.mostHandlers ?? 0,
    got: report?.got ?? "the attacker said nothing",
    ended: report?.ended ?? false,
    status,
    errors,
  };
}

function summary(
  waits: readonly number[],
  failures: readonly string[],
): Result["good"] {
  const sorted = waits.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    Math.round(sorted[Math.floor(part * (sorted.length - 1))] ?? Infinity);
  return {
    calls: waits.length + failures.length,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    failures,
  };
}
