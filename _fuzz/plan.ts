/**
 * What a handler does, decided by its caller and sent along in the metadata.
 *
 * @module
 */

import type { Cardinality } from "../core/cardinality.ts";
import { isClientStreaming, isServerStreaming } from "../core/cardinality.ts";
import type { Random } from "./random.ts";

/** One step of a handler. */
export type Step =
  | { readonly do: "read" | "read all" | "hang" | "turn" | "cancel" }
  | { readonly do: "throw" | "fail" | "head" | "trailers" | "pipe" }
  | { readonly do: "send"; readonly bytes: number; readonly wait: boolean };

/** The key of the plan in the metadata. */
export const PLAN = "plan";

/** Sizes of messages: nothing, little, many frames, more than any window. */
const SIZES = [0, 10, 10, 1_000, 20_000, 100_000, 400_000];

/** The size of a message. */
export function someSize(random: Random): number {
  return random.pick(SIZES);
}

/** What ends a handler before its time, or not at all. */
const ENDS: readonly Step[] = [
  { do: "throw" },
  { do: "fail" },
  { do: "hang" },
  { do: "cancel" },
  { do: "trailers" },
  { do: "turn" },
];

/** Makes the plan of one call. */
export function somePlan(random: Random, kind: Cardinality): Step[] {
  const steps: Step[] = [];
  const takesMany = isClientStreaming(kind);
  const givesMany = isServerStreaming(kind);
  if (takesMany && givesMany && random.chance(0.15)) return [{ do: "pipe" }];
  if (random.chance(0.2)) steps.push({ do: "head" });
  for (let left = random.int(0, 5); left > 0; left--) {
    const dice = random.int(0, 9);
    if (dice < 3 && takesMany) steps.push({ do: "read" });
    else if (dice < 6 && givesMany) steps.push(someSend(random));
    else if (dice < 7) steps.push({ do: "turn" });
    else if (dice < 8) steps.push(random.pick(ENDS));
  }
  if (takesMany && random.chance(0.7)) steps.push({ do: "read all" });
  if (!givesMany && random.chance(0.9)) steps.push(someSend(random));
  if (random.chance(0.2)) steps.push(random.pick(ENDS));
  // A call that was answered is over, and its signal never aborts.
  const answered = steps.findIndex((step) => step.do === "trailers");
  return steps.filter((step, i) =>
    step.do !== "hang" || answered < 0 || i < answered
  );
}

function someSend(random: Random): Step {
  return { do: "send", bytes: someSize(random), wait: random.chance(0.7) };
}
