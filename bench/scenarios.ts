/**
 * What is measured with clients and servers in processes of their own.
 *
 * @module
 */

import type { Settings } from "./peers/contender.ts";

/** Something to measure, for several contenders. */
export interface Scenario {
  /** How it is chosen, such as `unary-two`. */
  readonly name: string;
  readonly title: string;
  /** One process for client and server, or two. */
  readonly processes: 1 | 2;
  readonly settings?: Omit<Settings, "tls"> & { readonly tls?: boolean };
  readonly points: readonly Point[];
  /** Who takes part, where that is not everybody. */
  readonly contenders?: readonly string[];
}

/** One of its measurements. */
export interface Point {
  readonly label: string;
  /** What is done, see `peers/workload.ts`. */
  readonly kind: "call" | "stream";
  readonly work: string;
  readonly concurrency: number;
  readonly unit: "calls/s" | "messages/s" | "MB/s";
  /** What is transferred in each, for MB/s. */
  readonly bytes?: number;
}

const CONCURRENCIES = [1, 16, 128];

function calls(work: string, concurrencies: readonly number[]): Point[] {
  return concurrencies.map((concurrency) => ({
    label: `${concurrency} at a time`,
    kind: "call",
    work,
    concurrency,
    unit: "calls/s",
  }));
}

function stream(label: string, work: string, concurrency = 1): Point {
  return { label, kind: "stream", work, concurrency, unit: "messages/s" };
}

const KIB = 1024;

/** All of them, in the order they are run. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: "unary-two",
    title: "Unary calls, 32 bytes, client and server in two processes",
    processes: 2,
    points: calls("unary", CONCURRENCIES),
  },
  {
    name: "unary-one",
    title: "Unary calls, 32 bytes, client and server in one process",
    processes: 1,
    points: calls("unary", CONCURRENCIES),
  },
  {
    name: "rich",
    title: "Unary calls with three metadata entries, a deadline and a signal",
    processes: 2,
    points: [...calls("rich", [16, 128]), ...calls("unary", [16, 128])].map(
      (it) => ({
        ...it,
        label: it.work === "rich" ? it.label : `${it.label}, without them`,
      }),
    ),
    contenders: ["bare", "ours-*", "grpc-js*"],
  },
  {
    name: "streaming",
    title:
      "Streams of messages of 32 bytes, client and server in two processes",
    processes: 2,
    points: [
      stream("server streaming", "download"),
      stream("client streaming", "upload"),
      stream("bidirectional, 64 in flight", "chat"),
      stream("server streaming, 100 streams at once", "download", 100),
    ],
  },
  {
    name: "streaming-one",
    title: "Streams of messages of 32 bytes, client and server in one process",
    processes: 1,
    points: [
      stream("server streaming", "download"),
      stream("client streaming", "upload"),
      stream("bidirectional, 64 in flight", "chat"),
    ],
    contenders: ["ours-*", "grpc-js", "nice-grpc", "connect-node"],
  },
  {
    name: "large",
    title: "Large messages",
    processes: 2,
    points: [
      ...calls("bytes4k", [16]).map((it) => ({ ...it, label: "unary, 4 KiB" })),
      {
        ...calls("bytes1m", [4])[0]!,
        label: "unary, 1 MiB",
        unit: "MB/s",
        bytes: 2 * KIB * KIB,
      },
      {
        ...stream("server streaming, 64 KiB", "downloadBytes"),
        unit: "MB/s",
        bytes: 64 * KIB,
      },
      {
        ...stream("client streaming, 64 KiB", "uploadBytes"),
        unit: "MB/s",
        bytes: 64 * KIB,
      },
    ],
  },
  {
    name: "tls",
    title: "Unary calls over TLS",
    processes: 2,
    settings: { tls: true },
    points: calls("unary", [1, 16, 128]),
    contenders: ["bare", "ours-*", "grpc-js*", "connect-node"],
  },
  {
    name: "gzip",
    title: "Unary calls of 4 KiB, compressed with gzip",
    processes: 2,
    settings: { gzip: true },
    points: calls("bytes4k", [16]),
    contenders: ["ours-*", "grpc-js*", "connect-node"],
  },
  {
    name: "listener",
    title: "Unary calls with one listener on each side",
    processes: 2,
    settings: { listener: true },
    points: calls("unary", [16, 128]),
    contenders: ["ours-*"],
  },
  {
    name: "in-memory",
    title: "Unary calls through ChannelFor, without a network",
    processes: 1,
    settings: { inMemory: true },
    points: [
      ...calls("unary", [1, 16]),
      { ...calls("connect", [1])[0]!, label: "made, called once and closed" },
    ],
    contenders: ["ours-*"],
  },
  {
    name: "connect",
    title: "A connection, one call on it, and its end",
    processes: 2,
    points: calls("connect", [1, 16]),
  },
];
