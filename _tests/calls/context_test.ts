/**
 * Whose `AsyncLocalStorage` listeners, handlers and sources of requests see:
 * that of the call they belong to, and never that of another call.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import {
  Channel,
  type ClientEvent,
  createService,
  createStub,
  type EventClass,
  GRPCError,
  listen,
  mapping,
  type MethodFunc,
  RecvMessage,
  RecvRequest,
  SendMessage,
  SendRequest,
  SendTrailingMetadata,
  Server,
} from "../../mod.ts";
import { CLIENT_EVENTS } from "../../core/events.ts";
import { ChildProcess } from "../../_testdata/child_process.ts";
import { echo, echoWith, startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { RawServer } from "../../_testdata/raw_h2.ts";
import { replyWell, shakeHands } from "../../_testdata/raw_replies.ts";
import { soon, turns, until } from "../../_testdata/waiting.ts";
import { ChannelFor } from "../../testing/mod.ts";

const REFUSED_STREAM = 7;

const user = new AsyncLocalStorage<string>();

/** Whose context this is. */
const whose = () => user.getStore() ?? "nobody's";

const NAMES = ["carol", "erin", "frank"];

/** Listens for all events of a channel, and notes whose call sees whose. */
function spyOn(channel: Channel, slow = false): string[] {
  const seen: string[] = [];
  const names = new WeakMap<object, string | undefined>();
  for (const type of CLIENT_EVENTS) {
    listen(channel, type as EventClass<ClientEvent>, (event) => {
      if (event instanceof SendRequest) {
        names.set(event.call, event.metadata.get("name"));
      }
      const name = names.get(event.call);
      if (whose() !== name) {
        seen.push(`${event.type} of ${name} sees ${whose()}`);
      }
      // Nobody waits for the last one.
      return slow && event.type !== "CallEnd" ? turns(1) : undefined;
    });
  }
  return seen;
}

for (const slow of [false, true]) {
  const kind = slow ? "slow" : "fast";
  Deno.test(`Channel has ${kind} listeners see the context of their call, which waited for a connection or not`, async () => {
    await using echo = await startEcho();
    const seen = spyOn(echo.channel, slow);
    const callAll = () =>
      Promise.all(NAMES.map((name) =>
        user.run(name, async () => {
          const options = { metadata: { name } };
          await echo.stub.unary({ text: name }, options);
          await echo.stub.clientStream([{ text: name }, {}], options);
          const replies = echo.stub.serverStream({ count: 2 }, options);
          for await (const _reply of replies) assertEquals(whose(), name);
        })
      ));
    await callAll();
    await callAll();
    assertEquals(seen, []);
  });
}

Deno.test("Channel has listeners see the context of their call when it is retried transparently, which waited or not", async () => {
  let count = 0;
  await using server = new RawServer(async (connection) => {
    await shakeHands(connection);
    for (;;) {
      const { streamId } = await connection.request();
      if (count++ % 2 === 0) {
        await connection.rstStream(streamId, REFUSED_STREAM);
      } else await replyWell(connection, streamId);
    }
  });
  await using channel = new Channel("127.0.0.1", server.port);
  const seen = spyOn(channel);
  const stub = createStub(Echo, channel);
  for (const name of NAMES) {
    const options = { metadata: { name } };
    await user.run(name, () => soon(stub.unary({}, options)));
    assertEquals(whose(), "nobody's");
  }
  assertEquals(count, 2 * NAMES.length);
  assertEquals(seen, []);
});

Deno.test("Channel has listeners of a call see its context when another call makes room for it", async () => {
  const started = Promise.withResolvers<void>();
  await using echo = await startEcho({
    server: { config: { maxConcurrentStreams: 1 } },
    handlers: {
      async unary(stream) {
        const { text } = (await stream.recvMessage())!;
        if (text === "carol") {
          started.resolve();
          await new Promise((resolve) =>
            stream.signal.addEventListener("abort", resolve)
          );
        }
        await stream.sendMessage({ text });
      },
    },
  });
  const seen = spyOn(echo.channel);
  const carols = user.run(
    "carol",
    () => echo.stub.unary.open({ metadata: { name: "carol" } }),
  );
  await user.run("carol", () => carols.sendMessage({ text: "carol" }));
  await started.promise;
  const erins = user.run(
    "erin",
    () => echo.stub.unary({ text: "erin" }, { metadata: { name: "erin" } }),
  );
  user.run("carol", () => carols.cancel());
  await soon(erins, "the call that waited");
  assertEquals(seen, []);
});

