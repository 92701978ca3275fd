/**
 * The way of a call through the server: head, route, handler, outcome. Every
 * failure on that way ends here, in a status.
 *
 * @module
 */

import { Deadline } from "../core/deadline.ts";
import { GRPCError } from "../core/errors.ts";
import type { Metadata } from "../core/metadata.ts";
import type { Peer } from "../core/peer.ts";
import { Status } from "../core/status.ts";
import {
  acceptsSubtype,
  contentSubtype,
  parseRequestHead,
  type RawHeaders,
  type RequestHead,
} from "../_wire/headers.ts";
import { type Outcome, outcomeTrailers } from "../_wire/outcome.ts";
import { decodeTimeout } from "../_wire/timeout.ts";
import type { ByteSink, ByteStream } from "./byte_stream.ts";
import type { Handler, Route } from "./handler.ts";
import { misuse } from "./half.ts";
import { joinMetadata } from "./join_metadata.ts";
import { ServerCall, type ServerHost } from "./server_call.ts";
import { ServerStream } from "./server_stream.ts";

type AnyCall = ServerCall<unknown, unknown>;

/** The server, as its calls see it. */
export interface CallHost extends ServerHost {
  /** The methods by path. */
  readonly routes: ReadonlyMap<string, Route>;
  /** A call that passed the checks of its head. */
  onCallStart(call: AnyCall): void;
  /** The handler of a call is through, or will never start. */
  onCallEnd(call: AnyCall): void;
  /** A handler failed with something other than a status. */
  onHandlerError(error: unknown, call: AnyCall): void;
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
  if (refusal !== null) return refuse(host, stream, refusal);
  const route = host.routes.get(head.path)!;
  const timeoutMs = head.timeout === null ? null : decodeTimeout(head.timeout);
  const deadline = timeoutMs === null ? null : Deadline.fromTimeout(timeoutMs);
  let running = false;
  const call: AnyCall = new ServerCall(
    host,
    route,
    stream,
    raw,
    deadline,
    peer,
    () => {
      running = true;
      run(host, route.handler, call);
    },
    () => {
      if (!running) host.onCallEnd(call);
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
  if (head.contentType !== host.contentType) {
    const subtype = contentSubtype(head.contentType);
    if (
      subtype === null || !acceptsSubtype(subtype, host.codec.contentSubtype)
    ) {
      return {
        http: 415,
        status: Status.UNKNOWN,
        message: `Unacceptable content-type header: "${head.contentType}"`,
      };
    }
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
  if (head.encoding !== null && head.encoding !== "identity") {
    return {
      http: 200,
      status: Status.UNIMPLEMENTED,
      message: `Unsupported grpc-encoding header: "${head.encoding}"`,
      acceptEncoding: "identity",
    };
  }
  return null;
}

/** Answers a call that no handler will see. */
function refuse(
  host: CallHost,
  stream: ByteStream,
  refusal: Refusal,
): ByteSink {
  stream.sendHead({
    ":status": `${refusal.http}`,
    "content-type": host.contentType,
    ...(refusal.acceptEncoding === undefined
      ? {}
      : { "grpc-accept-encoding": refusal.acceptEncoding }),
    ...outcomeTrailers({
      status: refusal.status,
      message: refusal.message,
      details: null,
      metadata: null,
    }),
  }, true);
  return DEAF;
}

/** Hears nothing: the call was refused. */
const DEAF: ByteSink = {
  onHead() {},
  onData() {},
  onEnd() {},
  onClose() {},
};

/** Runs the handler of a call. */
function run(host: CallHost, handler: Handler, call: AnyCall): void {
  let result: unknown;
  try {
    result = handler.handle(new ServerStream(call));
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
  try {
    if (call.answered) return;
    if (call.response.allows("end")) return answer(host, call, OK);
    reportAndAnswer(
      host,
      call,
      misuse("response", call.response.phase, "end"),
    );
  } finally {
    // Whatever the server's owner makes of an error, the call is over.
    host.onCallEnd(call);
  }
}

function handlerThrew(host: CallHost, call: AnyCall, error: unknown): void {
  try {
    if (call.answered) {
      // What a handler throws because its call is over is no news.
      const { aborted } = call;
      const expected = error instanceof GRPCError ||
        (aborted !== undefined && isCausedBy(error, aborted));
      if (!expected) host.onHandlerError(error, call);
    } else if (error instanceof GRPCError) {
      answer(host, call, error);
    } else {
      reportAndAnswer(host, call, error);
    }
  } finally {
    host.onCallEnd(call);
  }
}

const OK = { status: Status.OK, message: "", metadata: null };

/** A handler's failure: whole to the server's owner, not a word to the client. */
function reportAndAnswer(host: CallHost, call: AnyCall, error: unknown): void {
  answer(host, call, {
    status: Status.UNKNOWN,
    message: "Internal Server Error",
    metadata: null,
  });
  host.onHandlerError(error, call);
}

function answer(
  host: CallHost,
  call: AnyCall,
  end: { status: Status; message: string; metadata: Metadata | null },
): void {
  const outcome: Outcome = {
    status: end.status,
    message: end.message,
    details: null,
    metadata: joinMetadata(call.trailingMetadata, end.metadata),
  };
  try {
    call.sendOutcome(outcome);
  } catch (error) {
    // The stream took no answer: at least the client must not wait for one.
    call.cancel(new GRPCError(Status.UNKNOWN, "Internal Server Error"));
    host.onHandlerError(error, call);
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
