/**
 * How a session of `node:http2` writes to its socket: frames together, for
 * fewer system calls, and with the backpressure that `node:http2` on Deno does
 * not pass on.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import type { Duplex } from "node:stream";

/** When the frames that a socket collects are written. */
export interface BatchOptions {
  /** Runs the write after what goes on now. */
  readonly schedule: (write: () => void) => void;
  /** The number of collected bytes that are written at once. */
  readonly maxBytes: number;
  /** Told of each frame that is written. */
  readonly onWrite?: (frame: Uint8Array) => void;
}

/**
 * A server writes once per turn of the event loop: the replies of all calls of
 * that turn, with head, message and trailers, leave together.
 */
export const SERVER_BATCH: BatchOptions = {
  schedule: setImmediate,
  maxBytes: 65_536,
};

/**
 * A client writes at the end of the tick, and some requests at a time: if it
 * collected a whole turn, both sides would take turns at being idle.
 */
export const CLIENT_BATCH: BatchOptions = {
  schedule: process.nextTick,
  maxBytes: 512,
};

/**
 * Makes a socket collect what is written to it, and write it at once.
 *
 * `node:http2` writes each frame by itself, and each write is a system call;
 * they are the larger part of what a call costs.
 *
 * @param socket The socket, before a session is made on it.
 * @param options When to write.
 */
export function batchWrites(socket: Duplex, options: BatchOptions): void {
  const { schedule, maxBytes, onWrite } = options;
  const { write, end, destroy } = socket;
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let scheduled = false;

  const flush = (): void => {
    if (bytes === 0) return;
    const batch = chunks;
    chunks = [];
    bytes = 0;
    if (socket.destroyed || socket.writableEnded) return;
    write.call(
      socket,
      batch.length === 1 ? batch[0]! : Buffer.concat(batch),
      undefined as unknown as BufferEncoding,
    );
  };
  const flushLater = (): void => {
    scheduled = false;
    flush();
  };

  socket.write = function (
    chunk: Uint8Array | string,
    ...rest: unknown[]
  ): boolean {
    if (typeof chunk === "string" || rest.length > 0) {
      flush();
      return (write as (...args: unknown[]) => boolean)
        .call(socket, chunk, ...rest);
    }
    chunks.push(chunk);
    bytes += chunk.byteLength;
    onWrite?.(chunk);
    if (bytes >= maxBytes) {
      flush();
    } else if (!scheduled) {
      scheduled = true;
      schedule(flushLater);
    }
    return !socket.writableNeedDrain;
  } as Duplex["write"];
  socket.end = function (...args: unknown[]): Duplex {
    flush();
    return (end as (...args: unknown[]) => Duplex).call(socket, ...args);
  } as Duplex["end"];
  socket.destroy = function (error?: Error): Duplex {
    flush();
    return destroy.call(socket, error) as Duplex;
  };
}

/** Above this many bytes that the network did not take yet, streams wait. */
const MAX_UNSENT_BYTES = 1024 * 1024;

/**
 * What is written to a socket and was not taken by the network.
 *
 * On Deno `node:http2` hands on whatever the peer's windows allow, and does not
 * wait for the socket: a peer with huge windows that reads nothing would have
 * all of it piled up in memory.
 */
export class Backlog {
  readonly #socket: Duplex;
  #noticed = false;

  /**
   * @param socket The socket.
   * @param onGone Told when all is sent of a backlog that was high.
   */
  constructor(socket: Duplex, onGone: () => void) {
    this.#socket = socket;
    socket.on("drain", () => {
      if (!this.#noticed) return;
      this.#noticed = false;
      onGone();
    });
  }

  /** Whether so much waits that nothing should be added. */
  get isHigh(): boolean {
    if (this.#socket.writableLength <= MAX_UNSENT_BYTES) return false;
    this.#noticed = true;
    return true;
  }
}
