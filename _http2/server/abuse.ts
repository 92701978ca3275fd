/**
 * What a client may not do too often: PINGs, and calls that it opens only to
 * cancel them. Both cost it next to nothing.
 *
 * @module
 */

/** After how long a PING is allowed that comes without any call. */
const IDLE_PING_INTERVAL_MS = 7_200_000;

/** Settings of {@linkcode PingStrikes}, as in `Configuration`. */
export interface PingStrikesOptions {
  /** The least time between PINGs, in milliseconds. */
  readonly http2MinRecvPingIntervalWithoutDataMs: number;
  /** How many earlier ones are borne; 0: any. */
  readonly http2MaxPingStrikes: number;
  /** Whether they may come as often while there is no call. */
  readonly keepalivePermitWithoutCalls: boolean;
}

/**
 * Counts the PINGs of a client that come too early.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md#server-enforcement}
 */
export class PingStrikes {
  readonly #options: PingStrikesOptions;
  #last = -Infinity;
  #strikes = 0;

  constructor(options: PingStrikesOptions) {
    this.#options = options;
  }

  /** The server sent HEADERS or DATA: the client may ask again. */
  onSent(): void {
    this.#last = -Infinity;
    this.#strikes = 0;
  }

  /**
   * A PING came in.
   *
   * @param hasStreams Whether there are calls.
   * @param now The time, in milliseconds.
   * @returns Whether that is one too many.
   */
  onPing(hasStreams: boolean, now: number): boolean {
    const {
      http2MinRecvPingIntervalWithoutDataMs: min,
      http2MaxPingStrikes: max,
      keepalivePermitWithoutCalls: permitted,
    } = this.#options;
    const interval = hasStreams || permitted ? min : IDLE_PING_INTERVAL_MS;
    const isEarly = now - this.#last < interval;
    this.#last = now;
    if (!isEarly) return false;
    this.#strikes++;
    return max !== 0 && this.#strikes > max;
  }
}

/** A call that is cancelled sooner is one of a rapid reset. */
const RAPID_MS = 1000;

/** How long what a client sent may have waited to be read by a busy server. */
const UNREAD_MS = 100;

/**
 * Counts the calls that a client cancels as soon as it has opened them.
 *
 * @see {@link https://nvd.nist.gov/vuln/detail/CVE-2023-44487}
 */
export class RapidResets {
  readonly #max: number;
  #count = 0;
  #since = -Infinity;

  /** @param maxPerSecond How many are borne within a second. */
  constructor(maxPerSecond: number) {
    this.#max = maxPerSecond;
  }

  /**
   * The client reset a stream.
   *
   * @param stream When its request was read, when the connection had been read
   * before, and when the deadline of its call comes, in milliseconds.
   * @param now The time, in milliseconds.
   * @returns Whether that is one too many.
   */
  onReset(
    { openedAt, sentAfter, expiresAt }: {
      readonly openedAt: number;
      readonly sentAfter: number;
      readonly expiresAt: number;
    },
    now: number,
  ): boolean {
    if (now - openedAt >= RAPID_MS) return false;
    // A deadline comes earlier to the client, by the time that the request took
    // to be read; a busy server reads the request and its reset in one piece.
    // What ran for half of it has cost no more than twice of what a client is
    // free to ask for by short deadlines.
    const sentAt = Math.max(sentAfter, openedAt - UNREAD_MS);
    if (now - sentAt >= (expiresAt - openedAt) / 2) return false;
    if (now - this.#since >= RAPID_MS) {
      this.#since = now;
      this.#count = 0;
    }
    this.#count++;
    return this.#count > this.#max;
  }
}
