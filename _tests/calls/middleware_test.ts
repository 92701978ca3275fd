/** Middleware around real calls, on both sides. */

import { AsyncLocalStorage } from "node:async_hooks";
import {
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  type Channel,
  type ClientMiddleware,
  Deadline,
  GRPCError,
  listen,
  ProtocolError,
  RecvRequest,
  Server,
  type ServerMiddleware,
  Status,
  type Stub,
  use,
} from "../../mod.ts";
import { PATHS, startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { soon, until } from "../../_testdata/waiting.ts";
import { VirtualClock } from "../../testing/mod.ts";

type EchoStub = Stub<typeof Echo>;
type Kind = keyof typeof PATHS;

/** Calls of each kind, as functions and as streams. */
const CALLS: Readonly<
  Record<string, [kind: Kind, (stub: EchoStub) => Promise<unknown>]>
> = {
  "unary()": ["unary", (stub) => stub.unary({ text: "a" })],
  "serverStream()": [
    "serverStream",
    (stub) => Array.fromAsync(stub.serverStream({ text: "a", count: 2 })),
  ],
  "clientStream()": [
    "clientStream",
    (stub) => stub.clientStream([{ text: "a" }, { text: "b" }]),
  ],
  "bidi()": [
    "bidi",
    (stub) => Array.fromAsync(stub.bidi([{ text: "a", count: 2 }])),
  ],
  "unary.open()": ["unary", async (stub) => {
    await using stream = stub.unary.open();
    await stream.sendMessage({ text: "a" });
    return await stream.recvMessage();
  }],
  "bidi.open()": ["bidi", async (stub) => {
    await using stream = stub.bidi.open();
    await stream.sendMessage({ text: "a", count: 2 });
    await stream.end();
    return await Array.fromAsync(stream);
  }],
};

for (const [name, [kind, call]] of Object.entries(CALLS)) {
  Deno.test(`use() goes around ${name} on both sides, the first outermost`, async () => {
    await using echo = await startEcho();
    const expected = await call(echo.stub);
    const log: string[] = [];
    const around =
      (name: string): ServerMiddleware & ClientMiddleware =>
      async (call: { readonly methodName: string }, next) => {
        assertEquals(call.methodName, PATHS[kind]);
        log.push(`${name} begins`);
        await next();
        log.push(`${name} ends`);
      };
    use(echo.channel, around("client 1"));
    use(echo.channel, around("client 2"));
    use(echo.server, around("server 1"));
    use(echo.server, around("server 2"));
    assertEquals(await soon(call(echo.stub)), expected);
    await until(() => log.length === 8, "all are through");
    assertEquals(log.filter((it) => it.startsWith("client")), [
      ...["client 1 begins", "client 2 begins"],
      ...["client 2 ends", "client 1 ends"],
    ]);
    assertEquals(log.filter((it) => it.startsWith("server")), [
      ...["server 1 begins", "server 2 begins"],
      ...["server 2 ends", "server 1 ends"],
    ]);
  });

  Deno.test(`use() has ${name} refused on either side, and its failure seen`, async () => {
    await using echo = await startEcho();
    const seen: unknown[] = [];
    const watch = use(echo.channel, async (_, next) => {
      try {
        await next();
      } catch (error) {
        seen.push((error as GRPCError).status);
        throw error;
      }
    });
    const no = () => {
      throw new GRPCError(Status.PERMISSION_DENIED, "no");
    };
    const server = use(echo.server, no);
    await assertStatus(Status.PERMISSION_DENIED, () => call(echo.stub), "no");
    assertEquals(seen, [Status.PERMISSION_DENIED]);
    server[Symbol.dispose]();
    using _client = use(echo.channel, no);
    await assertStatus(Status.PERMISSION_DENIED, () => call(echo.stub), "no");
    assertEquals(seen.length, 2);
    watch[Symbol.dispose]();
  });

  Deno.test(`use() changes the metadata of ${name}, also later, and runs it in a context`, async () => {
    const whose = new AsyncLocalStorage<string>();
    await using echo = await startEcho();
    const seen: unknown[] = [];
    use(echo.channel, async (call, next) => {
      await Promise.resolve();
      call.metadata.set("token", "sesame");
      await next();
    });
    use(
      echo.server,
      (call, next) => whose.run(call.metadata.get("token") ?? "nobody", next),
    );
    use(echo.server, (_, next) => {
      seen.push(whose.getStore());
      return next();
    });
    await call(echo.stub);
    assertEquals(seen, ["sesame"]);
  });

  Deno.test(`use() fails ${name} when middleware never goes on`, async () => {
    await using echo = await startEcho();
    using idle = use(echo.channel, () => {});
    await assertRejects(
      () => soon(call(echo.stub)),
      ProtocolError,
      "middleware has to call next()",
    );
    idle[Symbol.dispose]();
    use(echo.server, () => {});
    await assertStatus(Status.UNKNOWN, () => call(echo.stub));
    assertEquals(echo.takeFailures().length, 1);
  });
}

Deno.test("use() goes around the calls of a service or a method alone, however that is named", async () => {
  await using echo = await startEcho();
  const log: string[] = [];
  for (const target of [echo.channel, echo.server]) {
    const add = (scope: string, name: string) =>
      use(target as Channel, scope, (_, next) => {
        log.push(name);
        return next();
      });
    add(PATHS.unary, "path");
    add("grpclib.test.Echo", "service");
    add("grpclib.test", "package");
    add("/grpclib.test.Echo/Other", "other");
  }
  use(echo.channel, Echo, (_, next) => {
    log.push("descriptor");
    return next();
  });
  use(echo.channel, Echo.method.bidi, (_, next) => {
    log.push("method");
    return next();
  });
  await echo.stub.unary({});
  assertEquals(log.splice(0), [
    ...["path", "service", "descriptor"],
    ...["path", "service"],
  ]);
  await Array.fromAsync(echo.stub.bidi([]));
  assertEquals(log, ["service", "descriptor", "method", "service"]);
});

Deno.test("use() has middleware of a method know the types of its messages", async () => {
  await using echo = await startEcho();
  use(echo.channel, Echo.method.unary, async (call, next) => {
    call.request = { ...call.request, text: `${call.request.text}!` };
    await next();
    call.reply!.text += "?";
  });
  use(echo.channel, Echo.method.serverStream, async (call, next) => {
    const replies = call.reply;
    call.reply = (async function* () {
      for await (const reply of replies) yield { ...reply, text: "changed" };
    })();
    await next();
  });
  use(echo.channel, Echo.method.clientStream, async (call, next) => {
    const requests = call.request;
    call.request = (async function* () {
      for await (const request of requests) {
        yield { ...request, text: `<${request.text}>` };
      }
    })();
    await next();
  });
  use(echo.server, Echo.method.bidi, async (call, next) => {
    await call.sendMessage({ text: "before" });
    await next();
    await call.sendMessage({ text: "behind" });
  });
  assertEquals((await echo.stub.unary({ text: "a" })).text, "a!?");
  const texts = (replies: { text: string }[]) => replies.map((it) => it.text);
  assertEquals(
    texts(await Array.fromAsync(echo.stub.serverStream({ count: 2 }))),
    ["changed", "changed"],
  );
  const reply = await echo.stub.clientStream([{ text: "a" }, { text: "b" }]);
  assertEquals(reply.text, "<a><b>");
  assertEquals(
    texts(
      await Array.fromAsync(echo.stub.bidi([{ text: "a", count: 1 }])),
    ),
    ["before", "a", "behind"],
  );
});

Deno.test("use() has calls made again, or answered without a server", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        if (++calls < 3) throw new GRPCError(Status.UNAVAILABLE, "not yet");
        await stream.sendMessage({ text: `call ${calls}` });
      },
    },
  });
  const cache = new Map<string, unknown>();
  use(echo.channel, Echo.method.unary, async (call, next) => {
    const key = `${call.request.text}`;
    const known = cache.get(key) as typeof call.reply;
    if (known !== undefined) return void (call.reply = known);
    await next();
    cache.set(key, call.reply);
  });
  use(echo.channel, async (_, next) => {
    for (;;) {
      try {
        return await next();
      } catch (error) {
        if ((error as GRPCError).status !== Status.UNAVAILABLE) throw error;
      }
    }
  });
  const first = await echo.stub.unary({ text: "a" });
  assertEquals(first.text, "call 3");
  assertStrictEquals(await echo.stub.unary({ text: "a" }), first);
  assertEquals(calls, 3);
});

