/**
 * Where the sends of a call wait while its stream is full.
 *
 * @module
 */

/**
 * A gate that opens when the stream has room, or when the call is over: a
 * stream that is stuck may tell of its end late, and who waits for it must not
 * learn of the end of the call later than others do.
 */
export class SendGate {
  #gate: PromiseWithResolvers<void> | undefined;

  /**
   * Waits until there is room, or the gate is opened.
   *
   * @param room What the stream asked to wait for.
   */
  wait(room: Promise<void>): Promise<void> {
    const gate = this.#gate ??= Promise.withResolvers();
    room.then(() => {
      if (this.#gate === gate) this.#gate = undefined;
      gate.resolve();
    });
    return gate.promise;
  }

  /** Lets all go on that wait. */
  open(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }
}
