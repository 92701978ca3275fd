/**
 * Makes many calls of every shape, has them end in every way, and counts: each
 * that began has to end, once, for all who observe it, on both sides, and nothing
 * may be left of it. A line tells of each way to observe calls:
 *
 *     deno run --allow-net=127.0.0.1 --v8-flags=--expose-gc \
 *       _testdata/ends_program.ts [calls] [node or native]
 *
 * @module
 */

// deno-lint-ignore-file no-console

import { AsyncLocalStorage } from "node:async_hooks";
import { observe } from "../core/_listeners.ts";
import { CLIENT_EVENTS, SERVER_EVENTS } from "../core/events.ts";
import {
  CallEnd,
  type CallOptions,
  Channel,
  type ClientEvent,
  createStub,
  type EventClass,
  GRPCError,
  type HTTP2Engine,
  listen,
  mapping,
  Server,
  type ServerStream,
  Status,
  statusName,
  type Stub,
  unaryUnary,
  use,
} from "../mod.ts";
import { instrument, type TracerProviderLike } from "../otel/mod.ts";
import { ChannelFor, Faults } from "../testing/mod.ts";
import { echo, type EchoHandlers, echoWith, PATHS } from "./echo_service.ts";
import { Echo, EchoReplySchema, EchoRequestSchema } from "./gen/echo_pb.ts";
import { turns, until } from "./waiting.ts";

/** What the program tells of one way to observe calls. */
export interface EndsReport {
  readonly way: string;
  /** How often a call began, and how often one ended, by who counts. */
  readonly counts: Readonly<Record<string, readonly [number, number]>>;
  /** How the calls ended for their callers, by status. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** How many callers' contexts are kept, of those that were looked at. */
  readonly kept: number;
  readonly lookedAt: number;
  /** What is wrong; nothing, if all is well. */
  readonly problems: readonly string[];
}

const AT_ONCE = 32;
const NEVER_MS = 60_000;

// The calls

type EchoStub = Stub<typeof Echo>;

/** What a call sends, and what becomes of it. */
interface Plan {
  readonly request: Record<string, unknown>;
  readonly options: CallOptions;
  /** Whether the caller leaves before the end. */
  readonly leaves?: boolean;
  /** Whether the source of the requests throws. */
  readonly breaks?: boolean;
}

async function* source({ request, breaks }: Plan) {
  yield request;
  await null;
  if (breaks) throw new Error("The source is broken");
  yield request;
}

async function readAll(
  replies: AsyncIterable<unknown>,
  { leaves }: Plan,
): Promise<void> {
  for await (const _ of replies) if (leaves) return;
}

type Shape = (stub: EchoStub, plan: Plan) => Promise<unknown>;

const SHAPES: readonly Shape[] = [
  (stub, { request, options }) => stub.unary(request, options),
  (stub, plan) => readAll(stub.serverStream(plan.request, plan.options), plan),
  (stub, plan) => stub.clientStream(source(plan), plan.options),
  (stub, plan) => readAll(stub.bidi(source(plan), plan.options), plan),
  async (stub, { request, options, leaves }) => {
    await using stream = stub.unary.open(options);
    await stream.sendMessage(request);
    if (leaves) return;
    await stream.recvMessage();
  },
  async (stub, { request, options, leaves }) => {
    await using stream = stub.bidi.open(options);
    await stream.sendMessage(request);
    if (leaves) stream.cancel();
    else await stream.end();
    while (await stream.recvMessage() !== null);
  },
];

/** What a handler is told to do, in the metadata of the call. */
const how = (what: string): Partial<Plan> => ({
  options: { metadata: { how: what } },
});

/** The ways to end that a call plans by itself. */
const ENDS: readonly ((index: number) => Partial<Plan>)[] = [
  () => ({}),
  () => ({ request: { status: Status.NOT_FOUND } }),
  () => how("throw"),
  () => how("refuse"),
  () => how("early"),
  () => how("reset"),
  // More than the server takes, and more than the client does.
  () => ({ request: { payload: new Uint8Array(9_000) } }),
  () => ({ request: { payload: new Uint8Array(4_000) } }),
  (index) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), index % 4);
    return {
      request: { delayMs: NEVER_MS },
      options: { signal: controller.signal },
    };
  },
  () => ({ options: { signal: AbortSignal.abort() } }),
  (index) => ({
    request: { delayMs: NEVER_MS },
    options: { timeoutMs: 1 + index % 5 },
  }),
  () => ({ options: { timeoutMs: 0 } }),
  () => ({ leaves: true }),
  () => ({ breaks: true }),
];

function planOf(index: number): Plan {
  const end = ENDS[Math.floor(index / SHAPES.length) % ENDS.length]!(index);
  return {
    ...end,
    request: { count: 2, ...end.request },
    options: { ...end.options },
  };
}

