/**
 * Has a socket receive no more, or go on; a TLS socket of Deno, too.
 *
 * @module
 */

import type { Duplex } from "node:stream";

/** What Deno's TLS sockets take their records from, if it is a socket. */
interface RecordSource {
  readStop(): void;
  readStart(): void;
}

/** What stands for a socket where they take them from another stream. */
interface SocketOfStream {
  readonly stream?: Duplex;
}

/** The part of a TLS socket of Deno that has either. */
interface Wrapping {
  readonly _handle?: {
    readonly _nativeTcpHandle?: RecordSource | null;
    readonly _parentWrap?: SocketOfStream | null;
  } | null;
}

/**
 * Has a socket receive no more, or go on.
 *
 * `pause()` of a TLS socket does not do that on Deno 2.9.6: the socket receives
 * and keeps whatever comes, without a limit, and if the end comes meanwhile, it
 * may never be told (docs/security.md, "TLS sockets that are paused"). What its
 * records come from can be asked; what has none, such as a socket of Node, does
 * as it is told.
 */
export function pauseReceiving(socket: Duplex, isPaused: boolean): void {
  const { _nativeTcpHandle: records, _parentWrap: parent } =
    (socket as Wrapping)._handle ?? {};
  if (typeof records?.readStop === "function") {
    if (isPaused) records.readStop();
    else records.readStart();
    return;
  }
  const source = parent?.stream ?? socket;
  if (isPaused) source.pause();
  else source.resume();
}
