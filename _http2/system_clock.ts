/**
 * The clock of the system.
 *
 * @module
 */

import { clearTimeout, setTimeout } from "node:timers";
import type { Clock } from "../core/clock.ts";

/** The clock of the system, with the timers that are the same everywhere. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) =>
    clearTimeout(timer as ReturnType<typeof setTimeout> | undefined),
};
