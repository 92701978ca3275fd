/**
 * The end of calls, as those see it who observe them: once for every call that
 * began, whatever has ended it.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { create } from "@bufbuild/protobuf";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import type {
  CallObserver,
  CallSummary,
  CallTrace,
} from "../../core/_call_trace.ts";
import { observe } from "../../core/_listeners.ts";
import {
  CallEnd,
  type CallOptions,
  Cardinality,
  Channel,
  type ClientEvent,
  createStub,
  type Event,
  GRPCError,
  listen,
  type Listenable,
  Metadata,
  RecvRequest,
  SendRequest,
  type ServerEvent,
  Status,
  statusName,
  unaryUnary,
} from "../../mod.ts";
import { ErrorInfoSchema } from "../../error_details.ts";
import {
  type EchoHandlers,
  type EchoOptions,
  type EchoPair,
  echoWith,
  PATHS,
  startEcho,
} from "../../_testdata/echo_service.ts";
import {
  Echo,
  EchoReplySchema,
  EchoRequestSchema,
} from "../../_testdata/gen/echo_pb.ts";
import { RawConnection, requestFields } from "../../_testdata/raw_h2.ts";
import { Waiters } from "../../_testdata/waiters.ts";
import { soon, turns, until } from "../../_testdata/waiting.ts";
import { ChannelFor, Faults, VirtualClock } from "../../testing/mod.ts";

type Kind = keyof typeof PATHS;

const KINDS = Object.keys(PATHS) as Kind[];

/** Counts the calls of one side, as an observer and as a listener. */
class Count {
  started = 0;
  readonly ended: string[] = [];
  readonly events: CallEnd[] = [];

  constructor(target: Listenable<ClientEvent | ServerEvent>) {
    observe(target, {
      start: ({ info }) => {
        this.started++;
        return {
          end: ({ status }: CallSummary) =>
            this.ended.push(`${info.methodName} ${statusName(status)}`),
        };
      },
    });
    listen(target, CallEnd, (event) => void this.events.push(event));
  }

  get names(): string[] {
    return this.events.map((it) => `${it.methodName} ${statusName(it.status)}`);
  }

  /** Fails unless as many calls began and ended, all with a status. */
  assert(names: string[]): void {
    assertEquals(this.started, names.length);
    assertEquals(this.ended, names);
    assertEquals(this.names, names);
  }
}

/** Makes a call of a kind, and waits for its end, whatever that is. */
async function call(
  { stub }: Pick<EchoPair, "stub">,
  kind: Kind,
  options: CallOptions & { readonly status?: Status } = {},
): Promise<void> {
  const { status = 0, ...callOptions } = options;
  const request = { text: "a", count: 2, status };
  try {
    switch (kind) {
      case "unary":
        return void await soon(stub.unary(request, callOptions));
      case "serverStream":
        return void await soon(
          Array.fromAsync(stub.serverStream(request, callOptions)),
        );
      case "clientStream":
        return void await soon(stub.clientStream([request], callOptions));
      case "bidi":
        return void await soon(
          Array.fromAsync(stub.bidi([request], callOptions)),
        );
    }
  } catch (error) {
    if (!(error instanceof GRPCError)) throw error;
  }
}

/** A way for a call to end. */
interface Cause {
  /** How the client sees it end. */
  readonly client: Status;
  /**
   * How the server sees it end, which may depend on the engine of HTTP/2; none,
   * if it sees nothing of it.
   */
  readonly server: readonly Status[];
  readonly options?: (waiters: Waiters) => EchoOptions;
  /** Makes one call, and has it end. */
  readonly play: (echo: EchoPair, kind: Kind, own: Waiters) => Promise<unknown>;
}

const waiting = (waiters: Waiters): EchoOptions => ({
  handlers: waiters.handlers,
});

