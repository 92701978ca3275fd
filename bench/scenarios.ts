/**
 * What is measured with clients and servers in processes of their own.
 *
 * @module
 */

import type { Settings } from "./peers/contender.ts";
import type { Command } from "./peers/workload.ts";

/** Something to measure, for several contenders. */
export interface Scenario {
  /** How it is chosen, such as `unary-two`. */
  readonly name: string;
  readonly title: string;
  /** One process for client and server, or two. */
  readonly processes: 1 | 2;
  readonly points: readonly Point[];
  /** Who takes part; everybody if there is no list. */
  readonly contenders?: readonly string[];
  /** Whom the others are compared with, if it is not the first one. */
  readonly base?: string;
  /**
   * How each contender takes part, beside plainly; with variants each is
   * compared with the same contender without it.
   */
  readonly variants?: readonly Variant[];
  /** How all are set up. */
  readonly settings?: VariantSettings;
}

/** Settings without certificates, which are made when they are needed. */
export type VariantSettings = Omit<Settings, "tls"> & {
  readonly tls?: boolean;
};

/** Another way to take part. */
export interface Variant {
  /** What is added to the contender's name, such as `+tls`. */
  readonly suffix: string;
  readonly settings?: VariantSettings;
  /** What is done instead of the work of the point. */
  readonly work?: string;
  /** What the client does before, such as to open connections. */
  readonly prepare?: Command;
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
  /** Who takes part, of those of the scenario. */
  readonly contenders?: readonly string[];
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

/** What runs on Deno and takes part in nearly all. */
const MAIN = ["bare", "ours-native", "ours-node", "grpc-js"];

/** Who speaks gRPC, on Deno. */
const LIBRARIES = [
  "ours-native",
  "ours-node",
  "grpc-js",
  "nice-grpc",
  "connect-node",
];

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
    contenders: [...MAIN, "connect-node"],
  },
  {
    name: "metadata",
    title: "Unary calls with three metadata entries, a deadline and a signal",
    processes: 2,
    points: calls("unary", [16, 128]),
    contenders: ["ours-native", "ours-node", "grpc-js"],
    variants: [{ suffix: "+metadata", work: "rich" }],
  },
  {
    name: "observed",
    title: "Unary calls that somebody observes, on each side",
    processes: 2,
    points: [
      ...calls("unary", [16]),
      ...calls("unary", [128]).map((it) => ({
        ...it,
        contenders: ["ours-native"],
      })),
    ],
    contenders: ["ours-native", "ours-node"],
    variants: [
      { suffix: "+listener", settings: { listener: true } },
      { suffix: "+observer", settings: { observer: true } },
      { suffix: "+middleware", settings: { middleware: true } },
      { suffix: "+spans of 1 %", settings: { spans: true } },
    ],
  },
  {
    name: "tls",
    title: "Unary calls over TLS",
    processes: 2,
    points: calls("unary", [16]),
    contenders: [
      "bare",
      "ours-native",
      "ours-node",
      "connect-node",
      "grpc-js@node",
    ],
    variants: [{ suffix: "+tls", settings: { tls: true } }],
  },
  {
    name: "gzip",
    title: "Unary calls of 4 KiB, compressed with gzip both ways",
    processes: 2,
    points: calls("bytes4k", [16]),
    contenders: ["ours-native", "ours-node", "grpc-js", "connect-node"],
    variants: [{ suffix: "+gzip", settings: { gzip: true } }],
  },
  {
    name: "streaming-two",
    title:
      "Streams of messages of 32 bytes, client and server in two processes",
    processes: 2,
    contenders: [
      ...LIBRARIES,
      ...["ours-native@node", "ours-node@node", "grpc-js@node"],
      ...["grpc-go", "tonic", "grpcio", "grpclib"],
    ],
    points: [
      stream("server streaming", "download"),
      stream("client streaming", "upload"),
      stream("bidirectional, 64 in flight", "chat"),
      {
        ...stream("server streaming, 100 streams at once", "download", 100),
        contenders: [...MAIN, "grpc-go", "tonic"],
      },
    ],
    base: "grpc-js",
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
    contenders: ["ours-native", "ours-node", "grpc-js", "connect-node"],
    base: "grpc-js",
  },
  {
    name: "large",
    title: "Large messages, client and server in two processes",
    processes: 2,
    points: [
      ...calls("bytes4k", [16]).map((it) => ({ ...it, label: "unary, 4 KiB" })),
      {
        ...calls("bytes1m", [4])[0]!,
        label: "unary, 1 MiB, 4 at a time",
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
    contenders: [...MAIN, "connect-node", "grpc-go", "tonic", "grpcio"],
    base: "grpc-js",
  },
  {
    name: "many-connections",
    title: "Unary calls over many connections, in turn",
    processes: 2,
    points: calls("unary", [128]),
    contenders: ["ours-native", "ours-node"],
    variants: [
      {
        suffix: "+99 connections",
        prepare: { do: "connect", count: 99 },
      },
      {
        suffix: "+999 connections",
        prepare: { do: "connect", count: 999 },
      },
    ],
  },
  {
    name: "many-streams",
    title: "Unary calls beside 10 000 open streams that are idle",
    processes: 2,
    points: calls("unary", [16]),
    contenders: ["ours-native", "ours-node"],
    variants: [{
      suffix: "+10 000 streams",
      prepare: { do: "open", count: 10_000 },
    }],
  },
  {
    name: "in-memory",
    title: "ChannelFor: client and server wired in memory",
    processes: 1,
    settings: { inMemory: true },
    points: [
      ...calls("unary", [1, 16]),
      {
        ...calls("connect", [1])[0]!,
        label: "made, called once and closed, one after the other",
      },
    ],
    contenders: ["ours-native", "ours-node"],
  },
  {
    name: "connect",
    title: "A connection, one call on it, and its end",
    processes: 2,
    points: calls("connect", [1, 16]),
    contenders: [...MAIN, "connect-node", "grpc-go", "tonic", "grpcio"],
  },
];
