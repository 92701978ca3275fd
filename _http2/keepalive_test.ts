/** When PINGs are sent, and when they are not. */

import { assertEquals } from "@std/assert";
import { VirtualClock } from "../testing/virtual_clock.ts";
import { Keepalive, type KeepaliveOptions } from "./keepalive.ts";

/** PINGs as they come due. */
const STEADY: KeepaliveOptions = {
  keepaliveTimeMs: 20,
  keepaliveTimeoutMs: 5_000,
  keepalivePermitWithoutCalls: false,
  http2MaxPingsWithoutData: 0,
  http2MinSentPingIntervalWithoutDataMs: 0,
};

/**
 * A connection on a clock that stands still. It notes its PINGs, and answers them
 * unless it is dead.
 */
class FakeOwner implements Disposable {
  readonly clock = new VirtualClock();
  readonly #start = this.clock.now();
  readonly keepalive: Keepalive;
  /** When PINGs were sent, in milliseconds from the start. */
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
          this.pings.push(this.clock.now() - this.#start);
          if (this.dead) this.answer = onAck;
          else onAck();
        },
        onDead: () => void this.buried++,
      },
      { ...STEADY, ...options },
      this.clock,
      calm,
    );
  }

  [Symbol.dispose](): void {
    this.keepalive.stop();
  }
}

Deno.test("Keepalive pings after each time of silence", async () => {
  using owner = new FakeOwner();
  await owner.clock.advance(70);
  assertEquals(owner.pings, [20, 40, 60]);
});

Deno.test("Keepalive does not ping while something comes in", async () => {
  using owner = new FakeOwner({ keepaliveTimeMs: 80 });
  for (let i = 0; i < 15; i++) {
    await owner.clock.advance(10);
    owner.keepalive.onReceived();
  }
  assertEquals(owner.pings, []);
  await owner.clock.advance(100);
  assertEquals(owner.pings, [150 + 80]);
});

Deno.test("Keepalive never pings when its time is Infinity", async () => {
  using owner = new FakeOwner({ keepaliveTimeMs: Infinity });
  owner.keepalive.onSent();
  await owner.clock.advance(3_600_000);
  assertEquals(owner.pings, []);
});

Deno.test("Keepalive waits longer when the peer has complained", async () => {
  using owner = new FakeOwner({}, 4);
  await owner.clock.advance(100);
  assertEquals(owner.pings, [80]);
});

Deno.test("Keepalive pings without calls only when that is permitted, and at once when a call comes", async () => {
  using permitted = new FakeOwner({ keepalivePermitWithoutCalls: true });
  permitted.streams = 0;
  using owner = new FakeOwner();
  owner.streams = 0;
  for (const { clock } of [permitted, owner]) await clock.advance(70);
  assertEquals(permitted.pings, [20, 40, 60]);
  assertEquals(owner.pings, []);
  owner.streams = 1;
  owner.keepalive.onSent();
  await owner.clock.advance(0);
  assertEquals(owner.pings, [70]);
});

Deno.test("Keepalive sends no more PINGs without data than it may", async () => {
  using owner = new FakeOwner({ http2MaxPingsWithoutData: 2 });
  await owner.clock.advance(1_000);
  assertEquals(owner.pings.length, 2);
  owner.keepalive.onSent();
  await owner.clock.advance(1_000);
  assertEquals(owner.pings.length, 4);
});

Deno.test("Keepalive keeps the least interval between PINGs without data", async () => {
  using owner = new FakeOwner({ http2MinSentPingIntervalWithoutDataMs: 90 });
  await owner.clock.advance(230);
  // It looks every 20 ms whether it may.
  assertEquals(owner.pings, [20, 120, 220]);
  // A frame of a call makes the next one free.
  owner.keepalive.onSent();
  await owner.clock.advance(20);
  assertEquals(owner.pings, [20, 120, 220, 240]);
});

Deno.test("Keepalive finds the peer dead, once, when no reply comes in time", async () => {
  using owner = new FakeOwner({ keepaliveTimeoutMs: 30 });
  owner.dead = true;
  await owner.clock.advance(49);
  assertEquals(owner.buried, 0);
  await owner.clock.advance(100);
  assertEquals(owner.buried, 1);
  assertEquals(owner.pings.length, 1);
});

Deno.test("Keepalive goes on when the reply comes in time", async () => {
  using owner = new FakeOwner({ keepaliveTimeoutMs: 100 });
  owner.dead = true;
  await owner.clock.advance(70);
  assertEquals(owner.pings, [20]);
  owner.dead = false;
  owner.answer!();
  await owner.clock.advance(200);
  assertEquals(owner.pings.slice(0, 3), [20, 90, 110]);
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
  await owner.clock.advance(1_000);
  assertEquals([owner.pings.length, owner.buried], [1, 0]);
  assertEquals(owner.clock.timers, 0);
});
