/**
 * A calls B, whose handler calls C: what ends the first call, or bounds it, and
 * what becomes of the second.
 */

import { fileURLToPath } from "node:url";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertLessOrEqual,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  type CallOptions,
  Channel,
  type ChannelOptions,
  createStub,
  GRPCError,
  listen,
  type Metadata,
  type ParentCall,
  RecvRequest,
  Status,
  statusName,
  type Stub,
} from "../../mod.ts";
import { currentCall, detach } from "../../propagation/mod.ts";
import { ChannelFor, VirtualClock } from "../../testing/mod.ts";
import { deadlinesOn } from "../../_call/cancellation.ts";
import { named, python, talkTo } from "../../_testdata/tools.ts";
import {
  type EchoHandlers,
  echoWith,
  startEcho,
} from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { soon, whenAborted } from "../../_testdata/waiting.ts";

type EchoStub = Stub<typeof Echo>;

/** What a call has come to. */
async function outcome(call: PromiseLike<unknown>): Promise<string> {
  try {
    await call;
    return "OK";
  } catch (error) {
    if (!(error instanceof GRPCError)) throw error;
    return statusName(error.status);
  }
}

/** Reads all replies. */
async function readAll(replies: AsyncIterable<unknown>): Promise<void> {
  for await (const _reply of replies);
}

/** The kinds of calls, each with one request. */
const KINDS: Readonly<
  Record<string, (stub: EchoStub, options: CallOptions) => Promise<unknown>>
> = {
  unary: (stub, options) => stub.unary({}, options),
  clientStream: (stub, options) => stub.clientStream([{}], options),
  serverStream: (stub, options) => readAll(stub.serverStream({}, options)),
  bidi: (stub, options) => readAll(stub.bidi([{}], options)),
};

/** What C was called with, and how the call was for it. */
interface Seen {
  readonly metadata: Metadata;
  /** How many milliseconds it had. */
  readonly timeLeftMs: number | undefined;
  readonly aborted: Promise<GRPCError>;
}

/** How B calls C. */
type Relay = (stub: EchoStub, parent: ParentCall) => Promise<unknown>;

/** B and C in this process, with one clock; B's handlers make calls. */
class Chain implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly seen: Seen[] = [];
  /** The calls of B's handlers. */
  readonly children: Promise<unknown>[] = [];
  readonly a: EchoStub;
  readonly b: ChannelFor;
  readonly #toC: ChannelFor;

  constructor(
    relay: Relay,
    propagation: ChannelOptions["propagation"] = true,
    isServerPropagating = true,
  ) {
    const { clock } = this;
    const wait: EchoHandlers["unary"] = async (stream) => {
      const { metadata, deadline, signal } = stream;
      const aborted = whenAborted(signal) as Promise<GRPCError>;
      const timeLeftMs = deadline?.timeRemainingMs();
      this.seen.push({ metadata, timeLeftMs, aborted });
      await aborted;
    };
    this.#toC = new ChannelFor([
      echoWith({
        unary: wait,
        clientStream: wait as EchoHandlers["clientStream"] & object,
        serverStream: wait as EchoHandlers["serverStream"] & object,
        bidi: wait as EchoHandlers["bidi"] & object,
      }),
    ], { clock, channel: { propagation: propagation ?? false } });
    const c = createStub(Echo, this.#toC);
    const handle = async (stream: ParentCall) => {
      const child = relay(c, stream);
      this.children.push(child);
      child.catch(() => {});
      await child;
    };
    this.b = new ChannelFor([
      echoWith({
        unary: handle,
        clientStream: handle,
        serverStream: handle,
        bidi: handle,
      }),
    ], { clock, server: { propagation: isServerPropagating } });
    this.a = createStub(Echo, this.b);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Handlers of B wait for their calls.
    await this.#toC.close();
    await this.b.close();
  }
}

const WAYS: Readonly<
  Record<string, [relayed: (p: ParentCall) => CallOptions]>
> = {
  "by the context": [() => ({})],
  "by `parent`": [(parent) => ({ parent })],
  "by the context, and by hand": [
    ({ signal, deadline }) => ({ signal, deadline }),
  ],
};

