/**
 * Callers that behave in any way that a program can: they cancel, leave, throw,
 * read slowly, and give up in every state of a call.
 *
 * @module
 */

import {
  type CallOptions,
  type ClientStream,
  type Many,
  ProtocolError,
  type Stub,
} from "../client.ts";
import { Cardinality } from "../core/cardinality.ts";
import type { Echo, EchoReply, EchoRequest } from "../_testdata/gen/echo_pb.ts";
import { after, turns } from "../_testdata/waiting.ts";
import { PLAN, somePlan, someSize } from "./plan.ts";
import type { Random } from "./random.ts";
import { isPlanned, Planned } from "./service.ts";

/** The longest that a caller waits before it gives up, in milliseconds. */
const PATIENCE_MS = 60;

/** What a caller knows. */
export interface CallerContext {
  readonly stub: Stub<typeof Echo>;
  readonly random: Random;
  /** Told of every error that nobody planned. */
  readonly onFinding: (what: string, error: unknown) => void;
  /** Says what is done, for those who look for the cause of a finding. */
  readonly say: (what: string) => void;
}

type AnyStream = ClientStream<Many<EchoRequest>, Many<EchoReply>>;

interface Setting extends CallerContext {
  readonly kind: Cardinality;
  readonly options: CallOptions;
  /** Ends the call from outside, if nothing else does. */
  readonly abort: () => void;
}

const KINDS = Object.values(Cardinality);

/** The names of the methods, by their kind. */
const NAMES = {
  UNARY_UNARY: "unary",
  UNARY_STREAM: "serverStream",
  STREAM_UNARY: "clientStream",
  STREAM_STREAM: "bidi",
} as const;

/** Makes one call, in some way; resolves when the caller is through with it. */
export async function call(context: CallerContext): Promise<void> {
  const { random, say } = context;
  const kind = random.pick(KINDS);
  const plan = JSON.stringify(somePlan(random, kind));
  const controller = new AbortController();
  const { signal } = controller;
  const abort = (): void => controller.abort(new Planned("by a signal"));
  const options = {
    signal,
    metadata: { [PLAN]: plan },
    ...(random.chance(0.2) ? { timeoutMs: random.int(0, 40) } : {}),
    ...(random.chance(0.2) ? { waitForReady: true } : {}),
    ...someAttempts(random),
  };
  const way = random.pick(WAYS);
  say(`${kind} ${way.name} ${plan} ${JSON.stringify(options.timeoutMs)}`);
  const setting = { ...context, kind, options, abort };
  // In the tick of the call or of its reply, or much later.
  const giveUp = random.pick(["at once", "soon", "late", "late", "late"]);
  if (giveUp === "soon") turns(random.int(0, 3)).then(abort);
  const timer = setTimeout(abort, PATIENCE_MS);
  try {
    const end = way(setting);
    if (giveUp === "at once") abort();
    await end;
  } catch (error) {
    if (!isPlanned(error)) context.onFinding(`${kind} ${way.name}`, error);
  } finally {
    clearTimeout(timer);
  }
}

/** How many attempts a call makes: most one, the others again or at once. */
function someAttempts(random: Random): CallOptions {
  const codes = random.pick(
    [
      ["UNAVAILABLE"],
      ["UNAVAILABLE", "UNKNOWN", "CANCELLED", "INTERNAL", "RESOURCE_EXHAUSTED"],
    ] as const,
  );
  const maxAttempts = random.int(2, 5);
  if (random.chance(0.2)) {
    const initialBackoffMs = random.pick([1, 10]);
    const retryableStatusCodes = codes;
    return { retry: { maxAttempts, initialBackoffMs, retryableStatusCodes } };
  }
  if (random.chance(0.2)) {
    const delayMs = random.pick([0, 1, 10]);
    return { hedging: { maxAttempts, delayMs, nonFatalStatusCodes: codes } };
  }
  return {};
}

