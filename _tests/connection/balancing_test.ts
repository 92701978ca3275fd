/** Calls that are spread over several servers, in memory and on a virtual clock. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import {
  Channel,
  type ChannelOptions,
  type Resolver,
  type ResolverAnswer,
  Status,
} from "../../client.ts";
import { MemoryFleet, tally } from "../../_testdata/memory_fleet.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { soon, turns, until, whenAborted } from "../../_testdata/waiting.ts";
import { noteStates, untilState } from "../../_testdata/watch_states.ts";

const ROUND_ROBIN = { balancing: "round_robin" } as const;

/** Waits until so many endpoints are READY. */
async function ready(channel: Channel, count: number): Promise<void> {
  const isReady = () =>
    channel.endpoints.filter(({ state }) => state === "READY").length === count;
  await until(isReady, `${count} endpoints are ready`);
}

/** A resolver that says what it is told to, when it is told. */
class Told {
  readonly #answers: (ResolverAnswer | Error)[] = [];
  #wake = Promise.withResolvers<void>();
  asked = 0;
  signal: AbortSignal | undefined;

  readonly resolver: Resolver = ({ signal }) => {
    this.asked++;
    this.signal = signal;
    return this.#stream();
  };

  tell(...endpoints: (string | string[])[]): void {
    this.answer({ endpoints });
  }

  answer(answer: ResolverAnswer): void {
    this.#push(answer);
  }

  fail(message: string): void {
    this.#push(new Error(message));
  }

  #push(answer: ResolverAnswer | Error): void {
    this.#answers.push(answer);
    this.#wake.resolve();
  }

  async *#stream(): AsyncIterable<ResolverAnswer> {
    for (;;) {
      for (;;) {
        const answer = this.#answers.shift();
        if (answer === undefined) break;
        if (answer instanceof Error) throw answer;
        yield answer;
      }
      this.#wake = Promise.withResolvers();
      await this.#wake.promise;
    }
  }
}

Deno.test("round_robin gives each server the same share", async () => {
  await using fleet = new MemoryFleet();
  const target = ["a:1", "b:1", "c:1", "d:1"];
  for (const address of target) fleet.serve(address);
  const { channel, call, calls } = fleet.client({ target, ...ROUND_ROBIN });
  assertEquals(channel.endpoints, []);
  await call();
  await ready(channel, 4);
  assertEquals(tally(await calls(40)), {
    "a:1": 10,
    "b:1": 10,
    "c:1": 10,
    "d:1": 10,
  });
  assertEquals(
    channel.endpoints,
    target.map((address) => ({
      address,
      state: "READY",
      connections: 1,
      calls: 0,
    })),
  );
  assertEquals(fleet.log.length, 4);
});

Deno.test("round_robin serves all that are well, without a failed call, when some are lost and come back", async () => {
  await using fleet = new MemoryFleet();
  const target = ["a:1", "b:1", "c:1"];
  for (const address of target) fleet.serve(address);
  const { channel, call, calls } = fleet.client({ target, ...ROUND_ROBIN });
  await call();
  await ready(channel, 3);
  fleet.remove("b:1");
  fleet.cut("b:1");
  await ready(channel, 2);
  assertEquals(tally(await calls(6)), { "a:1": 3, "c:1": 3 });
  assertEquals(
    channel.endpoints.map(({ state }) => state),
    ["READY", "TRANSIENT_FAILURE", "READY"],
  );
  fleet.serve("b:1");
  await fleet.clock.advance(1200);
  await ready(channel, 3);
  assertEquals(tally(await calls(6)), { "a:1": 2, "b:1": 2, "c:1": 2 });
});

Deno.test("Calls go elsewhere when a server refuses them by GOAWAY", async () => {
  await using fleet = new MemoryFleet();
  const leaving = fleet.serve("a:1");
  fleet.serve("b:1");
  const { channel, call } = fleet.client({
    target: ["a:1", "b:1"],
    ...ROUND_ROBIN,
  });
  await call();
  await ready(channel, 2);
  const calls = Array.from({ length: 50 }, () => call());
  fleet.remove("a:1");
  leaving.close({ graceMs: 1000 });
  calls.push(...Array.from({ length: 50 }, () => call()));
  const answers = tally(await soon(Promise.all(calls)));
  assertEquals((answers["a:1"] ?? 0) + (answers["b:1"] ?? 0), 100);
});

