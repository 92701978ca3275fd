/** When the endpoints of a target are looked up. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { VirtualClock } from "../testing/mod.ts";
import { microtasks } from "../_testdata/waiting.ts";
import {
  type EndpointSource,
  Resolution,
  type ResolutionOptions,
} from "./resolution.ts";

type Options = Partial<ResolutionOptions<string>>;

/** A resolution on a virtual clock, and what it tells. */
class World {
  readonly clock = new VirtualClock();
  readonly log: string[] = [];
  readonly #start = this.clock.now();
  readonly resolution: Resolution<string>;
  signal: AbortSignal | undefined;

  constructor(source: EndpointSource<string>, options: Options = {}) {
    this.resolution = new Resolution<string>({
      target: "svc",
      source: (signal) => {
        this.signal = signal;
        this.#note("asked");
        return source(signal);
      },
      clock: this.clock,
      minIntervalMs: 30_000,
      refreshMs: Infinity,
      timeoutMs: 20_000,
      backoff: { initialReconnectBackoffMs: 1000, maxReconnectBackoffMs: 4000 },
      ...options,
    }, {
      onEndpoints: (endpoints) => this.#note(endpoints.join()),
      onFailure: ({ message }) => this.#note(message),
    });
  }

  #note(what: string): void {
    this.log.push(
      `${Math.round((this.clock.now() - this.#start) / 1000)} ${what}`,
    );
  }

  async until(seconds: number): Promise<string[]> {
    await this.clock.advance(
      seconds * 1000 - (this.clock.now() - this.#start),
    );
    await microtasks();
    return this.log.splice(0);
  }
}

Deno.test("Resolution asks once, and again when it is told, 30 s after the answer at the earliest", async () => {
  const world = new World(() => Promise.resolve(["a", "b"]));
  world.resolution.start();
  assertEquals(await world.until(10), ["0 asked", "0 a,b"]);
  world.resolution.askAgain();
  world.resolution.askAgain();
  assertEquals(await world.until(29), []);
  assertEquals(await world.until(100), ["30 asked", "30 a,b"]);
  world.resolution.askAgain();
  assertEquals(await world.until(101), ["100 asked", "100 a,b"]);
  world.resolution.stop();
  assertEquals(world.clock.timers, 0);
});

Deno.test("Resolution asks again after the time of refresh", async () => {
  const world = new World(() => Promise.resolve(["a"]), { refreshMs: 60_000 });
  world.resolution.start();
  await world.until(45);
  world.log.length = 0;
  world.resolution.askAgain();
  assertEquals(await world.until(104), ["45 asked", "45 a"]);
  assertEquals(await world.until(166), [
    "105 asked",
    "105 a",
    "165 asked",
    "165 a",
  ]);
  world.resolution.stop();
  assertEquals(await world.until(1000), []);
  assertEquals(world.clock.timers, 0);
});

Deno.test("Resolution asks again after a failure when the backoff is over, and not before", async () => {
  let failures = 3;
  const world = new World(() =>
    failures-- > 0
      ? Promise.reject(new Error("ENOTFOUND"))
      : Promise.resolve(["a"])
  );
  world.resolution.start();
  const log = await world.until(0.1);
  for (let i = 0; i < 100; i++) world.resolution.askAgain();
  assertEquals(await world.until(0.7), []);
  log.push(...await world.until(30));
  assertEquals(log.filter((it) => it.includes("ENOTFOUND")).length, 3);
  assertEquals(log.filter((it) => it.includes("asked")).length, 4);
  assertMatch(log[1]!, /^0 Cannot resolve svc: ENOTFOUND$/);
  assertEquals(log.at(-1)?.endsWith(" a"), true);
  world.resolution.stop();
  assertEquals(world.clock.timers, 0);
});

Deno.test("Resolution fails when there is no answer in time, or an empty one, or the source throws", async () => {
  for (
    const [source, message] of [
      [
        () => new Promise<string[]>(() => {}),
        "20 Cannot resolve svc: no answer within 20000 ms",
      ],
      [() => Promise.resolve([]), "0 Cannot resolve svc: it has no address"],
      [() => {
        throw new Error("mine");
      }, "0 Cannot resolve svc: mine"],
    ] as const
  ) {
    const world = new World(source);
    world.resolution.start();
    assertEquals((await world.until(20)).slice(0, 2), ["0 asked", message]);
    assertEquals(world.signal?.aborted, true);
    world.resolution.stop();
    assertEquals(world.clock.timers, 0);
  }
});