for (const [way, [relayed]] of Object.entries(WAYS)) {
  const isAutomatic = !way.includes("`parent`");
  for (const [kind, call] of Object.entries(KINDS)) {
    Deno.test(`A ${kind} call ends with DEADLINE_EXCEEDED when the deadline of its parent, known ${way}, has come`, async () => {
      await using chain = new Chain(
        (stub, parent) => call(stub, relayed(parent)),
        isAutomatic,
        isAutomatic,
      );
      const first = outcome(chain.a.unary({}, { timeoutMs: 5_000 }));
      await chain.clock.advance(4_999);
      assertEquals(chain.seen.length, 1);
      assertEquals(chain.seen[0]!.timeLeftMs, 5_000);
      await chain.clock.advance(1);
      assertEquals(await soon(first), "DEADLINE_EXCEEDED");
      const error = await assertRejects(() => chain.children[0]!, GRPCError);
      assertEquals(error.status, Status.DEADLINE_EXCEEDED);
      const { status } = await soon(chain.seen[0]!.aborted);
      assertEquals(status, Status.DEADLINE_EXCEEDED);
    });

    Deno.test(`A ${kind} call ends with CANCELLED, and so does C, when the client of its parent, known ${way}, cancels`, async () => {
      await using chain = new Chain(
        (stub, parent) => call(stub, relayed(parent)),
        isAutomatic,
        isAutomatic,
      );
      const controller = new AbortController();
      const { signal } = controller;
      const first = outcome(chain.a.unary({}, { signal, timeoutMs: 5_000 }));
      await chain.clock.advance(1_000);
      controller.abort();
      await chain.clock.advance(0);
      assertEquals(await soon(first), "CANCELLED");
      const error = await assertRejects(() => chain.children[0]!, GRPCError);
      assertEquals(error.status, Status.CANCELLED);
      assertInstanceOf(error.cause, GRPCError);
      const { status } = await soon(chain.seen[0]!.aborted);
      assertEquals(status, Status.CANCELLED);
    });

    Deno.test(`A ${kind} call of a parent, known ${way}, keeps an earlier deadline of its own`, async () => {
      await using chain = new Chain(
        (stub, parent) => call(stub, { ...relayed(parent), timeoutMs: 300 }),
        isAutomatic,
        isAutomatic,
      );
      const first = outcome(chain.a.unary({}, { timeoutMs: 5_000 }));
      await chain.clock.advance(299);
      assertEquals(chain.seen[0]!.timeLeftMs, 300);
      await chain.clock.advance(1);
      // B says on what its own call has come to.
      assertEquals(await soon(first), "DEADLINE_EXCEEDED");
      const { status } = await soon(chain.seen[0]!.aborted);
      assertEquals(status, Status.DEADLINE_EXCEEDED);
    });
  }
}

for (const [kind, call] of Object.entries(KINDS)) {
  Deno.test(`The calls of the handler of a ${kind} call end with it`, async () => {
    await using chain = new Chain((stub) => stub.unary({}));
    const controller = new AbortController();
    const first = outcome(call(chain.a, { signal: controller.signal }));
    await chain.clock.advance(0);
    controller.abort();
    await chain.clock.advance(0);
    assertEquals(await soon(first), "CANCELLED");
    assertEquals(await soon(outcome(chain.children[0]!)), "CANCELLED");
    assertEquals(
      (await soon(chain.seen[0]!.aborted)).status,
      Status.CANCELLED,
    );
  });
}

Deno.test("A call whose parent has ended is not sent", async () => {
  const aborted = Promise.withResolvers<void>();
  await using chain = new Chain(async (stub, parent) => {
    await whenAborted(parent.signal);
    const call = outcome(stub.unary({}));
    aborted.resolve();
    return assertEquals(await call, "DEADLINE_EXCEEDED");
  });
  const first = outcome(chain.a.unary({}, { timeoutMs: 100 }));
  await chain.clock.advance(100);
  assertEquals(await soon(first), "DEADLINE_EXCEEDED");
  await soon(aborted.promise);
  await chain.children[0];
  assertEquals(chain.seen, []);
});

Deno.test("Calls do not end with the answer of their parent, but have its deadline", async () => {
  let child: Promise<string> | undefined;
  await using chain = new Chain((stub) => {
    child = outcome(stub.unary({}));
    return Promise.resolve();
  });
  // The handler sends nothing: what it has begun goes on all the same.
  const first = outcome(
    readAll(chain.a.serverStream({}, { timeoutMs: 1_000 })),
  );
  await chain.clock.advance(0);
  assertEquals(await soon(first), "OK");
  await chain.clock.advance(999);
  assertEquals(chain.seen[0]!.timeLeftMs, 1_000);
  await chain.clock.advance(1);
  assertEquals(await soon(child!), "DEADLINE_EXCEEDED");
});

/** Ways to be on one's own. */
const ALONE: Readonly<Record<string, Relay>> = {
  "`parent: null`": (stub) => stub.unary({}, { parent: null }),
  "detach()": (stub) => detach(() => stub.unary({})),
  "detach(), awaiting something": (stub) =>
    detach(async () => {
      await Promise.resolve();
      return await stub.unary({});
    }),
};

