/**
 * What a balancer and its subchannels know of each other. Those of the network
 * are in `_http2/client/subchannel.ts`.
 *
 * @module
 */

import type {
  CloseReason,
  StreamClaim,
  StreamSource,
} from "../_call/byte_stream.ts";
import type {
  CallCounts,
  History,
  LookedAt,
  ResolutionFigures,
} from "../core/_figures.ts";
import type { ConnectivityState, Endpoint } from "../core/connectivity.ts";

/** What a channel needs of what gives its calls their streams. */
export interface ConnectionSource extends StreamSource {
  readonly state: ConnectivityState;
  /** Resolves when the state is another one than now. */
  readonly changed: Promise<void>;
  /** The paths of the methods that are called. */
  readonly paths: string[];
  /** How many connections there are, how many streams, how many calls wait. */
  readonly counts: { connections: number; streams: number; waiting: number };
  readonly endpoints: Endpoint[];
  /** What has become of looking endpoints up; null if that is not done. */
  readonly resolution: ResolutionFigures | null;
  /** The states it was in. */
  readonly history: History<ConnectivityState>;
  /** The connections by endpoint, those included that take no more calls. */
  readonly subchannels: readonly SubchannelFigures[];
  /** Connects now, rather than when a call needs it. */
  connect(): void;
  /** Ends all calls and connections, for good; resolves when they are gone. */
  close(): Promise<void>;
}

/** What can be seen of the connections to one endpoint. */
export interface SubchannelFigures {
  /** What it connects to. */
  readonly name: string;
  readonly state: ConnectivityState;
  /** The states it was in. */
  readonly history: History<ConnectivityState>;
  /** How long it waits before it connects again, in milliseconds, if it does. */
  readonly nextAttemptMs: number | null;
  /** How many calls there were on all its connections, each attempt by itself. */
  readonly callCounts: CallCounts;
  /** The connections that are not gone, in the order they were made. */
  readonly connections: Iterable<LookedAt>;
}

/** The connections to one endpoint: mostly one, and those that are draining. */
export interface BalancedSubchannel {
  /** What can be seen of it. */
  readonly figures: SubchannelFigures;
  readonly state: ConnectivityState;
  /** Why the last attempt to connect failed, if that is why it waits. */
  readonly failure: CloseReason | null;
  /** How many calls run on the connection that takes calls. */
  readonly callCount: number;
  /** How many streams the server allows at a time; 0 if it is not connected. */
  readonly maxStreams: number;
  /** Since when it has no call, by the clock; Infinity while it has. */
  readonly unusedSince: number;
  readonly paths: string[];
  readonly counts: { connections: number; streams: number };
  /** Whether calls wait for a stream of it, or of another like it. */
  isWanted: boolean;
  /** Whether somebody waits for another state of the channel. */
  isWatched: boolean;
  /**
   * Tells whether a stream can be opened now. One that was silent for long has
   * to answer first.
   */
  checkRoom(): boolean;
  /** Gives a call a stream, where there is room. */
  open(claim: StreamClaim): void;
  /**
   * Gives a stream to a call that is none of the user's: it keeps neither the
   * connection in use nor the process alive.
   */
  openInBackground(claim: StreamClaim): void;
  /** Connects, if it is idle. */
  connect(): void;
  /** Takes no more calls; resolves when those there are have ended. */
  retire(): Promise<void>;
  /** Ends all calls; resolves when the connections are gone. */
  close(): Promise<void>;
}

/** Who is told what becomes of a subchannel. */
export interface SubchannelOwner {
  /** It is in another state; never while the constructor runs. */
  onState(subchannel: BalancedSubchannel): void;
  /** A call ended on it, or the peer allows more of them. */
  onRoom(subchannel: BalancedSubchannel): void;
}
