/** The log of calls, whatever has ended them. */

import { AsyncLocalStorage } from "node:async_hooks";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  Channel,
  createStub,
  GRPCError,
  listen,
  RecvRequest,
  Status,
  type StatusName,
  statusName,
  unaryUnary,
} from "../mod.ts";
import { ChannelFor, VirtualClock } from "../testing/mod.ts";
import {
  type EchoOptions,
  type EchoPair,
  PATHS,
  startEcho,
} from "../_testdata/echo_service.ts";
import {
  Echo,
  EchoReplySchema,
  EchoRequestSchema,
} from "../_testdata/gen/echo_pb.ts";
import { assertStatus, Waiters } from "../_testdata/waiters.ts";
import { soon } from "../_testdata/waiting.ts";
import {
  type CallLogRecord,
  jsonLine,
  levelOf,
  logCalls,
  type LogCallsOptions,
  textLine,
} from "./mod.ts";

/** A pair whose calls are logged, on both sides. */
async function startLogged(
  options: LogCallsOptions & { readonly echo?: EchoOptions } = {},
): Promise<
  { echo: EchoPair; client: CallLogRecord[]; server: CallLogRecord[] }
> {
  const { echo: echoOptions, ...log } = options;
  const echo = await startEcho(echoOptions);
  const client: CallLogRecord[] = [];
  const server: CallLogRecord[] = [];
  logCalls(echo.channel, { ...log, write: (record) => client.push(record) });
  logCalls(echo.server, { ...log, write: (record) => server.push(record) });
  return { echo, client, server };
}

/** A way for a call to end, and what the log says of it then. */
interface End {
  readonly client: StatusName;
  /** None, if the server sees nothing of it. */
  readonly server: StatusName | null;
  readonly message?: RegExp;
  readonly options?: (waiters: Waiters) => EchoOptions;
  readonly play: (echo: EchoPair, own: Waiters) => Promise<unknown>;
}

const ENDS: Readonly<Record<string, End>> = {
  "goes well": {
    client: "OK",
    server: "OK",
    message: /^$/,
    play: ({ stub }) => stub.unary({ text: "a" }),
  },
  "is answered with a status": {
    client: "NOT_FOUND",
    server: "NOT_FOUND",
    message: /^no such text$/,
    play: ({ stub }) =>
      assertStatus(
        Status.NOT_FOUND,
        () =>
          stub.unary({
            status: Status.NOT_FOUND,
            statusMessage: "no such text",
          }),
      ),
  },
  "has a handler that throws": {
    client: "UNKNOWN",
    server: "UNKNOWN",
    options: () => ({
      handlers: {
        unary() {
          throw new Error("a secret");
        },
      },
      server: { onError: () => {} },
    }),
    play: ({ stub }) => assertStatus(Status.UNKNOWN, () => stub.unary({})),
  },
  "is cancelled": {
    client: "CANCELLED",
    server: "CANCELLED",
    options: ({ handlers }) => ({ handlers }),
    async play({ stub }, own) {
      const controller = new AbortController();
      const { signal } = controller;
      const end = assertStatus(
        Status.CANCELLED,
        () => stub.unary({}, { signal }),
      );
      await own.started;
      controller.abort();
      await end;
      await own.aborted;
    },
  },
  "comes to its deadline": {
    client: "DEADLINE_EXCEEDED",
    server: "DEADLINE_EXCEEDED",
    options: ({ options }) => options,
    async play({ stub }, own) {
      const end = assertStatus(
        Status.DEADLINE_EXCEEDED,
        () => stub.unary({}, { timeoutMs: 30 }),
      );
      await own.pass(30);
      await end;
      await own.aborted;
    },
  },
  "is one that the server does not have": {
    client: "UNIMPLEMENTED",
    server: "UNIMPLEMENTED",
    message: /^Method not found: \/no\.Such\/Method$/,
    play: ({ channel }) =>
      assertStatus(
        Status.UNIMPLEMENTED,
        () =>
          unaryUnary(
            channel,
            "/no.Such/Method",
            EchoRequestSchema,
            EchoReplySchema,
          )({}),
      ),
  },
  "is larger than the server takes": {
    client: "RESOURCE_EXHAUSTED",
    server: "RESOURCE_EXHAUSTED",
    options: () => ({ server: { config: { maxReceiveMessageSize: 1 } } }),
    play: ({ stub }) =>
      assertStatus(
        Status.RESOURCE_EXHAUSTED,
        () => stub.unary({ text: "long" }),
      ),
  },
  "finds no server": {
    client: "UNAVAILABLE",
    server: null,
    message: /Cannot connect/,
    async play({ stub, server, channel }) {
      server.close();
      await server.waitClosed();
      await assertStatus(Status.UNAVAILABLE, () => stub.unary({}));
      await channel.close();
    },
  },
};