Deno.test("round_robin fails calls at once when all are down, with each one's failure, but for those that wait", async () => {
  await using fleet = new MemoryFleet();
  const target = ["a:1", "b:1"];
  const { channel, call } = fleet.client({ target, ...ROUND_ROBIN });
  const { message } = await assertStatus(Status.UNAVAILABLE, call);
  assertEquals(
    message,
    "Cannot connect to a:1,b:1: connect REFUSED a:1; connect REFUSED b:1",
  );
  assertEquals(channel.state, "TRANSIENT_FAILURE");
  await assertStatus(Status.UNAVAILABLE, call);
  const waiting = call({ waitForReady: true });
  await turns(2);
  fleet.serve("b:1");
  // While they connect again, they still count as failed.
  await fleet.clock.advance(700);
  await assertStatus(Status.UNAVAILABLE, call);
  await fleet.clock.advance(600);
  assertEquals(await waiting, "b:1");
  assertEquals(channel.state, "READY");
});

Deno.test("Channel.state is that of its endpoints together", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:1");
  fleet.remove("b:1", "is silent");
  const { channel } = fleet.client({ target: ["a:1", "b:1"], ...ROUND_ROBIN });
  const states = noteStates(channel);
  channel.connect();
  await untilState(channel, "READY");
  fleet.remove("a:1");
  fleet.cut("a:1");
  await untilState(channel, "CONNECTING"); // to the other
  await fleet.clock.advance(20_000);
  await untilState(channel, "TRANSIENT_FAILURE");
  await channel.close();
  await turns(1);
  assertEquals(states, [
    "IDLE",
    "CONNECTING",
    "READY",
    "CONNECTING",
    "TRANSIENT_FAILURE",
    "SHUTDOWN",
  ]);
});

Deno.test("Calls that wait for room keep their order and context, and go to whichever server has room first", async () => {
  await using fleet = new MemoryFleet();
  const gates: Record<string, (() => void)[]> = { "a:1": [], "b:1": [] };
  for (const address of ["a:1", "b:1"]) {
    fleet.serve(
      address,
      {
        unary: async (stream) => {
          await new Promise<void>((resolve) => gates[address]!.push(resolve));
          await stream.sendMessage({ text: address });
        },
      },
      [],
      { config: { maxConcurrentStreams: 1 } },
    );
  }
  const { channel, call } = fleet.client({
    target: ["a:1", "b:1"],
    ...ROUND_ROBIN,
  });
  channel.connect();
  await ready(channel, 2);
  const storage = new AsyncLocalStorage<number>();
  const ended: string[] = [];
  const calls = [0, 1, 2, 3].map((i) =>
    storage.run(i, async () => {
      const address = await call();
      ended.push(`${storage.getStore()} ${address}`);
    })
  );
  await until(
    () => gates["a:1"]!.length + gates["b:1"]!.length === 2,
    "two calls run",
  );
  assertEquals(channel.endpoints.map((it) => it.calls), [1, 1]);
  for (let i = 0; i < 3; i++) {
    gates["b:1"]!.shift()!();
    await until(
      () => i === 2 || gates["b:1"]!.length === 1,
      "the next call runs",
    );
  }
  gates["a:1"]!.shift()!();
  await soon(Promise.all(calls));
  const others = ended.filter((it) => it.endsWith("b:1"));
  assertEquals(others.length, 3);
  assertEquals(others.slice(1), ["2 b:1", "3 b:1"]);
});

Deno.test("Calls that wait heed their deadline, and leave the queue", async () => {
  await using fleet = new MemoryFleet();
  fleet.remove("a:1", "is silent");
  const { call, channel } = fleet.client({
    target: ["a:1", "a:2"],
    ...ROUND_ROBIN,
  });
  const late = assertStatus(
    Status.DEADLINE_EXCEEDED,
    () => call({ timeoutMs: 100, waitForReady: true }),
  );
  await fleet.clock.advance(100);
  await late;
  assertEquals(channel.state, "CONNECTING");
});

