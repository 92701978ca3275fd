import { assertAlmostEquals, assertEquals } from "@std/assert";
import { Backoff } from "./_backoff.ts";

const OPTIONS = {
  initialReconnectBackoffMs: 1000,
  maxReconnectBackoffMs: 120_000,
};

function delays(random: () => number, count: number): number[] {
  const backoff = new Backoff(OPTIONS, random);
  return Array.from({ length: count }, () => backoff.fail());
}

Deno.test("Backoff.fail() starts at 1 s and grows by 1.6 up to 120 s", () => {
  const found = delays(() => 0.5, 13);
  for (let i = 0; i < found.length; i++) {
    assertAlmostEquals(found[i]!, Math.min(1000 * 1.6 ** i, 120_000), 1e-6);
  }
  assertEquals(found.at(-1), 120_000);
});

Deno.test("Backoff.fail() varies by 20 % either way", () => {
  assertAlmostEquals(delays(() => 0, 1)[0]!, 800, 1e-6);
  assertAlmostEquals(delays(() => 1 - 1e-12, 1)[0]!, 1200, 1e-6);
});

Deno.test("Backoff.reset() begins again", () => {
  const backoff = new Backoff(OPTIONS, () => 0.5);
  backoff.fail();
  backoff.fail();
  assertEquals(backoff.attempts, 2);
  backoff.reset();
  assertEquals(backoff.attempts, 0);
  assertEquals(backoff.fail(), 1000);
});