Deno.test("Resolution keeps to a source that goes on by itself", async () => {
  const gates = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  const world = new World(async function* (signal) {
    for (const [i, gate] of gates.entries()) {
      await gate.promise;
      if (signal.aborted) return;
      yield [`${i}`];
    }
  }, { refreshMs: 60_000 });
  world.resolution.start();
  assertEquals(await world.until(1), ["0 asked"]);
  gates[0]!.resolve();
  assertEquals(await world.until(2), ["1 0"]);
  world.resolution.askAgain();
  assertEquals(await world.until(500), []);
  gates[1]!.resolve();
  assertEquals(await world.until(501), ["500 1"]);
  world.resolution.stop();
  gates[2]!.resolve();
  assertEquals(await world.until(502), []);
  assertEquals(world.clock.timers, 0);
});

Deno.test("Resolution asks a source again that has gone on by itself, when it ends or fails", async () => {
  let round = 0;
  const world = new World(async function* () {
    yield [`${round++}`];
    if (round === 2) throw new Error("lost");
  }, { refreshMs: 60_000 });
  world.resolution.start();
  const log = await world.until(62.5);
  assertEquals(log.slice(0, 5), [
    "0 asked",
    "0 0",
    "60 asked",
    "60 1",
    "60 Cannot resolve svc: lost",
  ]);
  assertEquals(log.slice(5).map((it) => it.split(" ")[1]), ["asked", "2"]);
  world.resolution.stop();
});

Deno.test("Resolution asks a source again soon that has gone on well for long, each time it fails", async () => {
  const world = new World(async function* () {
    yield ["a"];
    await new Promise<void>((resolve) => {
      world.clock.setTimeout(resolve, 100_000);
    });
    throw new Error("lost");
  });
  world.resolution.start();
  const log = (await world.until(500)).filter((it) => it.endsWith(" asked"));
  assertEquals(log.length, 5);
  for (const [i, entry] of log.entries()) {
    // The first wait of the backoff, and a fifth either way.
    const second = Number.parseInt(entry) - 100 * i;
    assert(second >= 0 && second <= 6, entry);
  }
  world.resolution.stop();
});

Deno.test("Resolution tells nothing once it is stopped", async () => {
  const { promise, resolve } = Promise.withResolvers<string[]>();
  const world = new World(() => promise);
  world.resolution.start();
  world.resolution.stop();
  resolve(["a"]);
  assertEquals(await world.until(100), ["0 asked"]);
  assertEquals(world.signal?.aborted, true);
  assertEquals(world.clock.timers, 0);
});

Deno.test("Resolution asks again when a source ends that has told nothing", async () => {
  let round = 0;
  const world = new World(async function* () {
    if (round++ > 0) yield ["a"];
  });
  world.resolution.start();
  const log = await world.until(3);
  assertEquals(log.slice(0, 2), [
    "0 asked",
    "0 Cannot resolve svc: it has ended without an answer",
  ]);
  assertEquals(log.slice(2).map((it) => it.split(" ")[1]), ["asked", "a"]);
  world.resolution.stop();
  assertEquals(world.clock.timers, 0);
});

Deno.test("Resolution asks again although a source that it gave up goes on", async () => {
  const { promise, resolve } = Promise.withResolvers<string[]>();
  let round = 0;
  const world = new World(async function* () {
    yield round++ === 0 ? await promise : ["in time"];
  });
  world.resolution.start();
  await world.until(20);
  resolve(["late"]);
  const log = await world.until(30);
  assertEquals(log.map((it) => it.split(" ").slice(1).join(" ")), [
    "asked",
    "in time",
  ]);
  world.resolution.stop();
  assertEquals(world.clock.timers, 0);
});

Deno.test("Resolution waits as after the first failure when there was an answer between two", async () => {
  // After three failures in a row the wait would be 2 s or more.
  const answers = [false, false, true, false, true];
  const world = new World(
    () =>
      answers.shift()
        ? Promise.resolve(["a"])
        : Promise.reject(new Error("ENOTFOUND")),
    { minIntervalMs: 0 },
  );
  world.resolution.start();
  await world.until(3.2);
  world.resolution.askAgain();
  const log = await world.until(4.5);
  assertEquals(log.filter((it) => it.endsWith(" asked")).length, 2);
  world.resolution.stop();
  assertEquals(world.clock.timers, 0);
});

Deno.test("Resolution waits longer after each failure of a source that goes on well no more", async () => {
  let wasWell = false;
  const world = new World(async function* () {
    if (wasWell) throw new Error("down");
    wasWell = true;
    yield ["a"];
    await new Promise<void>((resolve) => {
      world.clock.setTimeout(resolve, 100_000);
    });
    throw new Error("lost");
  });
  world.resolution.start();
  await world.until(100.1);
  // After 1 s, 1.6 s, 2.56 s and 4 s, each a fifth more or less.
  const log = await world.until(109);
  assert(log.filter((it) => it.endsWith(" asked")).length <= 5);
  world.resolution.stop();
});
