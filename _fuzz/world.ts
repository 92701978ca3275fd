/**
 * A client and a server with something in between that can fail, over each
 * transport and with each engine of HTTP/2.
 *
 * @module
 */

import { Channel, type ChannelOptions, type HTTP2Engine } from "../client.ts";
import { Server, type ServerOptions } from "../server.ts";
import { systemClock } from "../_http2/system_clock.ts";
import { Authority, type KeyPair } from "../_testdata/certificates.ts";
import { ChannelFor, Faults } from "../testing/mod.ts";
import { WatchedClock } from "../testing/_watched_clock.ts";
import { Proxy } from "./network.ts";
import type { Random } from "./random.ts";
import { fuzzedService, isPlanned } from "./service.ts";

/** How a client and its server are connected. */
export const TRANSPORTS = ["tcp", "tls", "memory"] as const;

/** One of {@linkcode TRANSPORTS}. */
export type Transport = typeof TRANSPORTS[number];

/** The engines of HTTP/2, as the option `http2` of channels and servers has them. */
export const ENGINES: readonly HTTP2Engine[] = ["node", "native"];

/** What a world is made of. */
export interface WorldOptions {
  readonly transport: Transport;
  readonly engine: HTTP2Engine;
  readonly random: Random;
  /** Told of every error that nobody planned. */
  readonly onFinding: (what: string, error: unknown) => void;
}

/** A client, a server, and what is between them. */
export interface World {
  readonly channel: Channel;
  readonly server: Server;
  /** How many streams the server allows on a connection. */
  readonly maxStreams: number;
  /** The timers that run, in words. */
  readonly timers: readonly string[];
  /** Has something go wrong in between; gives what. */
  strike(): string;
  /** Ends all that goes wrong. */
  heal(): void;
  /** Closes what is in between, after the client and the server. */
  close(): Promise<void>;
}

/** Makes a world. */
export async function makeWorld(options: WorldOptions): Promise<World> {
  const { transport, engine, random, onFinding } = options;
  const clock = new WatchedClock(systemClock);
  const maxStreams = random.pick([2, 5, 100]);
  const windows = random.chance(0.5) ? {} : {
    http2StreamWindowSize: 65_535,
    http2ConnectionWindowSize: random.pick([65_535, 200_000]),
  };
  // Sooner than most pauses between calls.
  const idle = random.chance(0.1) ? { idleTimeoutMs: 3 } : {};
  const pings = random.chance(0.1)
    ? { keepaliveTimeMs: 5, keepalivePermitWithoutCalls: true }
    : {};
  const reconnect = {
    ...idle,
    ...pings,
    http2MaxPingsWithoutData: 0,
    http2MinSentPingIntervalWithoutDataMs: 5,
    initialReconnectBackoffMs: 2,
    maxReconnectBackoffMs: 10,
    connectTimeoutMs: 2_000,
  };
  const limits = {
    maxConcurrentStreams: maxStreams,
    http2MaxPingStrikes: 0,
    ...(random.chance(0.1)
      ? { maxConnectionAgeMs: 30, maxConnectionAgeGraceMs: 50 }
      : {}),
  };
  const serverOptions: ServerOptions = {
    clock,
    config: { ...windows, ...limits },
    onError: (error, { methodName }) => {
      if (!isPlanned(error)) onFinding(`onError of ${methodName}`, error);
      if (random.chance(0.2)) throw new Error("planned, by onError");
    },
    http2: engine,
  };
  const channelOptions: ChannelOptions = {
    clock,
    config: { ...windows, ...reconnect },
    http2: engine,
  };
  const common = {
    maxStreams,
    get timers() {
      return clock.running;
    },
  };
  if (transport === "memory") {
    const faults = new Faults({ seed: random.int(0, 1_000_000) });
    const { onError, config: _, ...server } = serverOptions;
    const channel = new ChannelFor([fuzzedService()], {
      clock,
      faults,
      onError: onError!,
      config: { ...windows, ...limits, ...reconnect },
      http2: engine,
      server,
    });
    return Object.assign(Object.create(common), {
      channel,
      server: channel.server,
      strike: () => strikeInMemory(faults, random),
      heal: () => faults.heal(),
      close: () => channel.close(),
    });
  }
  const tls = transport === "tls" ? certificates() : null;
  const server = new Server([fuzzedService()], serverOptions);
  await server.start("127.0.0.1", 0, tls === null ? {} : { tls: tls.server });
  const proxy = await Proxy.open(server.port!);
  const channel = new Channel("127.0.0.1", proxy.port, {
    ...channelOptions,
    ...(tls === null ? {} : { tls: tls.client }),
  });
  return Object.assign(Object.create(common), {
    channel,
    server,
    strike: () => proxy.strike(random),
    heal: () => proxy.heal(),
    close: () => proxy[Symbol.asyncDispose](),
  });
}

function strikeInMemory(faults: Faults, random: Random): string {
  const at = {
    from: random.pick(["client", "server"] as const),
    ...(random.chance(0.5) ? {} : { atFrame: random.int(1, 12) }),
  };
  const code = random.pick([0, 2, 7, 8, 11]);
  const what = random.pick(
    ["cut", "cut bytes", "reset", "goaway", "truncate", "stall", "delay"],
  );
  switch (what) {
    case "cut":
      faults.cut(at);
      break;
    case "cut bytes":
      faults.cut({ from: at.from, afterBytes: random.int(0, 3_000) });
      break;
    case "reset":
      faults.reset({ ...at, code });
      break;
    case "goaway":
      faults.goaway({ ...at, code });
      break;
    case "truncate":
      faults.truncate(at);
      break;
    case "stall":
      faults.stall(at);
      break;
    case "delay":
      faults.delay({ ms: 1, jitterMs: 3 });
      break;
  }
  return `${what} ${JSON.stringify(at)}, code ${code}`;
}

let made: { server: KeyPair; client: { ca: string } } | undefined;

/** Certificates of this process: to make them takes its time. */
function certificates(): { server: KeyPair; client: { ca: string } } {
  if (made === undefined) {
    const authority = new Authority();
    const server = authority.issue({
      commonName: "fuzz",
      hosts: ["127.0.0.1"],
    });
    made = { server, client: { ca: authority.cert } };
  }
  return made;
}
