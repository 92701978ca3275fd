/**
 * Steps that must not overtake one another.
 *
 * @module
 */

/** What is done in one step; a promise asks the next one to wait. */
export type Step = () => void | Promise<void>;

/**
 * Runs steps one after another: each at once if it can, or else when the one
 * before is through. A step that fails does not stop those behind it.
 */
export class Serial {
  /** The end of the last step, if that is still to come. Never rejects. */
  #tail: Promise<void> | null = null;
  #aborted: PromiseWithResolvers<never> | null = null;

  /** The end of all steps so far; null if they are through. Never rejects. */
  get tail(): Promise<void> | null {
    return this.#tail;
  }

  /**
   * Runs a step.
   *
   * @returns What the step gives or throws; a promise of it if it has to wait.
   */
  run(step: Step): void | Promise<void> {
    const end = this.#tail === null ? step() : this.#tail.then(step);
    if (end === undefined) return;
    if (this.#aborted === null) {
      this.#aborted = Promise.withResolvers();
      this.#aborted.promise.catch(nothing);
    }
    const bounded = Promise.race([end, this.#aborted.promise]);
    const tail = bounded.then(nothing, nothing).then(() => {
      if (this.#tail === tail) this.#tail = null;
    });
    this.#tail = tail;
    return bounded;
  }

  /** Has all who wait for a step wait no longer: they are told the error. */
  abort(error: Error): void {
    this.#aborted?.reject(error);
  }
}

function nothing(): void {}

/**
 * Goes on when something is through: at once if it is already.
 *
 * @param wait Nothing, or a promise of the end.
 * @param next What to do then.
 */
export function after(
  wait: void | Promise<void>,
  next: () => void | Promise<void>,
): void | Promise<void> {
  return wait === undefined ? next() : wait.then(next);
}