// deno-lint-ignore no-explicit-any
type AnyStream = ServerStream<any, any>;

/** The service, whose handlers do what they are told. */
const HANDLERS = Object.fromEntries(
  Object.entries(PATHS).map(([name, path]) => [
    name,
    async (stream: AnyStream) => {
      switch (stream.metadata.get("how")) {
        case "throw":
          throw new Error("A bug");
        case "refuse":
          throw new GRPCError(Status.PERMISSION_DENIED, "No");
        case "reset":
          return stream.cancel();
        case "early":
          // Without a look at the requests.
          return await stream.sendMessage({});
        default:
          return await echo[mapping]()[path]!.handle(stream);
      }
    },
  ]),
) as EchoHandlers;

// Who observes

/** Counts what began and what ended. */
class Count {
  started = 0;
  ended = 0;
}

/** A side of the calls, and who counts there. */
interface Side {
  readonly target: Channel | Server;
  readonly counts: Record<string, Count>;
}

/** Puts an observer to a side, and gives what it counts. */
type Way = (target: Channel | Server, problems: Set<string>) => Count;

const WAYS: Readonly<Record<string, Way>> = {
  observers(target, problems) {
    const count = new Count();
    observe(target, {
      start() {
        count.started++;
        let isOver = false;
        const step = (what: string) => {
          if (isOver) {
            problems.add(`an observer is told of ${what} after the end`);
          }
        };
        return {
          run: (fn) => fn(),
          attempt(metadata) {
            step("an attempt");
            return metadata;
          },
          attemptFailed: () => step("a failed attempt"),
          handling: () => step("the handler"),
          sent: () => step("a message sent"),
          received: () => step("a message received"),
          end() {
            step("the end");
            isOver = true;
            count.ended++;
          },
        };
      },
    });
    return count;
  },

  events(target) {
    const count = new Count();
    const events = target instanceof Channel ? CLIENT_EVENTS : SERVER_EVENTS;
    for (const [i, type] of [...events].entries()) {
      const listener = i % 2 === 0 ? () => {} : () => Promise.resolve();
      listen(target as Channel, type as EventClass<ClientEvent>, listener);
    }
    observe(target, {
      start() {
        count.started++;
        return null;
      },
    });
    listen(target as Channel, CallEnd, () => void count.ended++);
    return count;
  },

  middleware(target) {
    const count = new Count();
    use(target as Channel, async (_, next) => {
      count.started++;
      try {
        await next();
      } finally {
        count.ended++;
      }
    });
    return count;
  },

  spans(target, problems) {
    const count = new Count();
    const tracerProvider: TracerProviderLike = {
      getTracer: () => ({
        startSpan() {
          count.started++;
          let isOver = false;
          return {
            spanContext: () => ({ traceId: "", spanId: "", traceFlags: 1 }),
            setAttribute() {},
            addEvent() {},
            setStatus() {},
            end() {
              if (isOver) problems.add("a span ends twice");
              isOver = true;
              count.ended++;
            },
          };
        },
      }),
    };
    instrument(target, { tracerProvider });
    return count;
  },
};

// The rounds

/** Channels and servers that calls of one way are made with. */
class World implements AsyncDisposable {
  readonly faults = new Faults();
  readonly channels: readonly Channel[];
  readonly servers: readonly Server[];
  readonly sides: readonly Side[];
  readonly #stubs: readonly EchoStub[];
  readonly #problems: Set<string>;

  constructor(
    server: Server,
    http2: HTTP2Engine,
    ways: readonly string[],
    problems: Set<string>,
  ) {
    this.#problems = problems;
    const options = { http2, config: { maxReceiveMessageSize: 2_048 } };
    const memory = new ChannelFor([echoWith(HANDLERS)], {
      faults: this.faults,
      channel: options,
      server: serverOptions(http2),
      onError: () => {},
    });
    this.channels = [
      new Channel("127.0.0.1", server.port!, options),
      memory,
      // Nobody is there.
      new Channel("127.0.0.1", 1, options),
    ];
    this.servers = [server, memory.server];
    this.#stubs = this.channels.map((channel) => createStub(Echo, channel));
    this.sides = [...this.channels, ...this.servers].map((target) => ({
      target,
      counts: Object.fromEntries(
        ways.map((way) => [way, WAYS[way]!(target, problems)]),
      ),
    }));
  }

