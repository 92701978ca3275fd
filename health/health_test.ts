/** The health of services, asked over real calls. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  Channel,
  createService,
  createStub,
  GRPCError,
  mapping,
  Server,
  type Service,
  Status,
  type Stub,
} from "../mod.ts";
import { Greeter } from "../examples/helloworld/gen/helloworld_pb.ts";
import {
  type Check,
  Health,
  HealthService,
  HealthStub,
  OVERALL,
  ServiceCheck,
  type ServiceChecks,
  ServiceStatus,
  ServingStatus,
} from "./mod.ts";
import { soon } from "../_testdata/waiting.ts";

const { UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN } = ServingStatus;

const greeter = createService(Greeter, { sayHello: () => ({}) });

interface Pair extends AsyncDisposable {
  readonly server: Server;
  readonly channel: Channel;
  readonly stub: Stub<typeof HealthService>;
  readonly errors: unknown[];
}

async function start(...services: Service[]): Promise<Pair> {
  const errors: unknown[] = [];
  const server = new Server(services, {
    onError: (error) => errors.push(error),
  });
  await server.start("127.0.0.1");
  const channel = new Channel("127.0.0.1", server.port!);
  return {
    server,
    channel,
    errors,
    stub: createStub(HealthService, channel),
    async [Symbol.asyncDispose]() {
      await soon(channel.close(), "the channel to close");
      server.close();
      await soon(server.waitClosed(), "the server to close");
    },
  };
}

/** A check whose status a test sets, made by a function. */
function checkOf(status: boolean | null): ServiceCheck {
  return new ServiceCheck(() => Promise.resolve(status));
}

function statusOf(status: boolean | null): ServiceStatus {
  const check = new ServiceStatus();
  check.set(status);
  return check;
}

/** Reads the statuses of a watched service. */
class Watch {
  readonly #replies: AsyncIterator<{ status: ServingStatus }>;
  #next: Promise<IteratorResult<{ status: ServingStatus }>> | undefined;

  constructor(stub: Stub<typeof HealthService>, service: string) {
    this.#replies = stub.watch({ service })[Symbol.asyncIterator]();
  }

  async next(): Promise<ServingStatus> {
    const next = this.#next ?? this.#replies.next();
    this.#next = undefined;
    const { value } = await soon(next, "a status");
    return value.status;
  }