Deno.test("Channel has listeners of a call see the context in which it was made, whoever sends and receives", async () => {
  await using echo = await startEcho();
  const seen = spyOn(echo.channel);
  await echo.stub.unary({}, { metadata: { name: "nobody's" } });
  const stream = user.run(
    "carol",
    () => echo.stub.bidi.open({ metadata: { name: "carol" } }),
  );
  await user.run("erin", async () => {
    await stream.sendMessage({ text: "of erin", count: 1 });
    await stream.recvMessage();
    await stream.end();
    await stream.recvMessage();
  });
  const replies = user.run(
    "carol",
    () => echo.stub.serverStream({ count: 1 }, { metadata: { name: "carol" } }),
  );
  await user.run("erin", async () => {
    for await (const _ of replies) assertEquals(whose(), "erin");
  });
  assertEquals(seen, []);
});

Deno.test("Channel keeps what a listener enters from the caller and its other calls", async () => {
  await using echo = await startEcho();
  await echo.stub.unary({});
  for (const types of [[SendRequest], CLIENT_EVENTS]) {
    const seen: string[] = [];
    const listeners = types.map((type) =>
      listen(echo.channel, type as EventClass<ClientEvent>, () => {
        seen.push(whose());
        user.enterWith("a listener's");
      })
    );
    await user.run("carol", async () => {
      const calls = [echo.stub.unary({}), echo.stub.unary({})];
      seen.push(whose());
      calls.push(echo.stub.clientStream([{}]));
      seen.push(whose());
      await Promise.all(calls);
      seen.push(whose());
    });
    assertEquals(seen, seen.map(() => "carol"));
    assert(seen.length >= 6);
    for (const listener of listeners) listener[Symbol.dispose]();
  }
});

Deno.test("Channel has a call's source run in its context, whoever reads the replies", async () => {
  await using echo = await startEcho();
  const seen: string[] = [];
  async function* source() {
    seen.push(whose());
    yield { text: "", count: 1 };
    await turns(1);
    yield { text: "", count: 1 };
    seen.push(whose());
  }
  const replies = user.run("carol", () => echo.stub.bidi(source()));
  await user.run("erin", async () => {
    for await (const _ of replies) assertEquals(whose(), "erin");
  });
  assertEquals(seen, ["carol", "carol"]);
});

Deno.test("Channel has sources left in the context of their call, whoever ends it", async () => {
  await using echo = await startEcho();
  const left: string[] = [];
  const asked = Promise.withResolvers<void>();
  const asyncSource = {
    [Symbol.asyncIterator]: () => ({
      next() {
        asked.resolve();
        return new Promise<never>(() => {});
      },
      return() {
        left.push(whose());
        return Promise.resolve({ done: true as const, value: undefined });
      },
    }),
  };
  const call = user.run("carol", () => echo.stub.clientStream(asyncSource));
  await asked.promise;
  await user.run("erin", () => echo.channel.close());
  await assertRejects(() => call, GRPCError, "Channel is closed");
  assertEquals(left, ["carol"]);
});

Deno.test("Channel asks for connections in nobody's context", async () => {
  const seen: string[] = [];
  await using server = new Server([echo]);
  await using channel = new Channel("localhost", 1, {
    connect() {
      seen.push(whose());
      const there = new TransformStream<Uint8Array, Uint8Array>();
      const back = new TransformStream<Uint8Array, Uint8Array>();
      server.accept({ readable: there.readable, writable: back.writable });
      return { readable: back.readable, writable: there.writable };
    },
  });
  const stub = createStub(Echo, channel);
  await user.run("carol", () => stub.unary({}));
  assertEquals(seen, ["nobody's"]);
});

Deno.test("Server has handlers and listeners run in nobody's context, whatever the connection is made of", async () => {
  const seen: string[] = [];
  const note = (what: string) => void seen.push(`${what}: ${whose()}`);
  await using channel = new ChannelFor([
    createService(Echo, {
      unary: () => (note("unary"), {}),
      serverStream: () => (note("serverStream"), []),
      clientStream: () => (note("clientStream"), {}),
      bidi: () => (note("bidi"), []),
    }),
  ]);
  const stub = createStub(Echo, channel);
  const callAll = async () => {
    await stub.unary({});
    for await (const _ of stub.serverStream({})) { /* none */ }
    await stub.clientStream([]);
    for await (const _ of stub.bidi([])) { /* none */ }
  };
  await user.run("carol", callAll);
  listen(channel.server, RecvRequest, () => note("RecvRequest"));
  listen(channel.server, RecvMessage, () => note("RecvMessage"));
  listen(channel.server, SendTrailingMetadata, () => note("SendTrailing"));
  await user.run("erin", callAll);
  assert(seen.length > 14);
  assertEquals(seen.filter((line) => !line.endsWith(": nobody's")), []);
});