for (const [name, end] of Object.entries(ENDS)) {
  Deno.test(`logCalls() writes one record on either side of a call that ${name}`, async () => {
    const own = new Waiters();
    const { echo, client, server } = await startLogged({
      echo: end.options?.(own) ?? {},
    });
    await end.play(echo, own);
    await echo[Symbol.asyncDispose]();
    assertEquals(client.map(({ status }) => status), [end.client]);
    assertEquals(
      server.map(({ status }) => status),
      end.server === null ? [] : [end.server],
    );
    for (const { level, status } of [...client, ...server]) {
      assertEquals(level, levelOf(status));
    }
    assertMatch(client[0]!.message, end.message ?? /./);
  });
}

Deno.test("logCalls() tells method, kind, peer, deadline, time and sizes", async () => {
  const clock = new VirtualClock();
  const { echo, client, server } = await startLogged({
    echo: {
      server: { clock },
      channel: { clock },
      handlers: {
        async bidi(stream) {
          for await (const { text } of stream) {
            await clock.advance(5);
            await stream.sendMessage({ text });
          }
        },
      },
    },
  });
  await Array.fromAsync(
    echo.stub.bidi([{ text: "a" }, { text: "bc" }], { timeoutMs: 1000 }),
  );
  const { port } = echo;
  await echo[Symbol.asyncDispose]();
  const [{ time, peer, ...record }] = client as [CallLogRecord];
  assert(Math.abs(time.getTime() - Date.now()) < 60_000);
  assertEquals(peer, `127.0.0.1:${port}`);
  // A text of n characters takes n + 2 bytes.
  const common = {
    level: "info",
    method: PATHS.bidi,
    kind: "bidi_streaming",
    status: "OK",
    message: "",
    durationMs: 10,
    deadlineMs: 1000,
    attempts: 1,
    sentMessages: 2,
    sentBytes: 7,
    receivedMessages: 2,
    receivedBytes: 7,
    metadata: {},
  } as const;
  assertEquals(record, { side: "client", ...common });
  const [{ time: _, peer: from, ...other }] = server as [CallLogRecord];
  assertMatch(from!, /^127\.0\.0\.1:\d+$/);
  assertEquals(other, { side: "server", ...common });
});

Deno.test("logCalls() tells of a call without connection, deadline or method", async () => {
  const { echo, client, server } = await startLogged();
  await ENDS["is one that the server does not have"]!.play(echo, new Waiters());
  assertEquals(server[0]!.kind, null);
  assertEquals(server[0]!.method, "/no.Such/Method");
  assertEquals(client[0]!.deadlineMs, null);
  client.length = 0;
  await ENDS["finds no server"]!.play(echo, new Waiters());
  assertEquals(client[0]!.peer, null);
  assertEquals(client[0]!.attempts, 0);
});