  /** Makes sure that nothing comes, as far as a test can wait for that. */
  async silence(): Promise<void> {
    this.#next ??= this.#replies.next();
    const quiet = new Promise((resolve) => setTimeout(resolve, 30, "quiet"));
    assertEquals(await Promise.race([this.#next, quiet]), "quiet");
  }

  async leave(): Promise<void> {
    this.#next?.catch(() => {});
    await this.#replies.return!();
  }
}

// The user's guide

Deno.test("Health() says that a server without checks is well", async () => {
  await using pair = await start(greeter, new Health());
  assertEquals((await pair.stub.check({})).status, SERVING);
});

Deno.test("Health() depends on the checks of the server as a whole", async () => {
  const db = new ServiceStatus();
  const cache = new ServiceStatus();
  const health = new Health(new Map([[OVERALL, [db, cache]]]));
  await using pair = await start(greeter, health);
  db.set(true);
  cache.set(true);
  assertEquals((await pair.stub.check({})).status, SERVING);
  cache.set(false);
  assertEquals((await pair.stub.check({})).status, NOT_SERVING);
});

Deno.test("Health() depends on the checks of each service", async () => {
  const named = (name: string): Service => ({
    [mapping]: () => ({
      [`/acme.${name}/Call`]: Object.values(greeter[mapping]())[0]!,
    }),
  });
  const [foo, bar] = [named("Foo"), named("Bar")];
  const [a, b, c] = [statusOf(true), statusOf(true), statusOf(false)];
  const checks: ServiceChecks[] = [[foo, [a, b]], [bar, [b, c]]];
  {
    await using pair = await start(foo, bar, new Health(checks));
    const ask = async (service: string) =>
      (await pair.stub.check({ service })).status;
    assertEquals(await ask("acme.Foo"), SERVING);
    assertEquals(await ask("acme.Bar"), NOT_SERVING);
    assertEquals(await ask(""), NOT_SERVING);
    const { statuses } = await pair.stub.list({});
    assertEquals(
      Object.entries(statuses).map(([name, { status }]) => [name, status]),
      [["acme.Foo", SERVING], ["acme.Bar", NOT_SERVING], ["", NOT_SERVING]],
    );
  }
  const health = new Health([...checks, [OVERALL, [a, b]]]);
  await using pair = await start(foo, bar, health);
  assertEquals((await pair.stub.check({})).status, SERVING);
});

// Check

Deno.test("Check answers NOT_FOUND when there is no such service", async () => {
  await using pair = await start(new Health());
  const error = await assertRejects(
    () => pair.stub.check({ service: "acme.Foo" }),
    GRPCError,
    'Unknown service: "acme.Foo"',
  );
  assertEquals(error.status, Status.NOT_FOUND);
});

Deno.test("Check adds up the checks of a service", async () => {
  const table: [(boolean | null)[], ServingStatus][] = [
    [[], SERVING],
    [[null, null], UNKNOWN],
    [[true, true], SERVING],
    [[true, false], NOT_SERVING],
    [[false, true], NOT_SERVING],
    [[null, true], NOT_SERVING],
    [[null, false], NOT_SERVING],
  ];
  const makers: ((status: boolean | null) => Check)[] = [checkOf, statusOf];
  for (const make of makers) {
    for (const [statuses, expected] of table) {
      const health = new Health([[
        "acme.Foo",
        statuses.map((one) => make(one)),
      ]]);
      await using pair = await start(health);
      const { status } = await pair.stub.check({ service: "acme.Foo" });
      assertEquals(status, expected, `${statuses}`);
    }
  }
});

Deno.test("Check makes all checks at once", async () => {
  let running = 0;
  let most = 0;
  const slow = () =>
    new ServiceCheck(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 10));
      running--;
      return true;
    });
  await using pair = await start(new Health([[OVERALL, [slow(), slow()]]]));
  assertEquals((await pair.stub.check({})).status, SERVING);
  assertEquals(most, 2);
});

Deno.test("a check that throws counts as failed and is reported by its name", async () => {
  const boom = new Error("boom");
  const check = new ServiceCheck(function db_check() {
    throw boom;
  });
  await using pair = await start(new Health([["a", [check]], ["b", [check]]]));
  const statuses = await Promise.all(
    ["a", "b", ""].map((service) => pair.stub.check({ service })),
  );
  assertEquals(statuses.map(({ status }) => status), [
    ...[NOT_SERVING, NOT_SERVING, NOT_SERVING],
  ]);
  const [error] = pair.errors;
  assertInstanceOf(error, Error);
  assertEquals(error.message, "Health check db_check failed");
  assertEquals(error.cause, boom);
  assertEquals(pair.errors.length, 1);
});

Deno.test("List answers RESOURCE_EXHAUSTED when there are too many services", async () => {
  const checks = Array.from({ length: 100 }, (_, i) => [`s${i}`, []] as const);
  await using pair = await start(new Health(checks));
  const error = await assertRejects(() => pair.stub.list({}), GRPCError);
  assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
});

// Watch

Deno.test("Watch says SERVICE_UNKNOWN and goes on when there is no such service", async () => {
  await using pair = await start(new Health());
  const watch = new Watch(pair.stub, "acme.Foo");
  assertEquals(await watch.next(), SERVICE_UNKNOWN);
  await watch.silence();
  await watch.leave();
});

Deno.test("Watch says SERVING and goes on when there are no checks", async () => {
  await using pair = await start(new Health());
  const watch = new Watch(pair.stub, "");
  assertEquals(await watch.next(), SERVING);
  await watch.silence();
  await watch.leave();
});

