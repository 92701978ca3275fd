/** The events of real calls, on both sides. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  CallEnd,
  Channel,
  type ClientEvent,
  type EventClass,
  GRPCError,
  listen,
  Metadata,
  RecvInitialMetadata,
  RecvMessage,
  RecvRequest,
  RecvTrailingMetadata,
  RetryCall,
  SendInitialMetadata,
  SendMessage,
  SendRequest,
  SendTrailingMetadata,
  Server,
  type ServerEvent,
  type ServerStream,
  Status,
} from "../../mod.ts";
import { CLIENT_EVENTS, SERVER_EVENTS } from "../../core/events.ts";
import {
  type EchoOptions,
  type EchoPair,
  PATHS,
  startEcho,
} from "../../_testdata/echo_service.ts";
import type { EchoReply, EchoRequest } from "../../_testdata/gen/echo_pb.ts";

/** What was listened to: `"SendRequest"` and the like. */
class Log {
  readonly client: string[] = [];
  readonly server: string[] = [];
}

/** Lets both sides work on, a little. */
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

/** An echo service with listeners for everything, which take their time or not. */
async function startLogged(slow: boolean, options: EchoOptions = {}) {
  const echo = await startEcho(options);
  const log = new Log();
  for (const type of CLIENT_EVENTS) {
    listen(echo.channel, type as EventClass<ClientEvent>, (event) => {
      log.client.push(event.type);
      // Nobody waits for the last one.
      return slow && event.type !== "CallEnd" ? turn() : undefined;
    });
  }
  for (const type of SERVER_EVENTS) {
    listen(echo.server, type as EventClass<ServerEvent>, (event) => {
      log.server.push(event.type);
      // Nobody waits for the last one.
      return slow && event.type !== "CallEnd" ? turn() : undefined;
    });
  }
  return {
    ...echo,
    log,
    [Symbol.asyncDispose]: () => echo[Symbol.asyncDispose](),
  };
}

async function* inTurn<T>(...values: T[]) {
  for (const value of values) {
    yield value;
    await turn();
  }
}

const SENT_ONE = ["SendRequest", "SendMessage"];
const SENT_TWO = [...SENT_ONE, "SendMessage"];
const GOT = [
  ...["RecvInitialMetadata", "RecvMessage", "RecvTrailingMetadata"],
  "CallEnd",
];
const GOT_TWO = ["RecvInitialMetadata", "RecvMessage", ...GOT.slice(1)];
const GOT_NONE = ["RecvInitialMetadata", "RecvTrailingMetadata", "CallEnd"];
const ASKED_ONE = ["RecvRequest", "RecvMessage"];
const ASKED_TWO = [...ASKED_ONE, "RecvMessage"];
const ANSWERED = [
  ...["SendInitialMetadata", "SendMessage", "SendTrailingMetadata"],
  "CallEnd",
];
const ANSWERED_TWO = [
  "SendInitialMetadata",
  "SendMessage",
  ...ANSWERED.slice(1),
];

