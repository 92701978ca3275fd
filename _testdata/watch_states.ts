/**
 * Watching a channel.
 *
 * @module
 */

import type { Channel, ConnectivityState } from "../client.ts";
import { soon } from "./waiting.ts";

/** Waits until a channel is in a state. */
export async function untilState(
  channel: Channel,
  wanted: ConnectivityState,
): Promise<void> {
  while (channel.state !== wanted) {
    await soon(channel.waitForStateChange(channel.state), `state ${wanted}`);
  }
}

/** Notes the states that a channel goes through, beginning with that of now. */
export function noteStates(channel: Channel): ConnectivityState[] {
  const states = [channel.state];
  void (async () => {
    while (channel.state !== "SHUTDOWN") {
      states.push(await channel.waitForStateChange(channel.state));
    }
  })();
  return states;
}
