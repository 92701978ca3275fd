/** Servers that are left out: for failing more calls than others, or not being well. */

import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type BalancingOptions,
  type BalancingPolicy,
  Channel,
  type ChannelOptions,
  GRPCError,
  type Many,
  type OutlierDetectionOptions,
  Status,
} from "../../client.ts";
import type { EchoHandlers } from "../../_testdata/echo_service.ts";
import {
  type FleetClient,
  MemoryFleet,
  tally,
} from "../../_testdata/memory_fleet.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { turns, until, whenAborted } from "../../_testdata/waiting.ts";
import {
  Health,
  OVERALL,
  ServiceStatus,
  ServingStatus,
} from "../../health/mod.ts";
import { type Handler, mapping, type ServerStream } from "../../server.ts";
import { WATCH_PATH } from "../../_balance/health_watch.ts";

/** Handlers that fail each call with a status. */
function failing(status: Status): EchoHandlers {
  return {
    unary: () => {
      throw new GRPCError(status, "as asked");
    },
  };
}

/** Waits until the endpoints are in these states. */
async function untilStates(
  channel: Channel,
  states: readonly string[],
): Promise<void> {
  const now = () => channel.endpoints.map(({ state }) => state).join();
  await until(() => now() === states.join(), `${states}, not ${now()}`);
}

/** A client that is connected to all of its servers. */
async function connected(
  fleet: MemoryFleet,
  target: string[],
  options: Omit<BalancingOptions, "policy"> & { policy?: BalancingPolicy },
  others: ChannelOptions = {},
): Promise<FleetClient> {
  const client = fleet.client({
    target,
    balancing: { policy: "round_robin", ...options },
    ...others,
  });
  client.channel.connect();
  await untilStates(client.channel, target.map(() => "READY"));
  return client;
}

/** Calls so many times, and gives who answered or which status came. */
async function outcomes(
  { call }: FleetClient,
  count: number,
): Promise<Record<string, number>> {
  const texts = [];
  for (let i = 0; i < count; i++) {
    texts.push(
      await call().catch((error: GRPCError) => `status ${error.status}`),
    );
  }
  return tally(texts);
}

Deno.test("least_request leaves alone a server that is slow", async () => {
  await using fleet = new MemoryFleet();
  const gate = Promise.withResolvers<void>();
  fleet.serve("a:1", {
    unary: async (stream) => {
      await gate.promise;
      await stream.sendMessage({ text: "a:1" });
    },
  });
  fleet.serve("b:1");
  const client = await connected(fleet, ["a:1", "b:1"], {
    policy: "least_request",
    choiceCount: 10,
  });
  const calls: Promise<string>[] = [];
  let answered = 0;
  for (let i = 0; i < 20; i++) {
    calls.push(client.call().finally(() => answered++));
    // Those of the server that is well are over before the next.
    await until(
      () => answered + client.channel.endpoints[0]!.calls === i + 1,
      "the call is over, or with the slow one",
    );
  }
  // With the same number of calls on both either may be drawn first, and once in
  // 1024 times the slow one alone is drawn: five of twenty are one in 10^11.
  assert(client.channel.endpoints[0]!.calls < 5);
  gate.resolve();
  assert(tally(await Promise.all(calls))["b:1"]! > 15);
});

Deno.test("least_request knows the calls of its servers when the resolver names others", async () => {
  await using fleet = new MemoryFleet();
  const gate = Promise.withResolvers<void>();
  for (const address of ["a:1", "b:1", "c:1"]) {
    fleet.serve(address, {
      unary: async (stream) => {
        await gate.promise;
        await stream.sendMessage({ text: address });
      },
    });
  }
  let endpoints = ["a:1"];
  const { channel, call } = fleet.client({
    target: "svc",
    resolver: () => ({ endpoints }),
    balancing: { policy: "least_request", choiceCount: 10 },
  });
  const calls = Array.from({ length: 20 }, () => call());
  await until(() => channel.endpoints[0]?.calls === 20, "they run");
  endpoints = ["a:1", "b:1", "c:1"];
  await fleet.clock.advance(60_000);
  await untilStates(channel, ["READY", "READY", "READY"]);
  calls.push(...Array.from({ length: 10 }, () => call()));
  const counts = () => channel.endpoints.map(({ calls }) => calls);
  await until(() => counts().reduce((a, b) => a + b) === 30, "they run");
  // That all ten choices fall on the first happens once in 59 000 times, for
  // each call; that it has three of ten, once in a million million.
  assert(counts()[0]! < 23, `${counts()}`);
  gate.resolve();
  await Promise.all(calls);
});