for (const slow of [false, true]) {
  const how = slow ? "listeners take their time" : "listeners return at once";

  Deno.test(`listen() hears of a unary call in order when ${how}`, async () => {
    await using echo = await startLogged(slow);
    const reply = await echo.stub.unary({ text: "a" });
    assertEquals(reply.text, "a");
    assertEquals(echo.log.client, [...SENT_ONE, ...GOT]);
    assertEquals(echo.log.server, [...ASKED_ONE, ...ANSWERED]);
  });

  Deno.test(`listen() hears of a call with many replies in order when ${how}`, async () => {
    await using echo = await startLogged(slow);
    const replies = await Array.fromAsync(
      echo.stub.serverStream({ text: "a", count: 2 }),
    );
    assertEquals(replies.map(({ index }) => index), [0, 1]);
    assertEquals(echo.log.client, [...SENT_ONE, ...GOT_TWO]);
    assertEquals(echo.log.server, [...ASKED_ONE, ...ANSWERED_TWO]);
  });

  Deno.test(`listen() hears of a call with many requests in order when ${how}`, async () => {
    await using echo = await startLogged(slow);
    const reply = await echo.stub.clientStream([{ text: "a" }, { text: "b" }]);
    assertEquals(reply.text, "ab");
    assertEquals(echo.log.client, [...SENT_TWO, ...GOT]);
    assertEquals(echo.log.server, [...ASKED_TWO, ...ANSWERED]);
  });

  Deno.test(`listen() hears of a call with many of both in order when ${how}`, async () => {
    await using echo = await startLogged(slow);
    await using stream = echo.stub.bidi.open();
    for (const text of ["a", "b"]) {
      await stream.sendMessage({ text, count: 1 });
      assertEquals((await stream.recvMessage())?.text, text);
    }
    await stream.end();
    assertEquals(await stream.recvMessage(), null);
    assertEquals(echo.log.client, [
      ...["SendRequest", "SendMessage", "RecvInitialMetadata", "RecvMessage"],
      ...["SendMessage", "RecvMessage", "RecvTrailingMetadata", "CallEnd"],
    ]);
    assertEquals(echo.log.server, [
      ...["RecvRequest", "RecvMessage", "SendInitialMetadata", "SendMessage"],
      ...["RecvMessage", "SendMessage", "SendTrailingMetadata", "CallEnd"],
    ]);
  });

  Deno.test(`listen() hears of a reply with trailers alone in order when ${how}`, async () => {
    await using echo = await startLogged(slow);
    const error = await assertRejects(
      () => echo.stub.unary({ status: 5, statusMessage: "No such thing" }),
      GRPCError,
      "No such thing",
    );
    assertEquals(error.status, Status.NOT_FOUND);
    assertEquals(echo.log.client, [...SENT_ONE, ...GOT_NONE]);
    assertEquals(echo.log.server, [
      ...ASKED_ONE,
      ...["SendTrailingMetadata", "CallEnd"],
    ]);
  });

  Deno.test(`listen() hears of an error after replies in order when ${how}`, async () => {
    await using echo = await startLogged(slow);
    await assertRejects(
      () =>
        Array.fromAsync(
          echo.stub.serverStream({ text: "a", count: 2, status: 9 }),
        ),
      GRPCError,
    );
    assertEquals(echo.log.client, [...SENT_ONE, ...GOT_TWO]);
    assertEquals(echo.log.server, [...ASKED_ONE, ...ANSWERED_TWO]);
  });

  Deno.test(`listen() hears of requests from an async source in order when ${how}`, async () => {
    await using echo = await startLogged(slow);
    const replies = await Array.fromAsync(
      echo.stub.bidi(inTurn({ text: "a", count: 1 }, { text: "b", count: 1 })),
    );
    assertEquals(replies.map(({ text }) => text), ["a", "b"]);
    assertEquals(echo.log.client[0], "SendRequest");
    assertEquals(echo.log.client.length, 8);
  });

  Deno.test(`listen() hears of nothing but the requests and the end when the server resets and ${how}`, async () => {
    await using echo = await startLogged(slow, {
      handlers: { unary: (stream) => stream.cancel() },
    });
    const error = await assertRejects(() => echo.stub.unary({}), GRPCError);
    assertEquals(error.status, Status.CANCELLED);
    assertEquals(echo.log.client, [...SENT_ONE, "CallEnd"]);
    assertEquals(echo.log.server, [...ASKED_ONE, "CallEnd"]);
  });

  Deno.test(`sends are in order when nobody waits for them and ${how}`, async () => {
    await using echo = await startLogged(slow, {
      handlers: {
        bidi(stream) {
          // Not awaited: the status comes behind all of it nevertheless.
          for (let index = 0; index < 5; index++) stream.sendMessage({ index });
        },
      },
    });
    await using stream = echo.stub.bidi.open();
    for (const text of ["a", "b", "c"]) stream.sendMessage({ text });
    stream.end();
    const replies = await Array.fromAsync(stream);
    assertEquals(replies.map(({ index }) => index), [0, 1, 2, 3, 4]);
  });
}

// What the events tell