Deno.test("use() has a server answer without its handler, by messages", async () => {
  let handled = 0;
  const handler = () => {
    handled++;
  };
  await using echo = await startEcho({
    handlers: { unary: handler, bidi: handler },
  });
  use(echo.server, async (call) => {
    await call.sendMessage({ text: "mine" });
  });
  assertEquals((await echo.stub.unary({})).text, "mine");
  const replies = await Array.fromAsync(echo.stub.bidi([{}]));
  assertEquals(replies.map(({ text }) => text), ["mine"]);
  assertEquals(handled, 0);
});

Deno.test("use() has replies of many answered without a server, and a failure made good", async () => {
  await using echo = await startEcho();
  using cached = use(echo.channel, Echo.method.serverStream, (call) => {
    call.reply = [{
      $typeName: "grpclib.test.EchoReply",
      text: "mine",
      index: 0,
      payload: new Uint8Array(),
    }];
  });
  const [reply] = await Array.fromAsync(echo.stub.serverStream({}));
  assertEquals(reply?.text, "mine");
  cached[Symbol.dispose]();
  use(echo.channel, async (_, next) => {
    await next().catch(() => {});
  });
  const failing = { count: 2, status: Status.NOT_FOUND };
  const replies = await Array.fromAsync(echo.stub.serverStream(failing));
  assertEquals(replies.length, 2);
});

