/**
 * What a log says of a call, and how it is written down.
 *
 * @module
 */

import type { CallInfo } from "../core/_call_info.ts";
import { onOneLine } from "../core/_describe.ts";
import { Cardinality } from "../core/cardinality.ts";
import { Status, type StatusName } from "../core/status.ts";

/** How much a record matters. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** The kind of a call, as protobuf-es names it. */
export type CallKind =
  | "unary"
  | "server_streaming"
  | "client_streaming"
  | "bidi_streaming";

/** What a log says of one call, when that is over. */
export interface CallLogRecord {
  /** When the call ended. */
  readonly time: Date;
  /** How much it matters, by its status. */
  readonly level: LogLevel;
  /** On which side of the call this was written. */
  readonly side: "client" | "server";
  /** The path of the method, such as `/helloworld.Greeter/SayHello`. */
  readonly method: string;
  /** The kind of call; `null` for a method that the server does not have. */
  readonly kind: CallKind | null;
  /** The status, such as `"NOT_FOUND"`. */
  readonly status: StatusName;
  /** The message that goes with the status; empty if there is none. */
  readonly message: string;
  /** The other side, as `host:port`; `null` for a call that had no connection. */
  readonly peer: string | null;
  /** From the beginning of the call to its end, in milliseconds. */
  readonly durationMs: number;
  /** How long it might have taken, in milliseconds; `null` without a deadline. */
  readonly deadlineMs: number | null;
  /**
   * How often the request was sent: 0 for a call that had no connection, more
   * than 1 for one that was retried transparently. On a server it is 1.
   */
  readonly attempts: number;
  /** How many messages this side has sent. */
  readonly sentMessages: number;
  /** How many bytes these were, as they were sent: compressed, if they were. */
  readonly sentBytes: number;
  /** How many messages this side has received. */
  readonly receivedMessages: number;
  /** How many bytes these were, as they came. */
  readonly receivedBytes: number;
  /**
   * The metadata of the request that was chosen to be logged, as far as there
   * was such; several values of a key are joined by commas.
   */
  readonly metadata: Readonly<Record<string, string>>;
}

const KINDS: Readonly<Record<Cardinality, CallKind>> = {
  [Cardinality.UNARY_UNARY]: "unary",
  [Cardinality.UNARY_STREAM]: "server_streaming",
  [Cardinality.STREAM_UNARY]: "client_streaming",
  [Cardinality.STREAM_STREAM]: "bidi_streaming",
};

/** The kind of a call; null if nobody knows it. */
export function kindOf({ method }: CallInfo): CallKind | null {
  return method === null ? null : KINDS[method.cardinality];
}

/**
 * Tells how much a status matters, unless somebody says otherwise: `"info"` for
 * what a correct program brings about every day, `"error"` for what is a fault
 * of the program as a rule, and `"warn"` for what may pass.
 *
 * @param status The name of the status.
 * @returns The level.
 *
 * @example Usage
 * ```ts
 * import { levelOf } from "@grpclib/grpclib/logging";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(levelOf("NOT_FOUND"), "info");
 * assertEquals(levelOf("UNAVAILABLE"), "warn");
 * assertEquals(levelOf("INTERNAL"), "error");
 * ```
 */
export function levelOf(status: StatusName): LogLevel {
  switch (Status[status]) {
    case Status.OK:
    case Status.CANCELLED:
    case Status.INVALID_ARGUMENT:
    case Status.NOT_FOUND:
    case Status.ALREADY_EXISTS:
    case Status.UNAUTHENTICATED:
      return "info";
    case Status.UNKNOWN:
    case Status.UNIMPLEMENTED:
    case Status.INTERNAL:
    case Status.DATA_LOSS:
      return "error";
    default:
      return "warn";
  }
}

/**
 * Writes a record as one line of JSON. Whatever a peer has sent, it stays one.
 *
 * @param record The record.
 * @returns The line, without its end.
 *
 * @example Usage
 * ```ts
 * import { Channel } from "@grpclib/grpclib";
 * import { jsonLine, logCalls } from "@grpclib/grpclib/logging";
 *
 * await using channel = new Channel("127.0.0.1", 50051);
 * using _log = logCalls(channel, {
 *   write: (record) => console.error(jsonLine(record)),
 * });
 * ```
 */
export function jsonLine(record: CallLogRecord): string {
  return quoted(record);
}

/**
 * Writes a record as one line for people.
 *
 * @param record The record.
 * @returns The line, without its end.
 *
 * @example Usage
 * ```ts
 * import { Server } from "@grpclib/grpclib";
 * import { logCalls, textLine } from "@grpclib/grpclib/logging";
 *
 * await using server = new Server([]);
 * using _log = logCalls(server, {
 *   write: (record) => console.log(textLine(record)),
 * });
 * ```
 */
export function textLine(record: CallLogRecord): string {
  const { time, level, side, status, message, metadata } = record;
  // Where a peer said it, it may be anything, but must not become two lines.
  const method = /^[!-~]+$/.test(record.method)
    ? record.method
    : quoted(record.method);
  const head = [time.toISOString(), level, side, method, status].join(" ");
  const rest = [
    `${record.durationMs} ms`,
    record.peer ?? "no connection",
    ...record.attempts > 1 ? [`sent ${record.attempts} times`] : [],
    `sent ${record.sentMessages} (${record.sentBytes} bytes)`,
    `received ${record.receivedMessages} (${record.receivedBytes} bytes)`,
    ...Object.entries(metadata).map(([key, value]) =>
      `${key}=${quoted(value)}`
    ),
    ...message === "" ? [] : [quoted(message)],
  ];
  return `${head} ${rest.join(", ")}`;
}

/** As JSON, which by itself escapes only some of what may end a line. */
function quoted(value: unknown): string {
  return onOneLine(JSON.stringify(value));
}