for (const [way, relay] of Object.entries(ALONE)) {
  Deno.test(`A call with ${way} takes nothing over, and goes on`, async () => {
    const options = { metadata: ["x-request-id"] };
    await using chain = new Chain(relay, options);
    const first = outcome(
      chain.a.unary({}, {
        timeoutMs: 100,
        metadata: { "x-request-id": "7" },
      }),
    );
    await chain.clock.advance(100);
    assertEquals(await soon(first), "DEADLINE_EXCEEDED");
    await chain.clock.advance(3_600_000);
    const [{ timeLeftMs, metadata }] = chain.seen as [Seen];
    assertEquals(timeLeftMs, undefined);
    assertEquals(metadata.get("x-request-id"), undefined);
    let isOver = false;
    void outcome(chain.children[0]!).then(() => isOver = true);
    await chain.clock.advance(0);
    assertEquals(isOver, false);
  });
}

for (const side of ["channel", "server"] as const) {
  Deno.test(`Nothing goes along by itself without propagation of the ${side}`, async () => {
    await using chain = new Chain(
      (stub) => stub.unary({}),
      side === "server",
      side === "channel",
    );
    const first = outcome(chain.a.unary({}, { timeoutMs: 100 }));
    await chain.clock.advance(100);
    assertEquals(await soon(first), "DEADLINE_EXCEEDED");
    await chain.clock.advance(0);
    assertEquals(chain.seen[0]!.timeLeftMs, undefined);
  });
}

Deno.test("A call takes over what the channel names, and no other metadata", async () => {
  const propagation = { metadata: ["x-request-id", "x-tenant", "x-tag-bin"] };
  await using chain = new Chain(
    (stub) => stub.unary({}, { metadata: { "x-tenant": "own" } }),
    propagation,
  );
  const bytes = new Uint8Array([1, 2]);
  const first = outcome(
    chain.a.unary({}, {
      timeoutMs: 100,
      metadata: {
        "x-request-id": ["7", "8"],
        "x-tenant": "parent's",
        "x-tag-bin": bytes,
        authorization: "Bearer secret",
      },
    }),
  );
  await chain.clock.advance(100);
  await soon(first);
  const { metadata } = chain.seen[0]!;
  assertEquals(metadata.getAll("x-request-id"), ["7", "8"]);
  assertEquals(metadata.getAll("x-tenant"), ["own"]);
  assertEquals(metadata.getAll("x-tag-bin"), [bytes]);
  assertEquals(metadata.get("authorization"), undefined);
});

Deno.test("A channel may leave out the deadline or the cancellation", async () => {
  await using alone = new Chain((stub) => stub.unary({}), {
    deadline: false,
    cancellation: false,
  });
  const first = outcome(alone.a.unary({}, { timeoutMs: 100 }));
  await alone.clock.advance(100);
  assertEquals(await soon(first), "DEADLINE_EXCEEDED");
  await alone.clock.advance(1_000);
  assertEquals(alone.seen[0]!.timeLeftMs, undefined);

  await using bounded = new Chain((stub) => stub.unary({}), {
    cancellation: false,
  });
  const controller = new AbortController();
  const { signal } = controller;
  const second = outcome(bounded.a.unary({}, { timeoutMs: 100, signal }));
  await bounded.clock.advance(10);
  controller.abort();
  assertEquals(await soon(second), "CANCELLED");
  await bounded.clock.advance(89);
  let result: string | undefined;
  void outcome(bounded.children[0]!).then((status) => result = status);
  await bounded.clock.advance(0);
  assertEquals(result, undefined);
  await bounded.clock.advance(1);
  assertEquals(result, "DEADLINE_EXCEEDED");
});

Deno.test("currentCall() gives each of many calls its own, also behind what they await, and null outside", async () => {
  const calls = new Map<string, string>();
  await using channel = new ChannelFor([
    echoWith({
      async unary(stream) {
        const request = (await stream.recvMessage())!;
        await new Promise((resolve) => setTimeout(resolve, 0));
        assertStrictEquals(currentCall(), stream);
        calls.set(request.text, currentCall()!.metadata.get("name")!);
        await stream.sendMessage({});
      },
    }),
  ], { server: { propagation: true } });
  const stub = createStub(Echo, channel);
  const names = Array.from({ length: 20 }, (_, i) => `${i}`);
  await Promise.all(
    names.map((text) => stub.unary({ text }, { metadata: { name: text } })),
  );
  assertEquals([...calls].filter(([text, name]) => text !== name), []);
  assertEquals(calls.size, 20);
  assertEquals(currentCall(), null);
});

