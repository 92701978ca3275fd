/**
 * Makes many calls of all kinds, of which some fail, are cancelled or time out,
 * and tells what is there before and after:
 *
 *     deno run --allow-net=127.0.0.1 --v8-flags=--expose-gc \
 *       _testdata/leak_program.ts <calls>
 *
 * Everything that could be left over is counted from outside, by standing
 * between the library and the runtime.
 *
 * @module
 */

import http2 from "node:http2";
import process from "node:process";
import type { Duplex, EventEmitter } from "node:stream";
import { deadlines } from "../_call/cancellation.ts";
import { Subchannel } from "../_http2/client/subchannel.ts";
import { Acceptor } from "../_http2/server/acceptor.ts";
import { Channel, createStub, GRPCError, Status, type Stub } from "../mod.ts";
import { startEcho } from "./echo_service.ts";
import { Echo } from "./gen/echo_pb.ts";
import { settled, until } from "./waiting.ts";

/** What there is at a moment, by name. */
export type Inventory = Readonly<Record<string, number>>;

/** What the program tells. */
export interface LeakReport {
  readonly before: Inventory;
  readonly after: Inventory;
  /** What was there when the calls were at their most. */
  readonly busy: Inventory;
  /** How the calls ended, by status. */
  readonly outcomes: Readonly<Record<string, number>>;
}

const AT_ONCE = 50;
const CHANNELS = 4;

// Spies

const timers = new Set<unknown>();
const { setTimeout: set, clearTimeout: clear } = globalThis;
globalThis.setTimeout = ((
  callback: (...args: unknown[]) => void,
  ms?: number,
  ...args: unknown[]
) => {
  const timer = set(() => {
    timers.delete(timer);
    callback(...args);
  }, ms);
  timers.add(timer);
  return timer;
}) as typeof setTimeout;
globalThis.clearTimeout = ((timer?: Parameters<typeof clearTimeout>[0]) => {
  timers.delete(timer);
  clear(timer);
}) as typeof clearTimeout;

/** The sessions that are open, with the sockets below them. */
const sessions = new Map<EventEmitter, Duplex>();

function keep<S extends EventEmitter>(session: S, socket: Duplex): S {
  sessions.set(session, socket);
  session.on("close", () => sessions.delete(session));
  return session;
}

const { connect, performServerHandshake } = http2;
http2.connect = ((
  authority: string,
  options: http2.ClientSessionOptions,
) => {
  const socket = options.createConnection!(new URL(authority), options);
  return keep(
    connect(authority, { ...options, createConnection: () => socket }),
    socket,
  );
}) as typeof connect;
http2.performServerHandshake = (socket, options) =>
  keep(performServerHandshake(socket, options), socket);

const sources = new Set<Subchannel>();
const { claim } = Subchannel.prototype;
Subchannel.prototype.claim = function (wanted) {
  sources.add(this);
  claim.call(this, wanted);
};

const listeners = new Set<Acceptor>();
const { listen } = Acceptor.prototype;
Acceptor.prototype.listen = function (options) {
  listeners.add(this);
  return listen.call(this, options);
};

/** A signal that the caller keeps for long, and what listens to it. */
const lasting = new AbortController().signal;
const hearers = new Set<unknown>();
const { addEventListener, removeEventListener } = lasting;
lasting.addEventListener = (type: string, hearer: unknown) => {
  hearers.add(hearer);
  Reflect.apply(addEventListener, lasting, [type, hearer]);
};
lasting.removeEventListener = (type: string, hearer: unknown) => {
  hearers.delete(hearer);
  Reflect.apply(removeEventListener, lasting, [type, hearer]);
};

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((sum, number) => sum + number, 0);
}

function listenerCount(emitter: EventEmitter): number {
  return sum(emitter.eventNames().map((name) => emitter.listenerCount(name)));
}

function takeInventory(): Inventory {
  const ours = [...sources].map(({ counts }) => counts);
  const theirs = [...listeners].map(({ counts }) => counts);
  return {
    "connections of the client": sum(ours.map((it) => it.connections)),
    "streams of the client": sum(ours.map((it) => it.streams)),
    "calls that wait": sum(ours.map((it) => it.waiting)),
    "connections of the server": sum(theirs.map((it) => it.connections)),
    "streams of the server": sum(theirs.map((it) => it.streams)),
    "deadlines": deadlines.size,
    "timers": timers.size,
    "sessions": sessions.size,
    "listeners on sessions": sum([...sessions.keys()].map(listenerCount)),
    "listeners on sockets": sum([...sessions.values()].map(listenerCount)),
    "listeners on the caller's signal": hearers.size,
    "active resources": process.getActiveResourcesInfo().length,
  };
}

