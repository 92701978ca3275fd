/**
 * A trace, for people: what becomes of a channel or a server, as lines of text.
 *
 * @module
 */

import type {
  CallObserver,
  CallStart,
  CallSummary,
  CallTrace,
} from "./core/_call_trace.ts";
import type { ConnectivityObserver } from "./core/_connectivity_trace.ts";
import { describe, isPromiseLike, onOneLine, show } from "./core/_describe.ts";
import { type Listenable, listenersOf } from "./core/_listeners.ts";
import type { ClientEvent, ServerEvent } from "./core/events.ts";
import type { Metadata } from "./core/metadata.ts";
import type { Peer } from "./core/peer.ts";
import { Status, statusName } from "./core/status.ts";
import { noContext } from "./_context.ts";

/**
 * What {@linkcode traceTo} tells of: how the channel, its subchannels or the
 * server change their states; what the resolver or DNS says; what becomes of
 * connections; what becomes of calls.
 */
export type TraceTopic = "state" | "resolution" | "connection" | "call";

const TOPICS: readonly TraceTopic[] = [
  "state",
  "resolution",
  "connection",
  "call",
];

/**
 * Traces a channel or a server from now on: has a line of text written for each
 * change of state, each answer of a resolver, each step of a connection, and each
 * step of a call. A line is
 * the time and what happened, such as
 * `2026-11-21T10:23:02.447Z channel 127.0.0.1:50051: READY`. It is for people:
 * what stands in it may change with any version. Neither messages nor metadata
 * do.
 *
 * @param target The channel or server.
 * @param write Takes a line, without a line feed, soon after what it tells of
 *   has happened, in order. Nobody waits for it, and what it throws is dropped.
 * @param topics What is traced; all of it, if not given.
 * @returns What ends the trace: `using` does by itself. What has happened before
 *   is written still.
 * @throws {TypeError} If an argument is of a wrong type, or a topic is none.
 *
 * @example Usage
 * ```ts
 * import { createService, createStub, traceTo } from "@grpclib/grpclib";
 * import { ChannelFor } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertMatch } from "@std/assert";
 *
 * await using channel = new ChannelFor([
 *   createService(Greeter, {
 *     sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 *   }),
 * ]);
 * const lines: string[] = [];
 * {
 *   using _trace = traceTo(channel, (line) => lines.push(line), ["state"]);
 *   await createStub(Greeter, channel).sayHello({ name: "Ada" });
 * }
 *
 * assertMatch(lines[0]!, /Z channel in-memory:50051: CONNECTING$/);
 * assertMatch(lines[1]!, /Z channel in-memory:50051: READY$/);
 * ```
 */
export function traceTo(
  target: Listenable<ClientEvent | ServerEvent>,
  write: (line: string) => unknown,
  topics: readonly TraceTopic[] = TOPICS,
): Disposable {
  const listeners = target === null ? undefined : listenersOf(target);
  if (listeners === undefined) {
    throw new TypeError(
      `Cannot trace: the target must be a Channel or a Server, received ${
        describe(target)
      }`,
    );
  }
  if (typeof write !== "function") {
    throw new TypeError(
      `Cannot trace: write must be a function, received ${describe(write)}`,
    );
  }
  checkTopics(topics);
  const lines = new Lines(write);
  const connectivity = listeners.connectivity.observe(
    connectivityTrace(lines, topics),
  );
  const calls = topics.includes("call")
    ? listeners.observe(callTrace(lines))
    : null;
  return {
    [Symbol.dispose]() {
      connectivity[Symbol.dispose]();
      calls?.[Symbol.dispose]();
      // Calls that have begun are traced no further either.
      lines.end();
    },
  };
}

function checkTopics(topics: readonly TraceTopic[]): void {
  if (!Array.isArray(topics)) {
    throw new TypeError(
      `Cannot trace: topics must be an array, received ${describe(topics)}`,
    );
  }
  for (const topic of topics) {
    if (TOPICS.includes(topic)) continue;
    throw new TypeError(
      `Cannot trace: a topic must be one of ${TOPICS.join(", ")}, received ${
        show(topic)
      }`,
    );
  }
}

