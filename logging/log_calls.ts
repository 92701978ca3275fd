/**
 * Observes calls, and writes a record of each.
 *
 * @module
 */

import type { CallStart, CallSummary, CallTrace } from "../core/_call_trace.ts";
import { describe } from "../core/_describe.ts";
import { listenersOf } from "../core/_listeners.ts";
import {
  checkFunction,
  checkOptions,
  type OptionNames,
  wrongType,
} from "../core/_options.ts";
import type {
  CallInfo,
  ClientEvent,
  Listenable,
  ServerEvent,
} from "../core/events.ts";
import type { Metadata, MetadataValue } from "../core/metadata.ts";
import { Status, type StatusName, statusName } from "../core/status.ts";
import { encodeBin } from "../_wire/text.ts";
import { type Context, currentContext, noContext } from "../_context.ts";
import {
  type CallLogRecord,
  jsonLine,
  kindOf,
  levelOf,
  type LogLevel,
} from "./record.ts";

/** Options for {@linkcode logCalls}. */
export interface LogCallsOptions {
  /**
   * Takes a record, in the asynchronous context of its call: that of the caller,
   * or that of the handler. Nobody waits for it. What it throws, or rejects
   * with, goes to `onError` of a server, and is an unhandled rejection on a
   * channel.
   *
   * @default writes a line of JSON to the console, by the method of the level
   */
  readonly write?: (record: CallLogRecord) => unknown;
  /**
   * The levels of statuses that shall have another than {@linkcode levelOf}
   * gives them, or `"off"` for none and no record.
   *
   * @default {{}}
   */
  readonly levels?: Readonly<Partial<Record<StatusName, LogLevel | "off">>>;
  /**
   * Which part of the calls that went well is logged, chosen at random: from 0
   * for none to 1 for all. Those that failed are logged in any case.
   *
   * @default {1}
   */
  readonly okSampleRate?: number;
  /**
   * The keys of the metadata of requests that are logged: what is not named
   * here is not.
   *
   * @default {[]}
   */
  readonly requestMetadata?: readonly string[];
  /**
   * Tells, when a call begins, whether it is logged at all.
   *
   * @default {undefined} all are
   */
  readonly filter?: (call: CallInfo) => boolean;
}

const OPTIONS: OptionNames<LogCallsOptions> = {
  write: true,
  levels: true,
  okSampleRate: true,
  requestMetadata: true,
  filter: true,
};

type Levels = Readonly<Record<StatusName, LogLevel | "off">>;

const LEVELS: readonly unknown[] = ["debug", "info", "warn", "error", "off"];

const STATUS_NAMES = Object.fromEntries(
  Object.keys(Status).map((name) => [name, true]),
) as OptionNames<Levels>;

const ACTION = "Cannot log calls";

/**
 * Logs the calls of a channel or a server that begin from now on: one record for
 * each, when it is over, also if it was cancelled, refused, or had no
 * connection.
 *
 * @param target The channel or server.
 * @param options What is logged, and where to.
 * @returns What ends it, for calls that begin later: `using` does by itself.
 * @throws {TypeError} If the target or an option is of a wrong type.
 * @throws {RangeError} If `okSampleRate` is out of range.
 *
 * @example Usage
 * ```ts
 * import { ChannelFor } from "@grpclib/grpclib/testing";
 * import { createService, createStub } from "@grpclib/grpclib";
 * import { type CallLogRecord, logCalls } from "@grpclib/grpclib/logging";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * await using channel = new ChannelFor([
 *   createService(Greeter, {
 *     sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 *   }),
 * ]);
 * const records: CallLogRecord[] = [];
 * using _log = logCalls(channel, {
 *   write: (record) => records.push(record),
 *   requestMetadata: ["x-request-id"],
 * });
 *
 * await createStub(Greeter, channel).sayHello({ name: "Ada" }, {
 *   metadata: { "x-request-id": "7", authorization: "Bearer secret" },
 * });
 *
 * assertEquals(records.map(({ method, status }) => `${method} ${status}`), [
 *   "/helloworld.Greeter/SayHello OK",
 * ]);
 * assertEquals(records[0]!.metadata, { "x-request-id": "7" });
 * ```
 */
export function logCalls(
  target: Listenable<ClientEvent | ServerEvent>,
  options: LogCallsOptions = {},
): Disposable {
  const log = logOf(options);
  const listeners = target === null ? undefined : listenersOf(target);
  if (listeners === undefined) {
    throw new TypeError(
      `${ACTION}: the target must be a Channel or a Server, received ${
        describe(target)
      }`,
    );
  }
  return listeners.observe({
    isTimed: true,
    start: (call) => log.filter(call.info) ? new LoggedCall(call, log) : null,
  });
}

