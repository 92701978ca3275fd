/**
 * What all connections of a channel have in common.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import type { ResolvedConfiguration } from "../core/config.ts";
import type { SocketSource } from "./connect.ts";
import type { Engine } from "./engine.ts";

/** What a channel knows of its server, and how it talks to it. */
export interface Dialing {
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly config: ResolvedConfiguration;
  /** What all times go by. */
  readonly clock: Clock;
  /** Whether an unused connection keeps the process alive. */
  readonly keepProcessAlive: boolean;
  /** The path of the unix socket, if it is one. */
  readonly path: string | undefined;
  /** Runs HTTP/2 on a connected socket. */
  readonly engine: Engine;
  /** Connects a socket. */
  readonly connect: SocketSource;
}