Deno.test("Watch tells the changes of a ServiceStatus, and nothing else", async () => {
  const [a, b] = [new ServiceStatus(), new ServiceStatus()];
  await using pair = await start(new Health([["acme.Foo", [a, b]]]));
  const watch = new Watch(pair.stub, "acme.Foo");
  assertEquals(await watch.next(), UNKNOWN);
  a.set(true);
  assertEquals(await watch.next(), NOT_SERVING);
  a.set(false);
  b.set(false);
  await watch.silence();
  a.set(true);
  b.set(true);
  assertEquals(await watch.next(), SERVING);
  b.set(true);
  await watch.silence();
  await watch.leave();
});

Deno.test("Watch makes checks before it answers, and again as long as it lasts", async () => {
  let result = true;
  let made = 0;
  const check = new ServiceCheck(() => {
    made++;
    return result;
  }, { checkTtlMs: 5 });
  await using pair = await start(new Health([["acme.Foo", [check]]]));
  assertEquals(made, 0);
  const watch = new Watch(pair.stub, "acme.Foo");
  assertEquals(await watch.next(), SERVING);
  result = false;
  assertEquals(await watch.next(), NOT_SERVING);
  result = true;
  assertEquals(await watch.next(), SERVING);
  await watch.silence();
  await watch.leave();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const before = made;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(made, before);
});

Deno.test("Watch tells a slow client the newest status alone", async () => {
  const status = statusOf(true);
  await using pair = await start(new Health([[OVERALL, [status]]]));
  await using stream = pair.stub.watch.open();
  await stream.sendMessage({});
  assertEquals((await stream.recvMessage())?.status, SERVING);
  for (let i = 0; i < 1000; i++) status.set(i % 2 === 1);
  const told: ServingStatus[] = [];
  status.set(null);
  for (;;) {
    const reply = await soon(stream.recvMessage(), "a status");
    told.push(reply!.status);
    if (reply!.status === UNKNOWN) break;
  }
  // As quick as it reads, and each other than the one before.
  for (let i = 1; i < told.length; i++) assert(told[i] !== told[i - 1]);
});

// The end of the server

Deno.test("watchers hear NOT_SERVING before the server is gone", async () => {
  await using pair = await start(greeter, new Health());
  const watches = ["", "acme.Unknown"].map((name) =>
    new Watch(pair.stub, name)
  );
  for (const watch of watches) await watch.next();
  pair.server.close({ graceMs: 60_000 });
  for (const watch of watches) {
    assertEquals(await watch.next(), NOT_SERVING);
    const error = await assertRejects(() => watch.next(), GRPCError);
    assertEquals(error.status, Status.UNAVAILABLE);
  }
  // They do not hold up its end.
  await soon(pair.server.waitClosed(), "the server to close");
});

Deno.test("watchers hear NOT_SERVING when the server closes without grace", async () => {
  await using pair = await start(new Health());
  const watch = new Watch(pair.stub, "");
  assertEquals(await watch.next(), SERVING);
  pair.server.close();
  assertEquals(await watch.next(), NOT_SERVING);
  await assertRejects(() => watch.next(), GRPCError);
});

// Arguments

Deno.test("Health may be shared by servers, of which one closes", async () => {
  const health = new Health([[greeter, [statusOf(true)]]]);
  await using one = await start(health);
  await using other = await start(health);
  const watch = new Watch(other.stub, "helloworld.Greeter");
  assertEquals(await watch.next(), SERVING);
  const gone = new Watch(one.stub, "helloworld.Greeter");
  assertEquals(await gone.next(), SERVING);
  one.server.close({ graceMs: 1000 });
  assertEquals(await gone.next(), NOT_SERVING);
  const request = { service: "helloworld.Greeter" };
  assertEquals((await other.stub.check(request)).status, SERVING);
  assertEquals((await other.stub.list({})).statuses[""]?.status, SERVING);
  await watch.silence();
  await watch.leave();
});

