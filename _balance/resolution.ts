/**
 * When the endpoints of a target are looked up.
 *
 * - At the start, and then when something has gone wrong with an endpoint, but
 *   not before a time has passed since the last answer: many clients that lose a
 *   server at once must not overrun the name service.
 * - After a time anyhow. A server that was added would go unnoticed for as long
 *   as the others are well.
 * - After a failure, when the backoff is over. What was known before remains.
 *
 * A source may also go on by itself, and tell of changes as they come.
 *
 * @module
 */

import type { CloseReason } from "../_call/byte_stream.ts";
import { noContext } from "../_context.ts";
import { Backoff, type BackoffOptions } from "../core/_backoff.ts";
import type { Clock, ClockTimer } from "../core/clock.ts";
import { reasonOfLoss } from "../_http2/reset.ts";

/** Gives endpoints: once, or again and again. */
export type EndpointSource<E> = (
  signal: AbortSignal,
) => Promise<readonly E[]> | AsyncIterable<readonly E[]>;

/** How a target is resolved. */
export interface ResolutionOptions<E> {
  /** What is resolved, for errors. */
  readonly target: string;
  readonly source: EndpointSource<E>;
  readonly clock: Clock;
  /** How long to leave the source alone after it has answered, in milliseconds. */
  readonly minIntervalMs: number;
  /** When to ask it again, though nothing is wrong, in milliseconds. */
  readonly refreshMs: number;
  /** How long an answer may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly backoff: BackoffOptions;
}

/** Who wants to know the endpoints. */
export interface ResolutionOwner<E> {
  onEndpoints(endpoints: readonly E[]): void;
  onFailure(why: CloseReason): void;
}

/** Asks for the endpoints of a target. */
export class Resolution<E> {
  readonly #options: ResolutionOptions<E>;
  readonly #owner: ResolutionOwner<E>;
  readonly #backoff: Backoff;
  /** Aborts what is being asked; null between two askings. */
  #asking: AbortController | null = null;
  #timer: ClockTimer | undefined;
  /** When the source may be asked again, if something has gone wrong. */
  #nextAt = -Infinity;
  /** When the source has last answered, of those that go on by themselves. */
  #answeredAt = -Infinity;
  /** Whether the last asking has failed. */
  #hasFailed = false;
  #isAwaited = false;
  #isOver = false;

  constructor(
    options: ResolutionOptions<E>,
    owner: ResolutionOwner<E>,
  ) {
    this.#options = options;
    this.#owner = owner;
    this.#backoff = new Backoff(options.backoff);
  }

  /** Asks for the first time. */
  start(): void {
    this.#ask();
  }

  /** Something is wrong with an endpoint: asks again, as soon as it may. */
  askAgain(): void {
    // After a failure that is under way already.
    if (this.#isOver || this.#asking !== null || this.#hasFailed) return;
    const delayMs = this.#nextAt - this.#options.clock.now();
    if (delayMs <= 0) this.#ask();
    else this.#askIn(delayMs);
  }

  /** Says whether calls wait for the answer, so that the process has to live on. */
  set isAwaited(isAwaited: boolean) {
    this.#isAwaited = isAwaited;
    this.#updateRef();
  }

  /** Asks no more, and tells nothing more. */
  stop(): void {
    this.#isOver = true;
    this.#stopTimer();
    this.#asking?.abort();
    this.#asking = null;
  }

  #ask(): void {
    this.#stopTimer();
    const { clock, source, timeoutMs } = this.#options;
    const asking = this.#asking = new AbortController();
    this.#timer = clock.setTimeout(
      () => this.#fail(asking, `no answer within ${timeoutMs} ms`),
      timeoutMs,
    );
    this.#updateRef();
    void noContext(async () => {
      try {
        const answer = source(asking.signal);
        if (Symbol.asyncIterator in answer) {
          let isAnswered = false;
          for await (const endpoints of answer) {
            if (!this.#take(asking, endpoints)) return;
            isAnswered = true;
          }
          if (!isAnswered) throw new Error("it has ended without an answer");
        } else {
          this.#take(asking, await answer);
        }
        this.#end(asking);
      } catch (error) {
        this.#fail(asking, error);
      }
    });
  }

  /** Takes an answer, and tells whether it was still wanted. */
  #take(asking: AbortController, endpoints: readonly E[]): boolean {
    if (asking !== this.#asking) return false;
    this.#stopTimer();
    if (endpoints.length === 0) throw new Error("it has no address");
    this.#hasFailed = false;
    this.#answeredAt = this.#options.clock.now();
    this.#owner.onEndpoints(endpoints);
    // The owner may have stopped it.
    return asking === this.#asking;
  }

  #end(asking: AbortController): void {
    if (asking !== this.#asking) return;
    this.#asking = null;
    this.#backoff.reset();
    const { clock, minIntervalMs, refreshMs } = this.#options;
    this.#nextAt = clock.now() + minIntervalMs;
    this.#stopTimer();
    if (refreshMs !== Infinity) this.#askIn(refreshMs);
  }

  #fail(asking: AbortController, cause: unknown): void {
    if (asking !== this.#asking) return;
    this.#asking = null;
    this.#hasFailed = true;
    asking.abort();
    // One that went on well for a while, by itself.
    const wellMs = this.#options.clock.now() - this.#answeredAt;
    if (wellMs > this.#backoff.nextMs && wellMs < Infinity) {
      this.#backoff.reset();
    }
    this.#answeredAt = -Infinity;
    this.#askIn(this.#backoff.fail());
    const { target } = this.#options;
    this.#owner.onFailure(
      reasonOfLoss(`Cannot resolve ${target}`, cause, true),
    );
  }

  #askIn(delayMs: number): void {
    this.#stopTimer();
    this.#timer = this.#options.clock.setTimeout(
      () => this.#ask(),
      Math.ceil(delayMs),
    );
    this.#updateRef();
  }

  #stopTimer(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #updateRef(): void {
    if (this.#isAwaited) this.#timer?.ref();
    else this.#timer?.unref();
  }
}
