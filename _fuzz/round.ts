/**
 * One round: a client and a server that live for a moment, with calls and
 * trouble, and what must not be left of them.
 *
 * @module
 */

import {
  CallEnd,
  createStub,
  GRPCError,
  type HTTP2Engine,
  listen,
  Status,
} from "../client.ts";
import { CLIENT_EVENTS, type Event, SERVER_EVENTS } from "../core/events.ts";
import { type Listenable, observe } from "../core/_listeners.ts";
import { hostOf } from "../_channel.ts";
import { deadlines } from "../_call/cancellation.ts";
import { runningHandlers } from "../_call/server/call_list.ts";
import { openConnections } from "../_http2/open_connections.ts";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import { after, turns } from "../_testdata/waiting.ts";
import { call } from "./callers.ts";
import { Random } from "./random.ts";
import { Planned } from "./service.ts";
import { makeWorld, type Transport, type World } from "./world.ts";

/** How long what has to come may take on a busy machine, in milliseconds. */
const PATIENCE_MS = 30_000;

/** What a round is made of. */
export interface RoundOptions {
  readonly seed: number;
  readonly transport: Transport;
  readonly engine: HTTP2Engine;
  /** Says what is done, for those who look for the cause of a finding. */
  readonly say: (what: string) => void;
}

/** What went wrong that nobody planned, outside of any call. */
const stray: string[] = [];

globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  stray.push(`unhandled rejection: ${describe(event.reason)}`);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  stray.push(`uncaught error: ${describe(event.error)}`);
});

/** Runs a round; gives what must not be, in words. */
export async function playRound(options: RoundOptions): Promise<string[]> {
  try {
    return await play(options);
  } catch (error) {
    return [`the round failed: ${describe(error)}`, ...stray.splice(0)];
  }
}

async function play(options: RoundOptions): Promise<string[]> {
  const { seed, transport, engine, say } = options;
  const random = new Random(seed);
  const findings: string[] = [];
  const onFinding = (what: string, error: unknown): void => {
    findings.push(`${what}: ${describe(error)}`);
  };
  const world = await makeWorld({ transport, engine, random, onFinding });
  const stub = createStub(Echo, world.channel);
  const ends = [
    new EndCount("channel", world.channel),
    new EndCount("server", world.server),
  ];
  const listeners = random.chance(0.4) ? addListeners(world, random) : null;
  const calls = new Map<number, string>();
  const make = async (id: number): Promise<void> => {
    const own = random.fork();
    const note = (what: string): void => {
      calls.set(id, what);
      say(`call ${id}: ${what}`);
    };
    await call({ stub, random: own, onFinding, say: note });
    calls.delete(id);
    say(`call ${id} is over`);
  };

  // Trouble and calls
  const all: Promise<void>[] = [];
  const count = random.int(3, 30);
  const troubles = random.pick([0, 0, 1, 3]);
  let closing: Promise<void> | null = null;
  for (let id = 0; id < count; id++) {
    all.push(make(id));
    if (random.chance(0.6)) await turns(random.int(0, 2));
    if (random.chance(troubles / count)) say(`strike: ${world.strike()}`);
    if (closing === null && random.chance(0.2 / count)) {
      closing = closeSide(world, random, say);
    }
  }
  await Promise.race([Promise.all(all), after(random.int(0, 150))]);
  say("heal");
  world.heal();

  // What must be afterwards
  const ended = Promise.all([...all, closing]);
  if (!await isSoon(ended)) {
    for (const [id, what] of calls) findings.push(`call ${id} hangs: ${what}`);
    if (calls.size === 0) findings.push("a close does not end");
  }
  listeners?.dispose();
  if (closing === null && findings.length === 0) {
    say("probe");
    findings.push(...await probe(world));
  }
  findings.push(...await remains(() => leftovers(world)));
  findings.push(...ends.flatMap((count) => count.findings));
  say("close");
  const closed = closeAll(world, random);
  if (!await isSoon(closed)) findings.push("the last close does not end");
  findings.push(
    ...await remains(() => [
      ...[...openConnections].map((it) => `open ${it}`),
      ...world.timers,
    ]),
  );
  await turns(2);
  findings.push(...stray.splice(0));
  return findings;
}

