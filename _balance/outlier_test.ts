/** Which calls speak against an endpoint, and for how long it is left out. */

import { assertEquals } from "@std/assert";
import type { CloseReason, StreamClaim } from "../_call/byte_stream.ts";
import {
  type OutlierDetectionOptions,
  resolveBalancing,
} from "../core/balancing.ts";
import { Status } from "../core/status.ts";
import { VirtualClock } from "../testing/mod.ts";
import { FakeSubchannel } from "../_testdata/fake_subchannel.ts";
import { OutlierDetector } from "./outlier.ts";

/** How a call ends that a test is not about. */
const LOST: CloseReason = {
  clean: false,
  status: Status.UNAVAILABLE,
  message: "Connection lost",
  unprocessed: false,
};

/** A call that a test is not about. */
const SILENT: StreamClaim = {
  waitForReady: false,
  onStream() {},
  onHead() {},
  onData() {},
  onStop() {},
  onEnd() {},
  onClose() {},
};

/** Two endpoints that are compared every second, on a virtual clock. */
class World implements Disposable {
  readonly clock = new VirtualClock();
  readonly #endpoints;
  readonly #inner: FakeSubchannel[] = [];

  constructor() {
    const { outlierDetection } = resolveBalancing("Cannot test", {
      policy: "round_robin",
      outlierDetection: {
        intervalMs: 1_000,
        baseEjectionTimeMs: 3_000,
        maxEjectionTimeMs: 8_000,
        failurePercentage: { requestVolume: 10, threshold: 50 },
        successRate: false,
      },
    });
    const detector = new OutlierDetector(outlierDetection!, this.clock);
    const owner = { onState() {}, onRoom() {} };
    this.#endpoints = ["bad", "good"].map((key) =>
      detector.watch(key, (owner) => {
        const inner = new FakeSubchannel(owner);
        this.#inner.push(inner);
        return inner;
      }, owner)
    );
    for (const inner of this.#inner) inner.become("READY");
  }

  /** Whether the first endpoint is left out. */
  get isOut(): boolean {
    return this.#endpoints[0]!.state === "TRANSIENT_FAILURE";
  }

  /** Has calls of the first endpoint end, ten of each. */
  end(why: CloseReason, expiresAt = Infinity): void {
    this.#endpoints.forEach((endpoint, i) => {
      for (let count = 0; count < 10; count++) {
        endpoint.open({ ...SILENT, expiresAt });
        const opened = this.#inner[i]!.opened.at(-1)!;
        if (i === 0) opened.onClose(why);
        else opened.onEnd(["grpc-status", "0"]);
      }
    });
  }

  /** How many seconds the first endpoint is left out for what has happened. */
  async secondsOut(): Promise<number> {
    let seconds = 0;
    await this.clock.advance(1_000);
    for (; this.isOut; seconds++) await this.clock.advance(1_000);
    return seconds;
  }

  [Symbol.dispose](): void {
    for (const endpoint of this.#endpoints) void endpoint.close();
    assertEquals(this.clock.timers, 0);
  }
}

Deno.test("OutlierDetector counts calls that were lost, and not what this side or a server that leaves has ended", async () => {
  for (
    const [why, isOut] of [
      [LOST, true],
      [{ ...LOST, status: Status.INTERNAL }, true],
      [{ ...LOST, status: Status.CANCELLED }, false],
      [{ ...LOST, clean: true }, false],
      [{ ...LOST, unprocessed: true }, false],
    ] as const
  ) {
    using world = new World();
    world.end(why);
    await world.clock.advance(1_000);
    assertEquals(world.isOut, isOut, JSON.stringify(why));
  }
});

Deno.test("OutlierDetector counts a call whose deadline has come, whoever has ended it", async () => {
  using world = new World();
  world.end({ ...LOST, clean: true }, world.clock.now());
  await world.clock.advance(1_000);
  assertEquals(world.isOut, true);
});

Deno.test("OutlierDetector leaves an endpoint out for longer each time, and forgets that while it is well", async () => {
  using world = new World();
  const seconds: number[] = [];
  for (let i = 0; i < 4; i++) {
    world.end(LOST);
    seconds.push(await world.secondsOut());
  }
  assertEquals(seconds, [3, 6, 8, 8]);
  // Each comparison that finds it well counts for one time.
  await world.clock.advance(10_000);
  world.end(LOST);
  assertEquals(await world.secondsOut(), 3);
});