Deno.test("Channel opens several connections to each address", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:1");
  const { channel, calls } = fleet.client({
    target: "a:1",
    balancing: { policy: "round_robin", connectionsPerAddress: 4 },
  });
  await calls(1);
  await until(() => channel.endpoints[0]!.connections === 4, "all are open");
  assertEquals(fleet.log.length, 4);
  await calls(8);
  assertEquals(channel.endpoints.length, 1);
});

Deno.test("round_robin goes on with those that are still there when the resolver names others", async () => {
  await using fleet = new MemoryFleet();
  for (const address of ["a:1", "b:1", "c:1"]) fleet.serve(address);
  const told = new Told();
  const { channel, call, calls } = fleet.client({
    target: "svc",
    resolver: told.resolver,
    ...ROUND_ROBIN,
  });
  const first = call();
  told.tell("a:1", "b:1", "a:1");
  await first;
  await ready(channel, 2);
  assertEquals(tally(await calls(6)), { "a:1": 3, "b:1": 3 });
  told.tell("b:1", "c:1");
  await until(() => channel.endpoints[1]?.address === "c:1", "it is told");
  await ready(channel, 2);
  assertEquals(tally(await calls(6)), { "b:1": 3, "c:1": 3 });
  assertEquals(fleet.log, ["a:1", "b:1", "c:1"]);
  assertEquals(told.asked, 1);
});

Deno.test("A server that the resolver no longer names ends its calls in peace", async () => {
  await using fleet = new MemoryFleet();
  const gate = Promise.withResolvers<void>();
  fleet.serve("a:1", {
    unary: async (stream) => {
      await gate.promise;
      await stream.sendMessage({ text: "a" });
    },
  });
  fleet.serve("b:1");
  const told = new Told();
  const { channel, call } = fleet.client({
    target: "svc",
    resolver: told.resolver,
    ...ROUND_ROBIN,
  });
  told.tell("a:1");
  const running = call();
  await until(() => channel.endpoints[0]?.calls === 1, "the call runs");
  told.tell("b:1");
  assertEquals(
    await until(() => channel.endpoints[0]?.address === "b:1", "it is told"),
    undefined,
  );
  assertEquals(await call(), "b:1");
  // It is seen, and counted, until its calls have ended.
  const { connections, streams, endpoints } = channel.inspect();
  assertEquals([connections, streams, endpoints.length], [2, 1, 1]);
  gate.resolve();
  assertEquals(await running, "a");
  await until(() => channel.inspect().connections === 1, "it is gone");
});

Deno.test("Channel.close() ends calls of servers that the resolver no longer names", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:1", { unary: ({ signal }) => whenAborted(signal) });
  fleet.serve("b:1");
  const told = new Told();
  const { channel, call } = fleet.client({
    target: "svc",
    resolver: told.resolver,
    ...ROUND_ROBIN,
  });
  told.tell("a:1");
  const running = assertStatus(Status.CANCELLED, call, "Channel is closed");
  await until(() => channel.endpoints[0]?.calls === 1, "the call runs");
  told.tell("b:1");
  await until(() => channel.endpoints[0]?.address === "b:1", "it is told");
  await channel.close();
  await running;
  assertEquals(channel.inspect().connections, 0);
});

Deno.test("Calls wait for the first answer of the resolver, and fail with what it throws", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:1");
  const told = new Told();
  const { channel, call } = fleet.client({
    target: "svc:1",
    resolver: told.resolver,
    ...ROUND_ROBIN,
  });
  const failed = assertStatus(Status.UNAVAILABLE, call);
  await turns(2);
  assertEquals(channel.state, "CONNECTING");
  told.fail("no such service");
  assertEquals(
    (await failed).message,
    "Cannot resolve svc:1: no such service",
  );
  assertEquals(channel.state, "TRANSIENT_FAILURE");
  const waiting = call({ waitForReady: true });
  told.tell("a:1");
  await fleet.clock.advance(1200);
  assertEquals(await waiting, "a:1");
  // A failure later leaves what is known.
  told.fail("down");
  await turns(2);
  assertEquals(await call(), "a:1");
});