/** Counts calls that began, and how often each has ended. */
class EndCount {
  readonly #side: string;
  readonly #ends: number[] = [];

  constructor(side: string, target: Listenable<Event>) {
    this.#side = side;
    observe(target, {
      start: () => {
        const id = this.#ends.push(0) - 1;
        return { end: () => void this.#ends[id]!++ };
      },
    });
  }

  /** What is not as it has to be when all calls are over. */
  get findings(): string[] {
    return this.#ends.flatMap((times, id) =>
      times === 1
        ? []
        : [`call ${id} that the ${this.#side} saw has ended ${times} times`]
    );
  }
}

/** Has some listeners fail, or take their time, on either side. */
function addListeners(world: World, random: Random): DisposableStack {
  const stack = new DisposableStack();
  const own = random.fork();
  const failures = random.pick([0, 0.02, 0.1]);
  const delays = random.pick([0, 0.1, 0.5]);
  const onEvent = (): void | Promise<void> => {
    const fails = own.chance(failures);
    if (!own.chance(delays)) {
      if (fails) throw new Planned("by a listener");
      return;
    }
    return turns(own.int(0, 2)).then(() => {
      if (fails) throw new Planned("by a slow listener");
    });
  };
  for (const type of CLIENT_EVENTS) {
    if (type !== CallEnd && own.chance(0.5)) {
      stack.use(listen(world.channel, type, onEvent));
    }
  }
  for (const type of SERVER_EVENTS) {
    if (type !== CallEnd && own.chance(0.5)) {
      stack.use(listen(world.server, type, onEvent));
    }
  }
  return stack;
}

/** Closes one side while calls run. */
async function closeSide(
  { channel, server }: World,
  random: Random,
  say: (what: string) => void,
): Promise<void> {
  if (random.chance(0.5)) {
    say("close the channel");
    return await channel.close();
  }
  const graceMs = random.pick([0, 0, 10, 100]);
  say(`close the server, grace ${graceMs} ms`);
  server.close({ graceMs });
}

/** Closes both sides, and what is between them. */
async function closeAll(world: World, random: Random): Promise<void> {
  const { channel, server } = world;
  const steps = [
    () => channel.close(),
    () => {
      server.close();
      return server.waitClosed();
    },
  ];
  if (random.chance(0.5)) steps.reverse();
  const ends = steps.map((step) => step());
  await Promise.all(ends);
  await world.close();
}

/** Checks that there is room for as many calls as ever. */
async function probe(world: World): Promise<string[]> {
  const stub = createStub(Echo, world.channel);
  const count = Math.min(world.maxStreams, 5) + 1;
  for (let attempt = 1;; attempt++) {
    const results = await Promise.allSettled(
      Array.from(
        { length: count },
        () => stub.unary({}, { timeoutMs: PATIENCE_MS, waitForReady: true }),
      ),
    );
    const failed = results.filter((it) => it.status === "rejected");
    const lost = failed.filter(({ reason }) =>
      reason instanceof GRPCError && reason.status === Status.UNAVAILABLE
    );
    // A connection that the trouble broke may show it only now.
    if (attempt < 5 && failed.length > 0 && lost.length === failed.length) {
      await turns(3);
      continue;
    }
    return failed.map(({ reason }) => `a call afterwards: ${describe(reason)}`);
  }
}

/** What is left of the calls, in words. */
function leftovers({ channel, server }: World): string[] {
  const { waiting } = hostOf(channel).source.counts;
  return [
    ...server[runningHandlers].map((path) => `handler that runs: ${path}`),
    ...[...openConnections].filter(({ streamCount }) => streamCount > 0)
      .map((it) => `${it.streamCount} streams of a ${it}`),
    ...(waiting > 0 ? [`${waiting} calls that wait for a stream`] : []),
    ...(deadlines.size > 0 ? [`${deadlines.size} deadlines`] : []),
  ];
}

/** Waits until nothing remains, for a while; gives what does. */
async function remains(look: () => string[]): Promise<string[]> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    await turns(1);
    const found = look();
    if (found.length === 0 || performance.now() > end) return found;
    await after(2);
  }
}

/** Waits for something, for a while; says whether it came. */
async function isSoon(promise: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), PATIENCE_MS);
  try {
    return await Promise.race([promise.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.stack ?? `${error}` : `${error}`;
}
