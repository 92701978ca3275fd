/**
 * The way of a call through the server: head, route, handler, outcome. Every
 * failure on that way ends here, in a status.
 *
 * @module
 */

import { noContext } from "../../_context.ts";
import { Deadline } from "../../core/deadline.ts";
import { GRPCError } from "../../core/errors.ts";
import type { CallInfo } from "../../core/events.ts";
import type { Peer } from "../../core/peer.ts";
import { Status } from "../../core/status.ts";
import { HeaderBlock, type RawHeaders } from "../../_wire/headers.ts";
import type { Admission } from "./admission.ts";
import { type ByteSink, type ByteStream, NO_SINK } from "../byte_stream.ts";
import { CallRecord, type Observed } from "../call_record.ts";
import type { Outcome } from "../../_wire/outcome.ts";
import {
  INTERNAL_SERVER_ERROR,
  OK,
  outcomeOf,
  trailersFor,
} from "./outcome.ts";
import { misuse } from "../half.ts";
import { currentParent } from "../parent.ts";
import type { Route } from "./route.ts";
import { isPromiseLike } from "../../core/_describe.ts";
import { within } from "./middleware.ts";
import {
  type GoodHead,
  HeadReader,
  pathOf,
  type Refusal,
} from "./read_head.ts";
import { ServerCall } from "./call.ts";
import type { RequestStart, ServerCallOwner, ServerHost } from "./host.ts";
import { ServerStream } from "./stream.ts";

type AnyCall = ServerCall<unknown, unknown>;

const NOW = Promise.resolve();

/** The server, as its calls see it. */
export interface CallHost extends ServerHost {
  /** The methods by path. */
  readonly routes: ReadonlyMap<string, Route>;
  /** Whether handlers run inside their call, for the calls that they make. */
  readonly propagates: boolean;
  /** Which calls may start. */
  readonly admission: Admission<AnyCall>;
  /** A call that passed the checks of its head. */
  onCallStart(call: AnyCall): void;
  /** The handler of a call is through, or will never start. */
  onCallEnd(call: AnyCall): void;
}

/** What takes on the streams that clients open. */
export class CallServer implements ServerCallOwner<AnyCall> {
  readonly #host: CallHost;
  readonly #heads: HeadReader;
  /** The call whose task this is. */
  #entering: AnyCall | null = null;

  /** @param host The server. */
  constructor(host: CallHost) {
    this.#host = host;
    this.#heads = new HeadReader(host);
  }

  /**
   * Takes on a stream that a client opened.
   *
   * @param stream The stream, nothing sent on it yet.
   * @param raw The request's head.
   * @param peer The client.
   * @returns What the stream has to tell its events to.
   */
  serve(stream: ByteStream, raw: RawHeaders, peer: Peer): ByteSink {
    const host = this.#host;
    const request = this.#heads.read(raw);
    host.callCounts.start();
    if (request.refusal !== null) {
      host.callCounts.end(false);
      recordRefusal(host, raw, request.refusal, peer, stream);
      return refuse(stream, request.refusal);
    }
    const { timeoutMs, route: { method, handler } } = request;
    const deadline = timeoutMs === null
      ? null
      : Deadline.fromTimeout(timeoutMs, host.deadlines.clock);
    const chain = host.listeners.middleware.chainOf(method.path);
    const start = new ServedRequest(
      request,
      raw,
      deadline,
      peer,
      chain === null ? handler : within(chain, handler),
    );
    start.record = recordOf(host, start, raw, stream);
    const call: AnyCall = new ServerCall(host, stream, start, this);
    host.onCallStart(call);
    call.begin();
    return call;
  }

  /**
   * Goes on in a moment, in a task of its own: what a handler enters of
   * asynchronous contexts is kept from the calls that came with its own. (To
   * enter and leave a context for each call costs five times as much.)
   */
  onArrival(call: AnyCall, isAlone: boolean): void {
    if (isAlone) this.#enter(call);
    else this.#enterSoon(call);
  }

  #enterSoon(call: AnyCall): void {
    NOW.then(() => this.#enter(call));
  }

