/**
 * A log of calls: one record for each call of a channel or a server, when it is
 * over, whatever has ended it.
 *
 * ```ts
 * import { Server } from "@grpclib/grpclib";
 * import { logCalls } from "@grpclib/grpclib/logging";
 *
 * await using server = new Server([]);
 * // To the console, in lines of JSON.
 * using _log = logCalls(server);
 * ```
 *
 * The records say what a call was and what became of it. They have no messages,
 * and no metadata but what was chosen.
 *
 * @module
 */

export { logCalls, type LogCallsOptions } from "./log_calls.ts";
export {
  type CallKind,
  type CallLogRecord,
  jsonLine,
  levelOf,
  type LogLevel,
  textLine,
} from "./record.ts";