  /** Makes one call, and gives its status. */
  async play(index: number): Promise<string> {
    const place = index % 50 === 0 ? 2 : index % 3 === 0 ? 1 : 0;
    if (place === 1) this.#disturb(index);
    try {
      if (index % 71 === 0) {
        const path = "/no.Such/Method";
        const channel = this.channels[place]!;
        await unaryUnary(channel, path, EchoRequestSchema, EchoReplySchema)({});
      } else {
        const shape = SHAPES[index % SHAPES.length]!;
        await shape(this.#stubs[place]!, planOf(index));
      }
      return "OK";
    } catch (error) {
      if (error instanceof GRPCError) return statusName(error.status);
      const { message } = error as Error;
      if (message !== "The source is broken") {
        this.#problems.add(`a call threw ${error}`);
      }
      return message;
    }
  }

  /** What becomes of the connection in memory, now and then. */
  #disturb(index: number): void {
    if (index % 401 === 0) this.faults.cut();
    else if (index % 211 === 0) this.faults.goaway();
    else if (index % 101 === 0) this.faults.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const channel of this.channels) await channel.close();
    for (const server of this.servers) {
      server.close();
      await server.waitClosed();
    }
  }
}

function serverOptions(http2: HTTP2Engine) {
  return { http2, config: { maxReceiveMessageSize: 8_192 } };
}

const storage = new AsyncLocalStorage<object>();

/** Makes calls, many at a time; gives the contexts of some, weakly. */
async function makeCalls(
  world: World,
  calls: number,
  outcomes: Record<string, number>,
): Promise<WeakRef<object>[]> {
  const contexts: WeakRef<object>[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < calls) {
      const index = next++;
      const play = async (): Promise<void> => {
        const status = await world.play(index);
        outcomes[status] = (outcomes[status] ?? 0) + 1;
      };
      // The first have the connections made.
      if (index >= AT_ONCE && index % 10 !== 0) {
        await play();
        continue;
      }
      const context = { index };
      contexts.push(new WeakRef(context));
      await storage.run(context, play);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return contexts;
}

const { gc } = globalThis as unknown as { gc(): void };

async function countKept(
  contexts: readonly WeakRef<object>[],
): Promise<number> {
  const kept = () => contexts.filter((it) => it.deref() !== undefined).length;
  for (let i = 0; i < 20; i++) {
    await turns(5);
    gc();
    if (kept() === 0) break;
  }
  return kept();
}

/** Makes the calls of one way to observe them, or of all ways together. */
async function tell(
  way: string,
  ways: readonly string[],
  calls: number,
  http2: HTTP2Engine,
): Promise<EndsReport> {
  const problems = new Set<string>();
  const server = new Server([echoWith(HANDLERS)], {
    ...serverOptions(http2),
    onError: () => {},
  });
  await server.start("127.0.0.1");
  const world = new World(server, http2, ways, problems);
  const outcomes: Record<string, number> = {};
  const contexts = await makeCalls(world, calls, outcomes);
  // While the connections are there still, and what belongs to them.
  const idle = () =>
    world.servers.every((it) => it.inspect().runningCalls.length === 0);
  await until(idle, "the handlers are through");
  const kept = await countKept(contexts);
  if (kept > 0) problems.add(`${kept} contexts of callers are kept`);
  await world[Symbol.asyncDispose]();
  const counts: Record<string, [number, number]> = {};
  for (const { target, counts: own } of world.sides) {
    const side = target instanceof Channel ? "client" : "server";
    const { started, succeeded, failed } = target.inspect().calls;
    const all = Object.entries(own).map(([name, { started, ended }]) =>
      [name, started, ended] as const
    );
    for (
      const [name, begun, over] of [
        ...all,
        ["inspect()", started, succeeded + failed] as const,
      ]
    ) {
      const sum = counts[`${name} of the ${side}`] ??= [0, 0];
      sum[0] += begun;
      sum[1] += over;
      if (begun !== over) {
        problems.add(`${name}: ${begun} began on a ${side}, ${over} ended`);
      }
      // Middleware sees what is called, not what begins.
      if (name !== "middleware" && begun !== started) {
        problems.add(`${name}: ${begun} of ${started} are seen on a ${side}`);
      }
    }
  }
  const lookedAt = contexts.length;
  return { way, counts, outcomes, kept, lookedAt, problems: [...problems] };
}

if (import.meta.main) {
  const [calls = "100000", engine = "node"] = Deno.args;
  const rounds = Object.keys(WAYS).map((way) => [way, [way]] as const);
  const all = ["all", Object.keys(WAYS)] as const;
  const each = Math.ceil(Number(calls) / (rounds.length + 1));
  let isWell = true;
  for (const [way, ways] of [...rounds, all]) {
    const report = await tell(way, ways, each, engine as HTTP2Engine);
    console.log(JSON.stringify(report));
    isWell &&= report.problems.length === 0;
  }
  Deno.exit(isWell ? 0 : 1);
}
