/**
 * The connections of this process that are open, whoever made them: for tests,
 * as no sanitizer of Deno sees a session of `node:http2`.
 *
 * @module
 */

/** A connection, as far as its name goes. */
export interface OpenConnection {
  /** How many calls there are on it. */
  readonly streamCount: number;
  /** Says where it leads, for people. */
  toString(): string;
}

/** All connections that are not gone yet. */
export const openConnections: Set<OpenConnection> = new Set();
