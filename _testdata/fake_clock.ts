/**
 * A clock that stands still until it is told to go on, so that a test of a
 * deadline neither sleeps nor depends on the machine.
 *
 * @module
 */

interface Timer {
  readonly at: number;
  readonly delayMs: number;
  readonly fire: () => void;
}

/** The longest delay a timer takes; with a longer one it fires at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Stands in for `setTimeout`, `clearTimeout` and `performance.now`. */
export class FakeClock implements Disposable {
  #now = 1_000;
  #nextId = 1;
  readonly #timers = new Map<number, Timer>();
  readonly #setTimeout = globalThis.setTimeout;
  readonly #clearTimeout = globalThis.clearTimeout;

  constructor() {
    const set = (fire: () => void, delayMs: number): number => {
      const id = this.#nextId++;
      const lasts = delayMs > MAX_DELAY_MS ? 0 : delayMs;
      this.#timers.set(id, { at: this.#now + lasts, delayMs, fire });
      return id;
    };
    const clear = (id: number): void => void this.#timers.delete(id);
    globalThis.setTimeout = set as unknown as typeof setTimeout;
    globalThis.clearTimeout = clear as unknown as typeof clearTimeout;
    Object.defineProperty(performance, "now", {
      value: () => this.#now,
      configurable: true,
    });
  }

  /** What `performance.now()` says. */
  get now(): number {
    return this.#now;
  }

  /** The delays that the timers that run were set with. */
  get delays(): number[] {
    return [...this.#timers.values()].map(({ delayMs }) => delayMs);
  }

  /** Lets time pass, and fires the timers that are due, each at its time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      let id: number | undefined;
      let first: Timer | undefined;
      for (const [candidate, timer] of this.#timers) {
        if (timer.at > end || (first && first.at <= timer.at)) continue;
        id = candidate;
        first = timer;
      }
      if (first === undefined) break;
      this.#timers.delete(id!);
      this.#now = Math.max(this.#now, first.at);
      first.fire();
    }
    this.#now = end;
  }

  /** Lets time pass while the program is busy: no timer fires. */
  jump(ms: number): void {
    this.#now += ms;
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = this.#setTimeout;
    globalThis.clearTimeout = this.#clearTimeout;
    // The real one is inherited.
    delete (performance as { now?: unknown }).now;
  }
}