Deno.test("Health can be used again when its server has closed", async () => {
  const check = statusOf(true);
  const health = new Health([[greeter, [check]]]);
  {
    await using first = await start(health);
    assertEquals((await first.stub.check({})).status, SERVING);
  }
  await using second = await start(health);
  assertEquals((await second.stub.check({})).status, SERVING);
  const watch = new Watch(second.stub, "");
  assertEquals(await watch.next(), SERVING);
  check.set(false);
  assertEquals(await watch.next(), NOT_SERVING);
  await watch.leave();
});

Deno.test("Health takes services alone, which depend on no checks", async () => {
  await using pair = await start(new Health([greeter, "shop.Cart"]));
  for (const service of ["helloworld.Greeter", "shop.Cart"]) {
    assertEquals((await pair.stub.check({ service })).status, SERVING);
  }
});

Deno.test("HealthStub calls the service", async () => {
  await using pair = await start(new Health());
  const stub = new HealthStub(pair.channel);
  assertEquals((await stub.check({})).status, SERVING);
  assertEquals((await stub.list({})).statuses[""]?.status, SERVING);
  for await (const { status } of stub.watch({})) {
    assertEquals(status, SERVING);
    break;
  }
});

Deno.test("Health() throws when an argument is wrong", () => {
  const cases: [unknown, RegExp][] = [
    [null, /checks must be a Map or pairs/],
    [[[null, []]], /a service with methods/],
    [[[{}, []]], /a service with methods/],
    [[[{ [mapping]: () => ({}) }, []]], /a service with methods/],
    [[["a", [{}]]], /a check of "a" has no check\(\) and subscribe\(\)/],
    [[["a", [null]]], /a check of "a" has no check/],
    [[["a", []], ["a", []]], /checks for "a" twice/],
  ];
  for (const [checks, message] of cases) {
    const error = assertThrows(
      () => new Health(checks as Iterable<ServiceChecks>),
      TypeError,
    );
    assertMatch(error.message, message);
  }
});

Deno.test("Health() takes checks of one's own", async () => {
  let leaves = 0;
  const check: Check = {
    name: "mine",
    status: true,
    check: () => Promise.resolve(true),
    subscribe: () => ({ [Symbol.dispose]: () => void leaves++ }),
  };
  await using pair = await start(new Health([[OVERALL, [check, check]]]));
  assertEquals((await pair.stub.check({})).status, SERVING);
  const watch = new Watch(pair.stub, "");
  assertEquals(await watch.next(), SERVING);
  await watch.leave();
  while (leaves === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(leaves, 1);
});

Deno.test("two thousand watchers hear of one change, and nothing of them is left", async () => {
  const status = statusOf(true);
  let subscriptions = 0;
  const watched: Check = {
    name: "watched",
    get status() {
      return status.status;
    },
    check: () => status.check(),
    subscribe(listener) {
      subscriptions++;
      const subscription = status.subscribe(listener);
      return {
        [Symbol.dispose]() {
          subscriptions--;
          subscription[Symbol.dispose]();
        },
      };
    },
  };
  const server = new Server([new Health([[OVERALL, [watched]]])]);
  await server.start("127.0.0.1");
  const channels = Array.from(
    { length: 4 },
    () => new Channel("127.0.0.1", server.port!),
  );
  const watches = channels.flatMap((channel) => {
    const stub = createStub(HealthService, channel);
    return Array.from({ length: 500 }, () => new Watch(stub, ""));
  });
  const first = await Promise.all(watches.map((watch) => watch.next()));
  assertEquals(new Set(first), new Set([SERVING]));
  // One for all of them.
  assertEquals(subscriptions, 1);
  status.set(false);
  const second = await Promise.all(watches.map((watch) => watch.next()));
  assertEquals(second.length, 2000);
  assertEquals(new Set(second), new Set([NOT_SERVING]));
  await Promise.all(watches.map((watch) => watch.leave()));
  while (subscriptions > 0) await new Promise((r) => setTimeout(r, 5));
  for (const channel of channels) await channel.close();
  server.close();
  await soon(server.waitClosed(), "the server to close");
});