Deno.test("SendRequest has the call's head, and its metadata is what is sent", async () => {
  let seen: Metadata | undefined;
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        seen = stream.metadata;
        await stream.recvMessage();
        await stream.sendMessage({});
      },
    },
  });
  const events: SendRequest[] = [];
  using _ = listen(echo.channel, SendRequest, (event) => {
    events.push(event);
    event.metadata.set("added", "1");
    event.metadata.append("given", "too");
  });
  using _more = listen(echo.channel, SendRequest, (event) => {
    event.metadata = new Metadata([...event.metadata, ["last", "2"]]);
  });
  const metadata = new Metadata({ given: "yes" });
  await echo.stub.unary({}, { metadata, timeoutMs: 60_000 });
  const [event] = events;
  assertEquals(event!.methodName, PATHS.unary);
  assertEquals(event!.contentType, "application/grpc");
  assert(event!.deadline!.timeRemainingMs() > 10_000);
  assertEquals(event!.call.peer?.addr, {
    hostname: "127.0.0.1",
    port: echo.port,
  });
  assertEquals([seen?.get("added"), seen?.get("last")], ["1", "2"]);
  assertEquals(seen?.getAll("given"), ["yes", "too"]);
  // The caller's own stays as it was.
  assertEquals(metadata.getAll("given"), ["yes"]);
});

Deno.test("SendMessage and RecvMessage replace messages on both sides", async () => {
  await using echo = await startEcho();
  using _send = listen(echo.channel, SendMessage, (event) => {
    (event.message as { text: string }).text += "b";
  });
  using _recv = listen(echo.server, RecvMessage, (event) => {
    const { text } = event.message as EchoRequest;
    assertEquals(event.compressed, false);
    event.message = { ...event.message as EchoRequest, text: `${text}c` };
  });
  using _reply = listen(echo.server, SendMessage, (event) => {
    event.message = { text: `${(event.message as EchoReply).text}d` };
  });
  using _last = listen(echo.channel, RecvMessage, (event) => {
    (event.message as EchoReply).text += "e";
  });
  assertEquals((await echo.stub.unary({ text: "a" })).text, "abcde");
  const [reply] = await Array.fromAsync(
    echo.stub.bidi([{ text: "a", count: 1 }]),
  );
  assertEquals(reply!.text, "abcde");
});

Deno.test("RecvInitialMetadata and RecvTrailingMetadata have what the caller then sees", async () => {
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        await stream.sendInitialMetadata({ metadata: { first: "1" } });
        stream.trailingMetadata.set("last", "2");
        await stream.sendMessage({});
      },
    },
  });
  using _initial = listen(echo.channel, RecvInitialMetadata, (event) => {
    assertEquals(event.metadata.get("first"), "1");
    event.metadata = new Metadata({ first: "changed" });
  });
  using _trailing = listen(echo.channel, RecvTrailingMetadata, (event) => {
    assertEquals(
      [event.status, event.statusMessage, event.statusDetails],
      [Status.OK, "", []],
    );
    event.metadata.set("last", "changed");
  });
  await using stream = echo.stub.unary.open();
  await stream.sendMessage({});
  await stream.recvMessage();
  assertEquals(stream.initialMetadata?.get("first"), "changed");
  assertEquals(stream.trailingMetadata?.get("last"), "changed");
});

Deno.test("RecvTrailingMetadata comes before the error, whose metadata it may change", async () => {
  await using echo = await startEcho({
    handlers: {
      unary() {
        throw new GRPCError(Status.ABORTED, "Not now", {
          metadata: { "retry-in": "5" },
        });
      },
    },
  });
  const heard: unknown[] = [];
  using _initial = listen(echo.channel, RecvInitialMetadata, (event) => {
    heard.push(event.metadata.size);
  });
  using _ = listen(echo.channel, RecvTrailingMetadata, (event) => {
    heard.push(event.status, event.statusMessage);
    event.metadata.set("retry-in", "6");
  });
  const error = await assertRejects(() => echo.stub.unary({}), GRPCError);
  assertEquals(heard, [0, Status.ABORTED, "Not now"]);
  assertEquals(error.metadata.get("retry-in"), "6");
});

