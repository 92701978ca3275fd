/**
 * The way of a call through the server: head, route, handler, outcome. Every
 * failure on that way ends here, in a status.
 *
 * @module
 */

import { Deadline } from "../core/deadline.ts";
import { GRPCError } from "../core/errors.ts";
import type { Peer } from "../core/peer.ts";
import { Status } from "../core/status.ts";
import {
  HeaderBlock,
  parseRequestHead,
  type RawHeaders,
  type RequestHead,
} from "../_wire/headers.ts";
import { decodeTimeout } from "../_wire/timeout.ts";
import type { ByteSink, ByteStream } from "./byte_stream.ts";
import { type Ending, endingOf, INTERNAL_SERVER_ERROR, OK } from "./ending.ts";
import { misuse } from "./half.ts";
import type { Route } from "./handler.ts";
import { ServerCall } from "./server_call.ts";
import { codecFor } from "./server_codecs.ts";
import type { ServerHost } from "./server_host.ts";
import { ServerStream } from "./server_stream.ts";
import { trailersFor } from "./trailers.ts";

type AnyCall = ServerCall<unknown, unknown>;

/** The server, as its calls see it. */
export interface CallHost extends ServerHost {
  /** The methods by path. */
  readonly routes: ReadonlyMap<string, Route>;
  /** A call that passed the checks of its head. */
  onCallStart(call: AnyCall): void;
  /** The handler of a call is through, or will never start. */
  onCallEnd(call: AnyCall): void;
}

/**
 * Takes on a stream that a client opened.
 *
 * @param host The server.
 * @param stream The stream, nothing sent on it yet.
 * @param raw The request's head.
 * @param peer The client.
 * @returns What the stream has to tell its events to.
 */
export function serve(
  host: CallHost,
  stream: ByteStream,
  raw: RawHeaders,
  peer: Peer,
): ByteSink {
  const head = parseRequestHead(raw);
  const refusal = checkHead(host, head);
  if (refusal !== null) return refuse(host, stream, head, refusal);
  const route = host.routes.get(head.path)!;
  const timeoutMs = head.timeout === null ? null : decodeTimeout(head.timeout);
  const deadline = timeoutMs === null
    ? null
    : Deadline.fromTimeout(timeoutMs, host.deadlines.clock);
  const codec = codecFor(host.codecs, head.contentType!)!;
  const compressor = host.compressors.get(head.encoding ?? "identity") ?? null;
  let running = false;
  const call: AnyCall = new ServerCall(
    host,
    stream,
    { route, head, headers: raw, deadline, peer, codec, compressor },
    {
      onReady() {
        running = true;
        run(host, call);
      },
      onAbort() {
        if (!running) host.onCallEnd(call);
      },
    },
  );
  host.onCallStart(call);
  call.begin();
  return call;
}

interface Refusal {
  readonly http: number;
  readonly status: Status;
  readonly message: string;
  readonly acceptEncoding?: string;
}

/** Checks a head, in the order of grpclib. */
function checkHead(host: CallHost, head: RequestHead): Refusal | null {
  if (head.method !== "POST") {
    return {
      http: 405,
      status: Status.UNKNOWN,
      message: `Cannot serve ${head.method}: gRPC uses POST`,
    };
  }
  // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
  // "If Content-Type does not begin with application/grpc, gRPC servers SHOULD
  // respond with HTTP status of 415."
  if (head.contentType === null) {
    return {
      http: 415,
      status: Status.UNKNOWN,
      message: "Missing content-type header",
    };
  }
  if (codecFor(host.codecs, head.contentType) === undefined) {
    return {
      http: 415,
      status: Status.UNKNOWN,
      message: `Unacceptable content-type header: "${head.contentType}"`,
    };
  }
  // Its absence tells of a proxy in between that loses trailers.
  if (head.te !== "trailers") {
    return {
      http: 400,
      status: Status.UNKNOWN,
      message: 'Required "te: trailers" header is missing',
    };
  }
  if (!host.routes.has(head.path)) {
    return {
      http: 200,
      status: Status.UNIMPLEMENTED,
      message: `Method not found: ${head.path}`,
    };
  }
  if (head.timeout !== null && decodeTimeout(head.timeout) === null) {
    return {
      http: 200,
      status: Status.UNKNOWN,
      message: `Invalid grpc-timeout header: "${head.timeout}"`,
    };
  }
  if (head.badBin !== null) {
    return {
      http: 200,
      status: Status.INTERNAL,
      message: `Invalid metadata: the value of "${head.badBin}" is not base64`,
    };
  }
  // https://github.com/grpc/grpc/blob/master/doc/compression.md
  // "If a client message is compressed by an algorithm that is not supported by
  // a server, the message will result in an UNIMPLEMENTED error status on the
  // server. The server will then include a grpc-accept-encoding response header
  // which specifies the algorithms that the server accepts."
  const { encoding } = head;
  if (
    encoding !== null && encoding !== "identity" &&
    !host.compressors.has(encoding)
  ) {
    return {
      http: 200,
      status: Status.UNIMPLEMENTED,
      message: `Unsupported grpc-encoding header: "${encoding}"`,
      acceptEncoding: host.acceptEncoding,
    };
  }
  return null;
}

