/**
 * The listeners of a call's events: calling them, and what becomes of the call
 * when one fails.
 *
 * @module
 */

import { GRPCError } from "../core/errors.ts";
import type { Event, RecvMessage } from "../core/events.ts";
import { type Callback, dispatch } from "../core/_listeners.ts";
import { Status } from "../core/status.ts";

/**
 * Calls the listeners of an event.
 *
 * @param listeners Who listens.
 * @param event The event.
 * @returns Nothing, or a promise if somebody has to be waited for.
 * @throws {GRPCError} What the call has to end with when one of them failed:
 *   its own error, or else `UNKNOWN` with what it threw as the cause.
 */
export function tell(
  listeners: readonly Callback[],
  event: Event,
): void | Promise<void> {
  let wait: void | Promise<void>;
  try {
    wait = dispatch(listeners, event);
  } catch (error) {
    throw failureOf(event, error);
  }
  return wait?.catch((error) => {
    throw failureOf(event, error);
  });
}

function failureOf(event: Event, thrown: unknown): GRPCError {
  if (thrown instanceof GRPCError) return thrown;
  return new ListenerError(
    Status.UNKNOWN,
    `A listener of ${event.type} failed`,
    { cause: thrown },
  );
}

/**
 * Gives the message that listeners left in an event.
 *
 * @throws {GRPCError} What the call has to end with if there is none.
 */
export function messageOf(event: RecvMessage): unknown {
  const { message } = event;
  if (message !== null && message !== undefined) return message;
  throw failureOf(
    event,
    new TypeError(
      `Cannot receive message: a listener replaced it by ${message}, a message is needed`,
    ),
  );
}

/** A listener threw something that is no status. */
export class ListenerError extends GRPCError {}