Deno.test("currentCall() is there for a generator, and for what listeners put in the place of a handler", async () => {
  const seen: unknown[] = [];
  await using channel = new ChannelFor([
    echoWith({
      async serverStream(stream) {
        for (let index = 0; index < 2; index++) {
          seen.push(currentCall() === stream);
          await stream.sendMessage({ index });
        }
      },
    }),
  ], { server: { propagation: true } });
  using _listener = listen(channel.server, RecvRequest, (event) => {
    const { methodFunc } = event;
    event.methodFunc = (stream) => {
      seen.push(currentCall() === stream);
      return methodFunc(stream);
    };
  });
  await readAll(createStub(Echo, channel).serverStream({}));
  assertEquals(seen, [true, true, true]);
});

Deno.test("Calls that have ended leave no deadline behind, whatever their parent's is", async () => {
  await using chain = new Chain(async (stub) => {
    for (let i = 0; i < 50; i++) {
      await outcome(stub.unary({}, { timeoutMs: 1 }));
    }
  });
  const options = { timeoutMs: 60_000 };
  const first = outcome(readAll(chain.a.serverStream({}, options)));
  await chain.clock.advance(100);
  assertEquals(await soon(first), "OK");
  assertEquals(chain.seen.length, 50);
  assertEquals(deadlinesOn(chain.clock).size, 0);
});

Deno.test("A call refuses a parent that is none", () => {
  const channel = new Channel("127.0.0.1", 1);
  const stub = createStub(Echo, channel);
  for (const parent of [5, {}, "call", channel]) {
    assertThrows(
      () => stub.serverStream({}, { parent: parent as never }),
      TypeError,
      "Cannot call: parent must be a call that a handler serves, received",
    );
  }
});

for (
  const [propagation, message] of [
    [1, "propagation must be true, false or an object, received number"],
    [{ deadlin: true }, 'there is no option "propagation.deadlin"'],
    [{ deadline: 1 }, "propagation.deadline must be true or false"],
    [{ metadata: "a" }, "propagation.metadata must be an array"],
    [{ metadata: ["grpc-timeout"] }, 'key "grpc-timeout" is reserved'],
    [{ metadata: ["te"] }, 'key "te" is reserved'],
    [{ metadata: [":path"] }, 'key ":path" must be'],
  ] as const
) {
  Deno.test(`Channel() refuses the propagation ${JSON.stringify(propagation)}`, () => {
    const options = { propagation: propagation as never };
    assertThrows(
      () => new Channel("127.0.0.1", 1, options),
      TypeError,
      message,
    );
  });
}

const grpcio = python();

Deno.test({
  name: named("Deadlines and cancellations reach C through a B of grpcio", {
    grpcio,
  }),
  ignore: grpcio === null,
  async fn() {
    const seen: { status: Promise<GRPCError>; timeLeftMs: number }[] = [];
    const arrived = [
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
    ];
    await using c = await startEcho({
      handlers: {
        async unary(stream) {
          const status = whenAborted(stream.signal) as Promise<GRPCError>;
          const timeLeftMs = stream.deadline?.timeRemainingMs() ?? Infinity;
          seen.push({ status, timeLeftMs });
          arrived[seen.length - 1]!.resolve();
          await status;
        },
      },
    });
    const script = fileURLToPath(
      import.meta.resolve("../../_testdata/grpcio_relay.py"),
    );
    await using b = talkTo(grpcio!, script, `${c.port}`);
    const port = Number(await soon(b.line(), "the port of grpcio"));
    // The call of A is itself one that a handler makes.
    await using toB = new Channel("127.0.0.1", port, { propagation: true });
    const relay = createStub(Echo, toB);
    await using a = new ChannelFor([
      echoWith({
        async unary(stream) {
          await stream.sendMessage(await relay.unary({}));
        },
      }),
    ], { server: { propagation: true } });
    const stub = createStub(Echo, a);

    const controller = new AbortController();
    const { signal } = controller;
    const first = outcome(stub.unary({}, { signal, timeoutMs: 60_000 }));
    await soon(arrived[0]!.promise, "the call to reach C");
    assertLessOrEqual(seen[0]!.timeLeftMs, 61_000);
    controller.abort();
    assertEquals(await soon(first), "CANCELLED");
    assertEquals((await soon(seen[0]!.status)).status, Status.CANCELLED);

    const second = outcome(stub.unary({}, { timeoutMs: 3_000 }));
    await soon(arrived[1]!.promise, "the call to reach C");
    // grpcio rounds up.
    assertLessOrEqual(seen[1]!.timeLeftMs, 3_100);
    assertEquals(await soon(second), "DEADLINE_EXCEEDED");
    // grpcio may reset the stream a moment before C's own clock rings.
    const { status } = await soon(seen[1]!.status);
    assert(
      status === Status.DEADLINE_EXCEEDED || status === Status.CANCELLED,
      statusName(status),
    );
  },
});