  onReady(call: AnyCall): void {
    if (this.#entering === call) run(this.#host, call);
    // It has waited, and others may start in this task.
    else noContext(() => run(this.#host, call));
  }

  #enter(call: AnyCall): void {
    // It has ended meanwhile.
    if (call.aborted !== undefined) return;
    this.#entering = call;
    try {
      this.#host.admission.enter(call);
    } finally {
      this.#entering = null;
    }
  }

  onAbort(call: AnyCall): void {
    // Otherwise it ends with its handler.
    if (!call.wasReady) leave(this.#host, call);
  }
}

/** The handler of a call is through, or will never start. */
function leave(host: CallHost, call: AnyCall): void {
  host.admission.leave(call);
  call.releaseAll();
  host.onCallEnd(call);
}

/** A request that came, whose head is good. */
class ServedRequest implements RequestStart {
  readonly request: GoodHead;
  readonly headers: RawHeaders;
  readonly deadline: Deadline | null;
  readonly peer: Peer;
  readonly handler: RequestStart["handler"];
  record: CallRecord | null = null;
  /** Made for who asks. */
  #info: CallInfo | null = null;

  constructor(
    request: GoodHead,
    headers: RawHeaders,
    deadline: Deadline | null,
    peer: Peer,
    handler: RequestStart["handler"],
  ) {
    this.request = request;
    this.headers = headers;
    this.deadline = deadline;
    this.peer = peer;
    this.handler = handler;
  }

  get info(): CallInfo {
    const { request: { route: { method } }, deadline, peer } = this;
    return this.#info ??= { methodName: method.path, method, deadline, peer };
  }
}

/** Begins to follow a call, if somebody observes it. */
function recordOf(
  { listeners: { observers }, deadlines }: CallHost,
  call: Observed,
  headers: RawHeaders,
  stream: ByteStream,
): CallRecord | null {
  if (observers === null) return null;
  const record = new CallRecord(call, headers, observers, deadlines);
  if (!record.begin()) return null;
  if (record.hasSpan) stream.dropSpan?.();
  return record;
}

/** A call that is refused for its head begins and ends all the same. */
function recordRefusal(
  host: CallHost,
  raw: RawHeaders,
  { status, message }: Refusal,
  peer: Peer,
  stream: ByteStream,
): void {
  const methodName = pathOf(raw);
  const method = host.routes.get(methodName)?.method ?? null;
  const info = { methodName, method, deadline: null, peer };
  recordOf(host, { info }, raw, stream)?.end(
    { status, message, details: [] },
    peer,
  );
}

/** Refuses a call that no handler will see. */
function refuse(stream: ByteStream, refusal: Refusal): ByteSink {
  const { http, status, message, contentType, acceptEncoding } = refusal;
  const trailers = trailersFor({
    status,
    message,
    details: null,
    metadata: null,
  });
  const fields = [":status", `${http}`, "content-type", contentType];
  if (acceptEncoding !== null) {
    fields.push("grpc-accept-encoding", acceptEncoding);
  }
  stream.sendHead(new HeaderBlock([], fields, trailers), true);
  return NO_SINK;
}

/** Runs the handler of a call. */
function run(host: CallHost, call: AnyCall): void {
  const stream = new ServerStream(call);
  let result: unknown;
  try {
    result = host.propagates
      ? handleAsParent(call, stream)
      : handle(call, stream);
  } catch (error) {
    return handlerThrew(host, call, error);
  }
  if (isPromiseLike(result)) awaitHandler(host, call, result);
  else handlerReturned(host, call);
}

// Functions that not all calls need are made apart from the rest: V8 makes
// memory for what is in them wherever the function around them is called.

function awaitHandler(
  host: CallHost,
  call: AnyCall,
  result: PromiseLike<unknown>,
): void {
  // Through a promise of our own, for the `then` of others may throw.
  Promise.resolve(result).then(
    () => handlerReturned(host, call),
    (error) => handlerThrew(host, call, error),
  );
}

/** Calls what handles a call, in the contexts of those who observe it. */
function handle(
  call: AnyCall,
  stream: ServerStream<unknown, unknown>,
): unknown {
  const { record } = call.start;
  return record?.hasContext
    ? handleInContext(record, call, stream)
    : handleWithin(call, stream);
}

function handleInContext(
  record: CallRecord,
  call: AnyCall,
  stream: ServerStream<unknown, unknown>,
): unknown {
  return record.run(() => handleWithin(call, stream));
}

function handleAsParent(
  call: AnyCall,
  stream: ServerStream<unknown, unknown>,
): unknown {
  return currentParent.run(stream, () => handle(call, stream));
}

function handleWithin(
  { handle, start: { handler, record } }: AnyCall,
  stream: ServerStream<unknown, unknown>,
): unknown {
  if (handle !== null) return handle(stream);
  record?.handling();
  return handler.handle(stream);
}

function handlerReturned(host: CallHost, call: AnyCall): void {
  // What it sent without waiting comes before the status.
  const wait = call.whenSent();
  if (wait === undefined) endCall(host, call, replyReturned, undefined);
  else awaitSent(host, call, wait);
}

function awaitSent(host: CallHost, call: AnyCall, wait: Promise<void>): void {
  wait.then(() => handlerReturned(host, call));
}

function handlerThrew(host: CallHost, call: AnyCall, error: unknown): void {
  endCall(host, call, replyThrew, error);
}

/** The last step of a call whose handler has returned. */
function replyReturned(host: CallHost, call: AnyCall): void | Promise<void> {
  if (call.replied) return;
  if (call.reply.allows("end")) return sendOutcome(host, call, OK);
  return reportAndSend(host, call, misuse("reply", call.reply.phase, "end"));
}

/** The last step of a call whose handler has thrown. */
function replyThrew(
  host: CallHost,
  call: AnyCall,
  error: unknown,
): void | Promise<void> {
  if (call.replied) {
    // What a handler throws because its call is over is no news.
    const { aborted } = call;
    const expected = error instanceof GRPCError ||
      (aborted !== undefined && isCausedBy(error, aborted));
    if (!expected) host.onHandlerError(error, call);
  } else if (error instanceof GRPCError) {
    let outcome: Outcome;
    try {
      outcome = outcomeOf(error);
    } catch (failure) {
      // A status of somebody's own making, of which nothing can be read.
      return reportAndSend(host, call, failure);
    }
    return sendOutcome(host, call, outcome);
  } else {
    return reportAndSend(host, call, error);
  }
}

/**
 * Takes the last step of a call. Whatever the server's owner makes of an
 * error, the call is over then.
 */
function endCall(
  host: CallHost,
  call: AnyCall,
  step: typeof replyThrew,
  error: unknown,
): void {
  let wait: void | Promise<void> = undefined;
  try {
    wait = step(host, call, error);
  } finally {
    if (wait === undefined) leave(host, call);
  }
  if (wait !== undefined) awaitEnd(host, call, wait);
}

function awaitEnd(host: CallHost, call: AnyCall, wait: Promise<void>): void {
  wait.finally(() => leave(host, call));
}

/** A handler's failure: whole to the server's owner, not a word to the client. */
function reportAndSend(
  host: CallHost,
  call: AnyCall,
  error: unknown,
): void | Promise<void> {
  const wait = sendOutcome(host, call, INTERNAL_SERVER_ERROR);
  host.onHandlerError(error, call);
  return wait;
}

function sendOutcome(
  host: CallHost,
  call: AnyCall,
  outcome: Outcome,
): void | Promise<void> {
  try {
    const wait = call.sendOutcome(outcome);
    if (wait !== undefined) return watchOutcome(host, call, outcome, wait);
  } catch (error) {
    return outcomeFailed(host, call, outcome, error);
  }
}

function watchOutcome(
  host: CallHost,
  call: AnyCall,
  outcome: Outcome,
  wait: Promise<void>,
): Promise<void> {
  return wait.catch((error) => outcomeFailed(host, call, outcome, error));
}

function outcomeFailed(
  host: CallHost,
  call: AnyCall,
  outcome: Outcome,
  error: unknown,
): void | Promise<void> {
  // A listener's failure, or the end of the call: dealt with already.
  if (call.aborted !== undefined) return;
  host.onHandlerError(error, call);
  if (outcome.details.length > 0) {
    // Details that cannot be encoded must not hide the status.
    return sendOutcome(host, call, { ...outcome, details: [] });
  }
  if (outcome !== INTERNAL_SERVER_ERROR && !call.replied) {
    // Nor must anything else of which no trailers can be made.
    return sendOutcome(host, call, INTERNAL_SERVER_ERROR);
  }
  // The stream took no trailers: at least the client must not wait for one.
  call.cancel(new GRPCError(Status.UNKNOWN, "Internal Server Error"));
}

function isCausedBy(error: unknown, cause: unknown): boolean {
  for (let e = error, depth = 0; depth < 8; depth++) {
    if (e === cause) return true;
    if (!(e instanceof Error)) return false;
    e = e.cause;
  }
  return false;
}