const CAUSES: Readonly<Record<string, Cause>> = {
  "it goes well": {
    client: Status.OK,
    server: [Status.OK],
    play: (echo, kind) => call(echo, kind),
  },
  "the handler answers with a status": {
    client: Status.NOT_FOUND,
    server: [Status.NOT_FOUND],
    play: (echo, kind) => call(echo, kind, { status: Status.NOT_FOUND }),
  },
  "the handler throws": {
    client: Status.UNKNOWN,
    server: [Status.UNKNOWN],
    options: () => ({
      handlers: Object.fromEntries(KINDS.map((kind) => [kind, () => {
        throw new Error("a bug");
      }])) as unknown as EchoHandlers,
      server: { onError: () => {} },
    }),
    play: (echo, kind) => call(echo, kind),
  },
  "the handler resets the stream": {
    client: Status.CANCELLED,
    server: [Status.CANCELLED],
    options: () => ({
      handlers: Object.fromEntries(
        KINDS.map((kind) => [kind, (stream: { cancel(): void }) => {
          stream.cancel();
        }]),
      ) as unknown as EchoHandlers,
    }),
    play: (echo, kind) => call(echo, kind),
  },
  "the caller aborts": {
    client: Status.CANCELLED,
    server: [Status.CANCELLED],
    options: waiting,
    async play(echo, kind, own) {
      const controller = new AbortController();
      const end = call(echo, kind, { signal: controller.signal });
      await own.started;
      controller.abort();
      await end;
      await own.aborted;
    },
  },
  "the caller has aborted before": {
    client: Status.CANCELLED,
    server: [],
    play: (echo, kind) => call(echo, kind, { signal: AbortSignal.abort() }),
  },
  "its deadline comes": {
    client: Status.DEADLINE_EXCEEDED,
    server: [Status.DEADLINE_EXCEEDED],
    options: (waiters) => waiters.options,
    async play(echo, kind, own) {
      const end = call(echo, kind, { timeoutMs: 30 });
      await own.pass(30);
      await own.aborted;
      await end;
    },
  },
  "its deadline is past": {
    client: Status.DEADLINE_EXCEEDED,
    server: [],
    play: (echo, kind) => call(echo, kind, { timeoutMs: 0 }),
  },
  "the channel is closed": {
    client: Status.CANCELLED,
    server: [Status.CANCELLED, Status.UNAVAILABLE],
    options: waiting,
    async play(echo, kind, own) {
      const end = call(echo, kind);
      await own.started;
      await echo.channel.close();
      await end;
      await own.aborted;
    },
  },
  "the server is closed": {
    client: Status.UNAVAILABLE,
    server: [Status.UNAVAILABLE],
    options: waiting,
    async play(echo, kind, own) {
      const end = call(echo, kind);
      await own.started;
      echo.server.close();
      await end;
      await own.aborted;
    },
  },
  "a listener of the channel refuses it": {
    client: Status.PERMISSION_DENIED,
    server: [],
    play(echo, kind) {
      listen(echo.channel, SendRequest, () => {
        throw new GRPCError(Status.PERMISSION_DENIED, "no");
      });
      return call(echo, kind);
    },
  },
  "a listener of the server refuses it": {
    client: Status.UNAUTHENTICATED,
    server: [Status.UNAUTHENTICATED],
    play(echo, kind) {
      listen(echo.server, RecvRequest, () => {
        throw new GRPCError(Status.UNAUTHENTICATED, "no");
      });
      return call(echo, kind);
    },
  },
  "its request is larger than the server takes": {
    client: Status.RESOURCE_EXHAUSTED,
    server: [Status.RESOURCE_EXHAUSTED],
    options: () => ({ server: { config: { maxReceiveMessageSize: 1 } } }),
    play: (echo, kind) => call(echo, kind),
  },
  "its reply is larger than the client takes": {
    client: Status.RESOURCE_EXHAUSTED,
    // It is through before it hears of that.
    server: [Status.OK],
    options: () => ({ channel: { config: { maxReceiveMessageSize: 1 } } }),
    play: (echo, kind) => call(echo, kind),
  },
};

