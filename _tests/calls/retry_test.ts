// Retries and hedging, from the channel to the handler and back.

import { AsyncLocalStorage } from "node:async_hooks";
import { assert, assertEquals } from "@std/assert";
import {
  type CallOptions,
  type ChannelOptions,
  type ClientEvent,
  createService,
  createStub,
  type EventClass,
  GRPCError,
  listen,
  RecvMessage,
  RecvTrailingMetadata,
  RetryCall,
  SendMessage,
  SendRequest,
  type ServerOptions,
  type ServerStream,
  Status,
} from "../../mod.ts";
import {
  assertRejectsStatus,
  ChannelFor,
  Faults,
  VirtualClock,
} from "../../testing/mod.ts";
import { Echo, type EchoRequest } from "../../_testdata/gen/echo_pb.ts";
import { soon, turns, until } from "../../_testdata/waiting.ts";

/** Fails an attempt, or lets it be. */
type Play = (attempt: number, stream: ServerStream<never, never>) => unknown;

/** Fails the first attempts. */
const failing =
  (count: number, status: Status = Status.UNAVAILABLE): Play => (attempt) => {
    if (attempt <= count) throw new GRPCError(status, `Attempt ${attempt}`);
  };

const unavailable = (retryAfterMs?: number | null) =>
  new GRPCError(Status.UNAVAILABLE, "Not now", { retryAfterMs });

/** Fails when the call is over. */
function aborted({ signal }: ServerStream<never, never>): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
}

/** A service whose attempts are counted and played, and a channel to it. */
function start(
  play: Play,
  options: Omit<ChannelOptions, "clock" | "connect" | "path" | "tls"> = {},
  server: Omit<ServerOptions, "clock"> = {},
) {
  const clock = new VirtualClock();
  const faults = new Faults();
  const previous: number[] = [];
  const requests: string[] = [];
  const count = async (stream: unknown) => {
    const call = stream as ServerStream<never, never>;
    previous.push(call.previousAttempts);
    await play(previous.length, call);
  };
  const text = ({ text }: EchoRequest) => {
    requests.push(text);
    return { text };
  };
  const service = createService(Echo, {
    async unary(request, call) {
      await count(call);
      return text(request);
    },
    async *serverStream(request, call) {
      await count(call);
      yield text(request);
      yield text(request);
    },
    async clientStream(stream, call) {
      const texts: string[] = [];
      for await (const request of stream) texts.push(text(request).text);
      await count(call);
      return { text: texts.join("+") };
    },
    async *bidi(stream, call) {
      const [first] = await Array.fromAsync(stream);
      await count(call);
      yield text(first!);
    },
  });
  const channel = new ChannelFor([service], {
    clock,
    faults,
    channel: { retry: true, ...options },
    server,
  });
  return {
    channel,
    clock,
    faults,
    previous,
    requests,
    stub: createStub(Echo, channel),
    /** Lets time pass until a promise is settled. */
    async ended<T>(promise: Promise<T>): Promise<T> {
      let isSettled = false;
      const settle = () => void (isSettled = true);
      promise.then(settle, settle);
      for (let i = 0; i < 100 && !isSettled; i++) await clock.advance(100);
      return await soon(promise, "the call to end");
    },
    async [Symbol.asyncDispose]() {
      await channel.close();
      assertEquals(clock.timers, 0);
    },
  };
}

for (const kind of ["unary", "serverStream", "clientStream", "bidi"] as const) {
  Deno.test(`Channel with retry makes a ${kind} call up to four times`, async () => {
    await using test = start(failing(3));
    const { stub } = test;
    const text = await test.ended((async () => {
      switch (kind) {
        case "unary":
          return (await stub.unary({ text: "a" })).text;
        case "clientStream":
          return (await stub.clientStream([{ text: "a" }, { text: "b" }])).text;
        default: {
          const replies = kind === "bidi"
            ? stub.bidi([{ text: "a" }, { text: "b" }])
            : stub.serverStream({ text: "a" });
          const texts: string[] = [];
          for await (const reply of replies) texts.push(reply.text);
          return texts.join();
        }
      }
    })());
    const expected = {
      unary: "a",
      serverStream: "a,a",
      clientStream: "a+b",
      bidi: "a",
    };
    assertEquals(text, expected[kind]);
    assertEquals(test.previous, [0, 1, 2, 3]);
  });
}

