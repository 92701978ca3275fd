/**
 * A pair of Web Streams as a socket.
 *
 * @module
 */

import { Duplex } from "node:stream";

/**
 * A pair of Web Streams as a stream of Node. That of Node itself waits, when it
 * is destroyed, for the other side to have taken all that was sent, which a side
 * that is gone never does.
 */
export class WebDuplex extends Duplex {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #reading = false;

  constructor(
    readable: ReadableStream<Uint8Array>,
    writable: WritableStream<Uint8Array>,
  ) {
    // As a socket does, it ends its own side when the other side has ended.
    super({ allowHalfOpen: false });
    this.#reader = readable.getReader();
    this.#writer = writable.getWriter();
    // HTTP/2 knows no half of a connection: what was written is still sent, if
    // the other side takes it, but nobody waits for that.
    this.once("end", () => this.destroy());
    // When the other side takes no more, it is gone.
    this.#writer.closed.catch((error) => this.destroy(asError(error)));
  }

  override _read(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#reader.read().then(({ done, value }) => {
      this.#reading = false;
      this.push(done ? null : value);
    }).catch((error) => this.destroy(asError(error)));
  }

  override _write(
    bytes: Uint8Array,
    _encoding: string,
    callback: (error?: Error) => void,
  ): void {
    this.#writer.write(bytes).then(
      () => callback(),
      (error) => callback(asError(error)),
    );
  }

  override _final(callback: (error?: Error) => void): void {
    this.#writer.close().then(
      () => callback(),
      (error) => callback(asError(error)),
    );
  }

  override _destroy(
    error: Error | null,
    callback: (error: Error | null) => void,
  ): void {
    // What was written is still sent, if the other side takes it.
    const closed = error === null
      ? this.#writer.close()
      : this.#writer.abort(error);
    closed.catch(() => {});
    this.#reader.cancel(error ?? undefined).catch(() => {});
    callback(error);
  }
}

/** What a stream was ended with, as an error. */
function asError(reason: unknown): Error {
  return reason instanceof Error
    ? reason
    : new Error("the connection was closed", { cause: reason });
}