for (
  const [cause, { client, server, options, play }] of Object.entries(CAUSES)
) {
  for (const kind of KINDS) {
    Deno.test(`CallEnd comes once on either side of a call of ${kind} when ${cause}`, async () => {
      const own = new Waiters();
      const echo = await startEcho(options?.(own));
      const atClient = new Count(echo.channel);
      const atServer = new Count(echo.server);
      await play(echo, kind, own);
      // What is left of the server's side is over then.
      await echo[Symbol.asyncDispose]();
      const name = (status: Status) => `${PATHS[kind]} ${statusName(status)}`;
      atClient.assert([name(client)]);
      const seen = server.map(name);
      atServer.assert(seen.length < 2 ? seen : atServer.names.slice(0, 1));
      assert(atServer.names.every((it) => seen.includes(it)));
    });
  }
}

for (const kind of KINDS) {
  Deno.test(`CallEnd comes once for a call of ${kind} that no server takes`, async () => {
    const gone = await startEcho();
    await gone[Symbol.asyncDispose]();
    await using channel = new Channel("127.0.0.1", gone.port);
    const count = new Count(channel);
    await call({ stub: createStub(Echo, channel) }, kind);
    // Now there is a time to wait before the next attempt.
    await call({ stub: createStub(Echo, channel) }, kind);
    const name = `${PATHS[kind]} UNAVAILABLE`;
    count.assert([name, name]);
    const [first] = count.events;
    assertEquals(first!.attempts, 0);
    assertEquals(first!.sentMessages, 0);
    assertEquals(first!.peer, null);
  });
}

Deno.test("CallEnd comes once for a call whose connection is lost", async () => {
  for (const kind of KINDS) {
    const own = new Waiters();
    const faults = new Faults();
    const channel = new ChannelFor([echoWith(own.handlers)], { faults });
    const atClient = new Count(channel);
    const atServer = new Count(channel.server);
    const end = call({ stub: createStub(Echo, channel) }, kind);
    await own.started;
    faults.cut();
    await end;
    await own.aborted;
    await channel.close();
    atClient.assert([`${PATHS[kind]} UNAVAILABLE`]);
    assertEquals(atServer.started, 1);
    assertEquals(atServer.ended.length, 1);
    assertEquals(atServer.events.length, 1);
  }
});

Deno.test("CallEnd comes once for a call that its caller leaves", async () => {
  const own = new Waiters();
  const echo = await startEcho({ handlers: own.handlers });
  const atClient = new Count(echo.channel);
  const atServer = new Count(echo.server);
  for await (const _ of echo.stub.serverStream({})) break;
  await own.aborted;
  await using stream = echo.stub.bidi.open();
  await stream.sendMessage({});
  stream.cancel();
  await assertRejects(
    () => echo.stub.clientStream([{}, "no message" as never]),
    TypeError,
  );
  await echo[Symbol.asyncDispose]();
  atClient.assert([
    `${PATHS.serverStream} CANCELLED`,
    `${PATHS.bidi} CANCELLED`,
    `${PATHS.clientStream} CANCELLED`,
  ]);
  assertEquals(atServer.started, atServer.ended.length);
  assertEquals(atServer.started, atServer.events.length);
});

Deno.test("CallEnd does not come for a call that never began", async () => {
  await using echo = await startEcho();
  const count = new Count(echo.channel);
  echo.stub.serverStream({});
  await using stream = echo.stub.bidi.open();
  await stream[Symbol.asyncDispose]();
  await assertRejects(() => echo.stub.unary({}, { timeout: 1 } as never));
  await assertRejects(() => echo.stub.unary("no message" as never), TypeError);
  count.assert([]);
});