// Outlier detection

Deno.test("An endpoint that fails its calls is left out for a while, and longer the next time", async () => {
  await using fleet = new MemoryFleet();
  const target = ["a:1", "b:1", "c:1", "d:1"];
  for (const address of target.slice(0, 3)) fleet.serve(address);
  fleet.serve("d:1", failing(Status.INTERNAL));
  const client = await connected(fleet, target, { outlierDetection: true });
  assertEquals((await outcomes(client, 80))[`status ${Status.INTERNAL}`], 20);
  await fleet.clock.advance(10_000);
  await untilStates(client.channel, [
    ...["READY", "READY", "READY", "TRANSIENT_FAILURE"],
  ]);
  assertEquals(await outcomes(client, 30), { "a:1": 10, "b:1": 10, "c:1": 10 });
  await fleet.clock.advance(20_000);
  assertEquals(client.channel.endpoints[3]!.state, "TRANSIENT_FAILURE");
  await fleet.clock.advance(10_000);
  assertEquals(client.channel.endpoints[3]!.state, "READY");
  await outcomes(client, 80);
  await fleet.clock.advance(10_000);
  assertEquals(client.channel.endpoints[3]!.state, "TRANSIENT_FAILURE");
  await fleet.clock.advance(50_000);
  assertEquals(client.channel.endpoints[3]!.state, "TRANSIENT_FAILURE");
  await fleet.clock.advance(10_000);
  assertEquals(client.channel.endpoints[3]!.state, "READY");
  assertEquals(fleet.log.length, 4); // its connection was kept
});

/** What 100 calls to each of some endpoints leads to. */
const CASES: readonly (readonly [
  what: string,
  endpoints: number,
  bad: number,
  status: Status,
  options: OutlierDetectionOptions | true,
  ejected: number,
])[] = [
  ["statuses that are about the request", 4, 1, Status.NOT_FOUND, true, 0],
  ["statuses that are about the server", 4, 1, Status.UNAVAILABLE, true, 1],
  ["no more than one of a few", 5, 3, Status.INTERNAL, true, 1],
  [
    "no more than its part",
    5,
    4,
    Status.INTERNAL,
    { maxEjectionPercent: 60 },
    3,
  ],
  [
    "none where none may be",
    4,
    1,
    Status.INTERNAL,
    { maxEjectionPercent: 0 },
    0,
  ],
  ["too few calls", 4, 1, Status.INTERNAL, {
    successRate: { requestVolume: 101 },
    failurePercentage: { requestVolume: 101 },
  }, 0],
  ["too few endpoints", 4, 1, Status.INTERNAL, {
    successRate: { minimumHosts: 5 },
    failurePercentage: { minimumHosts: 5 },
  }, 0],
  ["a rate far below the mean", 6, 1, Status.INTERNAL, {
    failurePercentage: false,
  }, 1],
  ["a rate not that far below the mean", 6, 1, Status.INTERNAL, {
    failurePercentage: false,
    successRate: { stdevFactor: 2300 },
  }, 0],
  ["no enforcement", 6, 1, Status.INTERNAL, {
    failurePercentage: { enforcementPercentage: 0 },
    successRate: { enforcementPercentage: 0 },
  }, 0],
  ["neither way", 4, 1, Status.INTERNAL, {
    failurePercentage: false,
    successRate: false,
  }, 0],
];

