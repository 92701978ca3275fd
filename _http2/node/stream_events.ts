/**
 * The events of a stream of `node:http2`: one function for each, shared by all
 * streams, since functions made for every call would be most of its garbage.
 *
 * @module
 */

import type {
  ClientHttp2Stream,
  Http2Stream,
  ServerHttp2Stream,
} from "node:http2";
import type { RawHeaders } from "../../_wire/headers.ts";

/** The one who is told the events of a stream. */
export interface StreamEvents {
  /** The response's head, and the flags of its frame. */
  onResponse(raw: RawHeaders, flags: number): void;
  onData(chunk: Uint8Array): void;
  onTrailers(raw: RawHeaders): void;
  /** The end of the peer's data, at a client and at a server. */
  onClientEnd(): void;
  onServerEnd(): void;
  onWantTrailers(): void;
  onDrain(): void;
  /** The stream was reset while this side had more to send, at a client. */
  onClientAborted(): void;
  onError(error: unknown): void;
  onClose(): void;
}

/** Where a stream of `node:http2` keeps the one who is told its events. */
const LISTENER: unique symbol = Symbol("grpclib.listener");

type Heard = Http2Stream & { [LISTENER]: StreamEvents };

/**
 * Listens to all events of a request's stream but its data. At once, for the
 * end of a Trailers-Only reply is not told to one that comes later.
 */
export function listenAsClient(
  h2: ClientHttp2Stream,
  listener: StreamEvents,
): void {
  (h2 as unknown as Heard)[LISTENER] = listener;
  h2.on("response", onResponse);
  h2.on("trailers", onTrailers);
  h2.on("end", onClientEnd);
  h2.on("error", onError);
  h2.on("close", onClose);
}

/** Listens to all events of an accepted stream but its data. */
export function listenAsServer(
  h2: ServerHttp2Stream,
  listener: StreamEvents,
): void {
  (h2 as unknown as Heard)[LISTENER] = listener;
  h2.on("trailers", onTrailers);
  h2.on("wantTrailers", onWantTrailers);
  h2.on("end", onServerEnd);
  h2.on("aborted", onAborted);
  h2.on("error", onError);
  h2.on("close", onServerClose);
}

/** Lets data come. */
export function listenToData(h2: Http2Stream): void {
  h2.on("data", onData);
}

/** Listens for a reset by the server while there is more to send to it. */
export function listenToAborted(h2: Http2Stream): void {
  h2.once("aborted", onClientAborted);
}

/** Listens for the next time that there is room to write. */
export function listenToDrain(h2: Http2Stream): void {
  h2.once("drain", onDrain);
}

function onResponse(
  this: Http2Stream,
  _headers: unknown,
  flags: number,
  raw?: RawHeaders,
): void {
  (this as Heard)[LISTENER].onResponse(raw!, flags);
}

function onData(this: Http2Stream, chunk: Uint8Array): void {
  (this as Heard)[LISTENER].onData(chunk);
}

function onTrailers(
  this: Http2Stream,
  _headers: unknown,
  _flags: number,
  raw?: RawHeaders,
): void {
  (this as Heard)[LISTENER].onTrailers(raw!);
}

function onClientEnd(this: Http2Stream): void {
  (this as Heard)[LISTENER].onClientEnd();
}

function onServerEnd(this: Http2Stream): void {
  (this as Heard)[LISTENER].onServerEnd();
}

function onWantTrailers(this: Http2Stream): void {
  (this as Heard)[LISTENER].onWantTrailers();
}

function onDrain(this: Http2Stream): void {
  (this as Heard)[LISTENER].onDrain();
}

function onClientAborted(this: Http2Stream): void {
  (this as Heard)[LISTENER].onClientAborted();
}

function onAborted(this: Http2Stream): void {
  // A stream that is reset with NO_ERROR, and whose data is not read, would
  // never be closed.
  this.resume();
}

function onError(this: Http2Stream, error: unknown): void {
  (this as Heard)[LISTENER].onError(error);
}

function onClose(this: Http2Stream): void {
  (this as Heard)[LISTENER].onClose();
}

/**
 * Deno keeps a stream that is closed until the next full collection of garbage:
 * its call need not wait for that.
 */
function onServerClose(this: Http2Stream): void {
  const heard = this as Heard;
  heard[LISTENER].onClose();
  heard[LISTENER] = NOBODY;
}

/** Is told of streams that are closed. */
const NOBODY: StreamEvents = {
  onResponse() {},
  onData() {},
  onTrailers() {},
  onClientEnd() {},
  onServerEnd() {},
  onWantTrailers() {},
  onDrain() {},
  onClientAborted() {},
  onError() {},
  onClose() {},
};
