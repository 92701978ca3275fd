/**
 * What nghttp2 bears of RST_STREAM before it ends a connection.
 *
 * A server on nghttp2, such as every server of `node:http2`, ends a connection
 * with GOAWAY INTERNAL_ERROR, and all calls on it, when its client resets too
 * many streams, whatever for. The limit cannot be set on Deno, so both sides
 * leave a connection before it gets there.
 *
 * @see {@link https://nghttp2.org/documentation/nghttp2_option_set_stream_reset_rate_limit.html}
 * @module
 */

/** How many resets nghttp2 bears at once, and how many more each second. */
const BURST = 1000;
const PER_SECOND = 33;

/**
 * How many are kept. What a server has sent on a stream before it sees the reset
 * is a glitch to the nghttp2 of a client, up to two for each, and it bears 1000
 * of them.
 */
const RESERVE = 500;

/** How many of the streams that are there are taken for lost, at most. */
const MAX_AT_RISK = 300;

// One function that all connections share.
function systemTime(): number {
  return performance.now();
}

/** What is left of the resets that a connection bears. */
export class ResetBudget {
  readonly #now: () => number;
  #left = BURST;
  #at: number;

  /** @param now Tells the time, in milliseconds. */
  constructor(now: () => number = systemTime) {
    this.#now = now;
    this.#at = now();
  }

  /**
   * Takes resets off.
   *
   * @param count How many there were.
   * @param streamCount How many streams there are, which may be reset as well:
   * a process that was held up cancels many at once.
   * @returns Whether only the reserve is left.
   */
  spend(count: number, streamCount = 0): boolean {
    const now = this.#now();
    // nghttp2 counts whole seconds.
    const seconds = Math.floor((now - this.#at) / 1000);
    this.#at += seconds * 1000;
    this.#left = Math.min(BURST, this.#left + seconds * PER_SECOND) - count;
    return this.#left < RESERVE + Math.min(streamCount, MAX_AT_RISK);
  }
}