/**
 * The lines that are to be written. They are a little later than what they tell
 * of: `write` may do as it likes, such as close the channel, and that must not
 * come in the midst of a change of its state.
 */
class Lines {
  readonly #write: (line: string) => unknown;
  readonly #waiting: string[] = [];
  #isOver = false;

  constructor(write: (line: string) => unknown) {
    this.#write = write;
  }

  add(text: string): void {
    if (this.#isOver) return;
    // In no context: lines belong to no call.
    if (this.#waiting.length === 0) {
      noContext(() => queueMicrotask(() => this.#flush()));
    }
    this.#waiting.push(
      `${new Date().toISOString()} ${onOneLine(text)}`,
    );
  }

  /** Writes what waits, and takes no more. */
  end(): void {
    this.#isOver = true;
    this.#flush();
  }

  #flush(): void {
    let line: string | undefined;
    while ((line = this.#waiting.shift()) !== undefined) {
      try {
        const result = this.#write(line);
        if (isPromiseLike(result)) result.then(undefined, () => {});
      } catch {
        // A trace must not change what it traces.
      }
    }
  }
}

function because(reason: string | null): string {
  return reason === null || reason === "" ? "" : `: ${reason}`;
}

function connectivityTrace(
  lines: Lines,
  topics: readonly TraceTopic[],
): ConnectivityObserver {
  const hasStates = topics.includes("state");
  const hasResolutions = topics.includes("resolution");
  const hasConnections = topics.includes("connection");
  return {
    state(kind, name, { state, reason }) {
      if (!hasStates) return;
      lines.add(`${kind} ${name}: ${state}${because(reason)}`);
    },
    resolution(target, endpoints, reason) {
      if (!hasResolutions) return;
      const what = endpoints === null
        ? `failed${because(reason)}`
        : `found ${endpoints} endpoint${endpoints === 1 ? "" : "s"}`;
      lines.add(`resolution of ${target} ${what}`);
    },
    connection(connection, step, reason) {
      if (!hasConnections) return;
      lines.add(`${connection} ${step}${because(reason)}`);
    },
  };
}

function callTrace(lines: Lines): CallObserver {
  let count = 0;
  return {
    isTimed: true,
    start: (call) => new TracedCall(lines, ++count, call),
  };
}

/** One call. Its number tells it apart from others. */
class TracedCall implements CallTrace {
  readonly #lines: Lines;
  readonly #name: string;
  #attempts = 0;

  constructor(lines: Lines, number: number, { info }: CallStart) {
    this.#lines = lines;
    this.#name = `#${number} ${info.methodName}`;
    const { deadline, peer } = info;
    const from = peer === null ? "" : ` for ${peer}`;
    const until = deadline === null
      ? ""
      : `, ${Math.round(deadline.timeRemainingMs())} ms to its deadline`;
    this.#add(`started${from}${until}`);
  }

  attempt(metadata: Metadata | null, peer: Peer | null): Metadata | null {
    this.#attempts++;
    const to = peer === null ? "" : ` to ${peer}`;
    this.#add(`sent${to}, attempt ${this.#attempts}`);
    return metadata;
  }

  attemptFailed(status: Status): void {
    this.#add(`failed with ${statusName(status)}, and goes on`);
  }

  handling(): void {
    this.#add("handler started");
  }

  end(summary: CallSummary): void {
    const { status, message, durationMs } = summary;
    const { sentMessages, receivedMessages } = summary;
    const why = because(status === Status.OK ? null : message);
    this.#add(
      `ended with ${statusName(status)} after ${durationMs.toFixed(3)} ms, ` +
        `${sentMessages} sent, ${receivedMessages} received${why}`,
    );
  }

  #add(text: string): void {
    this.#lines.add(`call ${this.#name} ${text}`);
  }
}