Deno.test("RecvRequest has the request's head, and gives the handler another metadata", async () => {
  let seen: string | undefined;
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        seen = stream.metadata.get("added");
        await stream.sendMessage({});
      },
    },
  });
  const events: RecvRequest[] = [];
  using _ = listen(echo.server, RecvRequest, (event) => {
    events.push(event);
    event.metadata.set("added", "by a listener");
  });
  await echo.stub.unary({}, { timeoutMs: 60_000, metadata: { a: "b" } });
  const event = events[0]!;
  assertEquals(event.methodName, PATHS.unary);
  assertEquals(event.contentType, "application/grpc");
  assertEquals(event.metadata.get("a"), "b");
  assertMatch(event.userAgent!, /^grpc-deno-grpclib\//);
  assert(event.deadline!.timeRemainingMs() > 10_000);
  assert(event.peer.addr !== null && "hostname" in event.peer.addr);
  assertStrictEquals(event.call.peer, event.peer);
  assertEquals(seen, "by a listener");
});

Deno.test("RecvRequest.methodFunc replaces the handler, and interrupt() the listeners behind", async () => {
  let handled = 0;
  let second = 0;
  await using echo = await startEcho({
    handlers: { unary: () => void handled++ },
  });
  using _ = listen(echo.server, RecvRequest, (event) => {
    event.methodFunc = async (stream: ServerStream<EchoRequest, EchoReply>) => {
      const { text } = await stream.recvMessage();
      await stream.sendMessage({ text: `not ${text}` });
    };
    event.interrupt();
    assertEquals(event.interrupted, true);
  });
  using _second = listen(echo.server, RecvRequest, () => void second++);
  assertEquals((await echo.stub.unary({ text: "this" })).text, "not this");
  assertEquals([handled, second], [0, 0]);
});

Deno.test("RecvRequest.methodFunc can run the handler inside something of its own", async () => {
  const steps: string[] = [];
  await using echo = await startEcho();
  using _ = listen(echo.server, RecvRequest, (event) => {
    const handle = event.methodFunc;
    event.methodFunc = async (stream) => {
      steps.push("before");
      await handle(stream);
      steps.push("after");
    };
  });
  await echo.stub.unary({ text: "a" });
  assertEquals(steps[0], "before");
});

Deno.test("SendInitialMetadata and SendTrailingMetadata change what is sent", async () => {
  await using echo = await startEcho();
  using _initial = listen(echo.server, SendInitialMetadata, (event) => {
    event.metadata.set("served-by", "me");
  });
  using _trailing = listen(echo.server, SendTrailingMetadata, (event) => {
    event.metadata.set("status-was", `${event.status}${event.statusMessage}`);
  });
  await using stream = echo.stub.unary.open();
  await stream.sendMessage({});
  await stream.recvMessage();
  assertEquals(stream.initialMetadata?.get("served-by"), "me");
  assertEquals(stream.trailingMetadata?.get("status-was"), "0");
  const error = await assertRejects(
    () => echo.stub.unary({ status: 5, statusMessage: "no" }),
    GRPCError,
  );
  assertEquals(error.metadata.get("status-was"), "5no");
});

Deno.test("SendTrailingMetadata comes for a status that the library makes", async () => {
  const statuses: Status[] = [];
  await using echo = await startEcho({
    // No reply where one belongs.
    handlers: { unary() {} },
    server: { onError() {} },
  });
  using _ = listen(echo.server, SendTrailingMetadata, ({ status }) => {
    statuses.push(status);
  });
  await assertRejects(() => echo.stub.unary({}));
  assertEquals(statuses, [Status.UNKNOWN]);
});

Deno.test("the metadata of an error that is thrown again stays as it was", async () => {
  const error = new GRPCError(Status.ABORTED, "", { metadata: { a: "1" } });
  await using echo = await startEcho({
    handlers: {
      unary() {
        throw error;
      },
    },
  });
  using _ = listen(echo.server, SendTrailingMetadata, (event) => {
    event.metadata.append("a", "2");
  });
  for (let i = 0; i < 2; i++) {
    const seen = await assertRejects(() => echo.stub.unary({}), GRPCError);
    assertEquals(seen.metadata.getAll("a"), ["1", "2"]);
  }
  assertEquals(error.metadata.getAll("a"), ["1"]);
});