Deno.test("logCalls() has no metadata in its records but what was chosen", async () => {
  const { echo, client, server } = await startLogged({
    requestMetadata: ["X-Request-Id", "trace-bin", "absent"],
  });
  const metadata = {
    "x-request-id": ["7", "8"],
    "trace-bin": Uint8Array.of(1, 2),
    authorization: "Bearer secret",
  };
  await echo.stub.unary({ text: "private" }, { metadata });
  await echo[Symbol.asyncDispose]();
  const chosen = { "x-request-id": "7, 8", "trace-bin": "AQI" };
  assertEquals(client[0]!.metadata, chosen);
  assertEquals(server[0]!.metadata, chosen);
  for (const record of [...client, ...server]) {
    for (const write of [jsonLine, textLine]) {
      assert(!/secret|private/.test(write(record)), write(record));
    }
  }
});

Deno.test("logCalls() gives statuses the levels it is told, and none if off", async () => {
  const { echo, client, server } = await startLogged({
    levels: { OK: "off", NOT_FOUND: "debug" },
  });
  await echo.stub.unary({});
  await assertRejects(
    () => echo.stub.unary({ status: Status.NOT_FOUND }),
    GRPCError,
  );
  await echo[Symbol.asyncDispose]();
  for (const records of [client, server]) {
    assertEquals(records.map(({ status, level }) => [status, level]), [
      ["NOT_FOUND", "debug"],
    ]);
  }
});

Deno.test("logCalls() samples the calls that went well, and no others", async () => {
  const rates: readonly (readonly [number, number, number])[] = [
    [0, 0, 0],
    // Wrong once in more than 10^20 times.
    [0.5, 50, 150],
    [1, 200, 200],
  ];
  for (const [okSampleRate, least, most] of rates) {
    const { echo, server } = await startLogged({ okSampleRate });
    await Promise.all(Array.from({ length: 200 }, () => echo.stub.unary({})));
    await assertStatus(
      Status.ABORTED,
      () => echo.stub.unary({ status: Status.ABORTED }),
    );
    await echo[Symbol.asyncDispose]();
    assertEquals(server.at(-1)!.status, "ABORTED");
    const ok = server.length - 1;
    assert(ok >= least && ok <= most, `${ok} at ${okSampleRate}`);
  }
});

Deno.test("logCalls() leaves out what the filter does, and what comes after its end", async () => {
  await using echo = await startEcho();
  const methods: string[] = [];
  const log = logCalls(echo.channel, {
    write: ({ method }) => methods.push(method),
    filter: ({ methodName }) => methodName !== PATHS.unary,
  });
  await echo.stub.unary({});
  await echo.stub.clientStream([]);
  log[Symbol.dispose]();
  await echo.stub.clientStream([]);
  assertEquals(methods, [PATHS.clientStream]);
});

Deno.test("logCalls() writes in the context of the caller, and of the handler", async () => {
  const whose = new AsyncLocalStorage<string>();
  const echo = await startEcho();
  const seen: unknown[] = [];
  const write = ({ side }: CallLogRecord): void => {
    seen.push([side, whose.getStore()]);
  };
  listen(echo.server, RecvRequest, (event) => {
    const handle = event.methodFunc;
    event.methodFunc = (stream) => whose.run("handler", () => handle(stream));
  });
  logCalls(echo.channel, { write });
  logCalls(echo.server, { write });
  await whose.run("caller", () => echo.stub.unary({}));
  await echo[Symbol.asyncDispose]();
  assertEquals(seen, [["server", "handler"], ["client", "caller"]]);
});

for (
  const [how, write] of [
    ["throws", () => {
      throw new Error("the disk is full");
    }],
    ["rejects with", () => Promise.reject(new Error("the disk is full"))],
  ] as const
) {
  Deno.test(`logCalls() reports what write ${how} to onError, and harms no call`, async () => {
    const told = Promise.withResolvers<[unknown, string]>();
    await using echo = await startEcho({
      server: {
        onError: (error, { methodName }) => told.resolve([error, methodName]),
      },
    });
    logCalls(echo.server, { write });
    await soon(echo.stub.unary({}));
    const [error, methodName] = await soon(told.promise);
    assertEquals((error as Error).message, "the disk is full");
    assertEquals(methodName, PATHS.unary);
  });
}

