import { assertEquals } from "@std/assert";
import { ResetBudget } from "./reset_budget.ts";

Deno.test("ResetBudget.spend() tells when fewer than 500 of 1000 are left", () => {
  const budget = new ResetBudget(() => 0);
  for (let i = 0; i < 500; i++) assertEquals(budget.spend(1), false);
  assertEquals(budget.spend(1), true);
  assertEquals(budget.spend(1), true);
});

Deno.test("ResetBudget.spend() gets 33 back for each second, and no more than it had", () => {
  let now = 0;
  const budget = new ResetBudget(() => now);
  now = 60_000;
  assertEquals(budget.spend(500), false);
  now += 999;
  assertEquals(budget.spend(1), true);
  now += 1;
  assertEquals(budget.spend(32), false);
  assertEquals(budget.spend(1), true);
});

Deno.test("ResetBudget.spend() keeps as many more as there are streams, up to 300", () => {
  for (const [streams, kept] of [[0, 0], [20, 20], [300, 300], [5000, 300]]) {
    const budget = new ResetBudget(() => 0);
    for (let i = 0; i < 500 - kept!; i++) {
      assertEquals(budget.spend(1, streams), false);
    }
    assertEquals(budget.spend(1, streams), true);
  }
});