Deno.test("events of one call share what they say of it, and no other call's do", async () => {
  await using echo = await startEcho();
  const calls = new Map<object, number>();
  for (const type of CLIENT_EVENTS) {
    listen(echo.channel, type as EventClass<ClientEvent>, ({ call }) => {
      calls.set(call, (calls.get(call) ?? 0) + 1);
    });
  }
  await Promise.all([echo.stub.unary({}), echo.stub.unary({})]);
  assertEquals([...calls.values()], [6, 6]);
});

// Listeners

Deno.test("listen() calls listeners in the order they were added", async () => {
  await using echo = await startEcho();
  const order: number[] = [];
  listen(echo.channel, SendRequest, async () => {
    await turn();
    order.push(1);
  });
  listen(echo.channel, SendRequest, () => void order.push(2));
  listen(echo.channel, SendRequest, () => {
    order.push(3);
    return turn();
  });
  await echo.stub.unary({});
  assertEquals(order, [1, 2, 3]);
});

Deno.test("listen() ends when its result is disposed of", async () => {
  await using echo = await startEcho();
  let heard = 0;
  const hear = () => void heard++;
  const first = listen(echo.channel, SendRequest, hear);
  const second = listen(echo.channel, SendRequest, hear);
  await echo.stub.unary({});
  assertEquals(heard, 2);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await echo.stub.unary({});
  assertEquals(heard, 3);
  second[Symbol.dispose]();
  await echo.stub.unary({});
  assertEquals(heard, 3);
});

Deno.test("listen() throws when the target has no such event", async () => {
  await using channel = new Channel("127.0.0.1", 1);
  await using server = new Server([]);
  assertThrows(
    // @ts-expect-error Clients receive no requests.
    () => listen(channel, RecvRequest, () => {}),
    TypeError,
    "Cannot listen for RecvRequest: the events of a Channel are SendRequest, SendMessage, RecvInitialMetadata, RecvMessage, RecvTrailingMetadata, RetryCall, CallEnd",
  );
  assertThrows(
    // @ts-expect-error Servers send no requests.
    () => listen(server, SendRequest, () => {}),
    TypeError,
    "Cannot listen for SendRequest: the events of a Server are",
  );
  assertThrows(
    () => listen({ events: CLIENT_EVENTS } as Channel, SendRequest, () => {}),
    TypeError,
    "the target must be a Channel or a Server",
  );
  assertThrows(
    () => listen(channel, SendRequest, "x" as unknown as () => void),
    TypeError,
    "the callback must be a function, received string",
  );
});

// Failing listeners

// That of CallEnd comes too late, see call_end_test.ts, and RetryCall is for calls
// that are tried again, see retry_test.ts.
const CLIENT_CASES = CLIENT_EVENTS
  .filter((type) => type !== CallEnd && type !== RetryCall)
  .map((type) => type as EventClass<ClientEvent>);
const SERVER_CASES = SERVER_EVENTS.filter((type) => type !== CallEnd)
  .map((type) => type as EventClass<ServerEvent>);

/** Makes a call of a kind, with one request and one reply. */
function call({ stub }: EchoPair, kind: "unary" | "bidi"): Promise<unknown> {
  return kind === "unary"
    ? stub.unary({ text: "a" })
    : Array.fromAsync(stub.bidi([{ text: "a", count: 1 }]));
}

