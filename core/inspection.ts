/**
 * What channels and servers tell of themselves.
 *
 * @module
 */

import type { CallCounts, Change, ResolutionFigures } from "./_figures.ts";
import type { ConnectivityState, Endpoint } from "./connectivity.ts";
import type { Peer } from "./peer.ts";

/** How many calls there were. */
export interface CallNumbers {
  /** How many have begun. */
  readonly started: number;
  /** How many have ended with OK. */
  readonly succeeded: number;
  /** How many have ended otherwise. */
  readonly failed: number;
}

/** A change of the state of a channel. */
export interface StateChange {
  /** When it was. */
  readonly at: Date;
  /** The state since then. */
  readonly state: ConnectivityState;
  /** What has led to it; `null` if that is plain. */
  readonly reason: string | null;
}

/** What has become of looking up the endpoints of a channel. */
export interface ResolutionInspection {
  /** When there was an answer last; `null` if there was none. */
  readonly lastAnswer: Date | null;
  /** When there was none last, or one that was wrong; `null` if never. */
  readonly lastFailure: Date | null;
  /** Why not, or what was wrong; `null` if that never was. */
  readonly lastError: string | null;
}

/** What a channel tells of itself. */
export interface ChannelInspection {
  /** The server, as {@linkcode Channel.target} has it. */
  readonly target: string;
  /** What the channel is doing. */
  readonly state: ConnectivityState;
  /** Since when. */
  readonly since: Date;
  /** Why the state of an endpoint changed last, if it was for a failure. */
  readonly lastError: string | null;
  /** When the next attempt to connect is made at the earliest, if it waits. */
  readonly nextAttempt: Date | null;
  /** The endpoints that it knows of. */
  readonly endpoints: readonly Endpoint[];
  /**
   * How they are looked up, by a resolver or in DNS; `null` if they are given,
   * or if the look-up is a part of each attempt to connect, as with `pick_first`.
   */
  readonly resolution: ResolutionInspection | null;
  /** How many connections there are, those that take no more calls included. */
  readonly connections: number;
  /** How many calls have a stream on one of them. */
  readonly streams: number;
  /** How many calls wait for a stream. */
  readonly waitingCalls: number;
  /** Its calls, since it was made. */
  readonly calls: CallNumbers;
  /** Its last 32 changes of state, the latest behind. */
  readonly history: readonly StateChange[];
}

/** A connection that a server has not served, or has ended. */
export interface ConnectionFailure {
  /** When it was. */
  readonly at: Date;
  /** The client. */
  readonly peer: Peer;
  /** Why. */
  readonly reason: string;
}

/** What a server tells of itself. */
export interface ServerInspection {
  /** Where it listens, as {@linkcode Server.address} has it. */
  readonly address: string | null;
  /** What it is doing. */
  readonly state: "NOT_STARTED" | "SERVING" | "CLOSING";
  /** How many connections there are. */
  readonly connections: number;
  /** How many streams there are on them. */
  readonly streams: number;
  /** How many connections were refused because there were too many. */
  readonly refusedConnections: number;
  /** The methods whose calls are running, or wait to be, one entry for each. */
  readonly runningCalls: readonly string[];
  /** How many calls were refused, or ended, to protect the server. */
  readonly refusedCalls: number;
  /** Its calls, since it was made. */
  readonly calls: CallNumbers;
  /** The connections that failed, the last 32, the latest behind. */
  readonly failedConnections: readonly ConnectionFailure[];
}

/** The numbers of now. */
export function numbersOf(counts: CallCounts): CallNumbers {
  const { started, succeeded, failed } = counts;
  return { started, succeeded, failed };
}

/** What was noted of looking endpoints up, if that is done. */
export function resolutionOf(
  figures: ResolutionFigures | null,
): ResolutionInspection | null {
  if (figures === null) return null;
  const { answeredAt, failedAt, failure } = figures;
  return {
    lastAnswer: answeredAt === null ? null : new Date(answeredAt),
    lastFailure: failedAt === null ? null : new Date(failedAt),
    lastError: failure,
  };
}

/** The latest reason that there is in any history; null if there is none. */
export function lastReason(
  histories: Iterable<{ readonly changes: readonly Change<string>[] }>,
): string | null {
  let last: Change<string> | undefined;
  for (const { changes } of histories) {
    const change = changes.findLast(({ reason }) => reason !== null);
    if (change !== undefined && change.at >= (last?.at ?? 0)) last = change;
  }
  return last?.reason ?? null;
}
