/** Which calls speak against an endpoint, and for how long it is left out. */

import { assertEquals } from "@std/assert";
import type { CloseReason, StreamClaim } from "../_call/byte_stream.ts";
import { resolveBalancing } from "../core/balancing.ts";
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
        const claim: StreamClaim = {
          waitForReady: false,
          expiresAt,
          onStream() {},
          onHead() {},
          onData() {},
          onStop() {},
          onEnd() {},
          onClose() {},
        };
        endpoint.open(claim);
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