Deno.test("CallEnd comes once for requests that a server refuses for their head", async () => {
  await using echo = await startEcho();
  const count = new Count(echo.server);
  const heads = [
    { ":path": "/no.Such/Method" },
    { "content-type": "text/plain" },
    { "grpc-timeout": "soon" },
    { "grpc-encoding": "morse" },
    { ":method": "GET" },
  ];
  for (const fields of heads) {
    using raw = await RawConnection.open(echo.port);
    await raw.headers(1, requestFields(PATHS.unary, fields), { end: true });
    await raw.reply(1);
  }
  count.assert([
    "/no.Such/Method UNIMPLEMENTED",
    ...[`${PATHS.unary} UNKNOWN`, `${PATHS.unary} UNKNOWN`],
    ...[`${PATHS.unary} UNIMPLEMENTED`, `${PATHS.unary} UNKNOWN`],
  ]);
  assertEquals(count.events[0]!.call.method, null);
  assertEquals(count.events[1]!.call.method?.path, PATHS.unary);
  assertEquals(
    count.events[0]!.statusMessage,
    "Method not found: /no.Such/Method",
  );
});

Deno.test("CallEnd comes once for a call that an overloaded server refuses", async () => {
  const own = new Waiters();
  const echo = await startEcho({
    handlers: own.handlers,
    server: { config: { maxRunningCalls: 1, maxQueuedCalls: 0 } },
  });
  const count = new Count(echo.server);
  const first = call(echo, "unary");
  await own.started;
  await call(echo, "unary");
  await echo[Symbol.asyncDispose]();
  await first;
  count.assert([
    `${PATHS.unary} RESOURCE_EXHAUSTED`,
    `${PATHS.unary} UNAVAILABLE`,
  ]);
});

Deno.test("CallEnd tells messages, bytes, attempts, peer and time on either side", async () => {
  const clock = new VirtualClock();
  await using echo = await startEcho({
    server: { clock },
    channel: { clock },
    handlers: {
      async bidi(stream) {
        for await (const { text } of stream) {
          await clock.advance(5);
          await stream.sendMessage({ text });
          await stream.sendMessage({ text });
        }
      },
    },
  });
  const atClient = new Count(echo.channel);
  const atServer = new Count(echo.server);
  const sent = [{ text: "a" }, { text: "bc" }];
  const replies = await Array.fromAsync(echo.stub.bidi(sent));
  assertEquals(replies.length, 4);
  const [client] = atClient.events;
  const [server] = atServer.events;
  // A text of n characters takes n + 2 bytes.
  assertEquals(client!.sentMessages, 2);
  assertEquals(client!.sentBytes, 3 + 4);
  assertEquals(client!.receivedMessages, 4);
  assertEquals(client!.receivedBytes, 2 * (3 + 4));
  assertEquals(server!.receivedMessages, 2);
  assertEquals(server!.receivedBytes, 3 + 4);
  assertEquals(server!.sentMessages, 4);
  assertEquals(server!.sentBytes, 2 * (3 + 4));
  assertEquals([client!.attempts, server!.attempts], [1, 1]);
  assertEquals([client!.durationMs, server!.durationMs], [10, 10]);
  assertEquals(`${client!.peer}`, `127.0.0.1:${echo.port}`);
  assertStrictEquals(server!.peer, server!.call.peer);
});

Deno.test("CallEnd tells the message and the details of a status on either side", async () => {
  const detail = create(ErrorInfoSchema, { reason: "SHELF_EMPTY" });
  await using echo = await startEcho({
    handlers: {
      unary() {
        throw new GRPCError(Status.NOT_FOUND, "No such book", {
          details: [detail],
        });
      },
    },
  });
  const ends: CallEnd[] = [];
  listen(echo.channel, CallEnd, (event) => void ends.push(event));
  listen(echo.server, CallEnd, (event) => void ends.push(event));
  await call(echo, "unary");
  assertEquals(ends.length, 2);
  for (const { statusMessage, statusDetails } of ends) {
    assertEquals(statusMessage, "No such book");
    assertEquals(statusDetails, [detail]);
  }
});