Deno.test("Server has listeners of a call see what its own handler runs in, whoever sends", async () => {
  const members = new Map<string, (text: string) => Promise<void>>();
  const joined = Promise.withResolvers<void>();
  const seen: string[] = [];
  await using pair = await startEcho({
    handlers: {
      async bidi(stream) {
        const name = whose();
        members.set(name, (text) => stream.sendMessage({ text }));
        if (members.size === 2) joined.resolve();
        for await (const { text } of stream) {
          // To all of them, as in a chat.
          for (const send of members.values()) await send(text);
        }
      },
    },
  });
  const names = new WeakMap<object, string>();
  listen(pair.server, RecvRequest, (event) => {
    const name = event.metadata.get("name")!;
    names.set(event.call, name);
    const { methodFunc } = event;
    event.methodFunc = (stream) => user.run(name, () => methodFunc(stream));
  });
  listen(pair.server, SendMessage, (event) => {
    seen.push(`${names.get(event.call)} as ${whose()}`);
  });
  listen(pair.server, SendTrailingMetadata, (event) => {
    seen.push(`${names.get(event.call)} ends as ${whose()}`);
  });
  const streams = ["carol", "erin"].map((name) =>
    pair.stub.bidi.open({ metadata: { name } })
  );
  for (const stream of streams) await stream.sendRequest();
  await soon(joined.promise, "both to join");
  await streams[0]!.sendMessage({ text: "hello" });
  for (const stream of streams) await stream.recvMessage();
  for (const stream of streams) {
    await stream.end();
    await stream.recvMessage();
  }
  assertEquals(seen.sort(), [
    "carol as carol",
    "carol ends as carol",
    "erin as erin",
    "erin ends as erin",
  ]);
});

Deno.test("Server has the abort of a call heard in the context of its handler, whoever ends it", async () => {
  const seen: string[] = [];
  const waiting: (() => void)[] = [];
  await using pair = await startEcho({
    handlers: {
      unary: (stream) =>
        user.run("the handler", async () => {
          const over = Promise.withResolvers<void>();
          stream.signal.addEventListener("abort", () => {
            seen.push(whose());
            over.resolve();
          });
          waiting.push(() => {});
          await over.promise;
        }),
    },
  });
  // The timer of all deadlines is armed by the first call of the process.
  const late = user.run(
    "carol",
    // Long enough for the request to arrive on a busy machine.
    () => pair.stub.unary({}, { timeoutMs: 1_000 }),
  );
  await assertRejects(() => late, GRPCError);
  await until(() => seen.length === 1, "the deadline is heard of");
  const call = pair.stub.unary({});
  call.catch(() => {});
  await until(() => waiting.length === 2, "the call is there");
  user.run("erin", () => pair.server.close());
  await assertRejects(() => call, GRPCError);
  assertEquals(seen, ["the handler", "the handler"]);
});

Deno.test("Server keeps what a listener or handler enters from the calls behind it", async () => {
  const seen: string[] = [];
  // Not an async function, so that the caller's context is replaced.
  const handle: MethodFunc = (stream) => {
    seen.push(whose());
    user.enterWith("a handler's");
    return stream.sendMessage({});
  };
  const handlers = echoWith({ unary: handle, clientStream: handle });
  await using channel = new ChannelFor([{ [mapping]: handlers[mapping] }]);
  const stub = createStub(Echo, channel);
  const callTwice = async () => {
    await Promise.all([stub.clientStream([]), stub.clientStream([])]);
    await Promise.all([stub.unary({}), stub.unary({})]);
  };
  await callTwice();
  listen(channel.server, RecvRequest, () => {
    seen.push(whose());
    user.enterWith("a listener's");
  });
  await callTwice();
  // Nor are they in that of a caller in the same process.
  await user.run("carol", callTwice);
  assertEquals(seen, new Array(20).fill("nobody's"));
});

Deno.test("Channel and Server keep no caller's context beyond the call", async () => {
  await using child = new ChildProcess([
    "--v8-flags=--expose-gc",
    "--allow-net=127.0.0.1",
    import.meta.resolve("../../_testdata/context_program.ts"),
  ]);
  const lines: string[] = [];
  for (let line; (line = await soon(child.line())) !== null;) lines.push(line);
  assertEquals((await soon(child.leave())).code, 0);
  assertEquals(lines, ["plain: freed", "with keepalive: freed"]);
});
