/**
 * A check that is told its status.
 *
 * @module
 */

import {
  type Check,
  type CheckListener,
  CheckListeners,
  type CheckStatus,
  requireStatus,
} from "./check.ts";

/** Options for {@linkcode ServiceStatus}. */
export interface ServiceStatusOptions {
  /**
   * What the check is called in error messages.
   *
   * @default {"ServiceStatus"}
   */
  readonly name?: string;
}

/**
 * A check that somebody tells its status, as soon as it is known: such as when
 * a connection is lost.
 *
 * @example Usage
 * ```ts
 * import { Health, OVERALL, ServiceStatus } from "@grpclib/grpclib/health";
 * import { assertEquals } from "@std/assert";
 *
 * const redis = new ServiceStatus();
 * const health = new Health([[OVERALL, [redis]]]);
 *
 * redis.set(true); // Redis is there
 * assertEquals(redis.status, true);
 * redis.set(false); // and gone
 * assertEquals(redis.status, false);
 * ```
 */
export class ServiceStatus implements Check {
  /** What the check is called in error messages. */
  readonly name: string;

  readonly #listeners = new CheckListeners();
  #status: CheckStatus = null;

  /**
   * Creates a check whose status is unknown.
   *
   * @param options What it is called.
   */
  constructor(options: ServiceStatusOptions = {}) {
    this.name = options.name ?? "ServiceStatus";
  }

  /** The status that was set; `null` before. */
  get status(): CheckStatus {
    return this.#status;
  }

  /**
   * Sets the status.
   *
   * @param status `true` for healthy, `false` for not, `null` for unknown.
   * @throws {TypeError} If it is none of these.
   *
   * @example Usage
   * ```ts
   * import { ServiceStatus } from "@grpclib/grpclib/health";
   * import { assertEquals } from "@std/assert";
   *
   * const status = new ServiceStatus();
   * status.set(true);
   * assertEquals(await status.check(), true);
   * ```
   */
  set(status: CheckStatus): void {
    requireStatus(status, "Cannot set status");
    if (status === this.#status) return;
    this.#status = status;
    this.#listeners.tellChange();
  }

  /**
   * Gives the status.
   *
   * @returns The status that was set last.
   */
  check(): Promise<CheckStatus> {
    return Promise.resolve(this.#status);
  }

  /**
   * Has a listener told when the status changes.
   *
   * @param listener Whom to tell.
   * @returns What ends it.
   */
  subscribe(listener: CheckListener): Disposable {
    return this.#listeners.add(listener);
  }
}
