/**
 * Accepting when there was no file descriptor for a connection.
 *
 * On Deno a server of `node:net` that has no descriptor for a connection never
 * accepts another one, not even when there are descriptors again: the error of
 * `accept` ends the polling, and nothing begins it again. The connections that
 * wait go on waiting, and no event tells. Asking a socket that listens to listen
 * has it polled again, and does nothing else: so that is done every second.
 *
 * What was found is in docs/security.md, with a program that shows it.
 *
 * @module
 */

import type { Server } from "node:net";
import { clearInterval, setInterval } from "node:timers";
import { noContext } from "../../_context.ts";
import process from "node:process";

/** How often it is looked, in milliseconds. */
const LOOK_MS = 1000;

/** How many connections wait unless somebody says, as `node:net` has it. */
const DEFAULT_BACKLOG = 511;

/** What `node:net` calls the socket of a server. */
interface Handle {
  listen?(backlog: number): number;
}

/** Has a server go on accepting, and tells when it cannot. */
export class AcceptWatch {
  readonly #server: Server;
  readonly #onExhausted: () => void;
  #backlog = DEFAULT_BACKLOG;
  #canKick = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isExhausted = false;

  /**
   * @param server The server.
   * @param onExhausted Told, once each time, that there is no file descriptor
   *   for another connection.
   */
  constructor(server: Server, onExhausted: () => void) {
    this.#server = server;
    this.#onExhausted = onExhausted;
  }

  /**
   * Begins to watch, once the server listens.
   *
   * @param options The backlog it listens with, and the path of its unix
   *   socket: one of those is not polled again by being asked to listen.
   */
  start(
    options: {
      readonly backlog?: number | undefined;
      readonly path?: string | undefined;
    },
  ): void {
    this.#backlog = options.backlog ?? DEFAULT_BACKLOG;
    this.#canKick = options.path === undefined;
    this.#timer = noContext(() => setInterval(() => this.#look(), LOOK_MS));
    this.#timer.unref();
  }

  /** Ends it. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** A connection is gone: if there was no descriptor, there is one now. */
  onDisconnect(): void {
    if (this.#isExhausted) this.#look();
  }

  #look(): void {
    const wasExhausted = this.#isExhausted;
    this.#isExhausted = !hasDescriptor();
    // It may have been so between two looks, too.
    if (!this.#isExhausted) this.#kick();
    else if (!wasExhausted) this.#onExhausted();
  }

  #kick(): void {
    if (!this.#canKick) return;
    const { _handle: handle } = this.#server as {
      readonly _handle?: Handle | null;
    };
    handle?.listen?.(this.#backlog);
  }
}

/**
 * Whether the process may open one more file descriptor, as far as can be told.
 *
 * No runtime has an answer for that, and none tells when it could not accept a
 * connection for want of one: `node:net` says nothing on Deno, and on Node
 * closes the connection. But on Linux both look up the memory of the process in
 * a file, without a permission: with no descriptor left Deno finds nothing in
 * it, and Node throws. Elsewhere the answer is always yes.
 */
function hasDescriptor(): boolean {
  try {
    return process.memoryUsage.rss() > 0;
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    return code !== "EMFILE" && code !== "ENFILE";
  }
}