Deno.test("Channel with retry fails after four attempts", async () => {
  await using test = start(failing(9));
  const error = await test.ended(
    assertRejectsStatus(test.stub.unary({}), Status.UNAVAILABLE),
  );
  assertEquals([error.message, error.attempts], ["Attempt 4", 4]);
  assertEquals(test.previous.length, 4);
});

for (
  const [options, call] of [
    [{ retry: false }, {}],
    [{}, { retry: false }],
    [{ methods: { "grpclib.test.Echo/Unary": { retry: false } } }, {}],
    [{ methods: { "grpclib.test.Echo": { retry: false } } }, {}],
    [{ retry: { retryableStatusCodes: ["ABORTED"] } }, {}],
  ] as readonly (readonly [Omit<ChannelOptions, "tls">, CallOptions])[]
) {
  Deno.test(`Channel makes a call once with ${JSON.stringify([options, call])}`, async () => {
    await using test = start(failing(1), options);
    const error = await test.ended(
      assertRejectsStatus(test.stub.unary({}, call), Status.UNAVAILABLE),
    );
    assertEquals([error.attempts, test.previous.length], [1, 1]);
  });
}

Deno.test("Channel makes no further attempt when the handler has sent its initial metadata", async () => {
  await using test = start(async (_, stream) => {
    await stream.sendInitialMetadata();
    throw unavailable();
  });
  await test.ended(
    assertRejectsStatus(test.stub.unary({}), Status.UNAVAILABLE),
  );
  assertEquals(test.previous.length, 1);
});

Deno.test("Channel waits as long as the server says by retryAfterMs", async () => {
  await using test = start((attempt) => {
    if (attempt === 1) throw unavailable(30_000);
  });
  const reply = test.stub.unary({ text: "a" });
  await test.clock.advance(29_999);
  assertEquals(test.previous.length, 1);
  await test.clock.advance(1);
  assertEquals(test.previous.length, 2);
  assertEquals((await reply).text, "a");
});

Deno.test("Channel makes no further attempt when the server says so", async () => {
  await using test = start(() => {
    throw unavailable(null);
  });
  const error = await test.ended(
    assertRejectsStatus(test.stub.unary({}), Status.UNAVAILABLE),
  );
  assertEquals([error.retryAfterMs, error.attempts], [null, 1]);
});

Deno.test("Channel with retry makes another attempt when a connection is lost", async () => {
  await using test = start((attempt, stream) => {
    if (attempt > 1) return;
    test.faults.cut();
    return aborted(stream);
  });
  const reply = await test.ended(test.stub.unary({ text: "a" }));
  assertEquals(reply.text, "a");
  assertEquals(test.previous, [0, 1]);
});

Deno.test("Channel with retry makes other attempts while there is no connection", async () => {
  await using test = start(() => {}, {
    config: { initialReconnectBackoffMs: 50, maxReconnectBackoffMs: 50 },
  });
  test.faults.refuse();
  const events: number[] = [];
  using _ = listen(test.channel, RetryCall, ({ attempt }) => {
    events.push(attempt);
    if (attempt === 3) test.faults.heal();
  });
  const reply = await test.ended(test.stub.unary({ text: "a" }));
  assertEquals(reply.text, "a");
  assertEquals(events, [2, 3]);
  assertEquals(test.previous, [2]);
});

Deno.test("Channel ends a call that is cancelled between two attempts", async () => {
  await using test = start(failing(9));
  const controller = new AbortController();
  const reply = assertRejectsStatus(
    test.stub.unary({}, { signal: controller.signal }),
    Status.CANCELLED,
  );
  await test.clock.advance(0);
  assertEquals(test.previous.length, 1);
  controller.abort();
  const error = await reply;
  assertEquals(error.message, "Call was cancelled by the caller");
  await test.clock.advance(10_000);
  assertEquals(test.previous.length, 1);
});