for (
  const [what, answer, words] of [
    [
      "nothing",
      undefined,
      "has to answer { endpoints: [address, …] }, received undefined",
    ],
    ["no list", { endpoints: "a:1" }, "has to answer"],
    ["an empty list", { endpoints: [] }, "it has no address"],
    ["no address", { endpoints: ["a b"] }, "a host name or address is needed"],
    ["an empty endpoint", { endpoints: [[]] }, "the list of targets is empty"],
  ] as const
) {
  Deno.test(`Calls fail when the resolver answers ${what}`, async () => {
    await using fleet = new MemoryFleet();
    for (const balancing of ["pick_first", "round_robin"] as const) {
      const { call } = fleet.client({
        target: "svc",
        resolver: (() => answer) as unknown as Resolver,
        balancing,
      });
      const { message } = await assertStatus(Status.UNAVAILABLE, call);
      assertStringIncludes(message, "Cannot resolve svc:50051: ");
      assertStringIncludes(message, words);
    }
  });
}

Deno.test("A resolver is asked again when a server is lost, but not more often than minResolutionIntervalMs", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:1");
  fleet.serve("b:1");
  let asked = 0;
  const { channel, call } = fleet.client({
    target: "svc",
    resolver: () => {
      asked++;
      return { endpoints: ["a:1", "b:1"] };
    },
    config: { resolutionRefreshMs: Infinity },
    ...ROUND_ROBIN,
  });
  await call();
  await ready(channel, 2);
  for (let i = 0; i < 5; i++) {
    const attempts = fleet.log.length;
    fleet.cut("a:1");
    await fleet.clock.advance(2000);
    await until(() => fleet.log.length > attempts, "it connects again");
    await ready(channel, 2);
  }
  assertEquals(asked, 1);
  await fleet.clock.advance(20_000);
  assertEquals(asked, 2);
});

Deno.test("A resolver is asked again after resolutionRefreshMs, and new servers get their share", async () => {
  await using fleet = new MemoryFleet();
  for (const address of ["a:1", "b:1"]) fleet.serve(address);
  const endpoints = ["a:1"];
  const { channel, calls } = fleet.client({
    target: "svc",
    resolver: () => Promise.resolve({ endpoints }),
    ...ROUND_ROBIN,
  });
  await calls(2);
  endpoints.push("b:1");
  await fleet.clock.advance(59_000);
  assertEquals(tally(await calls(2)), { "a:1": 2 });
  await fleet.clock.advance(1_000);
  await ready(channel, 2);
  assertEquals(tally(await calls(4)), { "a:1": 2, "b:1": 2 });
});

Deno.test("An endpoint may have several addresses, which race", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:2");
  fleet.serve("b:1");
  const { channel, calls } = fleet.client({
    target: "svc",
    resolver: () => ({ endpoints: [["a:1", "a:2"], "b:1"] }),
    ...ROUND_ROBIN,
  });
  await calls(1);
  await ready(channel, 2);
  assertEquals(tally(await calls(4)), { "a:2": 2, "b:1": 2 });
  assertEquals(channel.endpoints.map((it) => it.address), ["a:1,a:2", "b:1"]);
});

Deno.test("pick_first keeps its connection while the resolver names its address, and else connects again", async () => {
  await using fleet = new MemoryFleet();
  for (const address of ["a:1", "b:1", "c:1"]) fleet.serve(address);
  const told = new Told();
  const { call, channel } = fleet.client({
    target: "svc",
    resolver: told.resolver,
  });
  told.tell("a:1", "b:1");
  assertEquals(await call(), "a:1");
  told.tell("b:1", "a:1");
  await turns(3);
  assertEquals(await call(), "a:1");
  told.tell("b:1", "a:1");
  await turns(3);
  assertEquals(fleet.log, ["a:1"]);
  told.tell("c:1", "b:1");
  await until(() => fleet.log.length === 2, "it connects again");
  assertEquals(await call(), "c:1");
  assertEquals(fleet.log, ["a:1", "c:1"]);
  fleet.remove("c:1");
  fleet.cut("c:1");
  await untilState(channel, "IDLE");
  assertEquals(await call(), "b:1");
});