Deno.test("CallEnd tells what the source of the requests threw", async () => {
  await using echo = await startEcho();
  const count = new Count(echo.channel);
  const error = new Error("the disk is full");
  async function* requests() {
    yield {};
    await null;
    throw error;
  }
  const thrown = await assertRejects(() => echo.stub.clientStream(requests()));
  assertStrictEquals(thrown, error);
  count.assert([`${PATHS.clientStream} CANCELLED`]);
  assertEquals(count.events[0]!.statusMessage, "the disk is full");
});

Deno.test("CallInfo.method tells what the .proto file says, whoever made the stub", async () => {
  await using echo = await startEcho();
  const descriptors: unknown[] = [];
  const note = ({ call }: Event): void => {
    const { cardinality, descriptor } = call.method!;
    assertEquals(cardinality, Cardinality.UNARY_UNARY);
    descriptors.push(descriptor);
  };
  listen(echo.channel, CallEnd, note);
  listen(echo.server, CallEnd, note);
  listen(echo.channel, SendRequest, note);
  await echo.stub.unary({});
  const byHand = unaryUnary(
    echo.channel,
    PATHS.unary,
    EchoRequestSchema,
    EchoReplySchema,
  );
  await byHand({});
  assertEquals(descriptors, Array(6).fill(Echo.method.unary));
});

// Those who observe

Deno.test("CallEnd has listeners run in the context of the call, and of its handler", async () => {
  const whose = new AsyncLocalStorage<string>();
  await using echo = await startEcho();
  const seen: (string | undefined)[] = [];
  listen(echo.server, RecvRequest, (event) => {
    const handle = event.methodFunc;
    event.methodFunc = (stream) => whose.run("handler", () => handle(stream));
  });
  listen(echo.channel, CallEnd, () => void seen.push(whose.getStore()));
  listen(echo.server, CallEnd, () => void seen.push(whose.getStore()));
  for (const kind of KINDS) {
    await whose.run("caller", () => call(echo, kind));
  }
  assertEquals(seen, KINDS.flatMap(() => ["handler", "caller"]));
});

Deno.test("CallEnd has listeners of a server run in nobody's context for a call without a handler", async () => {
  const whose = new AsyncLocalStorage<string>();
  await using channel = new ChannelFor([]);
  const seen: unknown[] = [];
  listen(channel.server, CallEnd, () => void seen.push(whose.getStore()));
  // In memory the call comes in the context of its caller.
  await whose.run(
    "caller",
    () => call({ stub: createStub(Echo, channel) }, "unary"),
  );
  assertEquals(seen, [undefined]);
});

Deno.test("CallEnd listeners that fail harm no call: a server's go to onError", async () => {
  for (const late of [false, true]) {
    await using echo = await startEcho();
    const boom = new Error("boom");
    listen(echo.server, CallEnd, () => {
      if (late) return Promise.reject(boom);
      throw boom;
    });
    await echo.stub.unary({});
    const [failure] = echo.takeFailures();
    assertStrictEquals(failure!.error, boom);
    assertEquals(failure!.info.methodName, PATHS.unary);
  }
});

Deno.test("CallEnd listeners of a channel that fail harm no call: that is an unhandled rejection", async () => {
  await using echo = await startEcho();
  const unhandled: unknown[] = [];
  const onUnhandled = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", onUnhandled);
  try {
    for (const late of [false, true]) {
      using _ = listen(echo.channel, CallEnd, () => {
        const error = new Error(`late: ${late}`);
        if (late) return Promise.reject(error);
        throw error;
      });
      await echo.stub.unary({});
      await until(() => unhandled.length === 1, "the rejection");
      assertEquals((unhandled.pop() as Error).message, `late: ${late}`);
    }
  } finally {
    globalThis.removeEventListener("unhandledrejection", onUnhandled);
  }
});

