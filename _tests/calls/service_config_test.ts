// What a channel has for the calls of its methods: timeouts, waitForReady, sizes.

import { assertEquals, assertThrows } from "@std/assert";
import {
  type CallOptions,
  Channel,
  type ChannelOptions,
  createService,
  createStub,
  Deadline,
  Server,
  Status,
} from "../../mod.ts";
import {
  assertRejectsStatus,
  ChannelFor,
  Faults,
  VirtualClock,
} from "../../testing/mod.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { until } from "../../_testdata/waiting.ts";

const SERVICE = "grpclib.test.Echo";

/** A service config with what is said of the method. */
const said = (fields: object) => ({
  serviceConfig: {
    methodConfig: [{
      name: [{ service: SERVICE, method: "Unary" }],
      ...fields,
    }],
  },
});

/** A service that tells how long its callers wait. */
function start(channelOptions: Omit<ChannelOptions, "tls"> = {}) {
  const clock = new VirtualClock();
  const faults = new Faults();
  let limit: number | null = null;
  const channel = new ChannelFor([
    createService(Echo, {
      unary({ text }, stream) {
        limit = stream.deadline?.timeRemainingMs() ?? null;
        return { text };
      },
      serverStream: async function* () {},
      clientStream: () => ({}),
      bidi: async function* () {},
    }),
  ], { clock, faults, channel: channelOptions });
  const stub = createStub(Echo, channel);
  return {
    channel,
    clock,
    faults,
    stub,
    /** How long the server is told that the caller waits. */
    async limitOf(options?: CallOptions): Promise<number | null> {
      await stub.unary({ text: "a" }, options);
      return limit === null ? null : Math.round(limit);
    },
    [Symbol.asyncDispose]: () => channel.close(),
  };
}

type Options = Omit<ChannelOptions, "tls">;

const TIMEOUTS: readonly (readonly [
  options: Options,
  call: CallOptions | undefined,
  limit: number | null,
])[] = [
  [{}, undefined, null],
  [{ timeoutMs: 500 }, undefined, 500],
  [{ timeoutMs: 500 }, {}, 500],
  [{ timeoutMs: 500 }, { timeoutMs: 900 }, 900],
  [{ timeoutMs: 500 }, { timeoutMs: 100 }, 100],
  [{ timeoutMs: 500 }, { timeoutMs: null }, null],
  [{ methods: { [SERVICE]: { timeoutMs: 300 } } }, undefined, 300],
  [
    { timeoutMs: 500, methods: { [`${SERVICE}/Unary`]: { timeoutMs: 800 } } },
    {},
    800,
  ],
  [{ methods: { [`${SERVICE}/Bidi`]: { timeoutMs: 800 } } }, {}, null],
  [said({ timeout: "0.5s" }), undefined, 500],
  [said({ timeout: "0.5s" }), { timeoutMs: 100 }, 100],
  [said({ timeout: "0.5s" }), { timeoutMs: 900 }, 500],
  [said({ timeout: "0.5s" }), { timeoutMs: null }, 500],
  [{ ...said({ timeout: "0.5s" }), timeoutMs: 900 }, undefined, 500],
  [{ ...said({ timeout: "0.5s" }), timeoutMs: 300 }, undefined, 300],
];

for (const [options, call, limit] of TIMEOUTS) {
  Deno.test(`Channel with ${JSON.stringify(options)} gives calls with ${JSON.stringify(call)} ${limit} ms`, async () => {
    await using test = start(options);
    assertEquals(await test.limitOf(call), limit);
  });
}

Deno.test("Channel takes the earlier of its timeout and the deadline of a call", async () => {
  await using test = start({ timeoutMs: 500 });
  const at = (ms: number) => ({
    deadline: Deadline.fromTimeout(ms, test.clock),
  });
  assertEquals(await test.limitOf(at(300)), 300);
  assertEquals(await test.limitOf(at(900)), 500);
});

Deno.test("Channel ends calls by its timeout, connecting included", async () => {
  await using test = start({ timeoutMs: 500, waitForReady: true });
  test.faults.refuse();
  const late = assertRejectsStatus(
    test.stub.unary({}),
    Status.DEADLINE_EXCEEDED,
  );
  await test.clock.advance(500);
  await late;
});

