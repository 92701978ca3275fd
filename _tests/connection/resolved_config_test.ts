/** Service configs that come from a resolver. */

import { assert, assertEquals } from "@std/assert";
import {
  type CallOptions,
  type ChannelOptions,
  GRPCError,
  type ResolverAnswer,
  type ServiceConfig,
  Status,
} from "../../client.ts";
import { Health, ServiceStatus } from "../../health/mod.ts";
import { MemoryFleet, tally } from "../../_testdata/memory_fleet.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { until } from "../../_testdata/waiting.ts";

type Config = ResolverAnswer["serviceConfig"];

/** A service config with a timeout, in seconds. */
const limit = (seconds: number): ServiceConfig => ({
  methodConfig: [{ name: [{}], timeout: `${seconds}s` }],
});

/** One with a policy of load balancing. */
const balancing = (policy: string, config = {}): ServiceConfig => ({
  loadBalancingConfig: [{ [policy]: config }],
});

const WRONG: Config = { methodConfig: [{ name: [{}], timeout: "3c" }] };

const WRONG_WORDS =
  'Cannot resolve svc:50051: its answer is wrong: serviceConfig.methodConfig[0].timeout must be a duration such as "1.5s", received "3c"';

/** A client of four servers, whose resolver says what it is told to. */
class World implements AsyncDisposable {
  readonly fleet = new MemoryFleet();
  readonly channel;
  readonly call;
  readonly calls;
  /** What the resolver says. */
  answer: ResolverAnswer;
  /** How often it was asked. */
  asked = 0;
  /** How often servers have failed their calls. */
  failed = 0;
  /** How many attempts of a call they fail. */
  fails = 0;
  /** How long the last caller waits, as its server knows it, in milliseconds. */
  #left: number | null = null;

  constructor(answer: ResolverAnswer, options: ChannelOptions = {}) {
    this.answer = answer;
    for (const address of ["a:1", "b:1", "c:1", "d:1"]) {
      this.fleet.serve(address, {
        unary: async (stream) => {
          const { deadline, previousAttempts } = stream;
          this.#left = deadline?.timeRemainingMs() ?? null;
          if (previousAttempts < this.fails) {
            this.failed++;
            throw new GRPCError(Status.UNAVAILABLE, "Not yet");
          }
          await stream.sendMessage({ text: address });
        },
      });
    }
    const { channel, call, calls } = this.fleet.client({
      target: "svc",
      resolver: () => {
        this.asked++;
        return this.answer;
      },
      ...options,
    });
    this.channel = channel;
    this.call = call;
    this.calls = calls;
  }

  /** Has the resolver say something else when it is asked again. */
  async tell(answer: Partial<ResolverAnswer>): Promise<void> {
    const { asked } = this;
    this.answer = { endpoints: this.answer.endpoints, ...answer };
    await this.fleet.clock.advance(60_000);
    await until(() => this.asked > asked, "the resolver is asked");
  }

  /** Waits until so many endpoints take calls. */
  ready(count: number): Promise<void> {
    const isReady = () =>
      this.channel.endpoints.filter(({ state }) => state === "READY").length ===
        count;
    return until(isReady, `${count} endpoints are ready`);
  }

  /** How many seconds a call may take. */
  async secondsOf(options?: CallOptions): Promise<number | null> {
    await this.call(options);
    return this.#left === null ? null : Math.round(this.#left) / 1000;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.fleet[Symbol.asyncDispose]();
  }
}

Deno.test("The service config of a resolver holds for the calls after it", async () => {
  await using world = new World({
    endpoints: ["a:1"],
    serviceConfig: limit(2),
  });
  // It was not known when this one was made.
  assertEquals(await world.secondsOf(), null);
  assertEquals(await world.secondsOf(), 2);
  assertEquals(await world.secondsOf({ timeoutMs: 5_000 }), 2);
  assertEquals(await world.secondsOf({ timeoutMs: 1_000 }), 1);
  await world.tell({ serviceConfig: JSON.stringify(limit(3)) });
  assertEquals(await world.secondsOf(), 3);
  assertEquals(world.fleet.log, ["a:1"]);
});

Deno.test("The service config of a resolver takes the place of the channel's, as a whole, and gives it back", async () => {
  await using world = new World({ endpoints: ["a:1"] }, {
    serviceConfig: limit(7),
  });
  assertEquals(await world.secondsOf(), 7);
  for (
    const [serviceConfig, seconds] of [
      [limit(2), 2],
      [{}, null],
      [null, 7],
      ["{}", null],
      [undefined, 7],
    ] as const
  ) {
    await world.tell({ serviceConfig });
    assertEquals(await world.secondsOf(), seconds);
  }
});

Deno.test("The options of a channel count more than the service config of its resolver", async () => {
  await using world = new World({
    endpoints: ["a:1", "b:1"],
    serviceConfig: { ...limit(9), ...balancing("round_robin") },
  }, {
    methods: { "grpclib.test.Echo": { timeoutMs: 4_000 } },
    balancing: "pick_first",
  });
  await world.call();
  assertEquals(await world.secondsOf(), 4);
  assertEquals(tally(await world.calls(4)), { "a:1": 4 });
});