/** Answers a call that no handler will see. */
function refuse(
  host: CallHost,
  stream: ByteStream,
  head: RequestHead,
  refusal: Refusal,
): ByteSink {
  const { contentType } = head.contentType === null
    ? host.codecs[0]!
    : codecFor(host.codecs, head.contentType) ?? host.codecs[0]!;
  const trailers = trailersFor({
    status: refusal.status,
    message: refusal.message,
    details: null,
    metadata: null,
  });
  const fields = [":status", `${refusal.http}`, "content-type", contentType];
  if (refusal.acceptEncoding !== undefined) {
    fields.push("grpc-accept-encoding", refusal.acceptEncoding);
  }
  stream.sendHead(new HeaderBlock([], fields, trailers), true);
  return DEAF;
}

/** Hears nothing: the call was refused. */
const DEAF: ByteSink = {
  onHead() {},
  onData() {},
  onStop() {},
  onEnd() {},
  onClose() {},
};

/** Runs the handler of a call. */
function run(host: CallHost, call: AnyCall): void {
  const { handle, start: { route: { handler } } } = call;
  const stream = new ServerStream(call);
  let result: unknown;
  try {
    result = handle === null ? handler.handle(stream) : handle(stream);
  } catch (error) {
    return handlerThrew(host, call, error);
  }
  if (isPromiseLike(result)) {
    // Through a promise of our own, for the `then` of others may throw.
    Promise.resolve(result).then(
      () => handlerReturned(host, call),
      (error) => handlerThrew(host, call, error),
    );
  } else {
    handlerReturned(host, call);
  }
}

function handlerReturned(host: CallHost, call: AnyCall): void {
  // What it sent without waiting comes before the status.
  const wait = call.whenSent();
  if (wait !== undefined) {
    wait.then(() => handlerReturned(host, call));
    return;
  }
  endCall(host, call, () => {
    if (call.answered) return;
    if (call.response.allows("end")) return answer(host, call, OK);
    return reportAndAnswer(
      host,
      call,
      misuse("response", call.response.phase, "end"),
    );
  });
}

function handlerThrew(host: CallHost, call: AnyCall, error: unknown): void {
  endCall(host, call, () => {
    if (call.answered) {
      // What a handler throws because its call is over is no news.
      const { aborted } = call;
      const expected = error instanceof GRPCError ||
        (aborted !== undefined && isCausedBy(error, aborted));
      if (!expected) host.onHandlerError(error, call);
    } else if (error instanceof GRPCError) {
      let ending: Ending;
      try {
        ending = endingOf(error);
      } catch (failure) {
        // A status of somebody's own making, of which nothing can be read.
        return reportAndAnswer(host, call, failure);
      }
      return answer(host, call, ending);
    } else {
      return reportAndAnswer(host, call, error);
    }
  });
}

/**
 * Takes the last step of a call. Whatever the server's owner makes of an
 * error, the call is over then.
 */
function endCall(
  host: CallHost,
  call: AnyCall,
  step: () => void | Promise<void>,
): void {
  let wait: void | Promise<void> = undefined;
  try {
    wait = step();
  } finally {
    if (wait === undefined) host.onCallEnd(call);
  }
  wait?.finally(() => host.onCallEnd(call));
}

/** A handler's failure: whole to the server's owner, not a word to the client. */
function reportAndAnswer(
  host: CallHost,
  call: AnyCall,
  error: unknown,
): void | Promise<void> {
  const wait = answer(host, call, INTERNAL_SERVER_ERROR);
  host.onHandlerError(error, call);
  return wait;
}

function answer(
  host: CallHost,
  call: AnyCall,
  ending: Ending,
): void | Promise<void> {
  const onError = (error: unknown): void | Promise<void> => {
    // A listener's failure, or the end of the call: dealt with already.
    if (call.aborted !== undefined) return;
    host.onHandlerError(error, call);
    if (ending.details.length > 0) {
      // Details that cannot be encoded must not hide the status.
      return answer(host, call, { ...ending, details: [] });
    }
    if (ending !== INTERNAL_SERVER_ERROR && !call.answered) {
      // Nor must anything else of which no trailers can be made.
      return answer(host, call, INTERNAL_SERVER_ERROR);
    }
    // The stream took no answer: at least the client must not wait for one.
    call.cancel(new GRPCError(Status.UNKNOWN, "Internal Server Error"));
  };
  try {
    return call.sendOutcome(ending)?.catch(onError);
  } catch (error) {
    return onError(error);
  }
}

function isCausedBy(error: unknown, cause: unknown): boolean {
  for (let e = error, depth = 0; depth < 8; depth++) {
    if (e === cause) return true;
    if (!(e instanceof Error)) return false;
    e = e.cause;
  }
  return false;
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null)?.then === "function";
}