const WAYS: readonly ((setting: Setting) => Promise<void>)[] = [
  callIt,
  callIt,
  callIt,
  iterate,
  playSteps,
  playSteps,
  playSteps,
  leaveAtOnce,
  pipe,
  pipeThrough,
];

/** The plain call, with requests from any source. */
async function callIt({ stub, kind, options, random }: Setting) {
  switch (kind) {
    case Cardinality.UNARY_UNARY:
      await stub.unary(someRequest(random), options);
      return;
    case Cardinality.STREAM_UNARY:
      await stub.clientStream(someSource(random), options);
      return;
    case Cardinality.UNARY_STREAM:
      for await (const _ of stub.serverStream(someRequest(random), options)) {
        await dawdle(random);
        if (random.chance(0.2)) break;
      }
      return;
    case Cardinality.STREAM_STREAM:
      for await (const _ of stub.bidi(someSource(random), options)) {
        await dawdle(random);
        if (random.chance(0.2)) throw new Planned("by a loop");
      }
  }
}

/** An iterator in a state that no loop leaves it in. */
async function iterate({ stub, options, random }: Setting) {
  const replies =
    (random.chance(0.5)
      ? stub.serverStream(someRequest(random), options)
      : stub.bidi(someSource(random), options))[Symbol.asyncIterator]();
  const all: Promise<unknown>[] = [];
  for (let left = random.int(1, 5); left > 0; left--) {
    const step = random.chance(0.6) ? replies.next() : replies.return!();
    step.catch(() => {}); // it is looked at later
    all.push(step);
    if (random.chance(0.5)) await dawdle(random);
  }
  all.push(replies.return!());
  await settle(all);
}

/** A stream, with any steps in any order. */
async function playSteps(setting: Setting) {
  const { random } = setting;
  const pending: Promise<unknown>[] = [];
  {
    await using stream = open(setting);
    for (let left = random.int(0, 8); left > 0; left--) {
      let step: Promise<unknown>;
      try {
        step = takeStep(stream, random);
      } catch (error) {
        if (error instanceof ProtocolError) continue;
        throw error;
      }
      step.catch(() => {}); // it is looked at later
      pending.push(step);
      if (random.chance(0.5)) await settle([step]);
    }
    if (random.chance(0.3)) {
      await settle(pending);
      await stream.recvTrailingMetadata().catch(passPlanned);
    }
  }
  await settle(pending);
}

function takeStep(stream: AnyStream, random: Random): Promise<unknown> {
  switch (random.int(0, 9)) {
    case 0:
      return stream.sendRequest();
    case 1:
    case 2:
    case 3:
      return stream.sendMessage(someRequest(random), {
        end: random.chance(0.2),
      });
    case 4:
      return stream.end();
    case 5:
    case 6:
      return stream.recvMessage();
    case 7:
      return stream.recvInitialMetadata();
    case 8:
      if (random.chance(0.3)) stream.cancel();
      return Promise.resolve();
    default:
      return dawdle(random);
  }
}

/** A stream that is left in the tick of its request. */
async function leaveAtOnce(setting: Setting) {
  const { random } = setting;
  let sent: Promise<unknown>;
  {
    await using stream = open(setting);
    sent = random.chance(0.5)
      ? stream.sendRequest()
      : stream.sendMessage(someRequest(random));
    if (random.chance(0.5)) stream.cancel();
    sent.catch(() => {});
  }
  await settle([sent]);
}

