/**
 * Waiting without a clock.
 *
 * @module
 */

/** Lets everything happen that waits for nothing but its turn. */
export async function allTurns(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

/** Whether a promise is settled, and how, once all turns are taken. */
export async function stateOf(
  promise: Promise<unknown>,
): Promise<"pending" | "resolved" | "rejected"> {
  let state: "pending" | "resolved" | "rejected" = "pending";
  promise.then(() => state = "resolved", () => state = "rejected");
  await allTurns();
  return state;
}