/** How many calls of each endpoint end well, and how many fail, and which is out. */
const COMPARED: readonly (readonly [
  what: string,
  calls: readonly (readonly [successes: number, failures: number])[],
  options: OutlierDetectionOptions,
  out: string,
])[] = [
  [
    "a percentage of failures that is that of the threshold",
    [[10, 10], [20, 0]],
    { successRate: false, failurePercentage: { threshold: 50 } },
    "",
  ],
  [
    "a percentage above the threshold",
    [[9, 11], [20, 0]],
    { successRate: false, failurePercentage: { threshold: 50 } },
    "0",
  ],
  [
    "rates of success that are all the same",
    [[10, 10], [10, 10], [10, 10], [10, 10], [10, 10]],
    { failurePercentage: false },
    "",
  ],
  [
    "as many endpoints as are needed for a rate of success",
    [[20, 0], [20, 0], [20, 0], [20, 0], [0, 20]],
    { failurePercentage: false },
    "4",
  ],
  [
    "as many calls as are needed",
    [[1, 19], [20, 0]],
    { successRate: false },
    "0",
  ],
  ["one call less", [[0, 19], [20, 0]], { successRate: false }, ""],
  [
    "that nothing is enforced",
    [[0, 20], [20, 0]],
    { successRate: false, failurePercentage: { enforcementPercentage: 0 } },
    "",
  ],
];

for (const [what, calls, options, out] of COMPARED) {
  Deno.test(`OutlierDetector heeds ${what}`, async () => {
    const clock = new VirtualClock();
    const { outlierDetection } = resolveBalancing("Cannot test", {
      policy: "round_robin",
      outlierDetection: options,
    });
    // The smallest number that there may be: chance is never an excuse.
    const detector = new OutlierDetector(outlierDetection!, clock, () => 0);
    const endpoints = calls.map(([successes, failures], key) => {
      let inner!: FakeSubchannel;
      const endpoint = detector.watch(
        key,
        (owner) => inner = new FakeSubchannel(owner),
        { onState() {}, onRoom() {} },
      );
      inner.become("READY");
      for (let i = 0; i < successes + failures; i++) {
        endpoint.open(SILENT);
        const opened = inner.opened.at(-1)!;
        if (i < failures) opened.onClose(LOST);
        else opened.onEnd(["grpc-status", "0"]);
        // The end of a call is counted once.
        opened.onClose(LOST);
      }
      return endpoint;
    });
    await clock.advance(10_000);
    const isOut = endpoints.map(({ state }) => state === "TRANSIENT_FAILURE");
    const found = [...isOut.keys()].filter((i) => isOut[i]);
    assertEquals(found.join(), out);
    for (const endpoint of endpoints) void endpoint.close();
    assertEquals(clock.timers, 0);
  });
}

Deno.test("OutlierDetector leaves an endpoint out for baseEjectionTimeMs at least, and tells nobody who has other troubles", async () => {
  const clock = new VirtualClock();
  const { outlierDetection } = resolveBalancing("Cannot test", {
    policy: "round_robin",
    outlierDetection: {
      baseEjectionTimeMs: 30_000,
      maxEjectionTimeMs: 10_000,
      successRate: false,
    },
  });
  const detector = new OutlierDetector(outlierDetection!, clock, () => 0);
  const told: string[] = [];
  const [bad, good] = ["bad", "good"].map((key) => {
    let inner!: FakeSubchannel;
    const endpoint = detector.watch(
      key,
      (owner) => inner = new FakeSubchannel(owner),
      { onState: ({ state }) => told.push(state), onRoom() {} },
    );
    inner.become("READY");
    for (let i = 0; i < 20; i++) {
      endpoint.open(SILENT);
      if (key === "bad") inner.opened.at(-1)!.onClose(LOST);
      else inner.opened.at(-1)!.onEnd(["grpc-status", "0"]);
    }
    return { endpoint, inner };
  });
  told.length = 0;
  await clock.advance(10_000);
  assertEquals(told, ["TRANSIENT_FAILURE"]);
  await clock.advance(20_000);
  assertEquals(bad!.endpoint.state, "TRANSIENT_FAILURE");
  // Without a connection its state is what it would be anyway.
  bad!.inner.become("CONNECTING");
  assertEquals(told, ["TRANSIENT_FAILURE", "CONNECTING"]);
  await clock.advance(10_000);
  assertEquals(told, ["TRANSIENT_FAILURE", "CONNECTING"]);
  bad!.inner.become("READY");
  assertEquals(bad!.endpoint.state, "READY");
  for (const { endpoint } of [bad!, good!]) void endpoint.close();
  assertEquals(clock.timers, 0);
});
