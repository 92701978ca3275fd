/**
 * What is still to be sent when a connection ends.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import type { Clock, ClockTimer } from "../core/clock.ts";

/** How long the peer may take nothing of it, in milliseconds. */
const PATIENCE_MS = 1000;

/**
 * Destroys a socket whose session has ended when the peer takes nothing of what
 * is left, so that a peer that does not read can not keep it.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-5.4.1}
 */
export class DrainWatch {
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #onGone: () => void;
  #timer: ClockTimer | undefined;

  /**
   * @param socket The socket.
   * @param clock What the time goes by.
   * @param onGone Told when the socket was destroyed and does not say that it is
   *   closed, as a stream of the user's may do.
   */
  constructor(socket: Duplex, clock: Clock, onGone: () => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onGone = onGone;
  }

  /** The session has ended: watches from now on how the rest is taken. */
  watch(): void {
    if (this.#timer !== undefined || this.#socket.destroyed) return;
    const left = this.#socket.writableLength;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      if (this.#socket.writableLength < left) this.watch();
      else this.cut();
    }, PATIENCE_MS);
  }

  /** Destroys the socket. */
  cut(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(this.#onGone, PATIENCE_MS);
    this.#socket.destroy();
  }

  /** The socket is gone. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