// TestRetryTransparentWhenCommitted of grpc-go.
Deno.test("Channel ends a call that is cancelled while it waits for room, with more sent than is kept", async () => {
  const gate = Promise.withResolvers<void>();
  await using test = start(() => gate.promise, {
    config: { perCallRetryBufferSize: 10 },
  }, { config: { maxConcurrentStreams: 1 } });
  const first = test.stub.unary({ text: "first" });
  await until(() => test.previous.length === 1, "the first call runs");
  const controller = new AbortController();
  const { signal } = controller;
  const messages = Array.from({ length: 4 }, () => ({ text: "x".repeat(20) }));
  const waiting = assertRejectsStatus(
    test.stub.clientStream(messages, { signal }),
    Status.CANCELLED,
  );
  await turns(3);
  controller.abort();
  await waiting;
  gate.resolve();
  assertEquals((await soon(first)).text, "first");
  assertEquals((await soon(test.stub.unary({ text: "last" }))).text, "last");
});

Deno.test("Channel ends a call between two attempts when it is closed", async () => {
  const test = start(failing(9));
  const reply = assertRejectsStatus(test.stub.unary({}), Status.CANCELLED);
  await test.clock.advance(0);
  assertEquals(test.previous.length, 1);
  await test.channel.close();
  await test.clock.advance(1_000);
  assertEquals((await reply).message, "Channel is closed");
  assertEquals(test.clock.timers, 0);
});

Deno.test("Channel has one deadline for all attempts of a call", async () => {
  const deadlines: number[] = [];
  await using test = start((attempt, stream) => {
    deadlines.push(Math.round(stream.deadline!.timeRemainingMs()));
    if (attempt === 1) throw unavailable(400);
    return aborted(stream);
  });
  const late = assertRejectsStatus(
    test.stub.unary({}, { timeoutMs: 1_000 }),
    Status.DEADLINE_EXCEEDED,
  );
  await test.clock.advance(400);
  assertEquals(deadlines, [1_000, 600]);
  await test.clock.advance(600);
  assertEquals((await late).attempts, 2);
  await test.clock.advance(1_000);
});

Deno.test("Channel tells listeners of a call once, and of each further attempt", async () => {
  await using test = start(failing(2));
  const told: string[] = [];
  const storage = new AsyncLocalStorage<string>();
  const listeners = [
    SendRequest,
    SendMessage,
    RetryCall,
    RecvMessage,
    RecvTrailingMetadata,
  ].map((type) =>
    listen(test.channel, type as EventClass<ClientEvent>, (event) => {
      assertEquals(storage.getStore(), "call");
      told.push(event.type);
    })
  );
  const reply = storage.run("call", () => test.stub.unary({ text: "a" }));
  await test.ended(reply);
  assertEquals(told, [
    ...["SendRequest", "SendMessage", "RetryCall", "RetryCall"],
    ...["RecvMessage", "RecvTrailingMetadata"],
  ]);
  for (const listener of listeners) listener[Symbol.dispose]();
});

Deno.test("Channel makes no further attempt of a call that ends while listeners are told of it", async () => {
  await using test = start(failing(9));
  const told = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  using _ = listen(test.channel, RetryCall, () => {
    told.resolve();
    return gate.promise;
  });
  const controller = new AbortController();
  const { signal } = controller;
  const failed = assertRejectsStatus(
    test.stub.unary({}, { signal }),
    Status.CANCELLED,
  );
  await turns(3);
  await test.clock.advance(200);
  await soon(told.promise, "the listener is told");
  controller.abort();
  await failed;
  gate.resolve();
  await turns(3);
  assertEquals(test.previous, [0]);
});

Deno.test("Channel sends the metadata that a listener made with each attempt", async () => {
  const seen: (string | Uint8Array | undefined)[] = [];
  await using test = start((attempt, stream) => {
    seen.push(stream.metadata.get("tag"));
    return failing(1)(attempt, stream);
  });
  let count = 0;
  using _ = listen(test.channel, SendRequest, async (event) => {
    await Promise.resolve();
    event.metadata.set("tag", `${++count}`);
  });
  await test.ended(test.stub.unary({}));
  assertEquals(seen, ["1", "1"]);
});

