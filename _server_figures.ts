/**
 * What can be seen of a server from outside, for who looks inside.
 *
 * @module
 */

import type { CallCounts, LookedAt } from "./core/_figures.ts";
import type { ListenAddress } from "./_http2/server/acceptor.ts";

/** What can be seen of a server. */
export interface ServerFigures {
  /** When it was made, in milliseconds since 1970. */
  readonly createdAt: number;
  readonly callCounts: CallCounts;
  /** Where it listens; null while it does not. */
  readonly address: ListenAddress | null;
  /** The connections that are not gone, in the order they came. */
  readonly connections: Iterable<LookedAt>;
  /** Whether it is closed, and all of them are gone. */
  readonly isClosed: boolean;
}

const ALL = new WeakMap<object, ServerFigures>();

/** Has a server seen by all that stands for it, such as itself. */
export function showServer(
  keys: readonly object[],
  figures: ServerFigures,
): void {
  for (const key of keys) ALL.set(key, figures);
}

/** Looks at a server; undefined if it is none. */
export function serverFigures(key: object): ServerFigures | undefined {
  return ALL.get(key);
}
