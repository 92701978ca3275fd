/**
 * Iteration over the messages of a call.
 *
 * @module
 */

/**
 * An iterator over messages that are there at once or come as a promise. It is
 * written by hand because an async generator would cost more per message than
 * all else that happens to it.
 */
export class MessageIterator<M> implements AsyncIterableIterator<M, undefined> {
  readonly #next: () => M | null | Promise<M | null>;
  readonly #leave: () => void;
  readonly #reject: (error: unknown) => Promise<never>;
  #left = false;

  /**
   * @param next Gives the next message, or null at the end.
   * @param leave Told when the iteration is left before its end.
   * @param reject Makes the promise that fails, of what `next` failed with.
   */
  constructor(
    next: () => M | null | Promise<M | null>,
    leave: () => void,
    reject: (error: unknown) => Promise<never> = (error) =>
      Promise.reject(error),
  ) {
    this.#next = next;
    this.#leave = leave;
    this.#reject = reject;
  }

  next(): Promise<IteratorResult<M, undefined>> {
    if (this.#left) return Promise.resolve({ done: true, value: undefined });
    let message: M | null | Promise<M | null>;
    try {
      message = this.#next();
    } catch (error) {
      return this.#reject(error);
    }
    return message instanceof Promise
      ? message.then(resultOf, this.#reject)
      : Promise.resolve(resultOf(message));
  }

  return(): Promise<IteratorResult<M, undefined>> {
    if (!this.#left) {
      this.#left = true;
      this.#leave();
    }
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

function resultOf<M>(message: M | null): IteratorResult<M, undefined> {
  return message === null
    ? { done: true, value: undefined }
    : { done: false, value: message };
}