for (const [what, endpoints, bad, status, options, ejected] of CASES) {
  Deno.test(`Outlier detection heeds ${what}`, async () => {
    await using fleet = new MemoryFleet();
    const target = Array.from({ length: endpoints }, (_, i) => `a:${i + 1}`);
    target.forEach((address, i) =>
      fleet.serve(address, i < bad ? failing(status) : {})
    );
    const client = await connected(fleet, target, {
      outlierDetection: options,
    });
    await outcomes(client, endpoints * 100);
    await fleet.clock.advance(10_000);
    const { channel } = client;
    const states = channel.endpoints.map(({ state }) => state);
    assertEquals(
      states.filter((state) => state === "TRANSIENT_FAILURE").length,
      ejected,
    );
    assertEquals(states.slice(bad), Array(endpoints - bad).fill("READY"));
  });
}

Deno.test("Outlier detection counts deadlines that a silent server lets pass, and not what callers cancel", async () => {
  await using fleet = new MemoryFleet();
  const silent: EchoHandlers = {
    unary: (stream) => whenAborted(stream.signal),
  };
  for (const isCancelled of [false, true]) {
    const target = ["a:1", "b:1", "c:1"].map((it) => `${isCancelled}-${it}`);
    for (const address of target) fleet.serve(address);
    fleet.serve(target[0]!, silent);
    const { channel, call } = await connected(fleet, target, {
      outlierDetection: true,
    });
    const controller = new AbortController();
    const calls = Array.from({ length: 90 }, () =>
      call(
        isCancelled ? { signal: controller.signal } : { timeoutMs: 1_000 },
      ).catch(() => {}));
    await until(() => channel.endpoints[0]!.calls === 30, "they run");
    if (isCancelled) controller.abort();
    else await fleet.clock.advance(1_000);
    await Promise.all(calls);
    await turns(3);
    await fleet.clock.advance(10_000);
    assertEquals(
      channel.endpoints[0]!.state,
      isCancelled ? "READY" : "TRANSIENT_FAILURE",
    );
  }
});

Deno.test("An endpoint that is left out and loses its connection gets another", async () => {
  await using fleet = new MemoryFleet();
  const target = ["a:1", "b:1", "c:1"];
  for (const address of target) fleet.serve(address);
  fleet.serve("a:1", failing(Status.INTERNAL));
  const client = await connected(fleet, target, { outlierDetection: true });
  await outcomes(client, 90);
  await fleet.clock.advance(10_000);
  fleet.serve("a:1");
  fleet.cut("a:1");
  await until(() => fleet.log.length === 4, "it is connected again");
  await turns(5);
  assertEquals(client.channel.endpoints[0]!.state, "TRANSIENT_FAILURE");
  await fleet.clock.advance(30_000);
  await untilStates(client.channel, ["READY", "READY", "READY"]);
  assertEquals(await outcomes(client, 6), { "a:1": 2, "b:1": 2, "c:1": 2 });
});

// Health

Deno.test("Only endpoints that are SERVING take calls", async () => {
  await using fleet = new MemoryFleet();
  const statuses = [new ServiceStatus(), new ServiceStatus()] as const;
  const target = ["a:1", "b:1"];
  target.forEach((address, i) =>
    fleet.serve(address, {}, [new Health([[OVERALL, [statuses[i]!]]])])
  );
  statuses[0].set(true);
  statuses[1].set(false);
  const client = fleet.client({
    target,
    balancing: { policy: "round_robin", healthCheck: true },
  });
  const { channel } = client;
  assertEquals(await client.call(), "a:1");
  await untilStates(channel, ["READY", "TRANSIENT_FAILURE"]);
  assertEquals(await outcomes(client, 4), { "a:1": 4 });
  statuses[1].set(true);
  await untilStates(channel, ["READY", "READY"]);
  assertEquals(await outcomes(client, 4), { "a:1": 2, "b:1": 2 });
  statuses[0].set(false);
  await untilStates(channel, ["TRANSIENT_FAILURE", "READY"]);
  assertEquals(await outcomes(client, 4), { "b:1": 4 });
  statuses[1].set(false);
  await untilStates(channel, ["TRANSIENT_FAILURE", "TRANSIENT_FAILURE"]);
  const { message } = await assertStatus(Status.UNAVAILABLE, client.call);
  assertStringIncludes(message, "its health is NOT_SERVING");
  assertEquals(fleet.log.length, 2);
  // Watching is no call of the channel's, and no use of its connections.
  assertEquals(channel.endpoints.map(({ calls }) => calls), [0, 0]);
  await fleet.clock.advance(1_800_001);
  assertEquals(channel.state, "IDLE");
});

