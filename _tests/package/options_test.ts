/** Options that are none, or of a wrong type, are refused where they are given. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Channel, createStub, gracefulExit, Server } from "../../mod.ts";
import { startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";

/** Options as a program without types may give them. */
const any = (options: unknown) => options as never;

/** What is wrong, and what is said about it. */
type Cases = readonly (readonly [options: unknown, message: string])[];

const COMMON: Cases = [
  [null, "options must be an object, received null"],
  [{ codec: null }, "codec"],
  [
    { statusDetailsCodec: 1 },
    "statusDetailsCodec must be a StatusDetailsCodec or null, received number",
  ],
  [{ compression: null }, "compression must be one of identity"],
  [{ config: null }, "options must be an object, received null"],
  [{ clock: null }, "clock must be a Clock, received null"],
  [{ http2: null }, "http2 must be"],
  [{ conifg: {} }, 'there is no option "conifg", the nearest is "config"'],
];

const CHANNEL: Cases = [
  ...COMMON,
  [
    { timeoutMs: "5" },
    'timeoutMs must be a finite number more than 0, received "5"',
  ],
  [{ waitForReady: 1 }, "waitForReady must be true or false, received number"],
  [{ retry: null }, "retry must be true, false or RetryOptions, received null"],
  [{ methods: null }, "methods must be an object, received null"],
  [{ serviceConfig: null }, "serviceConfig must be an object, received null"],
  [{ target: 5 }, "the target must be a string, received number"],
  [{ path: null }, "path must be a string, received null"],
  [{ connect: null }, "connect must be a function, received null"],
  [{ tls: null }, "tls must be an object, received null"],
  [
    { keepProcessAlive: null },
    "keepProcessAlive must be true or false, received null",
  ],
  [
    { keepProcesAlive: true },
    'there is no option "keepProcesAlive", the nearest is "keepProcessAlive"',
  ],
];

for (const [options, message] of CHANNEL) {
  Deno.test(`Channel() refuses ${JSON.stringify(options)}`, () => {
    const host = ["127.0.0.1", 1] as const;
    if (options === null) {
      assertThrows(() => new Channel(...host, any(null)), TypeError, message);
    } else {
      assertThrows(() => new Channel(any(options)), TypeError, message);
    }
  });
}

const SERVER: Cases = [
  ...COMMON,
  [{ onError: null }, "onError must be a function, received null"],
  [
    { onerror: () => {} },
    'there is no option "onerror", the nearest is "onError"',
  ],
];

for (const [options, message] of SERVER) {
  Deno.test(`Server() refuses ${JSON.stringify(options)}`, () => {
    assertThrows(() => new Server([], any(options)), TypeError, message);
  });
}

const START: Cases = [
  [null, "options must be an object, received null"],
  [{ path: null }, "path must be the path of a unix socket, received null"],
  [{ mode: 0o600 }, "mode needs a path that has a file"],
  [
    { path: "/x", mode: "600" },
    'mode must be an integer from 0 to 511, received "600"',
  ],
  [{ fd: null }, "fd must be an integer from 0 to 2147483647, received null"],
  [{ fd: "3" }, 'fd must be an integer from 0 to 2147483647, received "3"'],
  [{ tls: null }, "tls must be an object, received null"],
  [
    { backlog: "9" },
    'backlog must be an integer from 1 to 2147483647, received "9"',
  ],
  [{ ipv6Only: "no" }, "ipv6Only must be true or false, received string"],
  [{ reusePort: 1 }, "reusePort must be true or false, received number"],
  [{ port: 1 }, 'there is no option "port", the nearest is "path"'],
];

for (const [options, message] of START) {
  Deno.test(`Server.start() refuses ${JSON.stringify(options)}`, async () => {
    await using server = new Server([]);
    await assertRejects(() => server.start(any(options)), TypeError, message);
    assertEquals(server.address, null);
  });
}

Deno.test("Server.start() refuses a host or port of a wrong type", async () => {
  await using server = new Server([]);
  await assertRejects(
    () => server.start(any(5)),
    TypeError,
    "host must be a string, received number",
  );
  await assertRejects(
    () => server.start("127.0.0.1", any("50051")),
    TypeError,
    'port must be an integer from 0 to 65535, received "50051"',
  );
});