Deno.test("pick_first is IDLE when its connection is lost, whatever the resolver says, until there is a call", async () => {
  await using fleet = new MemoryFleet();
  for (const address of ["a:1", "b:1"]) fleet.serve(address);
  const told = new Told();
  const { call, channel } = fleet.client({
    target: "svc",
    resolver: told.resolver,
  });
  told.tell("a:1");
  assertEquals(await call(), "a:1");
  fleet.cut("a:1");
  await untilState(channel, "IDLE");
  told.tell("b:1");
  await until(
    () => channel.endpoints[0]?.address === "b:1",
    "the answer is taken",
  );
  assertEquals(channel.state, "IDLE");
  assertEquals(fleet.log, ["a:1"]);
  assertEquals(await call(), "b:1");
  fleet.cut("b:1");
  await untilState(channel, "IDLE");
  channel.connect();
  await untilState(channel, "READY");
  assertEquals(fleet.log, ["a:1", "b:1", "b:1"]);
  assertEquals(told.asked, 1);
  // A GOAWAY is a loss like any other.
  const leaving = fleet.serve("b:1");
  fleet.cut("b:1");
  await untilState(channel, "IDLE");
  assertEquals(await call(), "b:1");
  leaving.close({ graceMs: 1000 });
  await untilState(channel, "IDLE");
  fleet.serve("b:1");
  assertEquals(await call(), "b:1");
  assertEquals(fleet.log.length, 5);
});

Deno.test("pick_first that has lost its connection is connected at once when the resolver turns it into round_robin", async () => {
  await using fleet = new MemoryFleet();
  for (const address of ["a:1", "b:1"]) fleet.serve(address);
  const told = new Told();
  const { call, channel } = fleet.client({
    target: "svc",
    resolver: told.resolver,
  });
  told.tell("a:1", "b:1");
  assertEquals(await call(), "a:1");
  fleet.cut("a:1");
  await untilState(channel, "IDLE");
  told.answer({
    endpoints: ["a:1", "b:1"],
    serviceConfig: { loadBalancingConfig: [{ round_robin: {} }] },
  });
  await ready(channel, 2);
  assertEquals(fleet.log, ["a:1", "a:1", "b:1"]);
});

Deno.test("pick_first with a resolver goes on to connect after a failure, though nobody calls", async () => {
  await using fleet = new MemoryFleet();
  const { channel } = fleet.client({
    target: "svc",
    resolver: () => ({ endpoints: ["a:1"] }),
  });
  channel.connect();
  await untilState(channel, "TRANSIENT_FAILURE");
  fleet.serve("a:1");
  await fleet.clock.advance(1_200);
  await untilState(channel, "READY");
  assertEquals(fleet.log, ["a:1", "a:1"]);
});

Deno.test("pick_first takes other addresses while it connects, and after a failure", async () => {
  await using fleet = new MemoryFleet();
  fleet.remove("a:1", "is silent");
  for (const address of ["b:1", "c:1"]) fleet.serve(address);
  const told = new Told();
  const { channel, call } = fleet.client({
    target: "svc",
    resolver: told.resolver,
  });
  const first = call();
  told.tell("a:1");
  await until(() => fleet.log.length === 1, "it connects");
  assertEquals(channel.state, "CONNECTING");
  told.tell("b:1");
  assertEquals(await first, "b:1");
  assertEquals(fleet.log, ["a:1", "-a:1", "b:1"]);
  // After a failure it does not wait until its backoff is over.
  fleet.remove("b:1");
  fleet.cut("b:1");
  await untilState(channel, "IDLE");
  await assertStatus(Status.UNAVAILABLE, call);
  assertEquals(channel.state, "TRANSIENT_FAILURE");
  const waiting = call({ waitForReady: true });
  told.tell("c:1");
  assertEquals(await waiting, "c:1");
});

Deno.test("pick_first is CONNECTING while one of its addresses is left, and has failed until one is connected", async () => {
  await using fleet = new MemoryFleet();
  fleet.remove("b:1", "is silent");
  const told = new Told();
  const { channel, call } = fleet.client({
    target: "svc",
    resolver: told.resolver,
  });
  channel.connect();
  told.tell("a:1", "b:1");
  await until(() => fleet.log.length === 2, "both were tried");
  assertEquals(channel.state, "CONNECTING");
  await fleet.clock.advance(20_000);
  assertEquals(channel.state, "TRANSIENT_FAILURE");
  // While it connects again it still counts as failed.
  await until(() => fleet.log.length > 3, "it connects again");
  assertEquals(channel.state, "TRANSIENT_FAILURE");
  await assertStatus(Status.UNAVAILABLE, call);
  fleet.serve("a:1");
  await fleet.clock.advance(60_000);
  await untilState(channel, "READY");
});

