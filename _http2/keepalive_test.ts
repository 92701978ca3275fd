/** When PINGs are sent, and when they are not. */

import { assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { after, until } from "../_testdata/waiting.ts";
import { Keepalive, type KeepaliveOptions } from "./keepalive.ts";

/** PINGs as they come due. */
const STEADY: KeepaliveOptions = {
  keepaliveTimeMs: 20,
  keepaliveTimeoutMs: 5_000,
  keepalivePermitWithoutCalls: false,
  http2MaxPingsWithoutData: 0,
  http2MinSentPingIntervalWithoutDataMs: 0,
};

/** A connection that notes its PINGs, and answers them unless it is dead. */
class FakeOwner implements Disposable {
  readonly keepalive: Keepalive;
  /** When PINGs were sent. */
  readonly pings: number[] = [];
  streams = 1;
  dead = false;
  /** Whether it was found to be dead. */
  buried = 0;
  answer: (() => void) | undefined;

  constructor(options: Partial<KeepaliveOptions> = {}, calm = 1) {
    this.keepalive = new Keepalive(
      {
        hasStreams: () => this.streams > 0,
        ping: (onAck) => {
          this.pings.push(performance.now());
          if (this.dead) this.answer = onAck;
          else onAck();
        },
        onDead: () => void this.buried++,
      },
      { ...STEADY, ...options },
      calm,
    );
  }

  async pinged(count: number): Promise<void> {
    await until(() => this.pings.length >= count, `PING ${count}`);
  }

  [Symbol.dispose](): void {
    this.keepalive.stop();
  }
}

Deno.test("Keepalive pings after each time of silence", async () => {
  const start = performance.now();
  using owner = new FakeOwner();
  await owner.pinged(3);
  owner.pings.forEach((at, i) =>
    assertGreaterOrEqual(at - start, 20 * (i + 1) - 3)
  );
});

Deno.test("Keepalive does not ping while something comes in", async () => {
  using owner = new FakeOwner({ keepaliveTimeMs: 80 });
  for (let i = 0; i < 15; i++) {
    await after(10);
    owner.keepalive.onReceived();
  }
  assertEquals(owner.pings, []);
  await owner.pinged(1);
});

Deno.test("Keepalive never pings when its time is Infinity", async () => {
  using owner = new FakeOwner({ keepaliveTimeMs: Infinity });
  owner.keepalive.onSent();
  await after(50);
  assertEquals(owner.pings, []);
});

Deno.test("Keepalive waits longer when the peer has complained", async () => {
  const start = performance.now();
  using owner = new FakeOwner({}, 4);
  await owner.pinged(1);
  assertGreaterOrEqual(owner.pings[0]! - start, 77);
});

Deno.test("Keepalive pings without calls only when that is permitted, and at once when a call comes", async () => {
  using permitted = new FakeOwner({ keepalivePermitWithoutCalls: true });
  permitted.streams = 0;
  using owner = new FakeOwner();
  owner.streams = 0;
  await permitted.pinged(3);
  assertEquals(owner.pings, []);
  owner.streams = 1;
  owner.keepalive.onSent();
  await owner.pinged(1);
});

Deno.test("Keepalive sends no more PINGs without data than it may", async () => {
  using owner = new FakeOwner({ http2MaxPingsWithoutData: 2 });
  await owner.pinged(2);
  await after(100);
  assertEquals(owner.pings.length, 2);
  owner.keepalive.onSent();
  await owner.pinged(4);
  await after(60);
  assertEquals(owner.pings.length, 4);
});

Deno.test("Keepalive keeps the least interval between PINGs without data", async () => {
  using owner = new FakeOwner({ http2MinSentPingIntervalWithoutDataMs: 90 });
  await owner.pinged(3);
  const [first, second, third] = owner.pings as [number, number, number];
  assertGreaterOrEqual(second - first, 90);
  assertGreaterOrEqual(third - second, 90);
  // A frame of a call makes the next one free.
  owner.keepalive.onSent();
  await owner.pinged(4);
  assertLess(owner.pings[3]! - third, 85);
});

Deno.test("Keepalive finds the peer dead, once, when no reply comes in time", async () => {
  using owner = new FakeOwner({ keepaliveTimeoutMs: 30 });
  owner.dead = true;
  await until(() => owner.buried > 0, "the peer is dead");
  await after(60);
  assertEquals(owner.buried, 1);
  assertEquals(owner.pings.length, 1);
});

Deno.test("Keepalive goes on when the reply comes in time", async () => {
  using owner = new FakeOwner({ keepaliveTimeoutMs: 100 });
  owner.dead = true;
  await owner.pinged(1);
  await after(50);
  assertEquals(owner.pings.length, 1);
  owner.dead = false;
  owner.answer!();
  await owner.pinged(3);
  assertEquals(owner.buried, 0);
});

Deno.test("Keepalive.verify() pings at once, and once", () => {
  using owner = new FakeOwner({ keepaliveTimeMs: Infinity });
  owner.dead = true;
  owner.keepalive.verify();
  owner.keepalive.verify();
  assertEquals(owner.pings.length, 1);
  owner.answer!();
  owner.keepalive.verify();
  assertEquals(owner.pings.length, 2);
});

Deno.test("Keepalive.stop() stops everything", async () => {
  using owner = new FakeOwner({ keepaliveTimeoutMs: 10 });
  owner.dead = true;
  owner.keepalive.verify();
  owner.keepalive.stop();
  owner.keepalive.onSent();
  owner.keepalive.verify();
  await after(50);
  assertEquals([owner.pings.length, owner.buried], [1, 0]);
});
