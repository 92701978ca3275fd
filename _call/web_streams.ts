/**
 * The messages of a call as Web Streams, with the call's own backpressure.
 *
 * @see {@link https://streams.spec.whatwg.org/}
 * @module
 */

/**
 * Makes a stream that takes one message for each that is read from it.
 *
 * @param next Gives the next message, or null at the end.
 * @param cancel Told when the reader has had enough.
 */
export function readableOf<M>(
  next: () => M | null | Promise<M | null>,
  cancel: () => void,
): ReadableStream<M> {
  return new ReadableStream<M>({
    async pull(controller) {
      const message = await next();
      if (message === null) controller.close();
      else controller.enqueue(message);
    },
    cancel,
  }, { highWaterMark: 0 });
}

/** What a writable stream of messages does. */
export interface MessageWriter<M> {
  /** Sends a message; a promise asks the writer to wait. */
  write(message: M): void | Promise<void>;
  /** Ends the messages. */
  close(): void | Promise<void>;
  /** Told when the writer gives up. */
  abort(reason: unknown): void;
  /** Calls `fail` when nobody takes messages any more. */
  watch?(fail: (reason: unknown) => void): void;
}

/** Makes a stream that sends one message for each that is written to it. */
export function writableOf<M>(writer: MessageWriter<M>): WritableStream<M> {
  return new WritableStream<M>({
    // Whoever pipes into it must learn of the end without writing again.
    start: (controller) => writer.watch?.((reason) => controller.error(reason)),
    write: (message) => writer.write(message),
    close: () => writer.close(),
    abort: (reason) => writer.abort(reason),
  });
}
