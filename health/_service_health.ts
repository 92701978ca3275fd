/**
 * The health of one service: its checks, and whoever watches them.
 *
 * @module
 */

import type { Check, CheckListener } from "./check.ts";
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "./gen/grpc/health/v1/health_pb.ts";

/** Told the status of a service. */
export type StatusWatcher = (status: ServingStatus) => void;

/** Told what a check failed with. */
export type ErrorReport = (error: unknown, check: Check) => void;

/** The health of one service. */
export class ServiceHealth {
  readonly #checks: ReadonlySet<Check>;
  readonly #report: ErrorReport;
  readonly #watchers = new Set<StatusWatcher>();
  #subscriptions: Disposable[] = [];
  /** What the watchers know; null while no check was made for them. */
  #told: ServingStatus | null = null;

  constructor(checks: ReadonlySet<Check>, report: ErrorReport) {
    this.#checks = checks;
    this.#report = report;
  }

  /** How many watch. */
  get watchers(): number {
    return this.#watchers.size;
  }

  /** Makes the checks, all at once, and gives the status that they add up to. */
  async check(): Promise<ServingStatus> {
    await Promise.all(
      Array.from(this.#checks, (check) => this.#make(check)),
    );
    return this.#status();
  }

  /** Tells a watcher the status, once the checks are made, and each change. */
  watch(watcher: StatusWatcher): Disposable {
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) this.#start();
    // The checks are made for the first one; the others may know already.
    else if (this.#told !== null) watcher(this.#told);
    return {
      [Symbol.dispose]: () => {
        if (!this.#watchers.delete(watcher)) return;
        if (this.#watchers.size === 0) this.#stop();
      },
    };
  }

  #start(): void {
    const subscriptions = Array.from(
      this.#checks,
      (check) => check.subscribe(this.#listenerOf(check)),
    );
    this.#subscriptions = subscriptions;
    this.check().then((status) => {
      // Nobody may be watching by now, or others who have begun again.
      if (this.#subscriptions === subscriptions) this.#tell(status);
    });
  }

  #stop(): void {
    for (const one of this.#subscriptions) one[Symbol.dispose]();
    this.#subscriptions = [];
    this.#told = null;
  }

  #listenerOf(check: Check): CheckListener {
    return {
      onChange: () => {
        // Before the checks are made their changes are no news.
        if (this.#told !== null) this.#tell(this.#status());
      },
      onError: (error) => this.#report(error, check),
    };
  }

  #tell(status: ServingStatus): void {
    if (status === this.#told) return;
    this.#told = status;
    for (const watcher of [...this.#watchers]) watcher(status);
  }

  /** Makes a check; one that fails has told its status all the same. */
  async #make(check: Check): Promise<void> {
    try {
      await check.check();
    } catch (error) {
      this.#report(error, check);
    }
  }

  /** All healthy is healthy, all unknown is unknown, anything else is neither. */
  #status(): ServingStatus {
    let healthy = 0;
    let unknown = 0;
    for (const { status } of this.#checks) {
      if (status === true) healthy++;
      else if (status === null) unknown++;
    }
    const { size } = this.#checks;
    if (healthy === size) return ServingStatus.SERVING;
    return unknown === size ? ServingStatus.UNKNOWN : ServingStatus.NOT_SERVING;
  }
}