Deno.test("logCalls() writes lines of JSON to the console by default", async () => {
  const lines: [string, unknown][] = [];
  const before = { info: console.info, error: console.error };
  console.info = (line) => lines.push(["info", JSON.parse(line)]);
  console.error = (line) => lines.push(["error", JSON.parse(line)]);
  try {
    await using channel = new ChannelFor([]);
    logCalls(channel);
    await assertStatus(
      Status.UNIMPLEMENTED,
      () => createStub(Echo, channel).unary({}),
    );
  } finally {
    Object.assign(console, before);
  }
  assertEquals(lines.map(([level]) => level), ["error"]);
  const record = lines[0]![1] as Record<string, unknown>;
  assertEquals(record["status"], "UNIMPLEMENTED");
  assertMatch(record["time"] as string, /^\d{4}-.*Z$/);
});

Deno.test("textLine() and jsonLine() make one line of a record, whatever the peer has sent", () => {
  const record: CallLogRecord = {
    time: new Date(0),
    level: "warn",
    side: "client",
    method: "/a.B/C",
    kind: "unary",
    status: "UNAVAILABLE",
    message: "gone\nfor good",
    peer: null,
    durationMs: 1.5,
    deadlineMs: null,
    attempts: 2,
    sentMessages: 1,
    sentBytes: 3,
    receivedMessages: 0,
    receivedBytes: 0,
    metadata: { "x-id": "a b" },
  };
  assertEquals(
    textLine(record),
    '1970-01-01T00:00:00.000Z warn client /a.B/C UNAVAILABLE 1.5 ms, no connection, sent 2 times, sent 1 (3 bytes), received 0 (0 bytes), x-id="a b", "gone\\nfor good"',
  );
  assertMatch(textLine({ ...record, method: "/a\n/b" }), / "\/a\\n\/b" /);
  // Ends of lines, in the eyes of some, and what commands a terminal.
  const message = "\0 \t \r\n \x1b[2J \x7f \x85 \x9b2J \u2028 \u2029 ü";
  const hostile = { ...record, message, method: message };
  const told = String
    .raw`"\u0000 \t \r\n \u001b[2J \u007f \u0085 \u009b2J \u2028 \u2029 ü"`;
  for (const line of [textLine(hostile), jsonLine(hostile)]) {
    assertMatch(line, /^[\P{Cc}]+$/u);
    assertEquals(line.split(told).length, 3);
  }
  assertEquals(JSON.parse(jsonLine(hostile)).message, message);
});

Deno.test("levelOf() has a level for every status", () => {
  const names = Object.values(Status).map((status) => statusName(status));
  const count = Object.groupBy(names, (name) => levelOf(name));
  assertEquals(count.info?.length, 6);
  assertEquals(count.error?.length, 4);
  assertEquals(count.warn?.length, 7);
});

Deno.test("logCalls() throws when the target or an option is wrong", async () => {
  await using channel = new Channel("127.0.0.1", 1);
  for (const target of [null, {}, "channel"]) {
    assertThrows(
      () => logCalls(target as never),
      TypeError,
      "Cannot log calls: the target must be a Channel or a Server",
    );
  }
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ write: "console" }, "write must be a function"],
    [{ filter: /x/ }, "filter must be a function"],
    [{ sampleRate: 1 }, "sampleRate"],
    [{ okSampleRate: "1" }, "okSampleRate must be a number"],
    [{ okSampleRate: 2 }, "okSampleRate must be from 0 to 1, received 2"],
    [{ levels: { NOT_THERE: "info" } }, "levels.NOT_THERE"],
    [{ levels: { OK: "loud" } }, "levels.OK must be one of"],
    [{ requestMetadata: "x-id" }, "requestMetadata must be an array of keys"],
    [{ requestMetadata: [1] }, "requestMetadata must be an array of keys"],
  ];
  for (const [options, message] of wrong) {
    assertThrows(() => logCalls(channel, options as never), Error, message);
  }
});