Deno.test("observe() has observers change the metadata of each attempt, and run what belongs to the call", async () => {
  const whose = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        seen.push(whose.getStore(), stream.metadata.get("trace")!);
        await stream.sendMessage({});
      },
    },
  });
  const trace = (name: string): CallTrace => ({
    run: (fn) => whose.run(name, fn),
    attempt(metadata) {
      const own = new Metadata(metadata ?? undefined);
      own.set("trace", name);
      return own;
    },
    end: () => void seen.push("end"),
  });
  using _client = observe(echo.channel, { start: () => trace("client") });
  using _none = observe(echo.channel, { start: () => null });
  using _bad = observe(echo.server, {
    start() {
      throw new Error("an observer's");
    },
  });
  using _server = observe(echo.server, { start: () => trace("server") });
  await echo.stub.unary({});
  assertEquals(seen, ["server", "client", "end", "end"]);
  const [failure] = echo.takeFailures();
  assertEquals((failure!.error as Error).message, "an observer's");
  // Observers that are gone see no call more.
  _client[Symbol.dispose]();
  _bad[Symbol.dispose]();
  _server[Symbol.dispose]();
  seen.splice(0);
  await echo.stub.unary({}).catch(() => {});
  assertEquals(seen.includes("end"), false);
});

Deno.test("observe() has calls timed only where an observer wants to know how long they take", async () => {
  await using echo = await startEcho({});
  for (const target of [echo.channel, echo.server]) {
    const times: number[] = [];
    const observer = (isTimed: boolean): CallObserver => ({
      isTimed,
      start: (call) => ({
        end: ({ durationMs }) => void times.push(durationMs, call.elapsedMs),
      }),
    });
    using _untimed = observe(target, observer(false));
    await echo.stub.unary({});
    await until(() => times.length === 2, "the first end");
    assertEquals(times.splice(0), [NaN, NaN]);
    using _timed = observe(target, observer(true));
    await echo.stub.unary({});
    await until(() => times.length === 4, "the second end, told twice");
    assert(times.every((ms) => ms >= 0), `${times}`);
  }
});

Deno.test("observe() takes off what it has put there, once, however often that is said", async () => {
  await using echo = await startEcho();
  const ends: string[] = [];
  const observer = (name: string) => ({
    start: () => ({ end: () => ends.push(name) }),
  });
  const twice = observer("twice");
  const first = observe(echo.channel, twice);
  observe(echo.channel, twice);
  observe(echo.channel, observer("once"));
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await echo.stub.unary({});
  assertEquals(ends, ["twice", "once"]);
});

for (
  const [name, sides] of Object.entries({
    start: ["client", "server"],
    run: ["client", "server"],
    attempt: ["client"],
    handling: ["server"],
    sent: ["client", "server"],
    received: ["client", "server"],
    end: ["client", "server"],
  })
) {
  Deno.test(`observe() has an observer whose ${name}() throws harm no call, nor other observers`, async () => {
    await using echo = await startEcho();
    const unhandled: string[] = [];
    const onUnhandled = (event: PromiseRejectionEvent): void => {
      event.preventDefault();
      unhandled.push((event.reason as Error).message);
    };
    globalThis.addEventListener("unhandledrejection", onUnhandled);
    try {
      const fail = () => {
        throw new Error(name);
      };
      let ends = 0;
      for (const target of [echo.channel, echo.server]) {
        observe(target, {
          start: name === "start" ? fail : () => ({ end() {}, [name]: fail }),
        });
        observe(target, { start: () => ({ end: () => ends++ }) });
      }
      await soon(echo.stub.unary({}));
      await until(() => ends === 2, "the call is over on either side");
      // What an observer of a channel throws is nobody's to catch.
      await turns(2);
    } finally {
      globalThis.removeEventListener("unhandledrejection", onUnhandled);
    }
    assertEquals(unhandled, sides.includes("client") ? [name] : []);
    assertEquals(
      echo.takeFailures().map(({ error }) => (error as Error).message),
      sides.includes("server") ? [name] : [],
    );
  });
}