Deno.test("use() ends a call whose replies are left, and tells the middleware", async () => {
  await using echo = await startEcho();
  const seen: unknown[] = [];
  use(echo.channel, async (_, next) => {
    try {
      await next();
    } catch (error) {
      seen.push((error as GRPCError).status);
    }
  });
  for await (const _ of echo.stub.serverStream({ count: 5 })) break;
  await until(() => seen.length === 1, "the middleware is told");
  assertEquals(seen, [Status.CANCELLED]);
  const replies = echo.stub.serverStream({ count: 1 });
  await Array.fromAsync(replies);
  assertThrows(() => replies[Symbol.asyncIterator](), ProtocolError, "once");
});

Deno.test("use() refuses to make a call twice that cannot be", async () => {
  await using echo = await startEcho();
  const again = async (_: unknown, next: () => Promise<void>) => {
    await next();
    await next();
  };
  const client = use(echo.channel, again);
  for (const name of ["serverStream()", "bidi()", "unary.open()"]) {
    // Its messages were there by then.
    const end = CALLS[name]![1](echo.stub);
    if (name.endsWith("open()")) await end;
    else await assertRejects(() => end, ProtocolError, "next() again");
  }
  client[Symbol.dispose]();
  use(echo.server, again);
  await assertStatus(Status.UNKNOWN, () => echo.stub.unary({}));
  const [failure] = echo.takeFailures();
  assertEquals((failure!.error as Error).name, "ProtocolError");
});

Deno.test("use() waits for a call that middleware does not wait for", async () => {
  await using echo = await startEcho();
  const forgetful = (_: unknown, next: () => Promise<void>): void => {
    next();
  };
  use(echo.channel, forgetful);
  use(echo.channel, async (_, next) => {
    await null;
    forgetful(_, next);
  });
  use(echo.server, forgetful);
  for (const status of [Status.OK, Status.NOT_FOUND]) {
    const request = { text: "a", count: 1, status };
    const calls = [
      () => echo.stub.unary({ ...request, delayMs: 1 }),
      () => echo.stub.clientStream([request]),
      () => Array.fromAsync(echo.stub.serverStream(request)),
      () => Array.fromAsync(echo.stub.bidi([request])),
    ];
    for (const call of calls) {
      if (status === Status.OK) await call();
      else await assertStatus(status, call);
    }
  }
});

Deno.test("use() is inside of what RecvRequest puts in place of the handler", async () => {
  const whose = new AsyncLocalStorage<string>();
  await using echo = await startEcho();
  const seen: unknown[] = [];
  listen(echo.server, RecvRequest, (event) => {
    const handle = event.methodFunc;
    event.methodFunc = (stream) => whose.run("listener", () => handle(stream));
  });
  use(echo.server, (_, next) => {
    seen.push(whose.getStore());
    return next();
  });
  await echo.stub.unary({});
  assertEquals(seen, ["listener"]);
});

Deno.test("use() has the time of a call begin with next(), and a deadline stay where it is", async () => {
  const clock = new VirtualClock();
  await using echo = await startEcho({ server: { clock }, channel: { clock } });
  use(echo.channel, async (_, next) => {
    for (let i = 0; i < 2; i++) {
      await clock.advance(400);
      await next();
    }
  });
  await soon(echo.stub.unary({}, { timeoutMs: 300 }));
  const deadline = Deadline.fromTimeout(300, clock);
  await assertStatus(
    Status.DEADLINE_EXCEEDED,
    () => soon(echo.stub.unary({}, { deadline })),
  );
});

Deno.test("use() ends when its result is disposed of", async () => {
  await using echo = await startEcho();
  let count = 0;
  const add = (target: Channel) =>
    use(target, (_, next) => {
      count++;
      return next();
    });
  const client = add(echo.channel);
  const server = add(echo.server as unknown as Channel);
  await echo.stub.unary({});
  assertEquals(count, 2);
  client[Symbol.dispose]();
  client[Symbol.dispose]();
  server[Symbol.dispose]();
  await echo.stub.unary({});
  assertEquals(count, 2);
});

Deno.test("use() throws when an argument is wrong", async () => {
  await using server = new Server([]);
  assertThrows(
    () => use({ events: [] } as unknown as Server, () => {}),
    TypeError,
    "the target must be a Channel or a Server",
  );
  assertThrows(
    () => use(server, "x" as unknown as () => void),
    TypeError,
    "it must be a function, received string",
  );
  assertThrows(
    () => use(server, {} as unknown as string, () => {}),
    TypeError,
    "its scope must be a service, a method or the path of one, received Object",
  );
});