Deno.test("Health is asked of the service that healthCheck names", async () => {
  await using fleet = new MemoryFleet();
  const status = new ServiceStatus();
  fleet.serve("a:1", {}, [
    new Health([[OVERALL, [status]], ["x".repeat(200), []]]),
  ]);
  status.set(false);
  for (
    const [healthCheck, words] of [
      ["x".repeat(200), null],
      ["unknown", "its health is SERVICE_UNKNOWN"],
      ["", "its health is NOT_SERVING"],
    ] as const
  ) {
    const { call } = fleet.client({
      target: "a:1",
      balancing: { policy: "round_robin", healthCheck },
    });
    if (words === null) assertEquals(await call(), "a:1");
    else {
      const { message } = await assertStatus(Status.UNAVAILABLE, call);
      assertStringIncludes(message, words);
    }
  }
});

Deno.test("An endpoint without the health service counts as well", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:1");
  const { call } = fleet.client({
    target: "a:1",
    balancing: { policy: "least_request", healthCheck: true },
  });
  assertEquals(await call(), "a:1");
});

Deno.test("Health is not asked for unless that is wished, and no more once the channel is closed", async () => {
  await using fleet = new MemoryFleet();
  let watches = 0;
  const ended = Promise.withResolvers<void>();
  const watch: Handler = {
    ...new Health([])[mapping]()[WATCH_PATH]!,
    handle: async (stream: ServerStream<unknown, Many<unknown>>) => {
      watches++;
      await stream.sendMessage({ status: ServingStatus.NOT_SERVING });
      await whenAborted(stream.signal);
      ended.resolve();
    },
  };
  fleet.serve("a:1", {}, [{ [mapping]: () => ({ [WATCH_PATH]: watch }) }]);
  const { call } = await connected(fleet, ["a:1"], {});
  assertEquals(await call(), "a:1");
  assertEquals(watches, 0);
  const { channel } = fleet.client({
    target: "a:1",
    balancing: { policy: "round_robin", healthCheck: true },
  });
  channel.connect();
  await untilStates(channel, ["TRANSIENT_FAILURE"]);
  assertEquals(watches, 1);
  await channel.close();
  await ended.promise;
  await fleet.clock.advance(600_000);
  assertEquals(watches, 1);
});

Deno.test("A health check that fails is repeated when the backoff is over", async () => {
  await using fleet = new MemoryFleet();
  let asked = 0;
  const gate = Promise.withResolvers<void>();
  const watch: Handler = {
    ...new Health([])[mapping]()[WATCH_PATH]!,
    handle: async (stream: ServerStream<unknown, Many<unknown>>) => {
      if (asked++ < 2) throw new GRPCError(Status.UNAVAILABLE, "ill");
      await stream.sendMessage({ status: ServingStatus.SERVING });
      await Promise.race([whenAborted(stream.signal), gate.promise]);
      throw new GRPCError(Status.UNAVAILABLE, "ill again");
    },
  };
  fleet.serve("a:1", {}, [{ [mapping]: () => ({ [WATCH_PATH]: watch }) }]);
  const { channel, call } = fleet.client({
    target: "a:1",
    balancing: { policy: "round_robin", healthCheck: true },
  });
  const { message } = await assertStatus(Status.UNAVAILABLE, call);
  assertStringIncludes(message, "the health check ended with UNAVAILABLE: ill");
  await fleet.clock.advance(1_200);
  await turns(3);
  assertEquals([asked, channel.state], [2, "TRANSIENT_FAILURE"]);
  await fleet.clock.advance(1_200 * 1.6);
  await untilStates(channel, ["READY"]);
  assertEquals(await call(), "a:1");
  // It was well: the waits begin with the first again.
  gate.resolve();
  await untilStates(channel, ["TRANSIENT_FAILURE"]);
  await fleet.clock.advance(1_200);
  await until(() => asked === 4, "it is asked");
});