for (const late of [false, true]) {
  const when = late ? "after a while" : "at once";

  for (const type of CLIENT_CASES) {
    Deno.test(`a listener of a channel's ${type.name} that throws ${when} ends the call`, async () => {
      for (const kind of ["unary", "bidi"] as const) {
        await using echo = await startEcho();
        const boom = new Error("boom");
        using _ = listen(echo.channel, type, async () => {
          if (late) await turn();
          throw boom;
        });
        const error = await assertRejects(
          () => call(echo, kind),
          GRPCError,
        );
        assertEquals(error.status, Status.UNKNOWN);
        assertEquals(error.message, `A listener of ${type.name} failed`);
        assertStrictEquals(error.cause, boom);
      }
    });
  }

  for (const type of SERVER_CASES) {
    Deno.test(`a listener of a server's ${type.name} that throws ${when} ends the call`, async () => {
      for (const kind of ["unary", "bidi"] as const) {
        const reported: unknown[] = [];
        await using echo = await startEcho({
          server: { onError: (error) => reported.push(error) },
        });
        const boom = new Error("boom");
        using _ = listen(echo.server, type, async () => {
          if (late) await turn();
          throw boom;
        });
        const error = await assertRejects(
          () => call(echo, kind),
          GRPCError,
        );
        assertEquals(
          [error.status, error.message],
          [Status.UNKNOWN, "Internal Server Error"],
        );
        assertEquals(reported, [boom]);
      }
    });

    Deno.test(`a listener of a server's ${type.name} that throws a GRPCError ${when} ends the call with it`, async () => {
      const reported: unknown[] = [];
      await using echo = await startEcho({
        server: { onError: (error) => reported.push(error) },
      });
      using _ = listen(echo.server, type, async () => {
        if (late) await turn();
        throw new GRPCError(Status.PERMISSION_DENIED, "Not you");
      });
      const error = await assertRejects(
        () => echo.stub.unary({ text: "a" }),
        GRPCError,
      );
      assertEquals(
        [error.status, error.message],
        [Status.PERMISSION_DENIED, "Not you"],
      );
      assertEquals(reported, []);
    });
  }
}

Deno.test("a call ends at its deadline when a listener never returns", async () => {
  for (const type of CLIENT_CASES) {
    await using echo = await startEcho();
    using _ = listen(echo.channel, type, () => new Promise(() => {}));
    const error = await assertRejects(
      () => echo.stub.unary({}, { timeoutMs: 30 }),
      GRPCError,
    );
    assertEquals(error.status, Status.DEADLINE_EXCEEDED, type.name);
  }
  for (const type of SERVER_CASES) {
    await using echo = await startEcho();
    using _ = listen(echo.server, type, () => new Promise(() => {}));
    const error = await assertRejects(
      () => echo.stub.unary({}, { timeoutMs: 30 }),
      GRPCError,
    );
    assertEquals(error.status, Status.DEADLINE_EXCEEDED, type.name);
  }
});

Deno.test("a server closes when a listener never returns", async () => {
  for (const type of SERVER_CASES) {
    await using echo = await startEcho();
    using _ = listen(echo.server, type, () => new Promise(() => {}));
    const call = echo.stub.unary({});
    call.catch(() => {});
    await turn();
    await turn();
    echo.server.close();
    await echo.server.waitClosed();
    assertInstanceOf(await call.catch((error) => error), GRPCError, type.name);
  }
});

Deno.test("a message that a listener made of a wrong type ends the call", async () => {
  await using echo = await startEcho({ server: { onError() {} } });
  {
    using _ = listen(echo.channel, SendMessage, (event) => {
      event.message = "text";
    });
    await assertRejects(
      () => echo.stub.unary({}),
      TypeError,
      "Message must be",
    );
    await assertRejects(
      () => Array.fromAsync(echo.stub.bidi([{}])),
      TypeError,
      "Message must be",
    );
  }
  using _ = listen(echo.server, SendMessage, (event) => {
    event.message = "text";
  });
  const error = await assertRejects(() => echo.stub.unary({}), GRPCError);
  assertEquals(error.message, "Internal Server Error");
});

Deno.test("a slow listener slows the sender down, and memory stays bounded", async () => {
  let sent = 0;
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        const payload = new Uint8Array(64 * 1024);
        for (; sent < 2000; sent++) await stream.sendMessage({ payload });
      },
    },
  });
  const { promise: released, resolve } = Promise.withResolvers<void>();
  using _ = listen(echo.channel, RecvMessage, () => released);
  const replies = echo.stub.serverStream({})[Symbol.asyncIterator]();
  const first = replies.next();
  for (let before = -1; before !== sent;) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  // The window of the stream, and the marks of the queues: about 6 MiB.
  assert(sent < 150, `${sent}`);
  resolve();
  assertEquals((await first).done, false);
  let received = 1;
  while (!(await replies.next()).done) received++;
  assertEquals(received, 2000);
});