for (
  const [options, call, waits] of [
    [{}, {}, false],
    [{ waitForReady: true }, undefined, true],
    [{ waitForReady: true }, { waitForReady: false }, false],
    [said({ waitForReady: true }), undefined, true],
    [said({ waitForReady: true }), {}, true],
    [said({ waitForReady: true }), { waitForReady: false }, false],
    [{ methods: { [SERVICE]: { waitForReady: true } } }, {}, true],
  ] as readonly (readonly [Options, CallOptions | undefined, boolean])[]
) {
  Deno.test(`Channel with ${JSON.stringify(options)} has calls with ${JSON.stringify(call)} ${waits ? "wait" : "fail"} without a connection`, async () => {
    await using test = start(options);
    test.faults.refuse();
    const reply = test.stub.unary({ text: "a" }, call);
    if (!waits) {
      return void await assertRejectsStatus(reply, Status.UNAVAILABLE);
    }
    await test.clock.advance(500);
    test.faults.heal();
    await test.clock.advance(5_000);
    assertEquals((await reply).text, "a");
  });
}

for (
  const [options, call, isTooLarge] of [
    [said({ maxRequestMessageBytes: 50 }), undefined, true],
    [said({ maxRequestMessageBytes: 50 }), { maxSendMessageSize: 500 }, true],
    [said({ maxRequestMessageBytes: 500 }), { maxSendMessageSize: 50 }, true],
    [said({ maxRequestMessageBytes: 500 }), {}, false],
    [said({ maxResponseMessageBytes: 50 }), undefined, true],
    [
      said({ maxResponseMessageBytes: 50 }),
      { maxReceiveMessageSize: 500 },
      true,
    ],
    [said({ maxResponseMessageBytes: 500 }), undefined, false],
    [{ methods: { [SERVICE]: { maxSendMessageSize: 50 } } }, undefined, true],
    [
      { methods: { [SERVICE]: { maxSendMessageSize: 50 } } },
      { maxSendMessageSize: 500 },
      false,
    ],
    [
      { methods: { [SERVICE]: { maxReceiveMessageSize: 50 } } },
      undefined,
      true,
    ],
  ] as readonly (readonly [Options, CallOptions | undefined, boolean])[]
) {
  Deno.test(`Channel with ${JSON.stringify(options)} ${isTooLarge ? "refuses" : "takes"} 100 bytes of calls with ${JSON.stringify(call)}`, async () => {
    await using test = start(options);
    const text = "a".repeat(100);
    const reply = test.stub.unary({ text }, call);
    if (isTooLarge) await assertRejectsStatus(reply, Status.RESOURCE_EXHAUSTED);
    else assertEquals((await reply).text, text);
  });
}

Deno.test("Channel() refuses a bad service config, with the path of the field", () => {
  const error = assertThrows(
    () => new Channel(said({ timeout: "3c" }) as ChannelOptions),
    RangeError,
  );
  assertEquals(
    error.message,
    'Cannot create channel: serviceConfig.methodConfig[0].timeout must be a duration such as "1.5s", received "3c"',
  );
});

Deno.test("Channel() has as many attempts of its service config as there may be", () => {
  const retryPolicy = {
    maxAttempts: 9,
    initialBackoff: "1s",
    maxBackoff: "1s",
    backoffMultiplier: 1,
    retryableStatusCodes: ["UNAVAILABLE" as const],
  };
  new Channel(said({ retryPolicy }));
  assertThrows(
    () => new Channel({ retry: { maxAttempts: 9 } }),
    RangeError,
    "retry.maxAttempts must be an integer from 2 to 5",
  );
  new Channel({ retry: { maxAttempts: 9 }, config: { maxAttemptsLimit: 9 } });
});

for (
  const [options, count] of [
    [{}, 1],
    [{ serviceConfig: { loadBalancingConfig: [{ round_robin: {} }] } }, 2],
    [{
      serviceConfig: { loadBalancingPolicy: "ROUND_ROBIN" },
      balancing: "pick_first",
    }, 1],
  ] as const
) {
  Deno.test(`Channel with ${JSON.stringify(options)} connects to ${count} of two servers`, async () => {
    const served: string[] = [];
    const serve = async (name: string) => {
      const server = new Server([
        createService(Echo, {
          unary() {
            served.push(name);
            return {};
          },
          serverStream: async function* () {},
          clientStream: () => ({}),
          bidi: async function* () {},
        }),
      ]);
      await server.start("127.0.0.1");
      return server;
    };
    await using first = await serve("first");
    await using second = await serve("second");
    await using channel = new Channel({
      ...options,
      target: [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`],
    });
    channel.connect();
    const isReady = () =>
      channel.endpoints.filter(({ state }) => state === "READY").length ===
        count;
    await until(isReady, "connections to the servers");
    const stub = createStub(Echo, channel);
    for (let i = 0; i < 4; i++) await stub.unary({});
    assertEquals(new Set(served).size, count);
  });
}