/** What is logged, and where to. */
interface Log {
  readonly write: (record: CallLogRecord) => unknown;
  readonly levels: Levels;
  readonly okSampleRate: number;
  readonly keys: readonly string[];
  readonly filter: (call: CallInfo) => boolean;
}

/** One call, which is logged when it is over. */
class LoggedCall implements CallTrace {
  readonly #call: CallStart;
  readonly #log: Log;
  readonly #deadlineMs: number | null;
  /** On a server that of the handler, as soon as there is one. */
  #context: Context;
  #metadata: Metadata | null = null;

  constructor(call: CallStart, log: Log) {
    this.#call = call;
    this.#log = log;
    const { side, info: { deadline } } = call;
    this.#deadlineMs = deadline === null
      ? null
      : rounded(deadline.timeRemainingMs());
    this.#context = side === "client" ? currentContext() : noContext;
  }

  attempt(metadata: Metadata | null): Metadata | null {
    this.#metadata = metadata;
    return metadata;
  }

  handling(): void {
    this.#context = currentContext();
  }

  end(summary: CallSummary): unknown {
    const { write, levels, okSampleRate } = this.#log;
    const status = statusName(summary.status);
    const level = levels[status];
    if (level === "off") return;
    if (summary.status === Status.OK && Math.random() >= okSampleRate) return;
    const record = this.#record(summary, level);
    return this.#context(() => write(record));
  }

  #record(summary: CallSummary, level: LogLevel): CallLogRecord {
    const { side, info } = this.#call;
    const { peer } = summary;
    return {
      time: new Date(),
      level,
      side,
      method: info.methodName,
      kind: kindOf(info),
      status: statusName(summary.status),
      message: summary.message,
      peer: peer === null ? null : `${peer}`,
      durationMs: rounded(summary.durationMs),
      deadlineMs: this.#deadlineMs,
      attempts: summary.attempts,
      sentMessages: summary.sentMessages,
      sentBytes: summary.sentBytes,
      receivedMessages: summary.receivedMessages,
      receivedBytes: summary.receivedBytes,
      metadata: this.#chosen(),
    };
  }

  #chosen(): Record<string, string> {
    const { headers } = this.#call;
    const chosen: Record<string, string> = {};
    for (const key of this.#log.keys) {
      const values = headers === null
        ? this.#metadata?.getAll(key).map(textOf) ?? []
        : headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === key);
      if (values.length > 0) chosen[key] = values.join(", ");
    }
    return chosen;
  }
}

/** A value as it is on the wire. */
function textOf(value: MetadataValue): string {
  return typeof value === "string" ? value : encodeBin(value);
}

/** To a thousandth: more is noise, and long to read. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** The console's own methods are looked up for each line: some replace them. */
function toConsole(record: CallLogRecord): void {
  // deno-lint-ignore no-console -- whoever logs and says not where
  console[record.level](jsonLine(record));
}

/** Checks the options, and says what comes of them. */
function logOf(options: LogCallsOptions): Log {
  checkOptions(ACTION, options, OPTIONS);
  const {
    write = toConsole,
    okSampleRate = 1,
    requestMetadata = [],
    filter = () => true,
  } = options;
  checkFunction(ACTION, "write", write);
  checkFunction(ACTION, "filter", filter);
  if (typeof okSampleRate !== "number") {
    throw wrongType(ACTION, "okSampleRate", "a number", okSampleRate);
  }
  if (!(okSampleRate >= 0 && okSampleRate <= 1)) {
    throw new RangeError(
      `${ACTION}: okSampleRate must be from 0 to 1, received ${okSampleRate}`,
    );
  }
  if (
    !Array.isArray(requestMetadata) ||
    !requestMetadata.every((key) => typeof key === "string")
  ) {
    const need = "an array of keys";
    throw wrongType(ACTION, "requestMetadata", need, requestMetadata);
  }
  const keys = requestMetadata.map((key) => key.toLowerCase());
  const levels = levelsOf(options.levels ?? {});
  return { write, levels, okSampleRate, keys, filter };
}

/** The levels of all statuses. */
function levelsOf(other: NonNullable<LogCallsOptions["levels"]>): Levels {
  checkOptions(ACTION, other, STATUS_NAMES, "levels.");
  for (const [name, level] of Object.entries(other)) {
    if (LEVELS.includes(level)) continue;
    const need = `one of ${LEVELS.join(", ")}`;
    throw wrongType(ACTION, `levels.${name}`, need, level);
  }
  const names = Object.keys(Status) as StatusName[];
  return Object.fromEntries(
    names.map((name) => [name, other[name] ?? levelOf(name)]),
  ) as Levels;
}