Deno.test("A resolver whose first service config is wrong has failed, and is asked again", async () => {
  await using world = new World({
    endpoints: ["a:1"],
    serviceConfig: WRONG,
  }, { serviceConfig: limit(7) });
  await assertStatus(Status.UNAVAILABLE, () => world.call(), WRONG_WORDS);
  assertEquals(world.channel.state, "TRANSIENT_FAILURE");
  assertEquals(world.channel.endpoints, []);
  const waiting = world.call({ waitForReady: true });
  world.answer = { endpoints: ["a:1"], serviceConfig: limit(2) };
  await world.fleet.clock.advance(1_200);
  assertEquals(await waiting, "a:1");
  assertEquals(await world.secondsOf(), 2);
});

Deno.test("A service config that is wrong leaves the last one as it was, and the endpoints count", async () => {
  await using world = new World({
    endpoints: ["a:1"],
    serviceConfig: limit(2),
  });
  await world.call();
  await world.tell({ endpoints: ["b:1"], serviceConfig: WRONG });
  await until(
    () => world.channel.endpoints[0]?.address === "b:1",
    "the endpoints are taken",
  );
  assertEquals(await world.call(), "b:1");
  assertEquals(await world.secondsOf(), 2);
  // It is a failure all the same: what is right is not waited for a minute.
  world.answer = { endpoints: ["b:1"], serviceConfig: limit(3) };
  await world.fleet.clock.advance(1_200);
  assertEquals(await world.secondsOf(), 3);
});

Deno.test("An answer that is refused for its endpoints has no service config either", async () => {
  await using world = new World({
    endpoints: ["a:1"],
    serviceConfig: limit(2),
  });
  await world.call();
  for (const endpoints of [[], ["a b"]]) {
    await world.tell({ endpoints, serviceConfig: limit(3) });
    assertEquals(await world.secondsOf(), 2);
  }
});

Deno.test("Retries and their throttling come and go with the service config of a resolver", async () => {
  const retrying = (maxTokens: number): ServiceConfig => ({
    methodConfig: [{
      name: [{}],
      retryPolicy: {
        maxAttempts: 3,
        initialBackoff: "0.001s",
        maxBackoff: "0.001s",
        backoffMultiplier: 1,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    }],
    retryThrottling: { maxTokens, tokenRatio: 0.001 },
  });
  await using world = new World({ endpoints: ["a:1"] });
  /** Makes a call, and tells how many of its attempts have failed. */
  const failures = async (): Promise<number> => {
    const before = world.failed;
    const ended = world.call().catch(() => {});
    let isOver = false;
    ended.finally(() => isOver = true);
    while (!isOver) await world.fleet.clock.advance(1);
    return world.failed - before;
  };
  world.fails = 9;
  assertEquals(await failures(), 1);
  await world.tell({ serviceConfig: retrying(10) });
  assertEquals(await failures(), 3); // 7 of 10 tokens are left,
  await world.tell({ serviceConfig: retrying(100) });
  assertEquals(await failures(), 3); // 67 of 100,
  await world.tell({ serviceConfig: retrying(10) });
  assertEquals(await failures(), 2); // 4.7 of 10,
  await world.tell({ serviceConfig: retrying(100) });
  assertEquals(await failures(), 1); // 46 of 100
  await world.tell({
    serviceConfig: { ...retrying(1), retryThrottling: null },
  });
  assertEquals(await failures(), 3);
  await world.tell({ serviceConfig: null });
  assertEquals(await failures(), 1);
});

Deno.test("The policy of load balancing changes with the service config of a resolver, without a lost call", async () => {
  await using world = new World({ endpoints: ["a:1", "b:1"] });
  assertEquals(tally(await world.calls(4)), { "a:1": 4 });
  await world.tell({ serviceConfig: balancing("round_robin") });
  await world.call();
  await world.ready(2);
  assertEquals(tally(await world.calls(4)), { "a:1": 2, "b:1": 2 });
  // From here on the connections are the same.
  const connected = world.fleet.log.length;
  await world.tell({ serviceConfig: balancing("least_request_experimental") });
  assertEquals((await world.calls(4)).length, 4);
  assertEquals(world.channel.endpoints.length, 2);
  assertEquals(world.fleet.log.length, connected);
  await world.tell({ serviceConfig: balancing("pick_first") });
  await until(
    () => world.channel.endpoints.length === 1,
    "there is but one connection",
  );
  assertEquals(tally(await world.calls(4)), { "a:1": 4 });
});

Deno.test("An answer with the same policy does not have round_robin begin again", async () => {
  await using world = new World({
    endpoints: ["a:1", "b:1", "c:1", "d:1"],
    serviceConfig: balancing("round_robin"),
  });
  await world.call();
  await world.ready(4);
  const order = (await world.calls(4)).join();
  for (let i = 0; i < 5; i++) {
    await world.tell({ serviceConfig: balancing("round_robin") });
    assertEquals((await world.calls(4)).join(), order);
  }
});

Deno.test("Endpoints are asked for their health as soon as a resolver says so", async () => {
  await using world = new World({
    endpoints: ["a:1", "b:1"],
    serviceConfig: balancing("round_robin"),
  });
  const status = new ServiceStatus();
  status.set(false);
  world.fleet.serve("b:1", {}, [new Health([["sick", [status]]])]);
  await world.call();
  await world.ready(2);
  await world.tell({
    serviceConfig: {
      ...balancing("round_robin"),
      healthCheckConfig: { serviceName: "sick" },
    },
  });
  const states = () => world.channel.endpoints.map(({ state }) => state).join();
  await until(() => states() === "READY,TRANSIENT_FAILURE", "one is sick");
  assertEquals(tally(await world.calls(4)), { "a:1": 4 });
  await world.tell({ serviceConfig: balancing("round_robin") });
  await world.ready(2);
  assert("b:1" in tally(await world.calls(4)));
});
