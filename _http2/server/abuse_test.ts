import { assertEquals } from "@std/assert";
import { PingStrikes, type PingStrikesOptions, RapidResets } from "./abuse.ts";

const HOURS_2 = 7_200_000;

function makeStrikes(options: Partial<PingStrikesOptions> = {}): PingStrikes {
  return new PingStrikes({
    http2MinRecvPingIntervalWithoutDataMs: 100,
    http2MaxPingStrikes: 2,
    keepalivePermitWithoutCalls: false,
    ...options,
  });
}

Deno.test("PingStrikes.onPing() tells of the first early PING over the limit", () => {
  const strikes = makeStrikes();
  const verdicts = [0, 10, 20, 30].map((now) => strikes.onPing(true, now));
  assertEquals(verdicts, [false, false, false, true]);
});

Deno.test("PingStrikes.onPing() counts from the last PING, early or not", () => {
  const strikes = makeStrikes({ http2MaxPingStrikes: 1 });
  assertEquals(strikes.onPing(true, 0), false);
  assertEquals(strikes.onPing(true, 99), false);
  // In time after the first, but not after the second.
  assertEquals(strikes.onPing(true, 198), true);
});

Deno.test("PingStrikes.onPing() keeps old strikes when PINGs come in time", () => {
  const strikes = makeStrikes({ http2MaxPingStrikes: 1 });
  const times = [0, 50, 150, 250, 350];
  for (const now of times) assertEquals(strikes.onPing(true, now), false);
  assertEquals(strikes.onPing(true, 400), true);
});

Deno.test("PingStrikes.onPing() allows one in two hours when there is no call", () => {
  const strikes = makeStrikes({ http2MaxPingStrikes: 1 });
  for (const now of [0, HOURS_2, 2 * HOURS_2]) {
    assertEquals(strikes.onPing(false, now), false);
  }
  assertEquals(strikes.onPing(false, 3 * HOURS_2 - 1), false);
  assertEquals(strikes.onPing(false, 3 * HOURS_2), true);
});

Deno.test("PingStrikes.onPing() allows as many as with a call when that is permitted", () => {
  const strikes = makeStrikes({
    http2MaxPingStrikes: 1,
    keepalivePermitWithoutCalls: true,
  });
  for (let now = 0; now < 1000; now += 100) {
    assertEquals(strikes.onPing(false, now), false);
  }
});

Deno.test("PingStrikes.onSent() forgets all strikes, and the last PING", () => {
  const strikes = makeStrikes({ http2MaxPingStrikes: 1 });
  for (let i = 0; i < 3; i++) {
    assertEquals(strikes.onPing(true, 0), false);
    assertEquals(strikes.onPing(true, 0), false);
    strikes.onSent();
  }
});

Deno.test("PingStrikes.onPing() bears any number when the limit is 0", () => {
  const strikes = makeStrikes({ http2MaxPingStrikes: 0 });
  for (let i = 0; i < 100; i++) assertEquals(strikes.onPing(false, i), false);
});

/** A stream of which the call has so long a deadline. */
function opened(
  openedAt: number,
  timeoutMs = Infinity,
  sentAfter = openedAt,
) {
  return { openedAt, sentAfter, expiresAt: openedAt + timeoutMs };
}

Deno.test("RapidResets.onReset() tells of the first over the limit within a second", () => {
  const resets = new RapidResets(3);
  const verdicts = [0, 1, 2, 3].map((now) => resets.onReset(opened(now), now));
  assertEquals(verdicts, [false, false, false, true]);
});

Deno.test("RapidResets.onReset() begins again with each second", () => {
  const resets = new RapidResets(2);
  for (const now of [0, 999, 1000, 1999, 2500]) {
    assertEquals(resets.onReset(opened(now), now), false);
  }
});

Deno.test("RapidResets.onReset() does not count calls that ran for a second", () => {
  const resets = new RapidResets(1);
  for (let i = 0; i < 100; i++) {
    assertEquals(resets.onReset(opened(i), i + 1000), false);
  }
});

Deno.test("RapidResets.onReset() bears any number when the limit is Infinity", () => {
  const resets = new RapidResets(Infinity);
  for (let i = 0; i < 100; i++) {
    assertEquals(resets.onReset(opened(0), 0), false);
  }
});

Deno.test("RapidResets.onReset() does not count calls that ran to their deadline", () => {
  const resets = new RapidResets(1);
  for (let i = 0; i < 100; i++) {
    assertEquals(resets.onReset(opened(i, 50), i + 50), false);
    // The client's clock began to run before this side's.
    assertEquals(resets.onReset(opened(i, 50), i + 25), false);
  }
  assertEquals(resets.onReset(opened(100, 50), 124), false);
  assertEquals(resets.onReset(opened(100, 50), 124), true);
});

Deno.test("RapidResets.onReset() does not count a deadline that may have come before the request was read", () => {
  const resets = new RapidResets(0);
  for (let i = 0; i < 100; i++) {
    assertEquals(resets.onReset(opened(1000, 50, 970), 1000), false);
    assertEquals(resets.onReset(opened(1000, 200, 0), 1000), false);
  }
  // Read too soon after what came before it, or with too long a deadline.
  assertEquals(resets.onReset(opened(1000, 50, 980), 1000), true);
  assertEquals(resets.onReset(opened(1000, 202, 0), 1000), true);
  // Without a deadline, it does not matter how long nothing was read.
  assertEquals(resets.onReset(opened(1000, Infinity, 0), 1000), true);
});
