/**
 * When a call may be retried transparently, as if it had not been sent.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md#transparent-retries}
 * @module
 */

import type { CloseReason } from "../byte_stream.ts";

/** Counts how often one call was retried transparently. */
export class TransparentRetry {
  #wasSeen = false;

  /**
   * Says whether a call may be retried transparently, and takes it that it is.
   *
   * "If the RPC never leaves the client", it may be as often as it takes. "If
   * the RPC reaches the server, but has never been seen by the server
   * application logic", it may be once.
   *
   * @param why Why its stream is gone.
   */
  begin(why: CloseReason): boolean {
    if (!why.unprocessed) return false;
    if (why.unsent === true) return true;
    const isFirst = !this.#wasSeen;
    this.#wasSeen = true;
    return isFirst;
  }
}