const CALL: Cases = [
  [null, "options must be an object, received null"],
  [{ timeoutMs: "5" }, "timeoutMs must be a number, received string"],
  [{ retry: 1 }, "retry must be true, false or RetryOptions, received number"],
  [{ hedging: {} }, "hedging.maxAttempts must be an integer from 2 to 5"],
  [{ deadline: new Date(0) }, "deadline must be a Deadline, received Date"],
  [
    { metadata: null },
    "it is made from an object, a map or pairs, received null",
  ],
  [
    { signal: new AbortController() },
    "signal must be an AbortSignal, received AbortController",
  ],
  [{ signal: null }, "signal must be an AbortSignal, received null"],
  [
    { waitForReady: "yes" },
    "waitForReady must be true or false, received string",
  ],
  [{ compression: null }, "compression must be one of identity"],
  [
    { maxSendMessageSize: null },
    "maxSendMessageSize must be a number, received null",
  ],
  [{ timeout: 5 }, 'there is no option "timeout", the nearest is "timeoutMs"'],
  [
    { wait_for_ready: true },
    'there is no option "wait_for_ready", the nearest is "waitForReady"',
  ],
];

for (const [options, message] of CALL) {
  Deno.test(`a call refuses ${JSON.stringify(options)}`, async () => {
    await using channel = new Channel("127.0.0.1", 1);
    const stub = createStub(Echo, channel);
    await assertRejects(() => stub.unary({}, any(options)), TypeError, message);
    assertThrows(() => stub.serverStream({}, any(options)), TypeError, message);
    assertThrows(() => stub.bidi.open(any(options)), TypeError, message);
    assertEquals(channel.state, "IDLE");
  });
}

Deno.test("ClientStream and ServerStream refuse options that there are none of", async () => {
  const errors: unknown[] = [];
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        for (
          const attempt of [
            () => stream.sendInitialMetadata(any({ metdata: {} })),
            () => stream.sendMessage({}, any({ compressed: false })),
            () => stream.sendTrailingMetadata(any({ statusMesage: "" })),
            () => stream.sendTrailingMetadata(any(null)),
          ]
        ) await attempt().catch((error) => errors.push(error));
        await stream.sendMessage({});
      },
    },
  });
  await using stream = echo.stub.bidi.open();
  for (
    const attempt of [
      () => stream.sendRequest(any({ End: true })),
      () => stream.sendMessage({}, any({ compressed: true })),
      () => stream.sendMessage({}, any(null)),
    ]
  ) await attempt().catch((error) => errors.push(error));
  await echo.stub.unary({});
  assertEquals(errors.map((error) => (error as Error).message), [
    'Cannot send request: there is no option "End", the nearest is "end"',
    'Cannot send message: there is no option "compressed", the nearest is "compress"',
    "Cannot send message: options must be an object, received null",
    'Cannot send initial metadata: there is no option "metdata", the nearest is "metadata"',
    'Cannot send message: there is no option "compressed", the nearest is "compress"',
    'Cannot send trailing metadata: there is no option "statusMesage", the nearest is "statusMessage"',
    "Cannot send trailing metadata: options must be an object, received null",
  ]);
});

Deno.test("Channel.waitForStateChange() refuses a signal that is none", async () => {
  await using channel = new Channel("127.0.0.1", 1);
  for (
    const [options, message] of [
      [{ signal: {} }, "Cannot wait: signal must be an AbortSignal"],
      [{ timeoutMs: 5 }, 'Cannot wait: there is no option "timeoutMs"'],
    ] as const
  ) {
    await assertRejects(
      () => channel.waitForStateChange("READY", any(options)),
      TypeError,
      message,
    );
  }
});

Deno.test("Server.close() and gracefulExit() refuse a grace of a wrong type, and other options", () => {
  const server = new Server([]);
  const cases: Cases = [
    [null, "options must be an object, received null"],
    [
      { graceMs: "5000" },
      'graceMs must be a number of at least 0, received "5000"',
    ],
    [
      { graceMs: null },
      "graceMs must be a number of at least 0, received null",
    ],
    [{ grace: 5 }, 'there is no option "grace", the nearest is "graceMs"'],
  ];
  for (const [options, message] of cases) {
    assertThrows(() => server.close(any(options)), TypeError, message);
    assertThrows(
      () => gracefulExit([server], any(options)),
      TypeError,
      message,
    );
  }
  server.close();
});

Deno.test("Channel() takes its target or path as an option, and only one of them", async () => {
  await using byTarget = new Channel({ target: "dns:///127.0.0.1:5" });
  assertEquals(byTarget.target, "127.0.0.1:5");
  await using byPath = new Channel({ path: "/run/x.sock" });
  assertEquals(byPath.target, "unix:/run/x.sock");
  await using byDefault = new Channel({});
  assertEquals(byDefault.target, "127.0.0.1:50051");
  for (
    const make of [
      () => new Channel({ target: "a", path: "/b" }),
      () => new Channel("a", { target: "b" }),
      () => new Channel("a", 1, { path: "/b" }),
    ]
  ) {
    assertThrows(make, TypeError, "received more than one of them");
  }
});

Deno.test("Channel() quotes a port that is no number", () => {
  assertThrows(
    () => new Channel("127.0.0.1", any("50051")),
    TypeError,
    'port must be an integer from 1 to 65535, received "50051"',
  );
});
