/**
 * The requests of a call, from whatever a caller gave: one message, or any
 * iterable of them.
 *
 * @module
 */

import { GRPCError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import { currentContext } from "../../_context.ts";
import type { ClientCall } from "./call.ts";

type AnyCall = ClientCall<unknown, unknown>;

/** Begins a call and sends what a caller gave to it: one message or many. */
export type Send = (call: AnyCall, requests: unknown) => void;

/** Sends the one request of a call. */
export function sendOne(call: AnyCall, message: unknown): void {
  const prepared = call.prepare(message);
  call.begin();
  // A call that has failed already has told so.
  if (!call.finished) call.sendOnly(prepared);
}

/** Sends the requests of a call from an iterable, while replies come in. */
export function sendAll(call: AnyCall, messages: unknown): void {
  if (isObject(messages)) {
    if (messages instanceof ReadableStream) {
      return ignore(sendAsync(call, readerOf(messages)));
    }
    if (Symbol.asyncIterator in messages) {
      const source = messages as AsyncIterable<unknown>;
      return ignore(sendAsync(call, source[Symbol.asyncIterator]()));
    }
    if (Symbol.iterator in messages) {
      const source = messages as Iterable<unknown>;
      return ignore(sendSync(call, source[Symbol.iterator]()));
    }
  }
  throw new TypeError(
    `Cannot send requests: an iterable of messages is needed, received ${
      isObject(messages) ? "an object that is none" : typeof messages
    }`,
  );
}

/**
 * Reads a stream as an iterator that can be left at any time. The stream's own
 * one could not be left while it waits for a message.
 */
function readerOf(stream: ReadableStream<unknown>): AsyncIterator<unknown> {
  const reader = stream.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown>>,
    return: async () => {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

async function sendAsync(
  call: AnyCall,
  source: AsyncIterator<unknown>,
): Promise<void> {
  let exhausted = false;
  const pull = async (): Promise<IteratorResult<unknown>> => {
    let next: IteratorResult<unknown> | undefined;
    try {
      return next = await source.next();
    } finally {
      // A source that failed has nothing left to be told.
      exhausted = next?.done ?? true;
    }
  };
  const leave = leaving(source);
  call.begin();
  call.onceStopped(() => {
    if (!exhausted) leave();
  });
  try {
    for (;;) {
      const { done, value } = await pull();
      if (!call.takesRequests) return;
      if (done) break;
      const wait = call.send(call.prepare(value), false);
      if (wait !== undefined) await wait;
    }
    call.request.advance("end");
    await call.endRequests();
  } catch (error) {
    fail(call, error);
  }
}

async function sendSync(
  call: AnyCall,
  source: Iterator<unknown>,
): Promise<void> {
  let exhausted = false;
  let pulling = false;
  const pull = (): IteratorResult<unknown> => {
    let next: IteratorResult<unknown> | undefined;
    pulling = true;
    try {
      return next = source.next();
    } finally {
      pulling = false;
      exhausted = next?.done ?? true;
    }
  };
  const leave = leaving(source);
  const stop = (): void => {
    // A generator that ends its own call is still running: it is left later.
    if (exhausted || pulling) return;
    exhausted = true;
    leave();
  };
  call.onceStopped(stop);
  try {
    // One ahead, so that END_STREAM travels with the last message; and the
    // first is prepared before anything is sent, as it may be of a wrong type.
    let next = pull();
    let prepared = exhausted ? undefined : call.prepare(next.value);
    call.begin(exhausted);
    while (prepared !== undefined && call.takesRequests) {
      next = pull();
      if (!call.takesRequests) return stop();
      const wait = call.send(prepared, exhausted);
      // The last one, too: its failure is an error that somebody has to catch.
      if (wait !== undefined) await wait;
      if (exhausted) return;
      prepared = call.prepare(next.value);
    }
  } catch (error) {
    fail(call, error);
  }
}

/** A source failed, or its request: of use to nobody, if none is wanted. */
function fail(call: AnyCall, error: unknown): void {
  if (call.takesRequests) call.cancel(asError(error));
}

/**
 * Gives what tells a source that no more is wanted of it, in the context of
 * now: the call may be ended in any other.
 */
function leaving(
  source: Iterator<unknown> | AsyncIterator<unknown>,
): () => void {
  // Such as that of an array.
  if (source.return === undefined) return nothing;
  const context = currentContext();
  return () => ignore(context(() => leave(source)));
}

async function leave(
  source: Iterator<unknown> | AsyncIterator<unknown>,
): Promise<void> {
  await source.return?.();
}

function nothing(): void {}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What a caller's source of requests threw, as an error. */
function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return new GRPCError(
    Status.CANCELLED,
    "Call was cancelled: the source of its requests failed",
    { cause: thrown },
  );
}

/** Whatever fails here is told by the end of the call. */
function ignore(wait: void | PromiseLike<unknown>): void {
  wait?.then(undefined, () => {});
}
