/**
 * The clock of the system.
 *
 * @module
 */

import { clearTimeout, setTimeout } from "node:timers";
import { noContext } from "../_context.ts";
import type { Clock } from "../core/clock.ts";

/**
 * The clock of the system, with the timers that are the same everywhere. They
 * belong to connections, not to the calls that have them started.
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) =>
    noContext(() => setTimeout(callback, delayMs)),
  clearTimeout: (timer) =>
    clearTimeout(timer as ReturnType<typeof setTimeout> | undefined),
};