Deno.test("Addresses that a resolver names twice are tried once", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("b:1");
  for (const balancing of ["pick_first", "round_robin"] as const) {
    fleet.log.length = 0;
    const { channel, call } = fleet.client({
      target: "svc",
      resolver: () => ({ endpoints: ["a:1", "a:1", "b:1", "a:1"] }),
      balancing,
    });
    assertEquals(await call(), "b:1");
    assertEquals(fleet.log, ["a:1", "b:1"]);
    await channel.close();
  }
});

for (const balancing of ["pick_first", "round_robin"] as const) {
  Deno.test(`An empty answer leaves what is known to ${balancing}, and the resolver is asked again`, async () => {
    await using fleet = new MemoryFleet();
    fleet.serve("a:1");
    fleet.serve("b:1");
    const told = new Told();
    const { call } = fleet.client({
      target: "svc",
      resolver: told.resolver,
      balancing,
    });
    told.tell("a:1");
    assertEquals(await call(), "a:1");
    told.tell();
    await turns(3);
    assertEquals([await call(), told.asked], ["a:1", 1]);
    told.tell("b:1");
    await fleet.clock.advance(1_200);
    await until(() => told.asked === 2, "it is asked again");
    await until(() => fleet.log.includes("b:1"), "it is connected");
    assertEquals(await call(), "b:1");
  });
}

Deno.test("Calls that wait go to a server that was added meanwhile", async () => {
  await using fleet = new MemoryFleet();
  fleet.remove("a:1", "is silent");
  fleet.serve("b:1");
  const told = new Told();
  const { call } = fleet.client({
    target: "svc",
    resolver: told.resolver,
    ...ROUND_ROBIN,
  });
  const waiting = [call(), call(), call()];
  told.tell("a:1");
  await until(() => fleet.log.length === 1, "it connects");
  told.tell("a:1", "b:1");
  assertEquals(tally(await Promise.all(waiting)), { "b:1": 3 });
});

Deno.test("pick_first tries its addresses in random order when it is told to", async () => {
  await using fleet = new MemoryFleet();
  const target = Array.from({ length: 12 }, (_, i) => `a:${i + 1}`);
  for (const address of target) fleet.serve(address);
  const answers = new Set<string>();
  for (let i = 0; i < 12; i++) {
    const { call } = fleet.client({
      target,
      balancing: { policy: "pick_first", shuffleAddressList: true },
    });
    answers.add(await call());
  }
  assert(answers.size > 1);
});

Deno.test("A balanced channel is idle after idleTimeoutMs without calls, asks nobody then, and goes on with the next call", async () => {
  await using fleet = new MemoryFleet();
  const target = ["a:1", "b:1"];
  for (const address of target) fleet.serve(address);
  let asked = 0;
  const { channel, call } = fleet.client({
    target: "svc",
    resolver: () => {
      asked++;
      return { endpoints: target };
    },
    config: { idleTimeoutMs: 600_000 },
    ...ROUND_ROBIN,
  });
  await call();
  await ready(channel, 2);
  await fleet.clock.advance(400_000);
  await call();
  await fleet.clock.advance(599_000);
  assertEquals(channel.state, "READY");
  await fleet.clock.advance(1_500);
  assertEquals(channel.state, "IDLE");
  assertEquals(channel.endpoints, []);
  await turns(3);
  await fleet.clock.advance(1_001);
  const before = asked;
  await fleet.clock.advance(3_600_000);
  assertEquals(asked, before);
  await call();
  assertEquals(channel.state, "READY");
  assertEquals(asked, before + 1);
});

