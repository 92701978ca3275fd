/**
 * Resets, lost connections and the errors of `node:http2`, told in statuses:
 * here and only here.
 *
 * @module
 */

import { type CloseReason, ResetCode } from "../_call/byte_stream.ts";
import { Status } from "../core/status.ts";

/** The stream ended as it should. */
export const CLEAN: CloseReason = {
  clean: true,
  status: Status.UNKNOWN,
  message: "",
  unprocessed: false,
};

/** The channel of the stream was closed by its own user. */
export const CHANNEL_CLOSED: CloseReason = {
  clean: false,
  status: Status.CANCELLED,
  message: "Channel is closed",
  unprocessed: true,
};

/** The error codes of HTTP/2 and the statuses that gRPC gives to them. */
const RESETS: readonly (readonly [name: string, status: Status])[] = [
  // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors
  ["NO_ERROR", Status.INTERNAL],
  ["PROTOCOL_ERROR", Status.INTERNAL],
  ["INTERNAL_ERROR", Status.INTERNAL],
  ["FLOW_CONTROL_ERROR", Status.INTERNAL],
  ["SETTINGS_TIMEOUT", Status.INTERNAL],
  ["STREAM_CLOSED", Status.UNKNOWN],
  ["FRAME_SIZE_ERROR", Status.INTERNAL],
  ["REFUSED_STREAM", Status.UNAVAILABLE],
  ["CANCEL", Status.CANCELLED],
  ["COMPRESSION_ERROR", Status.INTERNAL],
  ["CONNECT_ERROR", Status.INTERNAL],
  ["ENHANCE_YOUR_CALM", Status.RESOURCE_EXHAUSTED],
  ["INADEQUATE_SECURITY", Status.PERMISSION_DENIED],
  ["HTTP_1_1_REQUIRED", Status.UNKNOWN],
];

/** The peer goes too far: too many PINGs, resets or header fields. */
export const ENHANCE_YOUR_CALM = 11;

/** Names an error code of HTTP/2, such as `CANCEL`. */
export function resetName(code: number): string {
  return RESETS[code]?.[0] ?? `0x${code.toString(16)}`;
}

/** The status that gRPC gives to an RST_STREAM with this error code. */
export function statusOfReset(code: number): Status {
  // "The mappings from RST_STREAM error codes to gRPC error codes"; what is not
  // in the table is unknown.
  return RESETS[code]?.[1] ?? Status.UNKNOWN;
}

/**
 * Says why a stream ended that the peer reset.
 *
 * @param code The error code of the RST_STREAM.
 * @param cause What the runtime made of it.
 */
export function reasonOfReset(code: number, cause?: unknown): CloseReason {
  // nghttp2 says so of metadata, and `node:http2` takes 128 fields of it at most
  // unless it is told otherwise.
  const hint = code === ENHANCE_YOUR_CALM
    ? ", as for metadata of more fields or bytes than it takes"
    : "";
  return {
    clean: false,
    status: statusOfReset(code),
    message: `Stream was reset by the peer with ${resetName(code)}${hint}`,
    cause,
    unprocessed: code === ResetCode.REFUSED_STREAM,
  };
}

/**
 * Says why a stream ended whose connection did.
 *
 * @param what What happened to which connection.
 * @param cause The error of the runtime, if there was one.
 * @param unprocessed Whether the stream never reached the peer.
 */
export function reasonOfLoss(
  what: string,
  cause?: unknown,
  unprocessed = false,
): CloseReason {
  const why = errorText(cause);
  return {
    clean: false,
    status: Status.UNAVAILABLE,
    message: why === "" ? what : `${what}: ${why}`,
    cause,
    unprocessed,
  };
}

/** How many failed addresses one error tells of. */
const MAX_STORIES = 10;

/**
 * Says why no address of a server could be connected to, address by address.
 *
 * @param target The server.
 * @param failures What failed, and why.
 */
export function reasonOfFailures(
  target: string,
  failures: readonly { readonly name: string; readonly cause: unknown }[],
): CloseReason {
  const stories = failures.slice(0, MAX_STORIES).map(({ name, cause }) => {
    const why = errorText(cause) || "the connection was closed";
    return name === target || why.includes(name) ? why : `${name}: ${why}`;
  });
  if (failures.length > MAX_STORIES) {
    stories.push(`and ${failures.length - MAX_STORIES} more`);
  }
  const what = `Cannot connect to ${target}`;
  return {
    ...reasonOfLoss(what, stories.join("; ") || "it has no address", true),
    cause: failures.length === 1
      ? failures[0]!.cause
      : new AggregateError(failures.map(({ cause }) => cause), what),
  };
}

/**
 * Says why a call has no connection: the whole story, from the last attempt.
 *
 * @param last Why the last attempt failed.
 * @param attempts How many attempts have failed since the last success.
 * @param nextMs When the next may begin, in milliseconds.
 * @param before Why those before it failed, as far as that is known.
 */
export function reasonOfFailedConnect(
  last: CloseReason,
  attempts: number,
  nextMs: number,
  before: readonly string[] = [],
): CloseReason {
  const count = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  const wait = (nextMs / 1000).toFixed(1);
  return {
    ...last,
    message:
      `${last.message} (${count} failed, the next is made in ${wait} s at the earliest${
        storyOf(last.message, before)
      })`,
  };
}

/** Why the attempts before failed, where that was for something else. */
function storyOf(last: string, before: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of before) {
    if (reason === last) continue;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  if (counts.size === 0) return "";
  const stories = [...counts].slice(-MAX_STORIES).map(([reason, count]) =>
    count === 1 ? reason : `${reason}, ${count} times`
  );
  return `; before: ${stories.join("; ")}`;
}

/**
 * Says why a connection ends that the peer announced the end of with GOAWAY.
 *
 * @param where The peer, or its address.
 * @param code The error code of the GOAWAY.
 * @param debugData What the peer says of it.
 * @param note What this side has to say of it.
 */
export function reasonOfGoaway(
  where: string,
  code: number,
  debugData: string,
  note = "",
): CloseReason {
  const data = debugData === "" ? "" : ` ("${debugData}")`;
  return reasonOfLoss(
    `Connection to ${where} was closed by the peer with GOAWAY ${
      resetName(code)
    }${data}${note === "" ? "" : `, ${note}`}`,
  );
}

/** Reads the debug data of a GOAWAY as text, as far as it is fit to be shown. */
export function debugText(data: Uint8Array | undefined): string {
  if (data === undefined) return "";
  return String.fromCharCode(...data.subarray(0, 256)).replace(/[^ -~]/g, "?");
}

/** The words of an error of the runtime, such as `ECONNREFUSED`. */
function errorText(error: unknown): string {
  if (error === undefined || error === null) return "";
  if (!(error instanceof Error)) return String(error);
  // Of several addresses, each with an error of its own.
  if (error instanceof AggregateError) {
    return error.errors.map(errorText).join("; ");
  }
  const { code } = error as { code?: unknown };
  if (typeof code !== "string" || error.message.includes(code)) {
    return error.message;
  }
  return error.message === "" ? code : `${error.message} (${code})`;
}
