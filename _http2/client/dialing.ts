/**
 * What all connections of a channel have in common.
 *
 * @module
 */

import type { MemoryBudget } from "../../_call/account.ts";
import type { ConnectivityObserver } from "../../core/_connectivity_trace.ts";
import type { Clock } from "../../core/clock.ts";
import type { ResolvedConfiguration } from "../../core/config.ts";
import type { AddressSource } from "./addresses.ts";
import type { Engine } from "../engine.ts";

/** What a channel knows of its server, and how it talks to it. */
export interface Dialing {
  readonly authority: string;
  /** What the server is called in errors: its target. */
  readonly target: string;
  /** Which of its endpoints it is, where a balancer knows of several. */
  readonly endpoint?: string | undefined;
  /** What may be wrong when a connection is closed before HTTP/2 began. */
  readonly likelyMixUp: string;
  readonly scheme: "http" | "https";
  readonly config: ResolvedConfiguration;
  /** How long a connection is kept without calls, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** What all times go by. */
  readonly clock: Clock;
  /** Whether an unused connection keeps the process alive. */
  readonly keepProcessAlive: boolean;
  /** What may be held for the server. */
  readonly budget: MemoryBudget;
  /** Runs HTTP/2 on a connected socket. */
  readonly engine: Engine;
  /** Finds the addresses to connect to, for each attempt. */
  readonly addresses: AddressSource;
  /** Told of states and connections. */
  readonly connectivity?: ConnectivityObserver | undefined;
}
