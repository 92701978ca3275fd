/**
 * Calls that wait for a stream, in the order they came.
 *
 * @module
 */

import type { CloseReason, StreamClaim } from "../_call/byte_stream.ts";
import type { History } from "../core/_figures.ts";
import type { ConnectivityState } from "../core/connectivity.ts";
import { currentContext } from "../_context.ts";

/** What a call waits for, for people: with why, if something has failed. */
export function reasonOfWait(
  { changes }: History<ConnectivityState>,
): string {
  const ready = changes.findLastIndex(({ state }) => state === "READY");
  if (ready >= 0 && ready === changes.length - 1) {
    return "it waited for a connection with room for it";
  }
  const failure = changes.slice(ready + 1)
    .findLast(({ reason }) => reason !== null);
  return failure === undefined
    ? "it waited for a connection"
    : `it waited for a connection: ${failure.reason}`;
}

/** What opens streams. */
export interface StreamOpener {
  open(claim: StreamClaim): void;
}

/** Calls that wait for a stream. Each goes on in its own context. */
export class ClaimQueue {
  readonly #claims = new Set<StreamClaim>();

  /** How many calls wait. */
  get size(): number {
    return this.#claims.size;
  }

  /** Has a call wait. */
  add(claim: StreamClaim): void {
    // Whoever makes room for it later does so in a context of its own.
    claim.context ??= currentContext();
    this.#claims.add(claim);
  }

  /** Takes a call out, and tells whether it waited. */
  delete(claim: StreamClaim): boolean {
    return this.#claims.delete(claim);
  }

  /**
   * Gives the calls their streams.
   *
   * @param next Says who opens the next, or null if nobody has room.
   */
  serve(next: () => StreamOpener | null): void {
    for (const claim of this.#claims) {
      const opener = next();
      if (opener === null) break;
      this.#claims.delete(claim);
      claim.context!(() => opener.open(claim));
    }
  }

  /** Fails the calls, unless they are "wait for ready". */
  failHasty(why: CloseReason): void {
    for (const claim of [...this.#claims]) {
      if (claim.waitForReady) continue;
      this.#claims.delete(claim);
      claim.context!(() => claim.onClose(why));
    }
  }

  /** Fails all calls: there will be no stream. */
  failAll(why: CloseReason): void {
    const claims = [...this.#claims];
    this.#claims.clear();
    for (const claim of claims) claim.context!(() => claim.onClose(why));
  }
}