Deno.test("A server that allows a single stream has that for calls, and counts as well", async () => {
  await using fleet = new MemoryFleet();
  const ill = new ServiceStatus();
  ill.set(false);
  fleet.serve("a:1", {}, [new Health([[OVERALL, [ill]]])], {
    config: { maxConcurrentStreams: 1 },
  });
  const { calls } = await connected(fleet, ["a:1"], { healthCheck: true });
  assertEquals(await calls(3), ["a:1", "a:1", "a:1"]);
});

Deno.test("A connection that is lost while it is watched is made again, and watched again", async () => {
  await using fleet = new MemoryFleet();
  const status = new ServiceStatus();
  status.set(true);
  fleet.serve("a:1", {}, [new Health([[OVERALL, [status]]])]);
  const { channel, call } = await connected(fleet, ["a:1"], {
    healthCheck: true,
  });
  assertEquals(await call(), "a:1");
  fleet.cut("a:1");
  await until(() => fleet.log.length === 2, "it is connected again");
  await untilStates(channel, ["READY"]);
  status.set(false);
  await untilStates(channel, ["TRANSIENT_FAILURE"]);
});

Deno.test("A server that leaves does not wait for those who watch its health", async () => {
  await using fleet = new MemoryFleet();
  const server = fleet.serve("a:1", {}, [new Health([[OVERALL, []]])]);
  fleet.serve("b:1", {}, [new Health([[OVERALL, []]])]);
  const client = await connected(fleet, ["a:1", "b:1"], { healthCheck: true });
  fleet.remove("a:1");
  server.close({ graceMs: 60_000 });
  await until(
    () => client.channel.endpoints[0]!.connections === 0,
    "it leaves",
  );
  assertEquals(await outcomes(client, 4), { "b:1": 4 });
  await server.waitClosed();
});

Deno.test("Channel() refuses ways to leave endpoints out that cannot be", () => {
  for (
    const [balancing, message] of [
      [
        { policy: "least_request", choiceCount: 1 },
        "balancing.choiceCount must be an integer from 2 to 10, received 1",
      ],
      [
        { policy: "round_robin", choiceCount: 2 },
        'balancing.choiceCount has no use with policy "round_robin"',
      ],
      [
        { policy: "pick_first", outlierDetection: true },
        'balancing.outlierDetection has no use with policy "pick_first"',
      ],
      [
        { policy: "pick_first", healthCheck: true },
        'balancing.healthCheck has no use with policy "pick_first"',
      ],
      [
        { policy: "round_robin", healthCheck: 1 },
        "balancing.healthCheck must be true, false or the name of a service",
      ],
      [
        { policy: "round_robin", outlierDetection: 1 },
        "balancing.outlierDetection must be an object, received",
      ],
      [
        { policy: "round_robin", outlierDetection: { interval: 1 } },
        'no option "balancing.outlierDetection.interval"',
      ],
      [
        {
          policy: "round_robin",
          outlierDetection: { maxEjectionPercent: 101 },
        },
        "balancing.outlierDetection.maxEjectionPercent must be a number from 0 to 100, received 101",
      ],
      [
        {
          policy: "round_robin",
          outlierDetection: { successRate: { threshold: 1 } },
        },
        'no option "balancing.outlierDetection.successRate.threshold"',
      ],
      [
        {
          policy: "round_robin",
          outlierDetection: { failurePercentage: { minimumHosts: 0 } },
        },
        "balancing.outlierDetection.failurePercentage.minimumHosts must be an integer from 1",
      ],
    ] as const
  ) {
    const options = { balancing } as unknown as ChannelOptions;
    const { message: received } = assertThrows(
      () => new Channel(options),
      Error,
    );
    assertStringIncludes(received, "Cannot create channel: ");
    assertStringIncludes(received, message);
  }
});