// Throttling, TestRetryThrottling of grpc-go.
Deno.test("Channel has no retries while half of its calls fail", async () => {
  const good = new Set([0, 3, 6, 10, 11, 12, 13, 14, 16, 18]);
  let served = 0;
  await using test = start(() => {
    if (!good.has(served++)) throw unavailable();
  }, {
    serviceConfig: {
      methodConfig: [{
        name: [{ service: "grpclib.test.Echo" }],
        retryPolicy: {
          maxAttempts: 4,
          initialBackoff: ".01s",
          maxBackoff: ".01s",
          backoffMultiplier: 1.0,
          retryableStatusCodes: ["UNAVAILABLE"],
        },
      }],
      retryThrottling: { maxTokens: 10, tokenRatio: 0.5 },
    },
  });
  const ends: string[] = [];
  for (let i = 0; i < 12; i++) {
    const reply = test.stub.unary({});
    const isGood = await test.ended(reply.then(() => true, () => false));
    ends.push(`${served - 1}${isGood ? "" : " failed"}`);
  }
  assertEquals(ends, [
    ...["0", "3", "6", "8 failed", "9 failed"],
    ...["10", "11", "12", "13", "14", "16", "17 failed"],
  ]);
});

Deno.test("Channel makes no further attempt of a call that has sent too much", async () => {
  await using test = start(failing(1), {
    config: { perCallRetryBufferSize: 200 },
  });
  const text = "a".repeat(500);
  await test.ended(
    assertRejectsStatus(test.stub.unary({ text }), Status.UNAVAILABLE),
  );
  assertEquals(test.previous.length, 1);
});

// Hedging

const hedging = {
  maxAttempts: 3,
  delayMs: 50,
  nonFatalStatusCodes: ["UNAVAILABLE" as const],
};

Deno.test("Channel with hedging takes the first reply, and cancels the others", async () => {
  const left: number[] = [];
  await using test = start((attempt, stream) => {
    if (attempt === 2) return;
    stream.signal.addEventListener("abort", () => left.push(attempt));
    return aborted(stream);
  });
  const reply = test.stub.unary({ text: "a" }, { hedging });
  await test.clock.advance(50);
  assertEquals((await reply).text, "a");
  await test.clock.advance(0);
  assertEquals(test.previous, [0, 1]);
  assertEquals(left, [1]);
});

Deno.test("Channel with hedging goes on at once after a failure", async () => {
  await using test = start(failing(2));
  const reply = test.stub.unary({ text: "a" }, { hedging });
  await test.clock.advance(0);
  assertEquals((await reply).text, "a");
  assertEquals(test.previous, [0, 1, 2]);
});

Deno.test("Channel with hedging ends all attempts with a fatal status", async () => {
  await using test = start((attempt, stream) =>
    attempt === 1
      ? aborted(stream)
      : failing(9, Status.INVALID_ARGUMENT)(attempt, stream)
  );
  const error = await test.ended(
    assertRejectsStatus(
      test.stub.unary({}, { hedging }),
      Status.INVALID_ARGUMENT,
    ),
  );
  assertEquals([error.attempts, test.previous.length], [2, 2]);
});

Deno.test("Channel with hedging gives the replies of one attempt only", async () => {
  await using test = start(() => {});
  const replies: string[] = [];
  const all = (async () => {
    const stream = test.stub.serverStream({ text: "a" }, {
      hedging: { maxAttempts: 3 },
    });
    for await (const { text } of stream) replies.push(text);
  })();
  await test.ended(all);
  assertEquals(replies, ["a", "a"]);
  assert(test.previous.length <= 3);
});

Deno.test("Channel with hedging has several attempts under one deadline", async () => {
  await using test = start((_, stream) => aborted(stream));
  const late = assertRejectsStatus(
    test.stub.unary({}, { hedging, timeoutMs: 90 }),
    Status.DEADLINE_EXCEEDED,
  );
  await test.clock.advance(90);
  assertEquals((await late).attempts, 2);
  await test.clock.advance(1_000);
  assertEquals(test.previous.length, 2);
});