Deno.test("A balanced channel with an idleTimeoutMs of Infinity is never idle", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:1");
  const { channel, call } = fleet.client({
    target: ["a:1"],
    config: { idleTimeoutMs: Infinity },
    ...ROUND_ROBIN,
  });
  await call();
  await fleet.clock.advance(30 * 24 * 3_600_000);
  assertEquals(channel.state, "READY");
  assertEquals(fleet.log, ["a:1"]);
});

Deno.test("A balanced channel is not idle while a call runs, or when one comes at the last moment", async () => {
  await using fleet = new MemoryFleet();
  const gate = Promise.withResolvers<void>();
  fleet.serve("a:1", {
    unary: async (stream) => {
      await gate.promise;
      await stream.sendMessage({ text: "late" });
    },
  });
  const { channel, call } = fleet.client({
    target: ["a:1"],
    config: { idleTimeoutMs: 10_000 },
    ...ROUND_ROBIN,
  });
  const running = call();
  await ready(channel, 1);
  await fleet.clock.advance(35_000);
  assertEquals(channel.state, "READY");
  gate.resolve();
  assertEquals(await running, "late");
  await fleet.clock.advance(9_999);
  // It is made before the connection is given up, and has its reply after that.
  const last = call();
  await fleet.clock.advance(1);
  assertEquals(await last, "late");
  assertEquals(fleet.log, ["a:1"]);
  await fleet.clock.advance(20_000);
  assertEquals(channel.state, "IDLE");
});

Deno.test("A call that comes at the moment when a balanced channel is idle is served", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:1");
  const { channel, call } = fleet.client({
    target: ["a:1"],
    config: { idleTimeoutMs: 10_000 },
    ...ROUND_ROBIN,
  });
  await call();
  const late = Promise.withResolvers<string>();
  // The connections are being closed when it comes.
  channel.waitForStateChange("READY").then(() => late.resolve(call()));
  await fleet.clock.advance(21_000);
  assertEquals(await late.promise, "a:1");
  assertEquals(fleet.log, ["a:1", "a:1"]);
});

Deno.test("Channel.close() ends calls that wait, connections and the resolver", async () => {
  await using fleet = new MemoryFleet();
  fleet.serve("a:1");
  const told = new Told();
  const { channel, call } = fleet.client({
    target: "svc",
    resolver: told.resolver,
    ...ROUND_ROBIN,
  });
  const waiting = assertStatus(Status.CANCELLED, call, "Channel is closed");
  await turns(1);
  await channel.close();
  await waiting;
  assertEquals(told.signal?.aborted, true);
  await assertStatus(Status.CANCELLED, call, "Channel is closed");
  assertEquals(channel.state, "SHUTDOWN");
});

Deno.test("Channel() refuses balancing that cannot be", () => {
  for (
    const [balancing, message] of [
      ["best", 'balancing must be one of "pick_first", "round_robin"'],
      [{ policy: 1 }, "balancing.policy must be one of"],
      [{}, "balancing.policy must be one of"],
      [null, "balancing must be an object, received null"],
      [
        { policy: "round_robin", shuffle: true },
        'no option "balancing.shuffle"',
      ],
      [
        { policy: "pick_first", connectionsPerAddress: 2 },
        'balancing.connectionsPerAddress has no use with policy "pick_first"',
      ],
      [
        { policy: "round_robin", shuffleAddressList: true },
        'balancing.shuffleAddressList has no use with policy "round_robin"',
      ],
      [
        { policy: "round_robin", connectionsPerAddress: 0 },
        "balancing.connectionsPerAddress must be an integer from 1 to 10, received 0",
      ],
      [
        { policy: "round_robin", connectionsPerAddress: "2" },
        "balancing.connectionsPerAddress must be an integer from 1 to 10",
      ],
      [
        { policy: "pick_first", shuffleAddressList: 1 },
        "balancing.shuffleAddressList must be true or false",
      ],
    ] as const
  ) {
    const options = { balancing } as unknown as ChannelOptions;
    const { message: received } = assertThrows(
      () => new Channel(options),
      Error,
    );
    assertMatch(received, /^Cannot create channel: /);
    assertStringIncludes(received, message);
  }
  assertThrows(
    () => new Channel({ resolver: {} } as unknown as ChannelOptions),
    TypeError,
    "resolver must be a function",
  );
});