/** Waits until all is quiet and nothing is left to be collected. */
async function quietInventory(): Promise<Inventory> {
  const { gc } = globalThis as unknown as { gc: () => void };
  await until(
    () => {
      const { "streams of the server": streams } = takeInventory();
      return streams === 0;
    },
    "the server is rid of its streams",
  );
  await settled(() => sum(Object.values(takeInventory())));
  for (let i = 0; i < 4; i++) {
    gc();
    await new Promise((resolve) => set(resolve, 20));
  }
  return {
    ...takeInventory(),
    "KiB of heap": Math.round(process.memoryUsage().heapUsed / 1024),
  };
}

// The calls

type EchoStub = Stub<typeof Echo>;
type Call = (stub: EchoStub, index: number) => Promise<unknown>;

const FAILURE = { status: Status.NOT_FOUND, statusMessage: "none", count: 1 };
const LATE = { delayMs: 60_000, count: 1 };

/** The calls of twenty: all kinds, two that fail, two that are cancelled. */
const CALLS: readonly Call[] = [
  (stub) => stub.unary({ text: "a" }),
  (stub) => stub.unary({ text: "a" }, { timeoutMs: 60_000 }),
  (stub) => stub.unary({ text: "a" }, { signal: lasting }),
  (stub) => stub.unary({ text: "a" }, { metadata: { key: "value" } }),
  (stub) => stub.unary({ payload: new Uint8Array(10_000) }),
  (stub) => Array.fromAsync(stub.serverStream({ count: 3 })),
  (stub) =>
    Array.fromAsync(stub.serverStream({ count: 3 }, { signal: lasting })),
  (stub) => stub.clientStream([{ text: "a" }, { text: "b" }]),
  (stub) => stub.clientStream([], { signal: lasting, timeoutMs: 60_000 }),
  (stub) => Array.fromAsync(stub.bidi([{ count: 2 }, { count: 1 }])),
  async (stub) => {
    await using stream = stub.bidi.open({ signal: lasting });
    for (let i = 0; i < 2; i++) {
      await stream.sendMessage({ count: 1 });
      await stream.recvMessage();
    }
    await stream.end();
    await stream.recvMessage();
  },
  async (stub) => {
    const { readable } = stub.serverStream.open({ timeoutMs: 60_000 });
    await readable.cancel();
  },
  (stub) => stub.unary({ text: "a" }),
  (stub) => stub.unary({ text: "a" }, { signal: lasting }),
  (stub) => stub.unary({ text: "a" }, { timeoutMs: 60_000, signal: lasting }),
  (stub) => stub.unary(FAILURE, { signal: lasting, timeoutMs: 60_000 }),
  (stub, index) =>
    index % 40 < 20
      ? Array.fromAsync(stub.serverStream(FAILURE, { signal: lasting }))
      : Array.fromAsync(stub.bidi([FAILURE, FAILURE], { timeoutMs: 60_000 })),
  async (stub, index) => {
    // Every tenth of them by the clock.
    if (index % 200 < 20) {
      await stub.unary(LATE, { timeoutMs: 10, signal: lasting });
      return;
    }
    const controller = new AbortController();
    const { signal } = controller;
    const call = stub.unary(LATE, { signal, timeoutMs: 60_000 });
    set(() => controller.abort(), index % 3);
    await call;
  },
  async (stub) => {
    const replies = stub.serverStream({ count: 20 }, { signal: lasting });
    for await (const { index } of replies) if (index === 1) break;
    throw new GRPCError(Status.CANCELLED);
  },
  (stub, index) => stub.unary({ text: `${index}` }),
];

async function makeCalls(
  stub: EchoStub,
  calls: number,
  onHalf: () => void,
): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {};
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < calls) {
      const index = next++;
      if (index === calls >> 1) onHalf();
      let status: number = Status.OK;
      try {
        await CALLS[index % CALLS.length]!(stub, index);
      } catch (error) {
        if (!(error instanceof GRPCError)) throw error;
        status = error.status;
      }
      outcomes[status] = (outcomes[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcomes;
}

async function main(calls: number): Promise<LeakReport> {
  await using pair = await startEcho();
  // One connection must not see too many resets: nghttp2 would end it.
  const channels = Array.from(
    { length: CHANNELS },
    () => new Channel("127.0.0.1", pair.port),
  );
  const stubs = channels.map((channel) => createStub(Echo, channel));
  // What is made once is made before the start.
  for (const stub of stubs) await makeCalls(stub, 4 * CALLS.length, () => {});
  const before = await quietInventory();
  let busy: Inventory = {};
  const outcomes: Record<string, number> = {};
  for (const stub of stubs) {
    const these = await makeCalls(stub, calls / CHANNELS, () => {
      busy = takeInventory();
    });
    for (const [status, count] of Object.entries(these)) {
      outcomes[status] = (outcomes[status] ?? 0) + count;
    }
  }
  const after = await quietInventory();
  for (const channel of channels) await channel.close();
  return { before, after, busy, outcomes };
}

if (import.meta.main) {
  const report = await main(Number(Deno.args[0]));
  const text = `${JSON.stringify(report)}\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
