/**
 * When all that is under way in memory has arrived.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** How many turns of the event loop it takes to be sure that nothing comes. */
const QUIET_TURNS = 12;

/** More turns than that are not waited for: two sides may talk for ever. */
const MAX_TURNS = 20_000;

let moves = 0;

/** Notes that bytes are on their way in memory. */
export function noteMove(): void {
  moves++;
}

/** Lets the event loop turn until nothing has moved in memory for some turns. */
export async function untilQuiet(): Promise<void> {
  let quiet = 0;
  for (let turn = 0; turn < MAX_TURNS && quiet < QUIET_TURNS; turn++) {
    const before = moves;
    await new Promise<void>((resolve) => setImmediate(() => resolve()));
    quiet = moves === before ? quiet + 1 : 0;
  }
}
