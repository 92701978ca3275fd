/**
 * Attacks by connections: too many, too slow, half open, or nonsense.
 *
 * @module
 */

import { Channel, createStub } from "../../client.ts";
import { seededRandom } from "../../_testdata/seeded_random.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { grpcMessage, PREFACE } from "../../_testdata/raw_frames.ts";
import { after } from "../../_testdata/waiting.ts";
import type { Attack, Means } from "../attack.ts";
import {
  callFrames,
  concat,
  headersFrames,
  requestBlock,
  settingsFrame,
} from "../raw_peer.ts";

const HANGING = requestBlock("/grpclib.test.Echo/Bidi", { "x-do": "hang" });
const UNARY = requestBlock("/grpclib.test.Echo/Unary");

/** Opens bare connections, as far as the system has them. */
async function openMany(port: number, count: number): Promise<Deno.Conn[]> {
  const conns: Deno.Conn[] = [];
  for (let i = 0; i < count; i++) {
    try {
      conns.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    } catch {
      break;
    }
  }
  return conns;
}

/** How long it takes from one connection that is cut to the next, in milliseconds. */
const CUT_PAUSE_MS = 30;

/** How long it takes to see that connections are closed, in milliseconds. */
const CLOSED_MS = 2_000;

/** How many connections the other side has closed. */
async function closedOf(conns: readonly Deno.Conn[]): Promise<number> {
  const ends = await Promise.all(conns.map(async (conn) => {
    const chunk = new Uint8Array(1);
    const read = conn.read(chunk).catch(() => null);
    return await Promise.race([
      read.then((it) => it === null),
      after(CLOSED_MS),
    ]);
  }));
  return ends.filter((it) => it === true).length;
}

/** Tries to call on a connection of its own; gives how long that took. */
async function freshCall(port: number, ms: number): Promise<number | null> {
  const start = performance.now();
  await using channel = new Channel("127.0.0.1", port, { http2: "native" });
  try {
    await createStub(Echo, channel).unary({ text: "a" }, {
      timeoutMs: ms,
      waitForReady: true,
    });
  } catch {
    return null;
  }
  return Math.round(performance.now() - start);
}

/** More connections than there are descriptors, and then none. */
async function exhaust({ port, ms, pause }: Means): Promise<string> {
  const conns = await openMany(port, 400);
  await pause(ms / 2);
  for (const conn of conns) conn.close();
  await pause(300);
  const took = await freshCall(port, 5_000);
  return took === null ? "never served again" : `served again after ${took} ms`;
}

/** Many connections that do nothing. */
async function idle({ port, goesOn, pause }: Means): Promise<string> {
  const conns = await openMany(port, 6000);
  while (goesOn()) await pause(50);
  const closed = await closedOf(conns);
  for (const conn of conns) {
    try {
      conn.close();
    } catch {
      // The reading found it closed.
    }
  }
  return `${closed} of ${conns.length} connections refused`;
}

/** Connections that begin, a byte at a time. */
async function slowloris({ port, goesOn, pause }: Means): Promise<string> {
  const conns = await openMany(port, 900);
  const bytes = concat([
    PREFACE,
    settingsFrame([]),
    headersFrames(1, HANGING),
  ]);
  for (let at = 0; goesOn() && at < bytes.length; at++) {
    const byte = bytes.subarray(at, at + 1);
    await Promise.all(
      conns.map((conn) => conn.write(byte).catch(() => 0)),
    );
    await pause(50);
  }
  for (const conn of conns) conn.close();
  return `${conns.length} connections`;
}

/** TLS handshakes that stop in the middle. */
async function halfTLS({ port, goesOn, pause }: Means): Promise<string> {
  const conns = await openMany(port, 900);
  // A record of a ClientHello that says it is longer than what comes.
  const half = Uint8Array.of(22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3);
  for (let i = 0; i < conns.length; i += 2) {
    await conns[i]!.write(half).catch(() => 0);
  }
  while (goesOn()) await pause(50);
  for (const conn of conns) conn.close();
  return `${conns.length} connections`;
}

/** Connections that are cut in the middle of calls, again and again. */
async function cut({ open, goesOn, pause }: Means): Promise<string> {
  let count = 0;
  while (goesOn()) {
    const peer = await open({ reads: false });
    const calls: Uint8Array[] = [];
    for (let i = 0; i < 50; i++) {
      const streamId = peer.newStream();
      calls.push(
        i % 2 === 0
          ? headersFrames(streamId, HANGING)
          : callFrames(streamId, UNARY, grpcMessage(new Uint8Array())),
      );
    }
    await peer.write(concat(calls));
    await pause(5);
    // There is something unread: the system resets the connection.
    peer.close();
    count++;
    // It is about what is left of them, not about a flood of calls.
    await pause(CUT_PAUSE_MS);
  }
  return `${count} connections cut`;
}

/** Connections that send what a good one would, with bytes changed. */
async function fuzzed({ port, goesOn }: Means): Promise<string> {
  const random = seededRandom(1);
  let count = 0;
  const drain = async (conn: Deno.Conn): Promise<void> => {
    const chunk = new Uint8Array(16_384);
    try {
      while (await conn.read(chunk) !== null);
    } catch {
      // Reset.
    }
  };
  const one = async (): Promise<void> => {
    while (goesOn()) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      const bytes = concat([
        PREFACE,
        settingsFrame([[4, 100_000]]),
        ...[1, 3, 5].map((id) =>
          callFrames(id, UNARY, grpcMessage(new Uint8Array(20)))
        ),
      ]);
      for (let n = Math.floor(random() * 8); n >= 0; n--) {
        const at = PREFACE.length +
          Math.floor(random() * (bytes.length - PREFACE.length));
        bytes[at] = Math.floor(random() * 256);
      }
      const drained = drain(conn);
      await conn.write(bytes).catch(() => 0);
      await Promise.race([drained, after(5)]);
      try {
        conn.close();
      } catch {
        // It is closed.
      }
      await drained;
      count++;
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  return `${count} connections`;
}

/** Calls that hang, on many connections. */
async function hanging({ open, goesOn, pause }: Means): Promise<string> {
  const peers = await Promise.all(
    Array.from({ length: 99 }, () => open()),
  );
  for (const peer of peers) {
    const calls = Array.from(
      { length: 1000 },
      () => headersFrames(peer.newStream(), HANGING),
    );
    await peer.write(concat(calls));
    await pause(10);
  }
  while (goesOn()) await pause(50);
  return "99 000 calls sent";
}

/** The attacks by connections. */
export const CONNECTION_ATTACKS: readonly Attack[] = [
  {
    name: "D4-descriptors",
    what: "400 connections to a server with 256 file descriptors",
    victim: { descriptors: 256 },
    seconds: 8,
    run: exhaust,
  },
  {
    name: "connections",
    what: "6 000 connections that say nothing",
    seconds: 12,
    run: idle,
  },
  {
    name: "slowloris",
    what: "900 connections that send a byte every 50 ms",
    seconds: 12,
    run: slowloris,
  },
  {
    name: "half-tls",
    what: "900 TLS handshakes that stop in the middle",
    victim: { tls: true },
    seconds: 8,
    run: halfTLS,
  },
  {
    name: "cut",
    what: "connections cut in the middle of 50 calls, as by kill −9",
    seconds: 8,
    run: cut,
  },
  {
    name: "fuzzed",
    what: "connections with changed bytes",
    seconds: 10,
    shortSeconds: 1,
    run: fuzzed,
  },
  {
    name: "hanging",
    what: "99 connections with 1 000 calls that hang",
    seconds: 10,
    run: hanging,
  },
];
