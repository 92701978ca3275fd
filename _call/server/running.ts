/**
 * The handlers that run, by name: for tests, and for the end of a program.
 *
 * @module
 */

/** What a server tells the paths of its running handlers with. */
export const running: unique symbol = Symbol("grpclib.running");

/** Something that runs handlers. */
export interface Running {
  /** The path of the method of each handler that runs. */
  readonly [running]: readonly string[];
}
