/**
 * Whether a socket keeps the process alive.
 *
 * @module
 */

import type { Duplex } from "node:stream";

/** The part of a socket that says whether it keeps the process alive. */
interface Referable {
  ref?(): void;
  unref?(): void;
}

/** Has a socket keep the process alive, or not, if it can. */
export function refer(socket: Duplex | null, needed: boolean): void {
  const referable = socket as Referable | null;
  if (needed) referable?.ref?.();
  else referable?.unref?.();
}
