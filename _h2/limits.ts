/**
 * Limits: what a peer can make this endpoint do or keep.
 *
 * Counts of frames are budgets: each frame that costs work and brings none
 * takes one, time gives back so many a second, and useful frames pay back too.
 * So a peer that measures the bandwidth with a PING for every few DATA frames,
 * as grpc-go does, or that sends WINDOW_UPDATE for every one, as grpc-java may,
 * is never near a limit, and one that only makes noise reaches it.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-10.5}
 * @module
 */

/** How many there may be at once, and how many a second in the long run. */
export interface Rate {
  /** How many at once. */
  readonly burst: number;
  /** How many a second. */
  readonly perSecond: number;
}

/** The limits of one connection. All counts are of frames. */
export interface Limits {
  /**
   * Bytes of one field block, in HEADERS and its CONTINUATION frames. Exceeded:
   * connection error, `ENHANCE_YOUR_CALM`.
   *
   * Against the CONTINUATION flood (VU#421644) and CVE-2019-9516.
   */
  readonly maxFieldBlockBytes: number;
  /**
   * CONTINUATION frames of one field block. Exceeded: connection error,
   * `ENHANCE_YOUR_CALM`.
   *
   * Against the CONTINUATION flood (VU#421644) with empty frames.
   */
  readonly maxContinuations: number;
  /**
   * Fields of one list. Exceeded: stream error, `ENHANCE_YOUR_CALM`, as for a
   * list larger than the setting `maxHeaderListSize`.
   *
   * Against lists of many tiny fields (CVE-2019-9516, HPACK bombs).
   */
  readonly maxFields: number;
  /**
   * Bytes received that applications have not taken, in all streams. Exceeded:
   * the peer gets no more credit for the connection; see `flow_control.ts`.
   *
   * Against peers that send much to readers that are slow.
   */
  readonly maxHeldBytes: number;
  /**
   * Bytes that wait to be sent, in all streams, when more are added. Exceeded:
   * the stream that they are for is reset, `ENHANCE_YOUR_CALM`.
   *
   * Against slow and zero-window readers (CVE-2019-9517, CVE-2019-9511).
   */
  readonly maxQueuedBytes: number;
  /**
   * Replies that the peer has asked for and not read yet: acknowledgements of
   * SETTINGS and PING, and RST_STREAM for its mistakes. Exceeded: connection
   * error, `ENHANCE_YOUR_CALM`.
   *
   * Against peers that never read (CVE-2019-9512, -9514, -9515).
   */
  readonly maxQueuedReplies: number;
  /**
   * Resets: by a client of streams without a reply of the server, and by
   * this endpoint for errors of the peer. Exceeded: connection error,
   * `ENHANCE_YOUR_CALM`.
   *
   * Against rapid reset (CVE-2023-44487), MadeYouReset (CVE-2025-8671) and the
   * reset flood (CVE-2019-9514).
   */
  readonly resets: Rate;
  /**
   * PING frames. DATA either way pays back. Exceeded: connection error,
   * `ENHANCE_YOUR_CALM`.
   *
   * Against the ping flood (CVE-2019-9512).
   */
  readonly pings: Rate;
  /**
   * SETTINGS frames, and each hundred settings in one. Exceeded: connection
   * error, `ENHANCE_YOUR_CALM`.
   *
   * Against the settings flood (CVE-2019-9515).
   */
  readonly settings: Rate;
  /**
   * WINDOW_UPDATE frames. DATA that this endpoint sends pays back, unless the
   * window made it tiny. Exceeded: connection error, `ENHANCE_YOUR_CALM`.
   *
   * Against windows that are opened byte by byte (CVE-2019-9511).
   */
  readonly windowUpdates: Rate;
  /**
   * DATA without a byte that ends nothing, whatever its padding. Other DATA pays
   * back. Exceeded: connection error, `ENHANCE_YOUR_CALM`.
   *
   * Against floods of empty frames (CVE-2019-9518). One byte in each is legal,
   * and cheaper to take than the smallest message would be.
   */
  readonly emptyFrames: Rate;
  /**
   * Frames without effect: PRIORITY, unknown types, and what is ignored on
   * closed streams. HEADERS and DATA pay back. Exceeded: connection error,
   * `ENHANCE_YOUR_CALM`.
   *
   * Against the resource loop (CVE-2019-9513) and floods of frames to ignore.
   */
  readonly ignoredFrames: Rate;
}

const FLOOD: Rate = { burst: 10_000, perSecond: 1_000 };

/** The limits of a connection that has no others. */
export const DEFAULT_LIMITS: Limits = {
  maxFieldBlockBytes: 256 * 1024,
  maxContinuations: 32,
  maxFields: 1_000,
  maxHeldBytes: 64 * 1024 * 1024,
  maxQueuedBytes: 256 * 1024 * 1024,
  maxQueuedReplies: 10_000,
  resets: { burst: 1_000, perSecond: 500 },
  pings: FLOOD,
  settings: { burst: 1_000, perSecond: 100 },
  windowUpdates: FLOOD,
  emptyFrames: FLOOD,
  ignoredFrames: FLOOD,
};

/** What may happen only so often: a token bucket. */
export class Budget {
  readonly #rate: Rate;
  #left: number;
  /** When it was last full, or was given what time gives back. */
  #since = 0;

  /** @param rate How often it may happen. */
  constructor(rate: Rate) {
    this.#rate = rate;
    this.#left = rate.burst;
  }

  /**
   * Takes some.
   *
   * @param count How many.
   * @param now The time, in milliseconds.
   * @returns Whether there were as many.
   */
  take(count: number, now: number): boolean {
    const { burst, perSecond } = this.#rate;
    if (this.#left >= burst) this.#since = now;
    this.#left -= count;
    if (this.#left >= 0) return true;
    // Time is looked at only now: until then it makes no difference.
    const refilled = Math.max(0, now - this.#since) * perSecond / 1000;
    this.#left = Math.min(burst, this.#left + count + refilled) - count;
    this.#since = now;
    return this.#left >= 0;
  }

  /**
   * Gives some back.
   *
   * @param count How many.
   */
  giveBack(count: number): void {
    if (this.#left < this.#rate.burst) this.#left += count;
  }
}

/** The budgets of one connection. */
export class Budgets {
  readonly resets: Budget;
  readonly pings: Budget;
  readonly settings: Budget;
  readonly windowUpdates: Budget;
  readonly emptyFrames: Budget;
  readonly ignoredFrames: Budget;

  /** @param limits The limits of the connection. */
  constructor(limits: Limits) {
    this.resets = new Budget(limits.resets);
    this.pings = new Budget(limits.pings);
    this.settings = new Budget(limits.settings);
    this.windowUpdates = new Budget(limits.windowUpdates);
    this.emptyFrames = new Budget(limits.emptyFrames);
    this.ignoredFrames = new Budget(limits.ignoredFrames);
  }

  /** DATA was received that carries something. */
  onDataReceived(): void {
    this.pings.giveBack(1);
    this.emptyFrames.giveBack(1);
    this.ignoredFrames.giveBack(1);
  }

  /** DATA was sent, and not because of a tiny window. */
  onDataSent(): void {
    this.pings.giveBack(1);
    this.windowUpdates.giveBack(3);
  }

  /** HEADERS were received. */
  onHeadersReceived(): void {
    this.pings.giveBack(1);
    this.windowUpdates.giveBack(1);
    this.ignoredFrames.giveBack(2);
  }
}
