/**
 * A check that a function makes.
 *
 * @module
 */

import { noContext } from "../_context.ts";
import { MAX_DELAY_MS } from "../core/clock.ts";
import {
  type Check,
  type CheckListener,
  CheckListeners,
  type CheckStatus,
  requireStatus,
} from "./check.ts";

/**
 * Finds out whether something is well. The signal aborts when the check has
 * taken too long.
 */
export type CheckFunction = (
  signal: AbortSignal,
) => CheckStatus | Promise<CheckStatus>;

/** Options for {@linkcode ServiceCheck}. */
export interface ServiceCheckOptions {
  /**
   * What the check is called in error messages.
   *
   * @default the name of the function
   */
  readonly name?: string;
  /**
   * How long a result holds, in milliseconds; more than 0. While somebody
   * watches, the check is made this often.
   *
   * @default {30000}
   */
  readonly checkTtlMs?: number;
  /**
   * How long a check may take, in milliseconds; more than 0. Then its signal
   * aborts and it counts as failed.
   *
   * @default {10000}
   */
  readonly checkTimeoutMs?: number;
}

/**
 * A check that a function makes: when somebody asks and the last result is too
 * old, and again and again while somebody watches.
 *
 * @example Usage
 * ```ts
 * import { Health, OVERALL, ServiceCheck } from "@grpclib/grpclib/health";
 * import { assertEquals } from "@std/assert";
 *
 * const db = { query: (_sql: string, _signal: AbortSignal) => Promise.resolve(1) };
 *
 * // What it throws is the same as false, and goes to `onError` of the server.
 * const dbCheck = new ServiceCheck(async function db_check(signal) {
 *   await db.query("SELECT 1", signal);
 *   return true;
 * });
 * const health = new Health([[OVERALL, [dbCheck]]]);
 *
 * assertEquals(await dbCheck.check(), true);
 * ```
 */
export class ServiceCheck implements Check {
  /** What the check is called in error messages. */
  readonly name: string;

  readonly #fn: CheckFunction;
  readonly #ttlMs: number;
  readonly #timeoutMs: number;
  readonly #listeners = new CheckListeners(() => this.#stopPolling());
  #status: CheckStatus = null;
  #checkedAt = -Infinity;
  #running: Promise<CheckStatus> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Creates a check. It is made when somebody asks.
   *
   * @param fn What finds out.
   * @param options How often, and for how long.
   * @throws {TypeError} If the function is none, or a time is no number.
   * @throws {RangeError} If a time is out of range.
   */
  constructor(fn: CheckFunction, options: ServiceCheckOptions = {}) {
    if (typeof fn !== "function") {
      throw new TypeError(
        `Cannot create check: a function is needed, received ${typeof fn}`,
      );
    }
    const { checkTtlMs = 30_000, checkTimeoutMs = 10_000 } = options;
    requireMs("checkTtlMs", checkTtlMs);
    requireMs("checkTimeoutMs", checkTimeoutMs);
    this.name = options.name ?? (fn.name || "ServiceCheck");
    this.#fn = fn;
    this.#ttlMs = checkTtlMs;
    this.#timeoutMs = checkTimeoutMs;
  }

  /** The last result; `null` before the first. */
  get status(): CheckStatus {
    return this.#status;
  }

  /**
   * Makes the check, unless the last result still holds, or it is being made.
   *
   * @returns The status.
   * @throws What the function threw, or that it took too long.
   */
  check(): Promise<CheckStatus> {
    if (this.#running !== undefined) return this.#running;
    const age = performance.now() - this.#checkedAt;
    return age < this.#ttlMs ? Promise.resolve(this.#status) : this.#run();
  }

  /**
   * Has a listener told when the status changes, and makes the check again and
   * again from now on.
   *
   * @param listener Whom to tell.
   * @returns What ends it.
   */
  subscribe(listener: CheckListener): Disposable {
    const subscription = this.#listeners.add(listener);
    if (this.#listeners.size === 1) noContext(() => this.#poll());
    return subscription;
  }

  /** Makes the check now. */
  #run(): Promise<CheckStatus> {
    // It is made for all who ask, and perhaps again and again.
    const running = noContext(() => this.#execute()).finally(() => {
      this.#running = undefined;
    });
    this.#running = running;
    // Whoever asked is told; if nobody did, the listeners are.
    running.catch((error) => this.#listeners.tellError(error));
    return running;
  }

  async #execute(): Promise<CheckStatus> {
    const controller = new AbortController();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const error = new Error(
        `Check ${this.name} took longer than ${this.#timeoutMs} ms`,
      );
      late.reject(error);
      controller.abort(error);
    }, this.#timeoutMs);
    try {
      const { signal } = controller;
      // Not with await alone: the function may throw, and may never return.
      const found = new Promise((resolve) => resolve(this.#fn(signal)));
      const result = await Promise.race([found, late.promise]);
      this.#settle(requireStatus(result, `Check ${this.name} failed`));
      return this.#status;
    } catch (error) {
      this.#settle(false);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #settle(status: CheckStatus): void {
    this.#checkedAt = performance.now();
    if (status === this.#status) return;
    this.#status = status;
    this.#listeners.tellChange();
  }

  /** Makes the check, and sees to it that it is made again. */
  #poll(): void {
    const age = performance.now() - this.#checkedAt;
    const next = (): void => {
      if (this.#listeners.size === 0) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#again(), this.#ttlMs);
    };
    if (age < this.#ttlMs && this.#running === undefined) {
      this.#timer = setTimeout(() => this.#again(), this.#ttlMs - age);
    } else {
      (this.#running ?? this.#run()).then(next, next);
    }
  }

  #again(): void {
    this.#checkedAt = -Infinity; // A timer may be early by a fraction.
    this.#poll();
  }

  #stopPolling(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function requireMs(name: string, value: unknown): void {
  const need = `Cannot create check: ${name} must be`;
  if (typeof value !== "number") {
    throw new TypeError(`${need} a number, received ${typeof value}`);
  }
  if (!(value > 0 && value <= MAX_DELAY_MS)) {
    throw new RangeError(
      `${need} more than 0 and at most ${MAX_DELAY_MS}, received ${value}`,
    );
  }
}
