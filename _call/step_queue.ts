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
export class StepQueue {
  /** The end of the last step, if that is still to come. Never rejects. */
  #tail: Promise<void> | null = null;
  /** What tells those who wait for a step that they wait no longer. */
  #waiting: Set<(error: Error) => void> | null = null;
  #abortedWith: (() => Error) | null = null;

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
    if (end !== undefined) return this.#wait(end);
  }

  /**
   * Has all who wait for a step wait no longer: they are told an error, and who
   * comes to wait after them too.
   *
   * @param error Makes the error, if there is somebody to be told.
   */
  abort(error: () => Error): void {
    this.#abortedWith ??= error;
    for (const reject of this.#waiting ?? []) reject(error());
    this.#waiting = null;
  }

  /**
   * Waits for the end of a step or the abort, and makes the next step wait.
   *
   * Not by `Promise.race()` with a promise of the abort: that one would keep
   * what it was raced with, every step of a call, until the call is over.
   */
  #wait(end: Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    end.then(resolve, reject);
    if (this.#abortedWith !== null) reject(this.#abortedWith());
    else (this.#waiting ??= new Set()).add(reject);
    const settle = (): void => {
      this.#waiting?.delete(reject);
      if (this.#tail === tail) this.#tail = null;
    };
    const tail = promise.then(settle, settle);
    this.#tail = tail;
    return promise;
  }
}

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