/** The two Web Streams of a call, used by hand. */
async function pipe(setting: Setting) {
  const { random, kind } = setting;
  await using stream = open(setting);
  const takesOne = kind === Cardinality.UNARY_UNARY ||
    kind === Cardinality.UNARY_STREAM;
  const writing = (async () => {
    const writer = stream.writable.getWriter();
    writer.closed.catch(() => {});
    const count = takesOne ? 1 : random.int(0, 4);
    for (let i = 0; i < count; i++) {
      await writer.write(someRequest(random));
      await dawdle(random);
    }
    if (random.chance(0.2)) await writer.abort(new Planned("by a writer"));
    // A stream that has failed meanwhile says so with a TypeError.
    else if (random.chance(0.8)) await writer.close().catch(() => {});
  })();
  const reading = (async () => {
    // Before the request there is nothing to read.
    if (random.chance(0.7)) await settle([writing]);
    const reader = stream.readable.getReader();
    reader.closed.catch(() => {});
    for (;;) {
      if (random.chance(0.2)) {
        await reader.cancel();
        return;
      }
      if ((await reader.read()).done) return;
      await dawdle(random);
    }
  })();
  await settle([writing, reading]);
}

/** A call as one stretch of a pipe. */
async function pipeThrough(setting: Setting) {
  const { random, kind } = setting;
  await using stream = open(setting);
  const takesOne = kind === Cardinality.UNARY_UNARY ||
    kind === Cardinality.UNARY_STREAM;
  let left = takesOne ? 1 : random.int(0, 4);
  const source = new ReadableStream<object>({
    async pull(controller) {
      await dawdle(random);
      if (left-- > 0) controller.enqueue(someRequest(random));
      // Where one message is all there is, a pipe ends with its source alone.
      else if (takesOne || random.chance(0.7)) controller.close();
      else if (random.chance(0.5)) controller.error(new Planned("by a source"));
    },
  }, { highWaterMark: 0 });
  let wanted = random.int(0, 5);
  const sink = new WritableStream<unknown>({
    write: async () => {
      if (wanted-- < 0) throw new Planned("by a sink");
      await dawdle(random);
    },
  });
  if (random.chance(0.5)) {
    await settle([source.pipeThrough(stream).pipeTo(sink)]);
  } else {
    await settle([
      source.pipeTo(stream.writable),
      stream.readable.pipeTo(sink),
    ]);
  }
}

/** Opens a stream of any kind; it is used as if it had many of everything. */
function open({ stub, kind, options }: Setting): AnyStream {
  const method = stub[NAMES[kind]];
  return method.open(options) as unknown as AnyStream;
}

function someRequest(random: Random): { payload: Uint8Array } {
  return { payload: new Uint8Array(someSize(random)) };
}

type Source = Iterable<object> | AsyncIterable<object>;

/** Requests, from a source of any kind, which may fail at any of them. */
function someSource(random: Random): Source {
  const count = random.int(0, 4);
  const failsAt = random.chance(0.2) ? random.int(0, count) : -1;
  const endless = random.chance(0.15);
  function* now(): Generator<object> {
    for (let i = 0; i <= count; i++) {
      if (i === failsAt) throw new Planned("by a source");
      if (i < count) yield someRequest(random);
    }
  }
  async function* later(): AsyncGenerator<object> {
    for (const request of now()) {
      await dawdle(random);
      yield request;
    }
    // Longer than any caller waits.
    while (endless) {
      await after(2 * PATIENCE_MS);
      yield {};
    }
  }
  switch (random.int(0, 3)) {
    case 0:
      return Array.from({ length: count }, () => someRequest(random));
    case 1:
      return now();
    case 2:
      return later();
    default:
      return ReadableStream.from(later());
  }
}

/** Takes its time, or none. */
async function dawdle(random: Random): Promise<void> {
  const dice = random.int(0, 9);
  if (dice < 4) return;
  if (dice < 6) await Promise.resolve();
  else if (dice < 9) await turns(random.int(1, 2));
  else await after(random.int(1, 20));
}

/** Waits for all ends; throws the first that nobody planned. */
async function settle(all: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(all)) {
    if (result.status === "rejected") passPlanned(result.reason);
  }
}

/** Throws what nobody planned. */
function passPlanned(error: unknown): void {
  if (!isPlanned(error)) throw error;
}
